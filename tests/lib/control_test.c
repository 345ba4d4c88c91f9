// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * An embedded device is seen, and its sleds are drained, from another process: while its
 * programs write, and not a byte is lost. Who drains may be killed at any time. What makes
 * no sense, comes from somebody else, comes in thousands or takes no answer harms nobody.
 */
#include <fcntl.h>
#include <netlink/attr.h>
#include <netlink/msg.h>
#include <netlink/genl/genl.h>
#include <linux/vneuron_nl.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>

#include <vneuron/fault.h>
#include <vneuron/sled.h>

#include "fixture.h"

static vn_device_t dev;
#include "writers.h"

#define SPEC "embedded:sleds=3,chips=2,spares=1,hbm=64M,control=1"

static char dir[] = "/tmp/vn-control.XXXXXX";

/* ---- a process with devices ---------------------------------------------------------- */

struct holder {
	pid_t pid;
	int to, from;
};

enum order {
	GO_ON, /* writers get further */
	CLOSE_ONE, /* the first device */
	END,
};

/* What it says: how much is wrong, at most. */
static unsigned int hear(const struct holder *h)
{
	unsigned int n = 0;

	NEED(read(h->from, &n, sizeof(n)) == sizeof(n) ? 0 : -EPIPE);
	return n;
}

static unsigned int tell(const struct holder *h, enum order order)
{
	NEED(write(h->to, &order, sizeof(order)) == sizeof(order) ? 0 : -EPIPE);
	return hear(h);
}

static void hold(int in, int out, unsigned int devices, bool writers)
{
	vn_device_t more[8] = { NULL };
	unsigned int wrong = 0;
	enum order order;

	/* Points are the parent's. */
	NEED(dup2(open("/dev/null", O_WRONLY | O_CLOEXEC), 1));
	for (unsigned int i = 0; i < devices; i++)
		NEED(vn_open(SPEC, &more[i]));
	dev = more[0];
	if (writers)
		writers_begin();
	while (write(out, &wrong, sizeof(wrong)) > 0 &&
	       read(in, &order, sizeof(order)) == sizeof(order) && order != END) {
		if (writers && order == GO_ON)
			writers_go_on(20);
		if (order == CLOSE_ONE) {
			vn_close(more[0]);
			more[0] = NULL;
		}
	}
	if (writers)
		wrong = writers_end();
	for (unsigned int i = 0; i < devices; i++)
		vn_close(more[i]);
	if (write(out, &wrong, sizeof(wrong)) < 0)
		_exit(1);
	exit(0);
}

static struct holder holder(unsigned int devices, bool writers)
{
	struct holder h;
	int to[2], from[2];

	NEED(pipe2(to, O_CLOEXEC) ?: pipe2(from, O_CLOEXEC));
	h.pid = fork();
	if (!h.pid) {
		close(to[1]);
		close(from[0]);
		hold(to[0], from[1], devices, writers);
	}
	close(to[0]);
	close(from[1]);
	h.to = to[1];
	h.from = from[0];
	hear(&h);
	return h;
}

/* How it ended: its exit status, or a signal and 128. */
static int over(struct holder *h)
{
	int status = 0;

	close(h->to);
	close(h->from);
	waitpid(h->pid, &status, 0);
	return WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
}

static const char *spec_of(const struct holder *h, unsigned int number)
{
	static char spec[40];

	snprintf(spec, sizeof(spec), number ? "pid:%d/%u" : "pid:%d", h->pid, number);
	return spec;
}

static vn_device_t reach(const struct holder *h)
{
	vn_device_t d = NULL;

	NEED(vn_open(spec_of(h, 0), &d));
	return d;
}

static bool answers(const struct holder *h)
{
	struct vn_query q;
	vn_device_t d;
	bool yes;

	if (vn_open(spec_of(h, 0), &d))
		return false;
	yes = !vn_device_query(d, &q) && q.chips == 6;
	vn_close(d);
	return yes;
}

static uint32_t state(vn_device_t d, uint32_t sled)
{
	struct vn_sled_query q;

	NEED(vn_sled_query(d, sled, &q));
	return q.state;
}

static uint32_t sled_of(vn_device_t d, uint32_t chip)
{
	struct vn_chip_query q;

	NEED(vn_chip_query(d, chip, &q));
	return q.sled;
}

static int drain(vn_device_t d, uint32_t sled,
		 int (*progress)(void *, const struct vn_drain_report *), void *arg,
		 struct vn_drain_report *r)
{
	struct vn_drain_config c = VN_DRAIN_CONFIG_INITIALIZER;

	c.reason = "fan";
	c.progress = progress;
	c.arg = arg;
	c.budget_ns = 2 * SECOND;
	return vn_sled_drain(d, sled, &c, r);
}

/* ---- looking ---------------------------------------------------------------------------- */

static void test_look(const struct holder *h)
{
	vn_device_t d = reach(h), peer;
	struct vn_port port[1];
	struct vn_chip_query chip;
	struct vn_mem mem;
	struct vn_query q;

	NEED(vn_device_query(d, &q));
	tap_ok(q.sleds == 3 && q.chips == 6 && q.spares == 1 && q.hbm_bytes == 64 << 20 &&
		       !strcmp(vn_device_home(d), "remote"),
	       "%s has the shape of the device there", vn_device_spec(d));
	NEED(vn_chip_query(d, 0, &chip));
	tap_ok(chip.hbm_used == 2 * BYTES && chip.queues == 1 && !chip.attached,
	       "a chip has what its writers have: %llu bytes, %u queue",
	       (unsigned long long)chip.hbm_used, chip.queues);
	tap_ok(vn_chip_query(d, 6, &chip) == -ENODEV && strstr(vn_error(), "0 to 5"), "%s",
	       vn_error());
	tap_ok(vn_ports(d, port, 1) > 8, "it has ports");
	tap_ok(!vn_reopen(d, &peer), "it is opened again");
	vn_close(peer);
	tap_ok(vn_mem_alloc(d, 0, 4096, &mem) == -EOPNOTSUPP &&
		       strstr(vn_error(), "only looking and draining"),
	       "%s", vn_error());
	vn_close(d);
}

static void test_no_such(const struct holder *h)
{
	static const char *const bad[] = { "pid:",
					   "pid:0",
					   "pid:x",
					   "pid:-1",
					   "pid:1K",
					   "pid:1/",
					   "pid:1/x",
					   "pid:1/-1",
					   "pid:+1",
					   "pid:1,2",
					   "pid:99999999999999999999" };
	vn_device_t d;
	char text[40];
	pid_t gone;

	for (unsigned int i = 0; i < COUNT(bad); i++)
		tap_ok(vn_open(bad[i], &d) == -EINVAL && strstr(vn_error(), "want pid:PID"), "%s",
		       vn_error());
	tap_ok(vn_open(spec_of(h, 1), &d) == -ENOENT && strstr(vn_error(), "1 there listens"), "%s",
	       vn_error());
	snprintf(text, sizeof(text), "pid:%d", getpid());
	tap_ok(vn_open(text, &d) == -ENOENT && strstr(vn_error(), "VNEURON_CONTROL=1"), "%s",
	       vn_error());
	gone = fork();
	if (!gone)
		_exit(0);
	waitpid(gone, NULL, 0);
	snprintf(text, sizeof(text), "pid:%d", gone);
	tap_ok(vn_open(text, &d) == -ESRCH && strstr(vn_error(), "no such process"), "%s",
	       vn_error());
}

/* ---- draining --------------------------------------------------------------------------- */

/* Writers get some time between two rounds. */
static int give_time(void *arg, const struct vn_drain_report *r)
{
	(void)arg;
	if (r->last.state == VN_SLED_PRECOPY)
		sleep_ms(3);
	return 0;
}

/* What a drain that goes well goes through, rounds left out. */
static bool as_it_should(vn_sled_events_t ev, uint32_t sled, uint64_t operation)
{
	uint32_t at = VN_SLED_IN_SERVICE;
	struct vn_sled_event e;

	while (at != VN_SLED_DRAINED && !vn_sled_events_next(ev, &e, LONG)) {
		if (e.sled != sled || e.from != at || e.operation != operation ||
		    e.uid != getuid() || strcmp(e.reason, "fan"))
			return false;
		/* A pause may have been too long. */
		if (e.to != at + 1 && e.to != VN_SLED_PRECOPY)
			return false;
		at = e.to;
	}
	return at == VN_SLED_DRAINED;
}

static void test_drain(const struct holder *h)
{
	unsigned int rounds = quick() ? 3 : 20, told = 0, n = 0;
	vn_device_t d = reach(h);
	struct vn_drain_report r;
	struct vn_sled_query q;
	struct vn_sled_event e;
	vn_sled_events_t ev;
	uint32_t sled;
	int err = 0;

	NEED(vn_sled_events_open(d, &ev));
	for (; n < rounds && !err; n++) {
		tell(h, GO_ON);
		sled = sled_of(d, n % 4);
		err = drain(d, sled, give_time, NULL, &r);
		told += !err && as_it_should(ev, sled, r.operation);
		NEED(vn_sled_query(d, sled, &q));
		err = err
			      ?: q.state == VN_SLED_DRAINED && q.uid == getuid() &&
					 !strcmp((char *)q.reason, "fan") &&
					 sled_of(d, n % 4) != sled
				 ? 0
				 : -EPROTO;
		err = err ?: vn_sled_undrain(d, sled, NULL, NULL);
		/* There and back. */
		if (vn_sled_events_next(ev, &e, LONG) || vn_sled_events_next(ev, &e, LONG) ||
		    e.to != VN_SLED_IN_SERVICE)
			told = 0;
	}
	tap_ok(!err, "%u drains of sleds that are written to, and back: %s", n,
	       err ? vn_error() : "");
	tap_ok(told == n, "%u times each step was told, in order", told);
	tap_ok(vn_sled_events_next(ev, &e, 0) == -ETIMEDOUT, "and nothing else");
	tap_ok(vn_sled_undrain(d, 0, NULL, NULL) == -EALREADY && strstr(vn_error(), "in service"),
	       "%s", vn_error());
	tap_ok(vn_sled_cancel(d, 0, 0) == -ENOENT &&
		       !strcmp(vn_error(), "sled 0: nothing is draining this sled"),
	       "%s", vn_error());
	vn_sled_events_close(ev);
	vn_close(d);
}

/* ---- what goes wrong -------------------------------------------------------------------- */

static void test_faults(void)
{
	const struct vn_fault loss = { .kind = VN_FAULT_CHIP_LOSS, .where = 5 };
	const struct vn_fault power = { .kind = VN_FAULT_SLED_LOSS, .where = 1 };
	struct holder h = holder(1, false);
	struct vn_fault f[4];
	struct vn_query q;
	struct vn_sled_event e;
	vn_sled_events_t ev;
	vn_device_t d = reach(&h), two = reach(&h);

	NEED(vn_sled_events_open(d, &ev));
	tap_ok(!vn_fault_list(d, f, 4) && !vn_fault_inject(d, &loss) &&
		       vn_fault_list(two, f, 4) == 1 && f[0].kind == loss.kind && f[0].where == 5,
	       "a chip is lost: %s", vn_error());
	tap_ok(!vn_chip_lost(two, 5) && !vn_device_query(two, &q) && vn_chip_lost(two, 5) &&
		       !vn_chip_lost(two, 4),
	       "as who asks can see");
	tap_ok(vn_fault_clear(two, &power) == -ENOENT && strstr(vn_error(), "no such fault"), "%s",
	       vn_error());
	tap_ok(!vn_fault_clear(two, &loss) && !vn_device_query(two, &q) && !vn_chip_lost(two, 5),
	       "it is there again");
	tap_ok(!vn_fault_inject(d, &power) && state(two, 1) == VN_SLED_FAULTED &&
		       !vn_sled_events_next(ev, &e, LONG) && e.sled == 1 &&
		       e.from == VN_SLED_IN_SERVICE && e.to == VN_SLED_FAULTED &&
		       e.uid == getuid() && !strcmp(e.reason, "lost"),
	       "a sled is lost, and all are told");
	tap_ok(drain(d, 1, NULL, NULL, NULL) < 0 && strstr(vn_error(), "faulted"), "%s",
	       vn_error());
	tap_ok(!vn_fault_clear(d, &(struct vn_fault){ .kind = VN_FAULT_ANY }) &&
		       !vn_sled_undrain(d, 1, NULL, NULL) && state(d, 1) == VN_SLED_IN_SERVICE,
	       "it comes back: %s", vn_error());
	tap_ok(!drain(d, 2, NULL, NULL, NULL) && !vn_sled_maintain(two, 2, NULL) &&
		       state(d, 2) == VN_SLED_MAINTENANCE && !vn_sled_undrain(d, 2, NULL, NULL),
	       "another one loses power, and gets it back");
	vn_sled_events_close(ev);
	vn_close(d);
	vn_close(two);
	tell(&h, END);
	over(&h);
}

static int short_of(void *arg, const struct vn_drain_report *r)
{
	vn_device_t d = arg;
	struct vn_drain_open plan;
	uint32_t sled = sled_of(d, 2);

	if (r->last.state != VN_SLED_CORDONED)
		return 0;
	tap_ok(drain(d, sled, NULL, NULL, NULL) == -ENOSPC && strstr(vn_error(), "2 short"), "%s",
	       vn_error());
	tap_ok(!vn_sled_plan(d, sled, VN_ANY_SLED, &plan) && plan.chips == 2 && !plan.free_slots,
	       "a plan of another client says so too");
	return 0;
}

static int by_another(void *arg, const struct vn_drain_report *r)
{
	static unsigned int off;
	vn_device_t d = arg;
	uint32_t sled = sled_of(d, 0);

	/* The step that it ends with is in PRECOPY, too. */
	if (r->last.state != VN_SLED_PRECOPY || r->last.rounds > 1 || off++)
		return 0;
	tap_ok(drain(d, sled, NULL, NULL, NULL) == -EBUSY && strstr(vn_error(), "precopy"), "%s",
	       vn_error());
	tap_ok(!vn_sled_cancel(d, sled, r->operation), "another client calls it off");
	return 0;
}

static void test_two(const struct holder *h)
{
	vn_device_t one = reach(h), two = reach(h);
	uint32_t sled = sled_of(one, 0);

	tap_ok(!drain(one, sled, short_of, two, NULL) && !vn_sled_undrain(two, sled, NULL, NULL),
	       "one drains, another one brings it back");
	sled = sled_of(one, 0);
	tap_ok(drain(one, sled, by_another, two, NULL) == -ECANCELED &&
		       strstr(vn_error(), "called off by somebody"),
	       "%s", vn_error());
	tap_ok(state(two, sled) == VN_SLED_IN_SERVICE && sled_of(two, 0) == sled,
	       "all is as it was");
	vn_close(one);
	vn_close(two);
}

/* ---- who drains is killed ------------------------------------------------------------- */

static int dawdle(void *arg, const struct vn_drain_report *r)
{
	(void)arg;
	(void)r;
	sleep_ms((unsigned int)(rnd() % 4));
	return 0;
}

static void drain_for_ever(const struct holder *h)
{
	vn_device_t d = reach(h);

	for (;;) {
		uint32_t sled = sled_of(d, 0);

		if (drain(d, sled, dawdle, NULL, NULL) || vn_sled_undrain(d, sled, NULL, NULL))
			_exit(1);
	}
}

/* Where a sled comes to rest; it may be in the middle of a step. */
static uint32_t settled(vn_device_t d, uint32_t sled)
{
	uint64_t end = now_ns() + LONG;
	uint32_t s;

	do {
		s = state(d, sled);
		if (s == VN_SLED_IN_SERVICE || s == VN_SLED_DRAINED)
			break;
		sleep_ms(1);
	} while (now_ns() < end);
	return s;
}

static void test_killed(const struct holder *h)
{
	unsigned int rounds = quick() ? 5 : 40, back = 0, done = 0, odd = 0;
	vn_device_t d = reach(h);

	for (unsigned int i = 0; i < rounds; i++) {
		unsigned int drained = 0;
		pid_t pid = fork();

		if (!pid)
			drain_for_ever(h);
		sleep_ms((unsigned int)(rnd() % 60));
		kill(pid, SIGKILL);
		waitpid(pid, NULL, 0);
		for (uint32_t sled = 0; sled < 4; sled++) {
			uint32_t s = settled(d, sled);

			if (s == VN_SLED_DRAINED)
				drained += 1 + (vn_sled_undrain(d, sled, NULL, NULL) != 0);
			else
				odd += s != VN_SLED_IN_SERVICE;
		}
		odd += drained > 1;
		done += drained == 1;
		back += !drained;
		tell(h, GO_ON);
	}
	tap_ok(!odd, "of %u killed at any time %u had drained the sled, %u had not; %u odd", rounds,
	       done, back, odd);
	vn_close(d);
}

/* ---- who may --------------------------------------------------------------------------- */

static void test_stranger(const struct holder *h)
{
	char path[80], text[300] = "";
	int p[2], status;
	vn_device_t d;
	struct stat st;
	pid_t pid;

	snprintf(path, sizeof(path), "%s/vneuron/%d", dir, h->pid);
	tap_ok(!stat(path, &st) && (st.st_mode & 07777) == 0600 && S_ISSOCK(st.st_mode),
	       "its socket is for its user alone");
	if (getuid()) {
		tap_skip("only as root: another user");
		return;
	}
	/* Even if the file let him. */
	chmod(path, 0666);
	*strrchr(path, '/') = '\0';
	chmod(path, 0711);
	chmod(dir, 0711);
	NEED(pipe2(p, O_CLOEXEC));
	pid = fork();
	if (!pid) {
		status = setgid(65534) || setuid(65534) || vn_open(spec_of(h, 0), &d) != -EPERM;
		_exit(write(p[1], vn_error(), strlen(vn_error())) < 0 || status);
	}
	waitpid(pid, &status, 0);
	close(p[1]);
	if (read(p[0], text, sizeof(text) - 1) < 0)
		text[0] = '\0';
	close(p[0]);
	tap_ok(WIFEXITED(status) && !WEXITSTATUS(status) && strstr(text, "for the user of"),
	       "another user is turned away: %s", text);
	chmod(path, 0700);
}

/* ---- by hand ----------------------------------------------------------------------------- */

static int connect_raw(const struct holder *h)
{
	struct sockaddr_un at = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);

	snprintf(at.sun_path, sizeof(at.sun_path), "%s/vneuron/%d", dir, h->pid);
	if (connect(fd, (struct sockaddr *)&at, sizeof(at))) {
		close(fd);
		return -1;
	}
	return fd;
}

static struct nl_msg *request(uint8_t cmd, int flags)
{
	struct nl_msg *m = nlmsg_alloc();

	NEED(m && genlmsg_put(m, 0, 7, VN_NL_CONTROL, 0, NLM_F_REQUEST | flags, cmd, 1) ? 0
											: -ENOMEM);
	return m;
}

/* How the answer to a packet ends: 0 or -errno; 1: otherwise, 2: there is none. */
static int answered(int fd, const void *packet, size_t bytes, char *text, size_t room)
{
	union {
		struct nlmsghdr h;
		char bytes[65536];
	} in;
	struct nlattr *tb[NLMSGERR_ATTR_MAX + 1] = { NULL };
	struct nlmsghdr *at = &in.h;
	struct nlmsgerr *e;
	int n;

	if (send(fd, packet, bytes, MSG_NOSIGNAL) < 0)
		return 2;
	n = (int)recv(fd, &in, sizeof(in), 0);
	if (n <= 0 || !nlmsg_ok(at, n))
		return 2;
	while (at->nlmsg_type != NLMSG_ERROR) {
		at = nlmsg_next(at, &n);
		if (!nlmsg_ok(at, n))
			return 1;
	}
	e = nlmsg_data(at);
	if (text && !nlmsg_parse(at, sizeof(*e), tb, NLMSGERR_ATTR_MAX, NULL) &&
	    tb[NLMSGERR_ATTR_MSG])
		snprintf(text, room, "%s", nla_get_string(tb[NLMSGERR_ATTR_MSG]));
	return e->error;
}

static void refused(int fd, struct nl_msg *m, int want, const char *pattern, const char *what)
{
	char text[200] = "";
	int err = answered(fd, nlmsg_hdr(m), nlmsg_hdr(m)->nlmsg_len, text, sizeof(text));

	tap_ok(err == want && strstr(text, pattern), "%s: %d (%s)", what, err, text);
	nlmsg_free(m);
}

static struct nl_msg *call(uint32_t nr, const void *arg, uint32_t bytes)
{
	struct nl_msg *m = request(VN_NL_CMD_CALL, NLM_F_ACK);

	nla_put_u32(m, VN_NL_CALL_NUMBER, nr);
	if (arg)
		nla_put(m, VN_NL_CALL_ARGUMENT, (int)bytes, arg);
	return m;
}

static void test_refused(const struct holder *h)
{
	struct vn_query query = { .size = sizeof(query), .flags = 1 };
	struct vn_drain_step step = { .size = sizeof(step), .to = VN_SLED_CORDONED };
	struct vn_sled_query sled = { .size = sizeof(sled), .sled = 4 };
	static char big[6000], huge[20000];
	int fd = connect_raw(h);
	struct nl_msg *m;
	size_t n;

	refused(fd, request(77, 0), -EOPNOTSUPP, "no such command", "an unknown command");
	refused(fd, request(VN_NL_CMD_QUEUE, 0), -EOPNOTSUPP, "as a dump", "one queue");
	refused(fd, request(VN_NL_CMD_SLED_EVENT, NLM_F_DUMP), -EOPNOTSUPP, "listed", "all events");
	refused(fd, request(VN_NL_CMD_CHIP, 0), -EINVAL, "which one", "a chip without number");
	m = request(VN_NL_CMD_CHIP, 0);
	nla_put_u32(m, VN_NL_A_CHIP, 6);
	refused(fd, m, -ENODEV, "no such thing", "chip 6");
	m = request(VN_NL_CMD_CHIP, 0);
	nla_put_u16(m, VN_NL_A_CHIP, 0);
	refused(fd, m, -EINVAL, "another type or length", "a chip of two bytes");
	m = request(VN_NL_CMD_DEVICE, 0);
	nla_put_u32(m, VN_NL_A_SLED, 0);
	refused(fd, m, -EINVAL, "does not take", "a device of a sled");
	refused(fd, call(VN_IOCTL_QUERY, NULL, 0), -EINVAL, "NUMBER and ARGUMENT", "half a call");
	refused(fd, call(VN_IOCTL_MEM_ALLOC, &query, sizeof(query)), -EOPNOTSUPP, "process itself",
		"memory");
	refused(fd, call(VN_IOCTL_QUERY, &query, 8), -EINVAL, "ARGUMENT", "a struct cut off");
	refused(fd, call(VN_IOCTL_QUERY, &query, 3), -EINVAL, "ARGUMENT", "a struct without size");
	big[sizeof(big) - 200] = 1;
	*(uint32_t *)big = 3000;
	big[2999] = 1;
	refused(fd, call(VN_IOCTL_QUERY, big, 3000), -E2BIG, "ARGUMENT", "a longer struct");
	tap_ok(answered(fd, "abc", 3, NULL, 0) == -EBADMSG, "three bytes");
	m = request(VN_NL_CMD_DEVICE, 0);
	n = nlmsg_hdr(m)->nlmsg_len;
	memcpy(big, nlmsg_hdr(m), n);
	nlmsg_free(m);
	tap_ok(answered(fd, big, n + 8, NULL, 0) == -EBADMSG, "more than a message");
	((struct nlmsghdr *)big)->nlmsg_len = n + 4;
	tap_ok(answered(fd, big, n, NULL, 0) == -EBADMSG, "less than it says");
	((struct nlmsghdr *)big)->nlmsg_len = NLMSG_HDRLEN + 2;
	tap_ok(answered(fd, big, NLMSG_HDRLEN + 2, NULL, 0) == -EBADMSG, "half a header");
	((struct nlmsghdr *)big)->nlmsg_type = NLMSG_DONE;
	((struct nlmsghdr *)big)->nlmsg_len = n;
	tap_ok(answered(fd, big, n, NULL, 0) == -EOPNOTSUPP, "another kind of message");
	tap_ok(answered(fd, huge, sizeof(huge), NULL, 0) == -EMSGSIZE, "too long a packet");
	query.flags = 0;
	m = call(VN_IOCTL_QUERY, &query, sizeof(query));
	tap_ok(answered(fd, nlmsg_hdr(m), nlmsg_hdr(m)->nlmsg_len, NULL, 0) == 0,
	       "the same connection still answers");
	nlmsg_free(m);
	close(fd);
	fd = connect_raw(h);
	m = call(VN_IOCTL_SLED_QUERY, &sled, sizeof(sled));
	tap_ok(answered(fd, nlmsg_hdr(m), nlmsg_hdr(m)->nlmsg_len, NULL, 0) == -ENODEV, "sled 4");
	nlmsg_free(m);
	refused(fd, call(VN_IOCTL_DRAIN_STEP, &step, sizeof(step)), -EBADF, "of no drain",
		"a step of none");
	step.reserved = 1;
	refused(fd, call(VN_IOCTL_DRAIN_STEP, &step, sizeof(step)), -EINVAL, "",
		"a step with something reserved");
	refused(fd, request(VN_NL_CMD_JOIN, 0), -EBUSY, "another", "events of who drains");
	m = request(VN_NL_CMD_DEVICE, NLM_F_DUMP);
	tap_ok(answered(fd, nlmsg_hdr(m), nlmsg_hdr(m)->nlmsg_len, NULL, 0) == 1,
	       "who drains may look");
	nlmsg_free(m);
	close(fd);
}

/* A request that makes sense, with some of it changed. */
static size_t nearly(char *to)
{
	static const uint32_t nr[] = { VN_IOCTL_QUERY, VN_IOCTL_CHIP_QUERY, VN_IOCTL_SLED_QUERY,
				       VN_IOCTL_DRAIN_OPEN, VN_IOCTL_DRAIN_STEP };
	static const uint32_t size[] = { sizeof(struct vn_query), sizeof(struct vn_chip_query),
					 sizeof(struct vn_sled_query), sizeof(struct vn_drain_open),
					 sizeof(struct vn_drain_step) };
	uint32_t arg[64] = { 0 }, k = (uint32_t)(rnd() % COUNT(nr));
	struct nl_msg *m;
	size_t n;

	arg[0] = size[k];
	m = rnd() % 2 ? call(nr[k], arg, size[k])
		      : request((uint8_t)(rnd() % 14), rnd() % 2 ? NLM_F_DUMP : 0);
	if (rnd() % 2)
		nla_put_u32(m, (int)(rnd() % 80), (uint32_t)rnd() % 8);
	n = nlmsg_hdr(m)->nlmsg_len;
	memcpy(to, nlmsg_hdr(m), n);
	nlmsg_free(m);
	for (unsigned int i = 0; i < rnd() % 4; i++)
		to[rnd() % n] = (char)rnd();
	return rnd() % 4 ? n : 1 + rnd() % n;
}

static void test_garbage(const struct holder *h)
{
	unsigned int rounds = quick() ? 1000 : 20000;
	static char buf[20000];
	int fd = -1;
	size_t n;

	for (unsigned int i = 0; i < rounds; i++) {
		if (fd < 0)
			fd = connect_raw(h);
		if (rnd() % 4) {
			n = nearly(buf);
		} else {
			n = 1 + rnd() % (rnd() % 8 ? 64 : sizeof(buf));
			scramble(buf, n);
		}
		if (send(fd, buf, n, MSG_NOSIGNAL | MSG_DONTWAIT) < 0 || !(rnd() % 16)) {
			close(fd);
			fd = -1;
		} else {
			while (recv(fd, buf, sizeof(buf), MSG_DONTWAIT) > 0)
				;
		}
	}
	close(fd);
	tap_ok(answers(h), "%u packets of garbage, and nearly that: it still answers", rounds);
}

static void test_many(const struct holder *h)
{
	unsigned int rounds = quick() ? 300 : 3000, bad = 0, open = 0;
	vn_device_t d[80] = { NULL };
	int err = 0;

	for (unsigned int i = 0; i < rounds; i++) {
		int fd = connect_raw(h);

		bad += fd < 0;
		close(fd);
	}
	tap_ok(!bad && answers(h), "%u connections, one after another", rounds);
	while (open < COUNT(d) && !err) {
		err = vn_open(spec_of(h, 0), &d[open]);
		open += !err;
	}
	tap_ok(open == 64 && err == -EBUSY && strstr(vn_error(), "64 connections"),
	       "%u at a time: %s", open, vn_error());
	while (open--)
		vn_close(d[open]);
	sleep_ms(50);
	tap_ok(answers(h), "and again when they are gone");
}

/* Takes no answer, and no event. */
static void test_never_reads(const struct holder *h)
{
	struct nl_msg *dump = request(VN_NL_CMD_PORT, NLM_F_DUMP),
		      *join = request(VN_NL_CMD_JOIN, 0);
	int fd = connect_raw(h), deaf = connect_raw(h), sent = 0;
	vn_device_t d = reach(h);
	uint32_t sled = sled_of(d, 0);
	int err = 0;

	NEED(send(deaf, nlmsg_hdr(join), nlmsg_hdr(join)->nlmsg_len, 0));
	while (send(fd, nlmsg_hdr(dump), nlmsg_hdr(dump)->nlmsg_len, MSG_DONTWAIT | MSG_NOSIGNAL) >
	       0)
		sent++;
	tap_ok(sent > 1 && answers(h), "%d dumps that nobody reads: others are answered", sent);
	for (unsigned int i = 0; i < (quick() ? 3 : 20) && !err; i++, sled = sled_of(d, 0))
		err = drain(d, sled, NULL, NULL, NULL) ?: vn_sled_undrain(d, sled, NULL, NULL);
	tap_ok(!err, "nor do events that nobody reads hold up a drain: %s", err ? vn_error() : "");
	nlmsg_free(dump);
	nlmsg_free(join);
	close(fd);
	close(deaf);
	vn_close(d);
}

/* ---- its end ------------------------------------------------------------------------------ */

static int device_ends(void *arg, const struct vn_drain_report *r)
{
	const struct holder *h = arg;

	if (r->last.state == VN_SLED_CORDONED)
		tell(h, CLOSE_ONE);
	return 0;
}

static void test_several(void)
{
	struct holder h = holder(3, false);
	struct vn_sled_event e;
	vn_sled_events_t ev;
	vn_device_t d, two;
	char path[80];
	int err;

	tap_ok(!vn_open(spec_of(&h, 2), &two), "the third device of a process");
	tap_ok(vn_open(spec_of(&h, 3), &d) == -ENOENT && strstr(vn_error(), "3 there listen"), "%s",
	       vn_error());
	d = reach(&h);
	NEED(vn_sled_events_open(d, &ev));
	err = drain(d, 0, device_ends, &h, NULL);
	tap_ok(err == -ECONNRESET && strstr(vn_error(), "it has ended"),
	       "the device goes while its sled is drained: %d (%s)", err, vn_error());
	do
		err = vn_sled_events_next(ev, &e, LONG);
	while (!err);
	tap_ok(err == -ECONNRESET, "and so do its events: %s", vn_error());
	tap_ok(vn_sled_query(d, 0, &(struct vn_sled_query){ 0 }) == -ECONNRESET, "and answers: %s",
	       vn_error());
	tap_ok(vn_open(spec_of(&h, 0), &two) == -ENOENT && strstr(vn_error(), "2 there listen"),
	       "%s", vn_error());
	vn_sled_events_close(ev);
	vn_close(d);
	vn_close(two);
	/* Killed, it leaves its sockets. */
	kill(h.pid, SIGKILL);
	over(&h);
	snprintf(path, sizeof(path), "%s/vneuron/%d.1", dir, h.pid);
	tap_ok(!access(path, F_OK), "who is killed leaves his socket");
	tap_ok(vn_open(spec_of(&h, 1), &d) == -ESRCH && access(path, F_OK),
	       "who asks for it removes it: %s", vn_error());
	snprintf(path, sizeof(path), "%s/vneuron/%d.2", dir, h.pid);
	tap_ok(!access(path, F_OK), "the other one is there");
	h = holder(1, false);
	tap_ok(access(path, F_OK), "until the next device listens");
	tell(&h, END);
	over(&h);
}

/* What keeps a device from listening is why it does not open. */
static void test_no_place(void)
{
	char path[200];
	vn_device_t d;
	int err;

	snprintf(path, sizeof(path), "%s/vneuron", dir);
	chmod(path, 0750);
	err = vn_open(SPEC, &d);
	tap_ok(err == -EACCES && strstr(vn_error(), "mode 0700"), "%s", vn_error());
	chmod(path, 0700);
	snprintf(path, sizeof(path), "%s/%0150d", dir, 0);
	setenv("XDG_RUNTIME_DIR", path, 1);
	tap_ok(vn_open(SPEC, &d) == -ENAMETOOLONG && strstr(vn_error(), "too long"), "%s",
	       vn_error());
	snprintf(path, sizeof(path), "%s/none", dir);
	setenv("XDG_RUNTIME_DIR", path, 1);
	tap_ok(vn_open(SPEC, &d) == -ENOENT && strstr(vn_error(), "/none/vneuron"), "%s",
	       vn_error());
	setenv("XDG_RUNTIME_DIR", dir, 1);
	tap_ok(!vn_open("embedded:sleds=1,control=0", &d), "without, it needs none");
	vn_close(d);
}

int main(void)
{
	char path[80];
	struct holder h;

	if (strncmp(device_spec(), "embedded", 8))
		tap_skip_all("only with the embedded device: others see the module by itself");
	NEED(mkdtemp(dir) ? 0 : -errno);
	setenv("XDG_RUNTIME_DIR", dir, 1);
	h = holder(1, true);
	test_look(&h);
	test_no_such(&h);
	test_drain(&h);
	test_two(&h);
	test_killed(&h);
	test_stranger(&h);
	test_refused(&h);
	test_garbage(&h);
	test_many(&h);
	test_never_reads(&h);
	tap_ok(!tell(&h, END), "every byte there is what was written");
	tap_ok(!over(&h), "it ends as it should");
	snprintf(path, sizeof(path), "%s/vneuron/%d", dir, h.pid);
	tap_ok(access(path, F_OK), "its socket went with it");
	test_faults();
	test_several();
	test_no_place();
	snprintf(path, sizeof(path), "%s/vneuron", dir);
	rmdir(path);
	rmdir(dir);
	return tap_done();
}

// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * What makes no sense, comes from somebody else, comes in thousands or takes no answer harms
 * nobody: neither an embedded device that others may see, nor those who drain it.
 */
#include "raw.h"

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
	m = request(VN_NL_CMD_FAULT_INJECT, NLM_F_ACK);
	nla_put_u32(m, VN_NL_A_FAULT, VN_FAULT_CHIP_LOSS);
	refused(fd, m, -EINVAL, "WHERE is missing", "a chip is lost, but which");
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

int main(void)
{
	struct holder h;

	begin();
	h = holder(1, true);
	test_stranger(&h);
	test_refused(&h);
	test_garbage(&h);
	test_many(&h);
	test_never_reads(&h);
	end_holder(&h);
	end();
	return tap_done();
}

// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * What strangers of the same user may send to those who join a communicator: to rank 0, who
 * listens, and from who says that he is rank 0. Whoever it is is turned away, or let in as
 * what he can be; no fd is lost.
 *
 * An input: whom it is sent to, then packets: fds that go with it, its length (0: that of
 * what is expected), and its bytes, which are put onto what makes sense.
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <unistd.h>

#include "../../lib/coll/boot.h"
#include "../../lib/coll/join.h"
#include "../../lib/home.h"
#include "fuzz.h"

#define CHIPS 4u
#define RANKS 3u
#define PACKETS 3u
#define PACKET_MAX 1024u
#define TEXT_AT 8u /* of the answer of rank 0 */
#define BOARD_BYTES 8192u

enum whom {
	LISTENER, /* coll_boot_accept() */
	RANK_0, /* join_welcome(), which lets in */
	KNOCKER, /* coll_boot_knock() */
	WHOM,
};

struct packet {
	uint32_t fds, bytes;
	uint8_t data[PACKET_MAX];
};

/* In memory that the process shares which says that it is rank 0. */
struct packets {
	uint32_t ready, n;
	struct packet packet[PACKETS];
};

static vn_unique_id id, other_id;
static struct packets *p;
static struct vn_lib_device dev = { .home = &vn_home_kernel };
static struct vn_health *health;
static int listener, null, board;

/* ---- sending ---------------------------------------------------------------------------- */

static void send_packet(int to, const struct packet *what)
{
	char control[CMSG_SPACE(3 * sizeof(int))] = { 0 };
	struct iovec io = { (void *)what->data, what->bytes };
	struct msghdr m = { .msg_iov = &io, .msg_iovlen = 1 };
	int fds[3] = { what->fds == 2 ? board : null, null, board };

	if (what->fds) {
		struct cmsghdr *c;

		m.msg_control = control;
		m.msg_controllen = CMSG_SPACE(what->fds * sizeof(int));
		c = CMSG_FIRSTHDR(&m);
		c->cmsg_level = SOL_SOCKET;
		c->cmsg_type = SCM_RIGHTS;
		c->cmsg_len = CMSG_LEN(what->fds * sizeof(int));
		memcpy(CMSG_DATA(c), fds, what->fds * sizeof(int));
	}
	if (sendmsg(to, &m, MSG_NOSIGNAL | MSG_DONTWAIT) < 0)
		return;
}

static void send_all(int to)
{
	for (uint32_t i = 0; i < p->n; i++)
		send_packet(to, &p->packet[i]);
	shutdown(to, SHUT_WR);
}

/* Another process, as the knocker looks whose it is. */
static void be_rank_0(void)
{
	char word[64];
	int at, fd;

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	at = coll_boot_listen(&other_id);
	__atomic_store_n(&p->ready, at < 0 ? 2 : 1, __ATOMIC_RELEASE);
	for (;;) {
		fd = accept(at, NULL, NULL);
		if (fd < 0)
			_exit(1);
		send_all(fd);
		while (recv(fd, word, sizeof(word), 0) > 0)
			;
		close(fd);
	}
}

static void set_id(vn_unique_id *to, uint32_t number)
{
	memset(to, 0x5a, sizeof(*to));
	memcpy(to, &(uint32_t[]){ (uint32_t)getpid(), number }, 8);
}

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
	struct vn_spec spec = { .node = "/dev/null" };

	(void)argc;
	(void)argv;
	set_id(&id, 0);
	set_id(&other_id, 1);
	null = open("/dev/null", O_RDWR | O_CLOEXEC);
	board = coll_board_file(BOARD_BYTES);
	p = mmap(NULL, sizeof(*p), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	MUST(p != MAP_FAILED && null >= 0 && board >= 0);
	if (!fork())
		be_rank_0();
	while (!__atomic_load_n(&p->ready, __ATOMIC_ACQUIRE))
		usleep(1000);
	MUST(p->ready == 1);
	listener = coll_boot_listen(&id);
	MUST(listener >= 0);
	/* Exactly as much of it as there are chips to ask for. */
	health = calloc(1, sizeof(*health));
	MUST(health && !vn_home_kernel.open(&spec, &dev.ctx));
	dev.query.chips = CHIPS;
	dev.health = health;
	pthread_mutex_init(&dev.handles_lock, NULL);
	pthread_mutex_init(&dev.mems_lock, NULL);
	return 0;
}

/* ---- receiving -------------------------------------------------------------------------- */

static int connect_to_it(void)
{
	struct sockaddr_un name;
	socklen_t size = coll_boot_name(&id, &name);
	int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);

	MUST(fd >= 0 && !connect(fd, (void *)&name, size));
	return fd;
}

static void to_listener(void)
{
	const int fds[2] = { null, board };
	struct coll_guest guest;
	int fd = connect_to_it(), err;

	send_all(fd);
	err = coll_boot_accept(listener, &id, 0, &guest);
	MUST(err == 0 || err == -EAGAIN);
	if (!err) {
		MUST(guest.pid == getpid() && !memcmp(&guest.hello.id, &id, sizeof(id)));
		err = coll_boot_answer(&guest, 0, NULL, fds[1], fds[0]);
		MUST(!err || err == -EPROTO || err == -ECONNRESET);
		coll_boot_gone(guest.fd);
		close(guest.fd);
	}
	close(fd);
}

static void to_rank_0(uint32_t lost)
{
	struct vn_config config = { .dev = &dev };
	struct joining j = { .config = &config, .listener = listener, .domain = null, .word = -1 };
	int fd = connect_to_it(), file;
	struct coll_team *t;

	for (uint32_t c = 0; c < CHIPS; c++)
		health->chip[c] = lost >> c & 1;
	memset(j.guest, -1, sizeof(j.guest));
	send_all(fd);
	pthread_mutex_lock(&coll_registry);
	MUST(!coll_team_get(&id, RANKS, &dev, 0, &t));
	j.team = t;
	file = coll_board_file(coll_board_bytes(RANKS));
	MUST(file >= 0 && !coll_team_move(t, file, true));
	join_count_rank(t, 0, 0, 0, getpid());
	join_welcome(&j);
	for (uint32_t r = 0; r < VN_MAX_CHIPS; r++) {
		MUST(r < RANKS || j.guest[r] < 0);
		if (j.guest[r] < 0)
			continue;
		MUST(t->board.member[r].joined && t->board.member[r].chip < CHIPS);
		coll_boot_go(j.guest[r], 0, NULL);
	}
	for (uint32_t r = 0; r < RANKS; r++)
		MUST(!t->board.member[r].joined || t->board.member[r].chip < CHIPS);
	MUST(t->joined <= 2);
	coll_team_put(t);
	close(fd);
}

static void to_knocker(void)
{
	struct coll_hello h = { .ranks = RANKS, .rank = 1, .chip = 1, .id = other_id };
	int fd, got, domain, err;

	vn_set_error("%s", "");
	err = coll_boot_knock(&h, 1000000000, &fd, &got, &domain);
	MUST(err <= 0 && err >= -4095 && (err || fd >= 0));
	if (!err && got >= 0 && !coll_board_check(got, BOARD_BYTES)) {
		void *map = mmap(NULL, BOARD_BYTES, PROT_READ, MAP_SHARED, got, 0);

		/* Nobody makes it shorter from now on. */
		MUST(map != MAP_FAILED && ftruncate(got, 0));
		munmap(map, BOARD_BYTES);
	}
	if (!err) {
		coll_boot_ready(fd);
		err = coll_boot_wait(fd, 0);
		MUST(err <= 0 && err >= -4095);
		close(fd);
	}
	if (got >= 0)
		close(got);
	if (domain >= 0)
		close(domain);
}

/* ---- an input --------------------------------------------------------------------------- */

static void expected(struct packet *to, enum whom whom, uint32_t i)
{
	struct coll_hello h = { .magic = "vneuron",
				.version = 1,
				.ranks = RANKS,
				.rank = 1,
				.chip = 1,
				.wants_board = 1,
				.id = id };

	memset(to, 0, sizeof(*to));
	if (whom == KNOCKER) {
		to->bytes = TEXT_AT + COLL_TEXT;
	} else if (i) {
		to->bytes = 1;
	} else {
		to->bytes = sizeof(h);
		memcpy(to->data, &h, sizeof(h));
	}
}

static void take(struct fuzz_in *in, enum whom whom)
{
	for (p->n = 0; in->left && p->n < PACKETS; p->n++) {
		struct packet *to = &p->packet[p->n];
		uint32_t fds = fuzz_u8(in) & 3, n;

		expected(to, whom, p->n);
		n = fuzz_u16(in) % PACKET_MAX;
		to->bytes = n ?: to->bytes;
		to->fds = fds;
		for (n = 0; in->left && n < to->bytes; n++)
			to->data[n] ^= fuzz_u8(in);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct fuzz_in in = { data, size };
	uint8_t first = fuzz_u8(&in);
	enum whom whom = first % WHOM;
	int probe = dup(null), again;

	take(&in, whom);
	if (whom == LISTENER)
		to_listener();
	else if (whom == RANK_0)
		to_rank_0(first / WHOM);
	else
		to_knocker();
	/* Fds are given the lowest number that is free. */
	close(probe);
	again = dup(null);
	MUST(again == probe);
	close(again);
	return 0;
}

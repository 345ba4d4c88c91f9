// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * Shows what vn_ranks() says of communicators: who they are, how far each rank is, who
 * waits and for what, who failed and who left; that it tells nothing of the id; that
 * entries are used again, and that running out of them, or of pages, harms nobody.
 */
#include <vneuron/coll.h>

#include "../../lib/home.h" /* for the call of the ABI itself */
#include "crew.h"

#define RANKS 3

static vn_device_t dev;
static struct vn_rank row[4096];

/* The rows of this process; all of them if comm is NULL. */
static uint32_t look(const char *comm)
{
	int n = vn_ranks(dev, row, COUNT(row));
	uint32_t own = 0;

	NEED(n);
	for (int i = 0; i < n; i++)
		if (row[i].pid == (uint32_t)getpid() && (!comm || !strcmp(row[i].comm, comm)))
			row[own++] = row[i];
	return own;
}

/* A rank's row of the last look, or an empty one. */
static const struct vn_rank *rank_row(uint32_t n, uint32_t rank)
{
	static const struct vn_rank none;

	for (uint32_t i = 0; i < n; i++)
		if (row[i].rank == rank && !(row[i].flags & VN_RANK_LEFT))
			return &row[i];
	return &none;
}

static char name[sizeof(row->comm)];

static int three(struct rank *me)
{
	float in[64] = { 0 }, out[64];
	int err = 0;

	for (int i = 0; i < 3; i++)
		err = err ?: vn_all_reduce(in, out, 64, VN_FLOAT32, VN_MAX, me->comm, NULL)
				      ?: vn_comm_sync(me->comm, LONG);
	return err;
}

static void test_life(void)
{
	uint32_t wrong = 0, n;
	struct crew c;

	tap_ok(!look(NULL), "no communicators, no ranks");
	crew_make(&c, dev, RANKS, BY_THREADS, NULL);
	n = look(NULL);
	tap_ok(n == RANKS, "%u ranks", n);
	for (uint32_t r = 0; r < RANKS; r++) {
		const struct vn_rank *s = rank_row(n, r);

		wrong += strcmp(s->comm, row[0].comm) || s->ranks != RANKS || s->chip != r ||
			 s->flags != VN_RANK_USED || s->error || s->started || s->posted ||
			 s->completed || s->pending || s->waits_ns || s->uid != getuid() ||
			 s->context != row[0].context;
	}
	tap_ok(!wrong, "of one communicator, idle (%u are not)", wrong);
	strcpy(name, row[0].comm);
	tap_ok(strlen(name) == VN_COMM_NAME && strspn(name, "0123456789abcdef") == VN_COMM_NAME,
	       "its name is %s", name);
	tap_ok(vn_ranks(dev, row, 1) >= RANKS && vn_ranks(dev, NULL, 0) >= RANKS,
	       "how many there are, whatever room there is");
	tap_ok(!crew_run(&c, three), "three operations");
	n = look(name);
	wrong = 0;
	for (uint32_t r = 0; r < RANKS; r++) {
		const struct vn_rank *s = rank_row(n, r);

		wrong += s->started != 3 || s->posted != 3 || s->completed != 3 || s->pending ||
			 s->number != 2 || s->bytes != 256 || s->op != VN_ALL_REDUCE ||
			 s->type != VN_FLOAT32 || s->redop != VN_MAX || s->root || s->waits_ns;
	}
	tap_ok(!wrong, "are counted, and the last is told (%u wrong)", wrong);
	crew_end(&c);
	n = look(name);
	wrong = n != RANKS;
	for (uint32_t r = 0; r < n; r++)
		wrong += row[r].flags != (VN_RANK_USED | VN_RANK_LEFT);
	tap_ok(!wrong, "all have left");
}

/* ---- somebody waits --------------------------------------------------------------- */

static bool go;
static uint32_t there;

static int late(struct rank *me)
{
	float in[64] = { 0 }, out[64];

	if (me->number == 1)
		while (!__atomic_load_n(&go, __ATOMIC_ACQUIRE))
			sleep_ms(1);
	if (me->number == 2)
		__atomic_fetch_add(&there, 1, __ATOMIC_SEQ_CST);
	return vn_broadcast(in, out, 64, VN_INT32, 1, me->comm, NULL)
		       ?: vn_barrier(me->comm, NULL) ?: vn_comm_sync(me->comm, LONG);
}

static void *watch(void *arg)
{
	bool *well = arg;

	for (int i = 0; i < 20000 && !*well; i++) {
		uint32_t n = look(NULL), there_too = 0;

		for (uint32_t r = 0; r < RANKS; r += 2) {
			const struct vn_rank *s = rank_row(n, r);

			there_too += s->started == 2 && s->posted == 1 && !s->completed &&
				     s->pending == 2 && !s->number && s->op == VN_BROADCAST &&
				     s->bytes == 256 && s->root == 1 && s->type == VN_INT32 &&
				     s->waits_ns > 1000000 && s->waits_ns < LONG;
		}
		*well = there_too == 2 && !rank_row(n, 1)->started;
		sleep_ms(1);
	}
	__atomic_store_n(&go, true, __ATOMIC_RELEASE);
	return NULL;
}

static void test_wait(void)
{
	bool well = false;
	pthread_t watcher;
	struct crew c;
	uint32_t n;

	crew_make(&c, dev, RANKS, BY_THREADS, NULL);
	pthread_create(&watcher, NULL, watch, &well);
	tap_ok(!crew_run(&c, late), "a rank is late");
	pthread_join(watcher, NULL);
	tap_ok(well, "the others wait for it in a broadcast, behind which a barrier is called");
	n = look(NULL);
	tap_ok(rank_row(n, 0)->completed == 2 && rank_row(n, 0)->op == VN_BARRIER &&
		       rank_row(n, 0)->number == 1 && !rank_row(n, 0)->waits_ns,
	       "then nobody does any more");
	crew_end(&c);
}

static int odd(struct rank *me)
{
	float in[64] = { 0 }, out[64];
	int err = vn_all_reduce(in, out, 64, VN_FLOAT32, VN_SUM, me->comm, NULL)
			  ?: vn_comm_sync(me->comm, LONG);

	if (err)
		return err;
	err = me->number == 1 ? vn_all_reduce(in, out, 32, VN_FLOAT32, VN_SUM, me->comm, NULL)
			      : vn_all_reduce(in, out, 64, VN_FLOAT32, VN_SUM, me->comm, NULL);
	return (err ?: vn_comm_sync(me->comm, LONG)) == -EINVAL ? 0 : -EPROTO;
}

/* Of who called it after the others had failed nothing was begun. */
static int shown_as_failed(struct rank *me, uint32_t *failed)
{
	uint32_t n = look(NULL);
	const struct vn_rank *s = rank_row(n, (uint32_t)me->number);

	if (s->flags == VN_RANK_USED && s->started == 1 && !s->error)
		return 0;
	++*failed;
	return s->flags == (VN_RANK_USED | VN_RANK_FAILED) && s->error == EINVAL &&
			       s->number == 1 && s->completed == 1 && !s->pending &&
			       s->bytes == (me->number == 1 ? 128 : 256)
		       ? 0
		       : -EPROTO;
}

static void test_failed(void)
{
	uint32_t wrong = 0, failed = 0;
	struct crew c;

	crew_make(&c, dev, RANKS, BY_THREADS, NULL);
	crew_run(&c, odd);
	for (int r = 0; r < RANKS; r++)
		wrong += shown_as_failed(&c.rank[r], &failed) != 0;
	tap_ok(!wrong && failed >= 2,
	       "ranks that disagreed have failed, and still say in what (%u do not)", wrong);
	crew_end(&c);
}

/* ---- agreeing ---------------------------------------------------------------------- */

static int shown_agreeing;

/* Rank 0 comes last, and looks before it does. */
static int agree_late(struct rank *me)
{
	int gone[RANKS], n;

	for (int i = 0; me->number == 0 && i < 5000 && shown_agreeing < RANKS - 1; i++) {
		struct vn_rank all[256];
		int rows = vn_ranks(dev, all, COUNT(all));

		shown_agreeing = 0;
		for (int r = 0; r < rows && r < (int)COUNT(all); r++)
			shown_agreeing += all[r].pid == (uint32_t)getpid() && all[r].rank &&
					  all[r].flags == (VN_RANK_USED | VN_RANK_AGREEING) &&
					  all[r].waits_ns;
		usleep(1000);
	}
	return vn_comm_agree(me->comm, gone, &n) ?: n;
}

static void test_agreeing(void)
{
	uint32_t wrong = 0, n;
	struct crew c;

	crew_make(&c, dev, RANKS, BY_THREADS, NULL);
	wrong = crew_do(&c, agree_late);
	tap_ok(!wrong && shown_agreeing == RANKS - 1,
	       "ranks that wait for others to agree are shown so (%d)", shown_agreeing);
	n = look(NULL);
	for (uint32_t r = 0; r < RANKS; r++)
		wrong += rank_row(n, r)->flags != VN_RANK_USED || rank_row(n, r)->waits_ns;
	tap_ok(!wrong, "and not longer");
	crew_end(&c);
}

/* ---- names, pages ----------------------------------------------------------------- */

static void test_names(void)
{
	struct vn_config config = VN_CONFIG_INITIALIZER;
	vn_unique_id id, near;
	vn_comm_t comm[2];
	char hex[2 * sizeof(id.internal) + 1] = "", names[2][sizeof(row->comm)];
	uint32_t n, same = 0;

	config.dev = dev;
	NEED(vn_get_unique_id(&id));
	near = id;
	near.internal[31] ^= 1;
	for (size_t i = 0; i < sizeof(id.internal); i++)
		sprintf(hex + 2 * i, "%02x", (unsigned char)id.internal[i]);
	for (int i = 0; i < 2; i++) {
		NEED(vn_comm_init_rank_config(&comm[i], 1, i ? near : id, 0, &config));
		n = look(NULL);
		for (uint32_t r = 0; r < n; r++)
			if (!(row[r].flags & VN_RANK_LEFT) && (!i || strcmp(row[r].comm, names[0])))
				strcpy(names[i], row[r].comm);
	}
	for (int i = 0; i < VN_COMM_NAME; i++)
		same += names[0][i] == names[1][i];
	tap_ok(same < VN_COMM_NAME, "ids a bit apart have other names (%s, %s)", names[0],
	       names[1]);
	n = 0;
	for (int i = 0; i + 6 <= VN_COMM_NAME; i++)
		for (size_t at = 0; at + 6 < sizeof(hex); at++)
			n += !memcmp(names[0] + i, hex + at, 6);
	tap_ok(!n, "nothing of an id is in its name");
	vn_comm_destroy(comm[0]);
	vn_comm_destroy(comm[1]);
}

static void test_again(void)
{
	struct crew c;
	uint32_t n;

	for (int i = 0; i < 50; i++) {
		crew_make(&c, dev, RANKS, BY_ONE, NULL);
		crew_end(&c);
	}
	n = look(NULL);
	tap_ok(n && n <= VN_STATUS_ENTRIES, "entries of those who left are used again (%u)", n);
}

static void test_pages(void)
{
	static struct vn_status_create a[VN_STATUS_PAGES_MAX + 1];
	uint32_t n = 0, wrong = 0, filled = 0;
	struct vn_status_destroy d = { 0 };
	vn_device_t peer = NULL;
	struct crew c;
	void *page;
	int err;

	NEED(vn_reopen(dev, &peer));
	while (n <= VN_STATUS_PAGES_MAX) {
		err = vn_call(peer, VN_IOCTL_STATUS_CREATE, &a[n], sizeof(a[n]));
		if (err)
			break;
		NEED(peer->home->map(peer->ctx, a[n].mmap_offset, a[n].bytes, true, &page));
		for (uint32_t i = 0; i < VN_STATUS_BYTES; i++)
			wrong += ((char *)page)[i] != 0;
		n++;
	}
	tap_ok(n == VN_STATUS_PAGES_MAX && err == -ENOSPC, "%u status pages of a context: %d", n,
	       err);
	tap_ok(!wrong && a[0].bytes == VN_STATUS_BYTES, "of zeros");
	filled = look(NULL);
	crew_make(&c, peer, RANKS, BY_THREADS, NULL);
	tap_ok(!crew_run(&c, three), "a communicator that no page is left for works");
	tap_ok(look(NULL) == filled, "it is not shown");
	d.mmap_offset = a[3].mmap_offset;
	tap_ok(vn_call(dev, VN_IOCTL_STATUS_DESTROY, &d, sizeof(d)) == -ENOENT,
	       "a page is not another context's");
	tap_ok(!vn_call(peer, VN_IOCTL_STATUS_DESTROY, &d, sizeof(d)), "it can be given back");
	tap_ok(vn_call(peer, VN_IOCTL_STATUS_DESTROY, &d, sizeof(d)) == -ENOENT, "once");
	d.reserved = 1;
	tap_ok(vn_call(peer, VN_IOCTL_STATUS_DESTROY, &d, sizeof(d)) == -EINVAL,
	       "the reserved field is zero");
	a[0].flags = 1;
	tap_ok(vn_call(peer, VN_IOCTL_STATUS_CREATE, &a[0], sizeof(a[0])) == -EINVAL,
	       "there are no flags");
	crew_end(&c);
	crew_make(&c, peer, RANKS, BY_THREADS, NULL);
	tap_ok(look(NULL) == filled + RANKS, "with a page left the next one is");
	crew_end(&c);
	vn_close(peer);
	tap_ok(look(NULL) == filled, "its ranks end with a context");
}

int main(void)
{
	dev = device();
	test_life();
	test_wait();
	test_failed();
	test_agreeing();
	test_names();
	test_again();
	test_pages();
	vn_close(dev);
	return tap_done();
}

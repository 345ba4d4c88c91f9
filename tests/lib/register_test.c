// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * Registered buffers: operations on them, on parts of them and across their ends find
 * the right memory, by plans of the device, with hundreds of them registered and while
 * they come and go; so they do when the HBM behind one was freed and something else
 * has taken its place, or when one goes over two allocations. What overlaps, or was
 * never registered, is refused. By threads and by one thread.
 */
#include <sys/mman.h>

#include "crew.h"

#define RANKS 3
#define ROOM (32u << 10) /* small enough to be put side by side: vn_place() */
#define PIECES 256
#define PIECE (ROOM / PIECES)

static vn_device_t dev;
static struct crew crew;
static struct vn_mem mem[2][RANKS]; /* to send from, to receive in */
static void *handle[2][RANKS][PIECES];

/* What is summed: of every rank so many elements, from there to there. */
static struct {
	char *from[RANKS], *to[RANKS];
	size_t count;
} now;

static int add_up(struct rank *me)
{
	return vn_all_reduce(now.from[me->number], now.to[me->number], now.count, VN_UINT32, VN_SUM,
			     me->comm, NULL);
}

/* With new data; and what lies beside it stays. */
static unsigned int sum_wrong(void)
{
	unsigned int wrong;

	for (int r = 0; r < RANKS; r++) {
		scramble(now.from[r], now.count * 4);
		memset(now.to[r] - 8, 0x5a, now.count * 4 + 16);
	}
	wrong = crew_do(&crew, add_up);
	for (int r = 0; r < RANKS; r++) {
		for (size_t i = 0; i < now.count; i++) {
			uint32_t sum = 0;

			for (int k = 0; k < RANKS; k++)
				sum += ((uint32_t *)now.from[k])[i];
			wrong += ((uint32_t *)now.to[r])[i] != sum;
		}
		for (int i = 1; i <= 8; i++)
			wrong += now.to[r][-i] != 0x5a ||
				 now.to[r][now.count * 4 - 1 + (size_t)i] != 0x5a;
	}
	return wrong;
}

static uint64_t launches(void)
{
	struct vn_comm_stats s;

	NEED(vn_comm_stats(crew.rank[0].comm, &s));
	return s.launches;
}

static void begin(enum driven by)
{
	struct vn_config config = VN_CONFIG_INITIALIZER;

	config.timeout_ns = LONG;
	config.way = VN_WAY_PLAN;
	crew_make(&crew, dev, RANKS, by, &config);
}

static char *buffer(int side, int rank)
{
	return mem[side][rank].ptr;
}

static void use(size_t from_at, size_t to_at, size_t count)
{
	for (int r = 0; r < RANKS; r++) {
		now.from[r] = buffer(0, r) + from_at;
		now.to[r] = buffer(1, r) + to_at;
	}
	now.count = count;
}

/* ---- many ------------------------------------------------------------------------------- */

/* Pieces in an order in which no two neighbours follow each other. */
static int nth_piece(int i)
{
	return i * 37 % PIECES;
}

static unsigned int register_some(int side, int first, int n)
{
	unsigned int wrong = 0;

	for (int i = first; i < first + n; i++)
		for (int r = 0; r < RANKS; r++)
			wrong += vn_comm_register(crew.rank[r].comm,
						  buffer(side, r) + nth_piece(i) * PIECE, PIECE,
						  &handle[side][r][nth_piece(i)]) != 0;
	return wrong;
}

static unsigned int deregister_some(int side, int first, int n)
{
	unsigned int wrong = 0;

	for (int i = first; i < first + n; i++)
		for (int r = 0; r < RANKS; r++)
			wrong += vn_comm_deregister(crew.rank[r].comm,
						    handle[side][r][nth_piece(i)]) != 0;
	return wrong;
}

/* Whole pieces, parts of them, and what begins in one and ends in another. */
static unsigned int sums_wrong(unsigned int n)
{
	unsigned int wrong = 0;

	for (unsigned int i = 0; i < n; i++) {
		size_t from = rnd() % (ROOM / 8) * 8, to = 8 + rnd() % (ROOM / 8 - 2) * 8;
		size_t count = 1 + rnd() % (2 * PIECE / 4), most = (ROOM - from) / 4;

		most = most < (ROOM - to - 8) / 4 ? most : (ROOM - to - 8) / 4;
		if (i % 3 == 0)
			use(from / PIECE * PIECE, PIECE + to / (2 * PIECE) * PIECE, PIECE / 4);
		else
			use(from, to, count < most ? count : most);
		wrong += sum_wrong();
	}
	return wrong;
}

static void test_many(enum driven by)
{
	unsigned int wrong, n = quick() ? 5 : 100;
	uint64_t before;

	begin(by);
	before = launches();
	wrong = register_some(0, 0, PIECES) + sums_wrong(n);
	wrong += register_some(1, 0, PIECES / 2) + sums_wrong(n);
	wrong += register_some(1, PIECES / 2, PIECES / 2) + sums_wrong(n);
	tap_ok(!wrong, "%d buffers a rank, %s: %u wrong", 2 * PIECES, driven_text(by), wrong);
	wrong = deregister_some(0, 0, PIECES / 2) + sums_wrong(n);
	wrong += deregister_some(1, 7, PIECES - 7) + sums_wrong(n);
	wrong += deregister_some(0, PIECES / 2, PIECES / 2) + deregister_some(1, 0, 7);
	wrong += sums_wrong(n);
	tap_ok(!wrong && launches() - before == 6 * n, "and as they go, %s: %u wrong",
	       driven_text(by), wrong);
	crew_end(&crew);
}

/* ---- what is behind them --------------------------------------------------------------- */

static void register_all(void)
{
	for (int side = 0; side < 2; side++)
		for (int r = 0; r < RANKS; r++)
			NEED(vn_comm_register(crew.rank[r].comm, buffer(side, r), ROOM,
					      &handle[side][r][0]));
}

/* Its HBM is freed; HBM of another chip, or other memory, takes its place. */
static void test_freed(enum driven by)
{
	struct vn_mem *m = &mem[1][1];
	unsigned int wrong, same = 0;
	uint64_t before;
	char *at = m->ptr;
	void *got;

	begin(by);
	register_all();
	use(64, 128, 3000);
	wrong = sum_wrong();
	for (uint32_t chip = 0; chip < 6; chip++) {
		NEED(vn_mem_free(dev, m));
		*m = take(dev, chip % 4, ROOM);
		use(64, 128, 3000);
		same += m->ptr == at;
		at = m->ptr;
		wrong += sum_wrong();
	}
	tap_ok(!wrong && same, "HBM took its place, %u times at the same pointer, %s", same,
	       driven_text(by));
	NEED(vn_mem_free(dev, m));
	before = launches();
	got = mmap(at, ROOM, PROT_READ | PROT_WRITE,
		   MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0);
	m->ptr = got;
	use(64, 128, 3000);
	wrong = got == MAP_FAILED || sum_wrong() || launches() != before;
	tap_ok(!wrong, "other memory took its place, %s", driven_text(by));
	if (got != MAP_FAILED)
		munmap(got, ROOM);
	*m = take(dev, 1, ROOM);
	for (int side = 0; side < 2; side++)
		for (int r = 0; r < RANKS; r++)
			wrong += vn_comm_deregister(crew.rank[r].comm, handle[side][r][0]) != 0;
	tap_ok(!wrong, "they are deregistered, whatever is there");
	crew_end(&crew);
}

/* Two allocations, of different chips, that lie one behind the other as mapped. */
static bool neighbours(struct vn_mem *low, struct vn_mem *high)
{
	struct vn_mem all[64];
	uint32_t n = 0;
	bool found = false;

	while (n < COUNT(all) && !found) {
		all[n] = take(dev, n % 4, ROOM);
		for (uint32_t i = 0; i < n && !found; i++) {
			bool below = (char *)all[i].ptr + ROOM == (char *)all[n].ptr;

			found = below || (char *)all[n].ptr + ROOM == (char *)all[i].ptr;
			found = found && all[i].chip != all[n].chip;
			*low = all[below ? i : n];
			*high = all[below ? n : i];
		}
		n++;
	}
	for (uint32_t i = 0; i < n; i++)
		if (!found || (all[i].ptr != low->ptr && all[i].ptr != high->ptr))
			NEED(vn_mem_free(dev, &all[i]));
	return found;
}

static void test_across(enum driven by)
{
	struct vn_mem low, high;
	unsigned int wrong = 0;
	void *both;

	if (!neighbours(&low, &high)) {
		tap_skip("only where two allocations lie side by side");
		return;
	}
	begin(by);
	NEED(vn_comm_register(crew.rank[1].comm, low.ptr, 2 * ROOM, &both));
	for (int i = 0; i < 3 && !wrong; i++) {
		use(0, 8, 500);
		now.to[1] = (char *)low.ptr + 8;
		wrong += sum_wrong();
		now.to[1] = (char *)high.ptr + 64;
		wrong += sum_wrong();
		/* In neither of them alone. */
		now.to[1] = (char *)high.ptr - 1000;
		wrong += sum_wrong();
	}
	tap_ok(!wrong, "a buffer over two allocations, %s", driven_text(by));
	crew_end(&crew);
	NEED(vn_mem_free(dev, &low));
	NEED(vn_mem_free(dev, &high));
}

/* What lies behind a registered buffer is not in it, however far behind. */
static void test_behind(enum driven by)
{
	unsigned int wrong = 0;
	uint64_t before;

	begin(by);
	for (int r = 0; r < RANKS; r++) {
		char *low = buffer(buffer(0, r) > buffer(1, r), r) + ROOM - PIECE;

		NEED(vn_comm_register(crew.rank[r].comm, low, PIECE, &handle[0][r][0]));
	}
	before = launches();
	for (int i = 0; i < 6 && !wrong; i++) {
		use(0, 8, (PIECE - 16) / 4);
		for (int r = 0; r < RANKS; r++) {
			int high = buffer(0, r) < buffer(1, r);

			now.to[r] = buffer(i % 2 ? !high : high, r) + ROOM - PIECE + 8;
		}
		wrong = sum_wrong();
	}
	tap_ok(!wrong && launches() - before == 6, "behind a registered buffer, %s",
	       driven_text(by));
	crew_end(&crew);
}

/* ---- what must not be ------------------------------------------------------------------------ */

static void refuse(const char *what, int got, int want, const char *names)
{
	tap_ok(got == want && strstr(vn_error(), names), "%s: %d: %s", what, got, vn_error());
}

static void test_refused(void)
{
	vn_comm_t c, other;
	char *b = buffer(0, 0);
	void *h, *left, *right;

	begin(BY_ONE);
	c = crew.rank[0].comm;
	other = crew.rank[1].comm;
	NEED(vn_comm_register(c, b + 1000, 1000, &h));
	refuse("the same", vn_comm_register(c, b + 1000, 1000, &left), -EEXIST, "overlaps");
	refuse("a part", vn_comm_register(c, b + 1500, 10, &left), -EEXIST, "overlaps");
	refuse("more", vn_comm_register(c, b, 4000, &left), -EEXIST, "overlaps");
	refuse("its beginning", vn_comm_register(c, b, 1001, &left), -EEXIST, "overlaps");
	refuse("its end", vn_comm_register(c, b + 1999, 10, &left), -EEXIST, "overlaps");
	tap_ok(!vn_comm_register(c, b, 1000, &left) && !vn_comm_register(c, b + 2000, 1, &right),
	       "what only touches it is another");
	tap_ok(!vn_comm_register(other, b + 1500, 10, &left),
	       "another rank may have a part of it, too");
	refuse("nothing", vn_comm_register(c, b + 5000, 0, &h), -EINVAL, "size");
	refuse("no buffer", vn_comm_register(c, NULL, 10, &h), -EINVAL, "buffer");
	refuse("nowhere to put it", vn_comm_register(c, b + 5000, 8, NULL), -EINVAL, "handle");
	refuse("no communicator", vn_comm_register(NULL, b, 8, &h), -EINVAL, "communicator");
	refuse("around the end", vn_comm_register(c, b, SIZE_MAX - 4096, &h), -EINVAL, "wraps");
	tap_ok(!vn_comm_deregister(other, left), "the other rank forgets its part");
	refuse("once more", vn_comm_deregister(other, left), -EINVAL, "nothing");
	refuse("another rank's", vn_comm_deregister(other, h), -EINVAL, "nothing");
	refuse("no handle", vn_comm_deregister(c, NULL), -EINVAL, "nothing");
	refuse("what is within one", vn_comm_deregister(c, b + 1500), -EINVAL, "nothing");
	tap_ok(!vn_comm_deregister(c, h) && !vn_comm_register(c, b + 1000, 1000, &h),
	       "what was forgotten is registered again");
	use(0, 128, 600);
	tap_ok(!sum_wrong(), "and after all that sums are right");
	/* Those that are left go with the communicator. */
	crew_end(&crew);
}

int main(void)
{
	dev = device();
	for (uint32_t r = 0; r < RANKS; r++)
		for (int side = 0; side < 2; side++)
			mem[side][r] = take(dev, r, ROOM);
	for (int by = 0; by < DRIVEN; by++) {
		test_many((enum driven)by);
		test_freed((enum driven)by);
		test_across((enum driven)by);
		test_behind((enum driven)by);
	}
	test_refused();
	for (uint32_t r = 0; r < RANKS; r++)
		for (int side = 0; side < 2; side++)
			NEED(vn_mem_free(dev, &mem[side][r]));
	vn_close(dev);
	return tap_done();
}

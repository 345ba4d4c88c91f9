// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * Operations of a rank take effect in the order in which they were started: chains in
 * which each uses, or writes over, what the ones before touch, started without any
 * wait, leave what the same steps leave one by one. Chains of more operations than may
 * be under way, in one group and without; operations of two communicators, and
 * descriptors, on one queue. 1 to 8 ranks, by threads and by one thread, every way.
 */
#include "crew.h"

#define RANKS 8
#define BUFFERS 4
/* Elements of a buffer: as many blocks as ranks, for 1, 2, 3 and 8 of them. */
#define UNIT 24u
#define LONGEST (2000u * UNIT)

static vn_device_t dev;
static struct crew crew;
static struct vn_mem mem[RANKS][BUFFERS];
static uint32_t *model[RANKS][BUFFERS], *scratch[RANKS];
static size_t count;

enum what { SUM, CAST, SHIFT, ROOT_SUM, PREFIX, EXCHANGE, GATHER, WHATS };

struct step {
	enum what what;
	int from, to; /* buffers, maybe the same */
	int root;
};

static const struct step *chain;
static unsigned int steps;

static uint32_t *at(int rank, int buffer)
{
	return mem[rank][buffer].ptr;
}

/* ---- a step, as it is called and as it should be ------------------------------------------ */

static int start_step(struct rank *me, const struct step *s, vn_comm_t c, vn_queue_t q)
{
	uint32_t *from = at(me->number, s->from), *to = at(me->number, s->to);
	int p = crew.ranks, root = s->root % p;
	size_t block = count / (size_t)p;

	switch (s->what) {
	case SUM:
		return vn_all_reduce(from, to, count, VN_UINT32, VN_SUM, c, q);
	case CAST:
		return vn_broadcast(from, to, count, VN_UINT32, root, c, q);
	case SHIFT:
		return vn_send(from, count, VN_UINT32, (me->number + 1) % p, c, q)
			       ?: vn_recv(to, count, VN_UINT32, (me->number + p - 1) % p, c, q);
	case ROOT_SUM:
		return vn_reduce(from, to, count, VN_UINT32, VN_SUM, root, c, q);
	case PREFIX:
		return vn_scan(from, to, count, VN_UINT32, VN_SUM, c, q);
	case EXCHANGE:
		return vn_all_to_all(from, to, block, VN_UINT32, c, q);
	default:
		/* Of its buffer the rank's own block. */
		return vn_all_gather(from + block * (size_t)me->number, to, block, VN_UINT32, c, q);
	}
}

static uint32_t sum(int buffer, int ranks, size_t i)
{
	uint32_t x = 0;

	for (int r = 0; r < ranks; r++)
		x += model[r][buffer][i];
	return x;
}

/* What rank r has at i behind the step. */
static uint32_t after(const struct step *s, int r, size_t i)
{
	int p = crew.ranks, root = s->root % p;
	size_t block = count / (size_t)p, other = i / block;

	switch (s->what) {
	case SUM:
		return sum(s->from, p, i);
	case CAST:
		return model[root][s->from][i];
	case SHIFT:
		return model[(r + p - 1) % p][s->from][i];
	case ROOT_SUM:
		return r == root ? sum(s->from, p, i) : model[r][s->to][i];
	case PREFIX:
		return sum(s->from, r + 1, i);
	case EXCHANGE:
		return model[other][s->from][(size_t)r * block + i % block];
	default:
		return model[other][s->from][i];
	}
}

static void model_step(const struct step *s)
{
	for (int r = 0; r < crew.ranks; r++) {
		if (r && s->what == SUM)
			memcpy(scratch[r], scratch[0], count * 4);
		for (size_t i = 0; i < count && (!r || s->what != SUM); i++)
			scratch[r][i] = after(s, r, i);
	}
	for (int r = 0; r < crew.ranks; r++)
		memcpy(model[r][s->to], scratch[r], count * 4);
}

/* ---- chains ---------------------------------------------------------------------------------- */

static int start_chain(struct rank *me)
{
	int err = 0;

	for (unsigned int i = 0; i < steps && !err; i++)
		err = start_step(me, &chain[i], me->comm, NULL);
	return err;
}

static void fill(void)
{
	for (int r = 0; r < crew.ranks; r++) {
		for (int b = 0; b < BUFFERS; b++) {
			for (size_t i = 0; i < count; i++)
				at(r, b)[i] = (uint32_t)(r + 1) * 1000003u + (uint32_t)b * 7919u +
					      (uint32_t)i * 31u;
			memcpy(model[r][b], at(r, b), count * 4);
		}
	}
}

static unsigned int wrong_buffers(void)
{
	unsigned int wrong = 0;

	for (int r = 0; r < crew.ranks; r++)
		for (int b = 0; b < BUFFERS; b++)
			wrong += memcmp(at(r, b), model[r][b], count * 4) != 0;
	return wrong;
}

static unsigned int run_chain(const struct step *list, unsigned int n, size_t elements)
{
	unsigned int wrong;

	chain = list;
	steps = n;
	count = elements;
	fill();
	for (unsigned int i = 0; i < n; i++)
		model_step(&list[i]);
	wrong = crew_do(&crew, start_chain);
	return wrong + wrong_buffers();
}

static const struct step sums[] = {
	{ SUM, 0, 0, 0 }, { SUM, 0, 0, 0 }, { SUM, 0, 0, 0 },
	{ SUM, 0, 0, 0 }, { SUM, 0, 0, 0 }, { SUM, 0, 0, 0 },
};
static const struct step came[] = { { CAST, 0, 1, 1 }, { GATHER, 1, 2, 0 }, { CAST, 2, 1, 2 } };
static const struct step sent_on[] = {
	{ SHIFT, 0, 1, 0 }, { SHIFT, 1, 2, 0 }, { SHIFT, 2, 3, 0 },
	{ SHIFT, 3, 0, 0 }, { SHIFT, 0, 1, 0 },
};
static const struct step exchanged[] = {
	{ ROOT_SUM, 0, 1, 0 },
	{ EXCHANGE, 1, 2, 0 },
	{ ROOT_SUM, 2, 1, 1 },
	{ EXCHANGE, 1, 1, 0 },
};
/* Into what the one before sends from. */
static const struct step written_over[] = {
	{ SHIFT, 0, 1, 0 }, { CAST, 2, 0, 0 },	{ SHIFT, 1, 2, 0 },
	{ SUM, 0, 1, 0 },   { SHIFT, 3, 0, 0 }, { PREFIX, 0, 3, 0 },
};
/* The others are under way all the time. */
static const struct step beside[] = {
	{ SUM, 0, 1, 0 }, { SHIFT, 2, 3, 0 },  { CAST, 1, 0, 1 },
	{ SUM, 3, 2, 0 }, { GATHER, 0, 1, 0 }, { EXCHANGE, 2, 3, 0 },
};

#define CHAIN(a) (a), COUNT(a)

static void test_chains(int ranks, enum driven by, enum vn_way way)
{
	static const struct {
		const char *what;
		const struct step *list;
		unsigned int n;
	} all[] = {
		{ "a sum of a sum, six times", CHAIN(sums) },
		{ "what came is gathered", CHAIN(came) },
		{ "what was received is sent on", CHAIN(sent_on) },
		{ "what was reduced is exchanged", CHAIN(exchanged) },
		{ "what is sent is written over", CHAIN(written_over) },
		{ "two chains beside each other", CHAIN(beside) },
	};
	static const size_t elements[] = { UNIT, 100 * UNIT, LONGEST };
	struct vn_config config = VN_CONFIG_INITIALIZER;

	config.timeout_ns = LONG;
	config.way = way;
	crew_make(&crew, dev, ranks, by, &config);
	for (uint32_t i = 0; i < COUNT(all); i++) {
		unsigned int wrong = 0;

		for (uint32_t k = 0; k < COUNT(elements) - quick(); k++)
			for (int again = 0; again < (quick() || elements[k] == LONGEST ? 1 : 3);
			     again++)
				wrong += run_chain(all[i].list, all[i].n, elements[k]);
		tap_ok(!wrong, "%s, %d ranks, %s, way %s", all[i].what, ranks, driven_text(by),
		       vn_way_name(way));
	}
	crew_end(&crew);
}

/* ---- more than may be under way ------------------------------------------------------------- */

static void test_long(int ranks, enum driven by, enum vn_way way)
{
	struct vn_config config = VN_CONFIG_INITIALIZER;
	static struct step list[300];
	unsigned int wrong = 0, n = quick() ? 80 : COUNT(list);

	config.timeout_ns = LONG;
	config.way = way;
	for (unsigned int i = 0; i < COUNT(list); i++)
		list[i] = (struct step){ (enum what)(rnd() % WHATS), (int)(rnd() % BUFFERS),
					 (int)(rnd() % BUFFERS), (int)(rnd() % RANKS) };
	/* These have no form for one buffer. */
	for (unsigned int i = 0; i < COUNT(list); i++)
		if ((list[i].what == SHIFT) && list[i].from == list[i].to)
			list[i].to = (list[i].to + 1) % BUFFERS;
	crew_make(&crew, dev, ranks, by, &config);
	wrong += run_chain(list, n, UNIT);
	wrong += run_chain(list, n, 60 * UNIT);
	tap_ok(!wrong, "%u steps at once, %d ranks, %s, way %s", n, ranks, driven_text(by),
	       vn_way_name(way));
	crew_end(&crew);
}

/* ---- one queue ------------------------------------------------------------------------------- */

static vn_comm_t others[RANKS];
static vn_queue_t streams[RANKS];

/* Every other step is another communicator's; buffer 0 comes by a descriptor. */
static int start_on_queue(struct rank *me)
{
	vn_queue_t q = streams[me->number];
	int err = 0;

	vn_prep_copy(vn_next(q), vn_at(&mem[me->number][0], 0), vn_at(&mem[me->number][3], 0),
		     count * 4);
	for (unsigned int i = 0; i < steps && !err; i++)
		err = start_step(me, &chain[i], i % 2 ? others[me->number] : me->comm, q);
	return err;
}

/* And goes by one. */
static int end_on_queue(struct rank *me)
{
	vn_queue_t q = streams[me->number];
	struct vn_cqe done[2];
	int err;

	vn_prep_copy(vn_next(q), vn_at(&mem[me->number][3], 0), vn_at(&mem[me->number][0], 0),
		     count * 4);
	err = vn_queue_sync(q, LONG) ?: vn_comm_sync(others[me->number], LONG);
	if (!err && (vn_reap(q, done, 2) != 2 || done[0].status || done[1].status))
		err = -EIO;
	return err;
}

static int all_on_queue(struct rank *me)
{
	return start_on_queue(me) ?: end_on_queue(me);
}

static unsigned int run_on_queue(void)
{
	unsigned int wrong = 0;

	fill();
	for (int r = 0; r < crew.ranks; r++)
		memcpy(model[r][0], model[r][3], count * 4);
	for (unsigned int i = 0; i < steps; i++)
		model_step(&chain[i]);
	for (int r = 0; r < crew.ranks; r++)
		memcpy(model[r][3], model[r][0], count * 4);
	if (crew.by == BY_THREADS)
		return crew_do(&crew, all_on_queue) + wrong_buffers();
	wrong = crew_do(&crew, start_on_queue);
	for (int r = 0; r < crew.ranks; r++)
		wrong += end_on_queue(&crew.rank[r]) != 0;
	return wrong + wrong_buffers();
}

static void test_queue(int ranks, enum driven by)
{
	static const struct step list[] = {
		{ SUM, 0, 1, 0 },      { CAST, 1, 2, 1 },   { SHIFT, 2, 1, 0 }, { SUM, 1, 1, 0 },
		{ EXCHANGE, 1, 0, 0 }, { GATHER, 0, 2, 0 }, { SUM, 2, 0, 0 },
	};
	static const size_t elements[] = { UNIT, 100 * UNIT, LONGEST };
	struct vn_config config = VN_CONFIG_INITIALIZER;
	unsigned int wrong = 0;

	crew_make(&crew, dev, ranks, by, NULL);
	config.timeout_ns = LONG;
	NEED(vn_comm_init_all_config(others, ranks, NULL, &config));
	for (int r = 0; r < ranks; r++)
		streams[r] = queue(dev, (uint32_t)r, 16);
	chain = list;
	steps = COUNT(list);
	for (uint32_t k = 0; k < COUNT(elements) - quick(); k++) {
		count = elements[k];
		for (int again = 0; again < (quick() || elements[k] == LONGEST ? 2 : 10); again++)
			wrong += run_on_queue();
	}
	tap_ok(!wrong, "two communicators and descriptors on one queue, %d ranks, %s: %u wrong",
	       ranks, driven_text(by), wrong);
	for (int r = 0; r < ranks; r++) {
		NEED(vn_queue_destroy(streams[r]));
		NEED(vn_comm_destroy(others[r]));
	}
	crew_end(&crew);
}

int main(void)
{
	static const int ranks[] = { 1, 2, 3, 8 };

	dev = device();
	for (int r = 0; r < RANKS; r++) {
		scratch[r] = malloc(LONGEST * 4);
		for (int b = 0; b < BUFFERS; b++) {
			mem[r][b] = take(dev, (uint32_t)r, LONGEST * 4);
			model[r][b] = malloc(LONGEST * 4);
			if (!model[r][b] || !scratch[r])
				NEED(-ENOMEM);
		}
	}
	for (int by = 0; by < DRIVEN; by++) {
		for (uint32_t i = quick(); i < COUNT(ranks); i += 1 + quick()) {
			for (int way = 0; way < VN_WAY_COUNT; way++)
				if (!quick() || (int)i % VN_WAY_COUNT == way)
					test_chains(ranks[i], (enum driven)by, (enum vn_way)way);
			test_long(ranks[i], (enum driven)by, (enum vn_way)(i % VN_WAY_COUNT));
			test_queue(ranks[i], (enum driven)by);
		}
	}
	for (int r = 0; r < RANKS; r++) {
		free(scratch[r]);
		for (int b = 0; b < BUFFERS; b++) {
			NEED(vn_mem_free(dev, &mem[r][b]));
			free(model[r][b]);
		}
	}
	vn_close(dev);
	return tap_done();
}

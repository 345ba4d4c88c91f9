// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * Several communicators at once, random sequences of everything that they can do,
 * and every byte looked at. A script is drawn from a seed (random/script.h), and what
 * memory must hold is worked out; then threads carry it out, one a chip, or fewer that
 * drive several each, or one that drives all. One script after the other until
 * VN_SECONDS are over, while sleds are drained (random/drains.h), and again while none is;
 * VN_DRAINS=1 or 0 has one of both. VN_SEED begins with that one; with VN_SAME=1 it is repeated; VN_SHOW=1
 * prints it.
 */
#include "random/drains.h"
#include "random/draw.h"
#include "random/play.h"
#include "random/seed.h"

/* How much is drawn. */
struct limits {
	uint32_t chips, steps, room;
	bool wide; /* now and then many chips */
};

static struct {
	uint64_t scripts, steps, teams, ops, bytes, drawing, ways[VN_WAY_COUNT];
} total;

/* ---- drawing -------------------------------------------------------------------------- */

static void draw_cast(struct drawing *d, const struct limits *limits, uint32_t on_device)
{
	static const uint32_t wide[] = { 16, 36, 144 };
	uint32_t kind = roll(&d->dice, 100), chips = between(&d->dice, 2, limits->chips), n = 0;
	struct script *s = d->s;

	if (limits->wide && kind < 3)
		chips = wide[kind];
	s->chips = chips < on_device ? chips : on_device;
	kind = roll(&d->dice, 100);
	s->threads = kind < 65 ? s->chips : kind < 80 ? 1 : between(&d->dice, 1, s->chips);
	/* Each of the device's chips with the chance to be among those still wanted. */
	for (uint32_t c = 0; c < on_device && n < s->chips; c++)
		if (roll(&d->dice, on_device - c) < s->chips - n)
			s->chip[n++] = (uint16_t)c;
	for (uint32_t c = 0; c < s->chips; c++)
		s->owner[c] = (uint16_t)(c < s->threads ? c : roll(&d->dice, s->threads));
}

static struct script *draw(uint64_t seed, const struct limits *limits, uint32_t on_device)
{
	static const uint32_t rooms[] = { 4 << 10, 32 << 10, 128 << 10, 1 << 20 };
	static const uint32_t batches[] = { 1, 3, 8, 30, 100 };
	struct script *s = calloc(1, sizeof(*s));
	struct drawing d = { .s = s, .dice = { seed } };
	uint32_t steps;

	if (!s)
		abort();
	s->seed = seed;
	draw_cast(&d, limits, on_device);
	s->room = rooms[s->chips > 8 ? 1 : roll(&d.dice, COUNT(rooms))];
	s->room = s->room < limits->room ? s->room : limits->room;
	for (uint32_t c = 0; c < s->chips; c++) {
		for (int host = 0; host < 2; host++) {
			s->model[c][host] = malloc(s->room);
			if (!s->model[c][host])
				abort();
			scribble(s->model[c][host], s->room, mix(seed, 2 * c + (uint32_t)host));
		}
	}
	d.most = between(&d.dice, 1, 5);
	d.side_by_side = s->threads < s->chips && chance(&d.dice, 50);
	memcpy(d.owner, s->owner, sizeof(d.owner));
	d.batch = batches[roll(&d.dice, COUNT(batches))];
	d.longest = s->room / 3;
	steps = between(&d.dice, 20, limits->steps);
	steps = s->chips > 8 ? steps / 8 : steps;
	for (uint32_t i = 0; i < steps; i++)
		draw_step(&d);
	draw_last(&d);
	for (uint32_t c = 0; c < s->chips; c++)
		free(d.of[c].a);
	free(d.kept);
	return s;
}

/* ---- carrying out ---------------------------------------------------------------------- */

static struct stage *set_up(vn_device_t dev, struct script *s)
{
	struct stage *g = calloc(1, sizeof(*g));

	if (!g)
		abort();
	g->s = s;
	g->dev = dev;
	pthread_mutex_init(&g->lock, NULL);
	g->id = calloc(s->nteams, sizeof(*g->id));
	if (!g->id)
		abort();
	for (uint32_t i = 0; i < s->nteams; i++)
		NEED(vn_get_unique_id(&g->id[i]));
	for (uint32_t c = 0; c < s->chips; c++) {
		g->hbm[c] = take(dev, s->chip[c], s->room);
		g->host[c] = aligned_alloc(4096, s->room);
		if (!g->host[c])
			abort();
		vn_mem_begin(dev, g->hbm[c].ptr, s->room);
		scribble(g->hbm[c].ptr, s->room, mix(s->seed, 2 * c));
		vn_mem_end(dev);
		scribble(g->host[c], s->room, mix(s->seed, 2 * c + 1));
		for (uint32_t q = 0; q < QUEUES; q++)
			g->queue[c * QUEUES + q] = queue(dev, s->chip[c], QUEUE_DEPTH);
	}
	return g;
}

static void tear_down(struct stage *g)
{
	for (uint32_t c = 0; c < g->s->chips; c++) {
		for (uint32_t q = 0; q < QUEUES; q++)
			NEED(vn_queue_destroy(g->queue[c * QUEUES + q]));
		NEED(vn_mem_free(g->dev, &g->hbm[c]));
		free(g->host[c]);
	}
	pthread_mutex_destroy(&g->lock);
	free(g->id);
	free(g);
}

/* false: something was wrong, and is told; what it left behind stays. */
static bool carry_out(vn_device_t dev, struct script *s)
{
	struct stage *g = set_up(dev, s);
	static struct actor actors[CHIPS];

	for (uint32_t i = 0; i < s->threads; i++) {
		actors[i] = (struct actor){
			.g = g,
			.me = i,
			.dice = { now_ns() + i },
		};
		memcpy(actors[i].owner, s->owner, sizeof(s->owner));
		if (pthread_create(&actors[i].thread, NULL, play, &actors[i]))
			NEED(-EAGAIN);
	}
	for (uint32_t i = 0; i < s->threads; i++) {
		pthread_join(actors[i].thread, NULL);
		total.ops += actors[i].ops;
		total.bytes += actors[i].bytes;
		for (int w = 0; w < VN_WAY_COUNT; w++)
			total.ways[w] += actors[i].ways[w];
	}
	if (failed(g))
		return false;
	tear_down(g);
	total.scripts++;
	total.steps += s->nsteps;
	total.teams += s->nteams;
	return true;
}

static void show(const struct script *s)
{
	char line[4096];

	for (uint32_t i = 0; i < s->nsteps; i++) {
		struct text t = { line, sizeof(line) };

		say_step(&t, s, s->steps[i], 0);
		tap_diag("%s", line);
	}
}

static uint64_t number(const char *name, uint64_t otherwise)
{
	const char *text = getenv(name);

	return text && *text ? strtoull(text, NULL, 0) : otherwise;
}

static bool one_script(vn_device_t dev, const struct limits *limits, uint32_t on_device)
{
	uint64_t began = now_ns();
	struct script *s = draw(seed_now, limits, on_device);
	bool good;

	total.drawing += now_ns() - began;
	if (number("VN_SHOW", 0))
		show(s);
	good = carry_out(dev, s);
	/* Of one that went wrong there may be threads left. */
	if (good)
		script_free(s);
	return good;
}

static void sum_up(uint64_t first)
{
	tap_diag("%llu scripts from seed %llu, %llu steps, %llu communicators, %llu operations: "
		 "%llu pulled, %llu shared, %llu launched; %llu bytes looked at; %llu ms to draw",
		 (unsigned long long)total.scripts, (unsigned long long)first,
		 (unsigned long long)total.steps, (unsigned long long)total.teams,
		 (unsigned long long)total.ops, (unsigned long long)total.ways[VN_WAY_PULL],
		 (unsigned long long)total.ways[VN_WAY_SHARE],
		 (unsigned long long)total.ways[VN_WAY_PLAN], (unsigned long long)total.bytes,
		 (unsigned long long)total.drawing / 1000000);
}

/* All scripts of a run, with drains or without; false: something was wrong. */
static bool run_all(vn_device_t dev, uint64_t first, bool with_drains, const char *program)
{
	uint64_t begin = now_ns(), span = number("VN_SECONDS", quick() ? 1 : 2) * SECOND;
	struct limits limits = { 8, 400, 1 << 20, !in_kernel(dev) };
	bool same = number("VN_SAME", 0), good, over;
	struct vn_query q;

	if (quick())
		limits = (struct limits){ 4, 150, 64 << 10, false };
	NEED(vn_device_query(dev, &q));
	memset(&total, 0, sizeof(total));
	seed_now = first;
	if (with_drains)
		drains_begin(dev, first);
	do {
		good = one_script(dev, &limits, q.chips);
		seed_now += good && !same;
		over = now_ns() - begin > span;
		/* A slow machine gets the time for a drain. */
		if (with_drains && !drains_any() && now_ns() - begin < span + LONG)
			over = false;
	} while (good && !over && !(with_drains && drains_failed()));
	sum_up(first);
	if (with_drains) {
		drains_finish();
		tap_ok(drains_any() && !drains_failed(), "sleds are drained meanwhile");
	}
	if (!good || (with_drains && drains_failed()))
		tap_diag("once more: VN_SEED=%llu VN_SAME=1 VN_SECONDS=60 VN_DRAINS=%d VN_QUICK=%d "
			 "VNEURON_DEVICE=%s %s",
			 (unsigned long long)seed_now, with_drains, quick(), device_spec(),
			 program);
	tap_ok(good, "%llu operations in random sequences, every byte as it must be",
	       (unsigned long long)total.ops);
	return good && !(with_drains && drains_failed());
}

int main(int argc, char **argv)
{
	uint64_t first = number("VN_SEED", (uint64_t)time(NULL) << 20 | (uint64_t)getpid());
	uint64_t drains_wanted = number("VN_DRAINS", 2);
	vn_device_t dev;

	(void)argc;
	/* One with a spare. */
	if (!strcmp(device_spec(), "embedded"))
		setenv("VNEURON_DEVICE", "embedded:spares=1", 1);
	dev = device();
	seed_init();
	tap_diag("VN_SEED=%llu", (unsigned long long)first);
	/* Drains first: to a process that has not had a communicator yet. */
	for (uint32_t d = 2; d-- > 0;)
		if ((drains_wanted > 1 || drains_wanted == d) && !run_all(dev, first, d, argv[0]))
			_exit(tap_done());
	vn_close(dev);
	return tap_done();
}

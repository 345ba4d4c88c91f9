/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* A thread's walk through a script: waits, looks at memory, and all the steps. */
#ifndef RANDOM_PLAY_H
#define RANDOM_PLAY_H

#include "act.h"

/* ---- waiting ------------------------------------------------------------------------- */

static int poll_until(struct actor *a, const struct team *t, uint32_t r)
{
	uint64_t end = now_ns() + PATIENCE + PATIENCE / 4;
	int err = 0;

	while (t->started[r] && !failed(a->g)) {
		err = vn_op_status(t->comm[r], t->started[r] - 1);
		if (err != -EINPROGRESS)
			break;
		if (now_ns() > end)
			return -ETIME;
		/* What others wait for may be of another rank. */
		poll_all(a);
	}
	return err;
}

static int wait_for(struct actor *a, struct team *t, uint32_t r, uint64_t salt)
{
	uint64_t end = now_ns() + 2 * PATIENCE;
	int err;

	switch (salt % 4) {
	case 0:
		return vn_comm_sync(t->comm[r], 2 * PATIENCE);
	case 1:
		return vn_comm_finalize(t->comm[r]);
	case 2:
		/* Too short, again and again; operations go on. */
		do
			err = vn_comm_sync(t->comm[r], 1000 * (salt >> 8 & 255));
		while (err == -ETIMEDOUT && !*vn_comm_error(t->comm[r]) && now_ns() < end);
		return err;
	default:
		return poll_until(a, t, r);
	}
}

/* One queue for another. */
static int new_queue(struct actor *a, const struct step *step)
{
	vn_queue_t *q = &a->g->queue[step->stream[0]];
	int err = vn_queue_destroy(*q);

	return err ?: vn_queue_create(a->g->dev, a->g->s->chip[step->chip], QUEUE_DEPTH, -1, q);
}

static int sync_queue(struct actor *a, const struct step *step)
{
	uint32_t *descriptors = &a->g->descriptors[step->stream[0]], n = 0;
	vn_queue_t q = stream(a, step, 0);
	struct vn_cqe e;
	int err = vn_queue_sync(q, 2 * PATIENCE);

	while (!err && vn_reap(q, &e, 1) == 1) {
		err = e.status ? -EIO : 0;
		n++;
	}
	if (!err && n != *descriptors)
		err = -EBADSLT;
	*descriptors = 0;
	return err ?: step->salt % 8 ? 0 : new_queue(a, step);
}

static int ask_status(const struct step *step)
{
	struct team *t = step->team;
	uint32_t r = (uint32_t)t->rank[step->chip];
	int err;

	if (t->started[r] < step->n)
		return 0;
	err = vn_op_status(t->comm[r], t->started[r] - step->n);
	return err == -EINPROGRESS ? 0 : err;
}

/* ---- looking --------------------------------------------------------------------------- */

/* What a range holds is not what it should; it is read again for that. */
static void look_closer(struct actor *a, const struct step *step, const struct look *l)
{
	const uint8_t *is = memory(a->g, (uint32_t)step->chip, &l->range);
	const char *what = l->range.host ? "host memory" : "HBM";
	struct range byte = { 0, 1, l->range.host };
	uint32_t at = l->range.bytes, wrong = 0;
	char text[4096];
	struct text t = { text, sizeof(text) };

	for (uint32_t i = l->range.bytes; i-- > 0;) {
		if (is[i] == l->want[i])
			continue;
		wrong++;
		at = i;
	}
	if (!wrong) {
		fail(a, step, 0, "%u bytes of %s at %u were wrong, and now are right: too late",
		     l->range.bytes, what, l->range.at);
		return;
	}
	byte.at = l->range.at + at;
	say_writer(&t, a->g->s, step, (uint32_t)step->chip, &byte);
	fail(a, step, 0, "%u of %u bytes of %s at %u are wrong; at %u is %#x, not %#x\n#\tby %s",
	     wrong, l->range.bytes, what, l->range.at, byte.at, is[at], l->want[at], text);
}

static void look(struct actor *a, const struct step *step)
{
	for (uint32_t i = 0; i < step->n && !failed(a->g); i++) {
		const struct look *l = &step->looks[i];

		a->bytes += l->range.bytes;
		if (memcmp(memory(a->g, (uint32_t)step->chip, &l->range), l->want, l->range.bytes))
			look_closer(a, step, l);
	}
}

/* ---- descriptors, and what the CPU does -------------------------------------------------- */

static int copy(struct actor *a, const struct step *step)
{
	const struct vn_mem *m = &a->g->hbm[step->chip];
	vn_queue_t q = stream(a, step, 0);
	struct vn_desc *d = vn_next(q);

	if (!d)
		return -EAGAIN;
	if (step->from.bytes)
		vn_prep_copy(d, vn_at(m, step->to.at), vn_at(m, step->from.at), step->to.bytes);
	else
		vn_prep_fill(d, vn_at(m, step->to.at), step->to.bytes, (uint8_t)step->salt, 1);
	a->g->descriptors[step->stream[0]]++;
	a->ops++;
	return vn_submit(q);
}

/* ---- the walk ----------------------------------------------------------------------------- */

static int rank_step(struct actor *a, const struct step *step, uint32_t r)
{
	switch (step->kind) {
	case MAKE:
		return make(a, step, r);
	case END:
		return end(a, step, r);
	case OPERATE:
		return operate(a, step, r);
	case EXCHANGE:
		return exchange(a, step, r);
	case ONE_SIDED:
		return one_sided(a, step, r);
	case WINDOW:
		return window(a, step, r);
	case NO_WINDOW:
		return no_window(a, step, r);
	case KEEP:
		return keep(a, step, r);
	case LAUNCH:
		return launch(a, step, r);
	case ABORT:
		return give_up(step, r);
	case FORGET:
		return vn_op_free(step->call->kept[r]);
	default:
		return -ENOSYS;
	}
}

/* Who gets a chip waits for who had it. */
static void hand(struct actor *a, struct step *step)
{
	if (is_mine(a, (uint32_t)step->chip))
		__atomic_store_n(&step->handed, 1, __ATOMIC_RELEASE);
	while (step->n == a->me && !__atomic_load_n(&step->handed, __ATOMIC_ACQUIRE) &&
	       !failed(a->g))
		poll_all(a);
	a->owner[step->chip] = (uint16_t)step->n;
}

static int chip_step(struct actor *a, const struct step *step)
{
	const struct range *to = &step->to;
	int err = 0;

	switch (step->kind) {
	case COPY:
		return copy(a, step);
	case WAIT:
		err = wait_for(a, step->team, (uint32_t)step->team->rank[step->chip], step->salt);
		break;
	case SYNC:
		err = sync_queue(a, step);
		break;
	case STATUS:
		return ask_status(step);
	case WRITE:
		/* What is no HBM is nobody's concern. */
		vn_mem_begin(a->g->dev, memory(a->g, (uint32_t)step->chip, to), to->bytes);
		scribble(memory(a->g, (uint32_t)step->chip, to), to->bytes, step->salt);
		vn_mem_end(a->g->dev);
		return 0;
	default:
		break;
	}
	if (!err)
		look(a, step);
	return err;
}

/* Who drives several ranks starts them in a group; else some threads have one, some not. */
static int group(struct actor *a, const struct step *step)
{
	uint32_t mine = 0;
	int err = 0;

	if (step->kind == GROUP) {
		for (uint32_t c = 0; c < a->g->s->chips; c++)
			mine += is_mine(a, c);
		if (mine < 2 && mix(step->salt, a->me) & 1)
			return 0;
		for (a->grouped = 0; a->grouped < step->n; a->grouped++)
			vn_group_start();
		return 0;
	}
	for (; a->grouped && !err; a->grouped--)
		err = vn_group_end();
	return err;
}

static int team_step(struct actor *a, const struct step *step, uint32_t *rank)
{
	bool starts = step->kind != MAKE && step->kind != END && step->kind != NO_WINDOW &&
		      step->kind != FORGET && step->kind != ABORT;
	const struct team *t = step->team;
	uint32_t mine = 0;
	int err = 0;

	for (uint32_t r = 0; r < t->ranks; r++)
		mine += is_mine(a, t->chip[r]);
	starts = starts && mine > 1 && !a->grouped;
	if (starts)
		vn_group_start();
	for (uint32_t r = 0; r < t->ranks && !err; r++) {
		if (!is_mine(a, t->chip[r]))
			continue;
		*rank = r;
		err = rank_step(a, step, r);
	}
	return starts ? vn_group_end() ?: err : err;
}

static void delay(struct actor *a)
{
	uint32_t n = roll(&a->dice, 64);

	if (n < 3)
		sched_yield();
	else if (n == 3)
		usleep(roll(&a->dice, 400));
}

/* So that others don't wait for who has left. */
static void leave(struct actor *a)
{
	struct script *s = a->g->s;

	for (uint32_t i = 0; i < s->nteams; i++)
		for (uint32_t r = 0; r < s->teams[i]->ranks; r++)
			if (is_mine(a, s->teams[i]->chip[r]) && s->teams[i]->comm[r])
				vn_comm_abort(s->teams[i]->comm[r]);
}

/* Nobody aborts what others still want to end well. */
static void meet(struct actor *a)
{
	a->loose = true;
	__atomic_add_fetch(&a->g->loose, 1, __ATOMIC_ACQ_REL);
	while (__atomic_load_n(&a->g->loose, __ATOMIC_ACQUIRE) < a->g->s->threads && !failed(a->g))
		usleep(100);
}

static void *play(void *arg)
{
	struct actor *a = arg;
	struct script *s = a->g->s;

	for (uint32_t i = 0; i < s->nsteps && !failed(a->g); i++) {
		struct step *step = s->steps[i];
		uint32_t rank = 0;
		int err = 0;

		delay(a);
		if (step->loose && !a->loose)
			meet(a);
		if (step->team && step->chip < 0)
			err = team_step(a, step, &rank);
		else if (step->chip < 0)
			err = group(a, step);
		else if (step->kind == HAND)
			hand(a, step);
		else if (is_mine(a, (uint32_t)step->chip))
			err = chip_step(a, step);
		if (err && !(step->loose && err == -ECANCELED))
			fail(a, step, rank, "%d (%s): %s", err, strerror(-err), vn_error());
	}
	if (failed(a->g))
		leave(a);
	return NULL;
}

#endif

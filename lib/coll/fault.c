// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* How a communicator fails: once, for all ranks, with a text that says why. */
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "coll.h"

/* Who is at memory of others for that long after a failure will not come back. */
#define GRACE_NS 5000000000ull

int coll_fail(struct coll_team *t, int err, const char *fmt, ...)
{
	uint32_t none = 0;
	char text[COLL_TEXT];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	pthread_mutex_lock(&t->lock);
	if (!coll_failed(t)) {
		memcpy(t->board.text[t->speaker], text, sizeof(text));
		__atomic_compare_exchange_n(&t->board.head->fault, &none,
					    t->speaker << 16 | (uint32_t)-err, false,
					    __ATOMIC_SEQ_CST, __ATOMIC_RELAXED);
	}
	pthread_mutex_unlock(&t->lock);
	coll_wake(t);
	return vn_fail(err, "%s", text);
}

const char *coll_fault_text(const struct coll_team *t)
{
	/* It was there before the fault. */
	return t->board.text[__atomic_load_n(&t->board.head->fault, __ATOMIC_SEQ_CST) >> 16];
}

int coll_error(struct coll_team *t)
{
	int err = coll_failed(t);

	return err ? vn_fail(err, "%s", coll_fault_text(t)) : 0;
}

bool coll_quiet(struct vn_lib_comm *c)
{
	const struct coll_team *t = c->team;
	const struct coll_member *m = t->board.member;

	if (!c->given_up)
		c->given_up = vn_now();
	/* Pairs with coll_touch(). */
	coll_fence_heavy(t->apart);
	for (uint32_t r = 0; r < t->ranks; r++)
		if (r != c->rank && __atomic_load_n(&m[r].busy, __ATOMIC_ACQUIRE))
			return vn_now() - c->given_up > GRACE_NS;
	return true;
}

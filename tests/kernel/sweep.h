/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * One row of a sweep: something that is done again and again, and each time another one of
 * its allocations fails, till none is left to. Refused, it gives a clean errno and all is
 * as before; then the same thing works.
 */
#ifndef VN_TEST_SWEEP_H
#define VN_TEST_SWEEP_H

#include "account.h"
#include "drained.h"
#include "kept.h"
#include "nth.h"

/* So many one after the other; of what has more (the pages of a mapping), one in some. */
#define EACH_ONE 160u
#define EACH_OF_ALL 24u /* when all behind it fail, too: these differ less */

struct row {
	const char *name;
	int nr; /* of VN_IOCTL_*, or -1 */
	uint8_t cmd; /* VN_NL_CMD_*, or 0 */
	void (*begin)(void);
	int (*act)(void); /* 0 or -errno */
	void (*end)(void);
	uint64_t (*see)(void); /* what else has to be as before */
	int also[2]; /* errnos, beside ENOMEM and EFAULT */
	bool sure; /* it is never refused */
	bool late; /* it may be done though nobody could be told */
};

TAP_FN bool sweep_may(const struct row *r, int err)
{
	return !r->sure &&
	       (err == -ENOMEM || err == -EFAULT || err == r->also[0] || err == r->also[1]);
}

/* Of those that were refused, so many are done over and over. */
#define REFUSED 16u

struct swept {
	unsigned int points, refused, late, wrong;
	unsigned int at[REFUSED]; /* the first ones that were refused */
	struct account before; /* each time */
	uint64_t seen;
};

TAP_FN void sweep_wrong(const struct row *r, struct swept *s, unsigned int n, const char *what,
			int err)
{
	if (s->wrong++ < 3)
		tap_diag("%s, failure %u: %s (%s)", r->name, n, what,
			 err ? strerrorname_np(-err) : "0");
}

/* What was refused: a clean errno, all as before, and then it works. */
TAP_FN void sweep_refused(const struct row *r, struct swept *s, unsigned int n, int err)
{
	struct account after = account();
	bool same = account_same(&s->before, &after) && (!r->see || r->see() == s->seen);

	if (s->refused < REFUSED)
		s->at[s->refused] = n;
	s->refused++;
	if (!sweep_may(r, err))
		sweep_wrong(r, s, n, "an errno it has no use for", err);
	if (same) {
		err = r->act();
		if (err)
			sweep_wrong(r, s, n, "and does not work then", err);
	} else if (r->late) {
		s->late++;
	} else {
		sweep_wrong(r, s, n, "refused, but something is not as before", err);
		account_diag("before", &s->before);
		account_diag("after", &after);
	}
}

/* Once, with the Nth failing: it was there to fail. */
TAP_FN bool sweep_once(const struct row *r, struct swept *s, unsigned int n)
{
	bool hit;
	int err;

	if (r->begin)
		r->begin();
	if (n == 1) {
		s->before = account();
		s->seen = r->see ? r->see() : 0;
	}
	nth_arm(n);
	err = r->act();
	hit = nth_disarm();
	if (err && !hit)
		sweep_wrong(r, s, n, "refused, though nothing failed", err);
	if (err)
		sweep_refused(r, s, n, err);
	if (r->end)
		r->end();
	s->points += hit;
	return hit;
}

TAP_FN struct swept sweep(const struct row *r)
{
	struct account was = account(), is;
	unsigned int n = 1, before;
	struct swept s = {};
	char some[64] = "";

	while (sweep_once(r, &s, n)) {
		before = n;
		n += n < (nth.all ? EACH_OF_ALL : EACH_ONE) ? 1 : 1 + n / 16;
		if (n > before + 1)
			snprintf(some, sizeof(some), " tried of %u", n - 1);
	}
	is = account();
	if (!account_same(&was, &is)) {
		sweep_wrong(r, &s, n, "something is left behind", 0);
		account_diag("was", &was);
		account_diag("is", &is);
	}
	/* What can't be refused had better not need anything; others do not need caches. */
	tap_ok(!s.wrong && (s.points || r->sure || nth.all),
	       "%s%s: %u points of failure%s, %u refused, %u got along with%s", r->name,
	       nth.all ? ", all from there on" : "", s.points, some, s.refused,
	       s.points - s.refused, s.late ? ", some done untold" : "");
	return s;
}

/* What was refused is so once more, and done then. */
TAP_FN void sweep_again(const struct row *r, const struct swept *s)
{
	for (unsigned int i = 0; i < s->refused && i < REFUSED; i++) {
		if (r->begin)
			r->begin();
		nth_arm(s->at[i]);
		if (r->act()) {
			nth_disarm();
			/* Unless it was all the same. */
			must(!r->act() || r->late);
		} else {
			nth_disarm();
		}
		if (r->end)
			r->end();
	}
}

#endif

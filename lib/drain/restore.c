// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* After a restart: what was out of service is so again. */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "../home.h"
#include "journal.h"
#include "session.h"

#define NOBODY 0xffffffffu

struct restore {
	vn_device_t dev;
	vn_restored_cb cb;
	void *arg;
	uint32_t n; /* sleds that are out, by sled */
	struct vn_journal_record r[VN_MAX_SLEDS + VN_MAX_SPARES];
	bool bare[VN_MAX_SLEDS + VN_MAX_SPARES]; /* without chips now */
	int err; /* the first */
	char text[512];
};

static int add(void *arg, const struct vn_journal_record *r)
{
	struct restore *s = arg;

	s->r[s->n++] = *r;
	return 0;
}

/*
 * In service, it is drained, and had it no power, it has none. FAULTED and what was being
 * tested is DRAINED: nothing of it is in use until it has passed.
 */
static int out_again(struct restore *s, const struct vn_journal_record *r, bool *already)
{
	struct vn_drain_config c = VN_DRAIN_CONFIG_INITIALIZER;
	uint32_t uid = r->uid == NOBODY ? getuid() : r->uid;
	struct vn_sled_query q;
	int err = vn_sled_query(s->dev, r->sled, &q);

	*already = !err && q.state >= VN_SLED_DRAINED &&
		   (q.operation == r->operation || !r->operation) &&
		   (q.state != VN_SLED_DRAINED || r->to != VN_SLED_MAINTENANCE);
	if (err || *already)
		return err;
	/* What no operation did, and nobody, is now of this one. */
	c.operation = r->operation;
	c.reason = r->reason;
	err = vn_drain_again(s->dev, r->sled, uid, &c, NULL);
	if (!err && r->to == VN_SLED_MAINTENANCE)
		err = vn_drain_off_again(s->dev, r->sled, uid, &c);
	return err;
}

static void one(struct restore *s, const struct vn_journal_record *r)
{
	char text[sizeof(s->text)] = "";
	struct vn_restored is = { .record = r, .text = text };

	is.error = out_again(s, r, &is.already);
	if (is.error)
		snprintf(text, sizeof(text), "%s", vn_error());
	if (is.error && !s->err) {
		s->err = is.error;
		memcpy(s->text, text, sizeof(text));
	}
	if (s->cb)
		s->cb(s->arg, &is);
}

int vn_sled_restore(vn_device_t dev, const char *journal, vn_restored_cb cb, void *arg)
{
	const struct vn_journal_shape shape = { dev->query.sleds, dev->query.spares,
						dev->query.chips_per_sled };
	struct restore s = { .dev = dev, .cb = cb, .arg = arg };
	struct vn_sled_query q;
	int err = vn_journal_restore(journal, &shape, add, &s);

	for (uint32_t i = 0; i < s.n && !err; i++) {
		err = vn_sled_query(dev, s.r[i].sled, &q);
		s.bare[i] = !q.chips;
	}
	if (err)
		return err;
	/* First those that others could move to. */
	for (uint32_t i = 0; i < s.n; i++)
		if (s.bare[i])
			one(&s, &s.r[i]);
	for (uint32_t i = 0; i < s.n; i++)
		if (!s.bare[i])
			one(&s, &s.r[i]);
	return s.err ? vn_fail(s.err, "%s", s.text) : 0;
}

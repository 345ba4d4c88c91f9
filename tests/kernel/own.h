/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * What a rank's process has of its own: a buffer to send from and one to receive in, in
 * HBM and not. And messages: each byte follows from who sends it to whom, which it is
 * and where it stands, so that the receiver knows it.
 */
#ifndef VN_TEST_OWN_H
#define VN_TEST_OWN_H

#include "band.h"

static struct {
	struct vn_mem hbm[2];
	char *host[2];
	uint64_t room;
} own;

static UNUSED void own_begin(const struct band *b, uint64_t room)
{
	own.room = room;
	for (int side = 0; side < 2; side++) {
		own.hbm[side] = take(b->dev, (uint32_t)b->rank, room);
		own.host[side] = aligned_alloc(4096, room);
		if (!own.host[side])
			NEED(-ENOMEM);
	}
}

static UNUSED void own_end(const struct band *b)
{
	for (int side = 0; side < 2; side++) {
		NEED(vn_mem_free(b->dev, &own.hbm[side]));
		free(own.host[side]);
	}
}

static UNUSED char *own_at(int side, bool host)
{
	return host ? own.host[side] : own.hbm[side].ptr;
}

/* Bytes behind a message that must stay. */
#define GUARD 64u
#define UNTOUCHED 0x5a

struct message {
	int from, to;
	uint32_t number;
	uint64_t bytes;
};

static UNUSED char message_byte(const struct message *m, uint64_t at)
{
	return (char)((uint64_t)(m->from * 31 + m->to * 57 + 1) + m->number * 101 + at * 11 +
		      (at >> 8) * 7);
}

static UNUSED void message_write(const struct message *m, char *p)
{
	for (uint64_t i = 0; i < m->bytes; i++)
		p[i] = message_byte(m, i);
}

/* Where it will come, nothing of it is there. */
static UNUSED void message_await(const struct message *m, char *p)
{
	memset(p, UNTOUCHED, m->bytes + GUARD);
}

static UNUSED unsigned int message_wrong(const struct message *m, const char *p)
{
	static unsigned int said;
	uint64_t wrong = 0;

	for (uint64_t i = 0; i < m->bytes; i++)
		wrong += p[i] != message_byte(m, i);
	for (uint64_t i = 0; i < GUARD; i++)
		wrong += p[m->bytes + i] != UNTOUCHED;
	if (wrong && said++ < 5)
		tap_diag("message %u of %llu bytes from rank %d to rank %d: %llu wrong", m->number,
			 (unsigned long long)m->bytes, m->from, m->to, (unsigned long long)wrong);
	return wrong != 0;
}

#endif

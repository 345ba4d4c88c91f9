// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* Where the parts of a board lie. */
#include "board.h"

/* Room for n of them behind what there is, on lines of their own. */
static size_t part(size_t *end, size_t n, size_t each)
{
	size_t at = *end;

	*end += (n * each + 63) & ~(size_t)63;
	return at;
}

struct layout {
	size_t member, slot, post, signals, channel, gone, text, bounce, bytes;
};

static struct layout layout(uint32_t ranks)
{
	size_t p = ranks, end = 0;
	struct layout l;

	part(&end, 1, sizeof(struct coll_head));
	l.member = part(&end, p, sizeof(struct coll_member));
	l.slot = part(&end, COLL_SLOTS, sizeof(struct coll_slot));
	l.post = part(&end, COLL_SLOTS * p, sizeof(struct coll_post));
	l.signals = part(&end, p * p, sizeof(struct coll_signals));
	l.channel = part(&end, p * p, sizeof(struct coll_channel));
	l.gone = part(&end, 2 * p, sizeof(struct coll_gone));
	l.text = part(&end, p, COLL_TEXT);
	l.bounce = part(&end, p * COLL_AREAS, COLL_AREA);
	l.bytes = (end + 4095) & ~(size_t)4095;
	return l;
}

size_t coll_board_bytes(uint32_t ranks)
{
	return layout(ranks).bytes;
}

void coll_board_lay(struct coll_board *b, void *at, uint32_t ranks)
{
	struct layout l = layout(ranks);
	char *p = at;

	*b = (struct coll_board){
		.head = at,
		.member = (void *)(p + l.member),
		.slot = (void *)(p + l.slot),
		.post = (void *)(p + l.post),
		.signals = (void *)(p + l.signals),
		.channel = (void *)(p + l.channel),
		.gone = (void *)(p + l.gone),
		.text = (void *)(p + l.text),
		.bounce = p + l.bounce,
	};
}

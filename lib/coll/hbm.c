// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* Pointers as operands: where in HBM a rank's buffers lie. */
#include "coll.h"

/* side 0: sends, 1: receives. Found again without the list while nothing was freed. */
static bool find(struct vn_lib_comm *c, int side, const char *p, uint64_t bytes,
		 struct vn_operand *at)
{
	vn_device_t dev = c->team->dev;
	uint64_t gen = __atomic_load_n(&dev->mems_gen, __ATOMIC_ACQUIRE);
	struct vn_mem *m = &c->last[side];
	uint64_t off = (uint64_t)(p - (const char *)m->ptr);

	if (c->last_gen[side] != gen + 1 || off > m->bytes || bytes > m->bytes - off) {
		c->last_gen[side] = 0;
		if (!vn_mem_find(dev, p, bytes, m))
			return false;
		c->last_gen[side] = gen + 1;
		off = (uint64_t)(p - (const char *)m->ptr);
	}
	*at = vn_at(m, off);
	return true;
}

void coll_locate(struct vn_lib_comm *c, const struct coll_pending *d, struct coll_post *p)
{
	struct coll_team *t = c->team;
	struct vn_operand *at =
		(struct vn_operand *)t->params.ptr + d->seq % COLL_SLOTS * 2 * t->ranks;
	uint64_t send = coll_send_bytes(&d->shape, c->rank);
	uint64_t recv = coll_recv_bytes(&d->shape, c->rank);

	p->hbm = 0;
	if (d->extra)
		return;
	at[c->rank] = at[t->ranks + c->rank] = (struct vn_operand){ .ultraserver = VN_HERE };
	/* What the rank doesn't use is no hindrance. */
	if (!send || find(c, 0, d->send, send, &at[c->rank]))
		p->hbm |= COLL_SEND_HBM;
	if (!recv || find(c, 1, d->recv, recv, &at[t->ranks + c->rank]))
		p->hbm |= COLL_RECV_HBM;
}

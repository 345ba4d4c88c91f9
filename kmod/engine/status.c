// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include "status.h"

/* Looks at an entry that is being written: more often than a writer takes to be through. */
#define LOOKS	8u

#define KNOWN	(VN_RANK_USED | VN_RANK_JOINING | VN_RANK_FAILED | VN_RANK_LEFT | VN_RANK_AGREEING)
#define ERRNO_MAX	4095u

/* Each word is read once. In what order follows from who writes them in which. */
static void copy(struct vn_rank_status *to, const struct vn_rank_status *from)
{
	to->flags = READ_ONCE(from->flags);
	for (u32 i = 0; i < VN_COMM_NAME; i++)
		to->name[i] = READ_ONCE(from->name[i]);
	to->ranks = READ_ONCE(from->ranks);
	to->rank = READ_ONCE(from->rank);
	to->chip = READ_ONCE(from->chip);
	to->error = READ_ONCE(from->error);
	to->since_ns = READ_ONCE(from->since_ns);
	to->pending = READ_ONCE(from->pending);
	to->number = READ_ONCE(from->number);
	to->bytes = READ_ONCE(from->bytes);
	to->op = READ_ONCE(from->op);
	to->type = READ_ONCE(from->type);
	to->redop = READ_ONCE(from->redop);
	to->root = READ_ONCE(from->root);
	/* Pair with the stores of whoever writes them the other way round. */
	to->completed = vn_load_acquire(&from->completed);
	to->posted = vn_load_acquire(&from->posted);
	to->started = vn_load_acquire(&from->started);
}

/* A copy of what stood there at one moment; false: there was none. */
static bool settled(struct vn_rank_status *to, const struct vn_rank_status *from)
{
	u32 before = vn_load_acquire(&from->version);

	copy(to, from);
	/* The loads of copy() are before the next one: the last are acquiring. */
	return !(before & 1) && READ_ONCE(from->version) == before;
}

static bool name_char(u8 c)
{
	return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
	       c == '.' || c == '_' || c == '-';
}

static bool name_fits(const u8 *name)
{
	u32 n = 0;

	while (n < VN_COMM_NAME && name_char(name[n]))
		n++;
	if (!n)
		return false;
	while (n < VN_COMM_NAME && !name[n])
		n++;
	return n == VN_COMM_NAME;
}

static bool fits(const struct vn_rank_status *s, u32 chips)
{
	return s->flags & VN_RANK_USED && !(s->flags & ~KNOWN) && name_fits(s->name) &&
	       s->ranks && s->ranks <= VN_MAX_CHIPS && s->rank < s->ranks &&
	       (s->chip < chips || s->chip == VN_NO_CHIP) && s->error <= ERRNO_MAX &&
	       s->completed <= s->posted && s->posted <= s->started &&
	       s->op < VN_RANK_OPS_MAX && s->type < VN_TYPE_COUNT && s->redop < VN_REDOP_COUNT &&
	       s->root < s->ranks;
}

bool vn_status_see(const struct vn_rank_status *entry, u32 chips, u64 now_ns,
		   struct vn_rank_seen *to)
{
	struct vn_rank_status *s = &to->s;
	bool whole = false;

	memset(to, 0, sizeof(*to));
	if (!(READ_ONCE(entry->flags) & VN_RANK_USED))
		return false;
	for (u32 i = 0; i < LOOKS && !whole; i++) {
		if (i)
			vn_relax();
		whole = settled(s, entry);
	}
	if (!fits(s, chips))
		return false;
	if (!whole)
		s->flags |= VN_RANK_TORN;
	s->since_ns = s->since_ns && s->since_ns < now_ns ? now_ns - s->since_ns : 0;
	memcpy(to->name, s->name, VN_COMM_NAME);
	return true;
}

// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include <endian.h>
#include <errno.h>
#include <string.h>

#include "../../kmod/engine/crc32c.h"
#include "record.h"

#define SLOT_AT(field, at)                                                                         \
	_Static_assert(offsetof(union vn_slot, field) == (at), "place of " #field)

_Static_assert(sizeof(union vn_slot) == VN_SLOT_BYTES, "size of a record");
_Static_assert(4096 % VN_SLOT_BYTES == 0, "records do not cross sectors");
SLOT_AT(head.magic, 0);
SLOT_AT(head.version, 4);
SLOT_AT(head.kind, 6);
SLOT_AT(head.seq, 8);
SLOT_AT(head.time_ns, 16);
SLOT_AT(header.sleds, 24);
SLOT_AT(header.spares, 28);
SLOT_AT(header.chips, 32);
SLOT_AT(header.zero, 36);
SLOT_AT(header.crc, 124);
SLOT_AT(record.operation, 24);
SLOT_AT(record.sled, 32);
SLOT_AT(record.from, 36);
SLOT_AT(record.to, 40);
SLOT_AT(record.target, 44);
SLOT_AT(record.uid, 48);
SLOT_AT(record.pid, 52);
SLOT_AT(record.reason, 56);
SLOT_AT(record.zero, 120);
SLOT_AT(record.crc, 124);

static void pack_head(union vn_slot *s, enum vn_slot_kind kind, uint64_t seq, uint64_t time_ns)
{
	memset(s, 0, sizeof(*s));
	s->head.magic = htole32(VN_SLOT_MAGIC);
	s->head.version = htole16(VN_SLOT_VERSION);
	s->head.kind = htole16(kind);
	s->head.seq = htole64(seq);
	s->head.time_ns = htole64(time_ns);
}

static uint32_t crc_of(const union vn_slot *s)
{
	return vn_crc32c(0, s, offsetof(union vn_slot, record.crc));
}

void vn_slot_pack_header(union vn_slot *s, const struct vn_journal_shape *shape, uint64_t time_ns)
{
	pack_head(s, VN_SLOT_HEADER, 0, time_ns);
	s->header.sleds = htole32(shape->sleds);
	s->header.spares = htole32(shape->spares);
	s->header.chips = htole32(shape->chips);
	s->header.crc = htole32(crc_of(s));
}

void vn_slot_pack(union vn_slot *s, const struct vn_journal_record *r)
{
	pack_head(s, VN_SLOT_RECORD, r->seq, r->time_ns);
	s->record.operation = htole64(r->operation);
	s->record.sled = htole32(r->sled);
	s->record.from = htole32(r->from);
	s->record.to = htole32(r->to);
	s->record.target = htole32(r->target);
	s->record.uid = htole32(r->uid);
	s->record.pid = htole32(r->pid);
	/* Only what is of the text: what is behind it may be somebody's. */
	memcpy(s->record.reason, r->reason, strnlen(r->reason, VN_REASON - 1));
	s->record.crc = htole32(crc_of(s));
}

bool vn_slot_whole(const union vn_slot *s)
{
	return le32toh(s->head.magic) == VN_SLOT_MAGIC && le32toh(s->record.crc) == crc_of(s);
}

bool vn_slot_begins(const union vn_slot *s, uint64_t bytes)
{
	const uint32_t magic = htole32(VN_SLOT_MAGIC);
	bool zero = true;

	for (uint64_t i = 0; i < bytes; i++)
		zero &= !s->raw[i];
	return zero || !memcmp(s, &magic, bytes < sizeof(magic) ? bytes : sizeof(magic));
}

int vn_slot_unpack_header(const union vn_slot *s, struct vn_journal_shape *shape)
{
	static const uint8_t zero[sizeof(s->header.zero)];

	if (le16toh(s->head.version) != VN_SLOT_VERSION)
		return -EPROTONOSUPPORT;
	*shape = (struct vn_journal_shape){
		.sleds = le32toh(s->header.sleds),
		.spares = le32toh(s->header.spares),
		.chips = le32toh(s->header.chips),
	};
	if (le16toh(s->head.kind) != VN_SLOT_HEADER || s->head.seq || shape->sleds > VN_MAX_SLEDS ||
	    shape->spares > VN_MAX_SPARES || shape->chips > VN_MAX_CHIPS_PER_SLED ||
	    memcmp(s->header.zero, zero, sizeof(zero)))
		return -EUCLEAN;
	return 0;
}

int vn_slot_unpack(const union vn_slot *s, struct vn_journal_record *r)
{
	if (le16toh(s->head.version) != VN_SLOT_VERSION)
		return -EPROTONOSUPPORT;
	*r = (struct vn_journal_record){
		.seq = le64toh(s->head.seq),
		.time_ns = le64toh(s->head.time_ns),
		.operation = le64toh(s->record.operation),
		.sled = le32toh(s->record.sled),
		.from = le32toh(s->record.from),
		.to = le32toh(s->record.to),
		.target = le32toh(s->record.target),
		.uid = le32toh(s->record.uid),
		.pid = le32toh(s->record.pid),
	};
	memcpy(r->reason, s->record.reason, VN_REASON);
	return le16toh(s->head.kind) == VN_SLOT_RECORD && !s->record.zero ? 0 : -EUCLEAN;
}

bool vn_record_fits(const struct vn_journal_record *r, const struct vn_journal_shape *shape)
{
	uint32_t sleds = shape->sleds + shape->spares;

	return r->sled < sleds && (r->target < sleds || r->target == VN_ANY_SLED) &&
	       r->from < VN_SLED_STATES && r->to < VN_SLED_STATES &&
	       memchr(r->reason, '\0', VN_REASON);
}

/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The records of a journal as they are in the file: little-endian, of 128 bytes each, so
 * that none crosses a sector of the disk.
 */
#ifndef VN_DRAIN_RECORD_H
#define VN_DRAIN_RECORD_H

#include "journal.h"

#define VN_SLOT_BYTES 128
#define VN_SLOT_MAGIC 0x6c6a6e76u /* "vnjl" */
#define VN_SLOT_VERSION 1

enum vn_slot_kind {
	VN_SLOT_HEADER = 1,
	VN_SLOT_RECORD = 2,
};

/* What they all begin with. */
struct vn_slot_head {
	uint32_t magic;
	uint16_t version;
	uint16_t kind; /* enum vn_slot_kind */
	uint64_t seq; /* its place in the file; the header's is 0 */
	uint64_t time_ns;
};

union vn_slot {
	struct vn_slot_head head;
	struct {
		struct vn_slot_head head;
		uint32_t sleds;
		uint32_t spares;
		uint32_t chips;
		uint8_t zero[88];
		uint32_t crc;
	} header;
	struct {
		struct vn_slot_head head;
		uint64_t operation;
		uint32_t sled;
		uint32_t from;
		uint32_t to;
		uint32_t target;
		uint32_t uid;
		uint32_t pid;
		char reason[VN_REASON];
		uint32_t zero;
		uint32_t crc; /* of all before it */
	} record;
	uint8_t raw[VN_SLOT_BYTES];
};

void vn_slot_pack_header(union vn_slot *s, const struct vn_journal_shape *shape, uint64_t time_ns);
void vn_slot_pack(union vn_slot *s, const struct vn_journal_record *r);

/* Is it all there, as it was written? */
bool vn_slot_whole(const union vn_slot *s);
/* Could so many bytes be the beginning of a journal, or of one that was never written? */
bool vn_slot_begins(const union vn_slot *s, uint64_t bytes);

/* Of whole ones. -EPROTONOSUPPORT: another version; -EUCLEAN: no writer makes such. */
int vn_slot_unpack_header(const union vn_slot *s, struct vn_journal_shape *shape);
int vn_slot_unpack(const union vn_slot *s, struct vn_journal_record *r);

/* Has such a machine such a sled, in such states, and does the reason end? */
bool vn_record_fits(const struct vn_journal_record *r, const struct vn_journal_shape *shape);

#endif

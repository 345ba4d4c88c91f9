/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The board: what all ranks of a communicator see, whatever process they are in. It
 * is one stretch of memory without a pointer in it, zero at first, in which each rank
 * writes its own lines and everybody reads. Nothing here is locked, so that a rank
 * that dies leaves nothing behind that others would wait for.
 */
#ifndef VN_COLL_BOARD_H
#define VN_COLL_BOARD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "move.h"

#define COLL_SLOTS 64u
/*
 * Bytes a rank may post along. They lie in one of three areas of the same size, by
 * how many there are: a rank has room for many short ones or a few long ones.
 */
#define COLL_PULL_MAX (16u << 10)
#define COLL_AREA (64u << 10)
#define COLL_AREAS 3u

/* What slot.state says of operation number seq: (seq + 1) * 8 + phase. */
enum coll_phase {
	COLL_POSTING = 0,
	COLL_SHARED = 1, /* job is open */
	COLL_LAUNCHED = 2, /* the device has it; apart: each process launches its part */
	COLL_DONE = 3,
};

/* Few bytes are posted along in the post itself. */
#define COLL_RIDE_MAX 32u

/* Of two buffers or two sides. */
enum coll_end { COLL_SEND = 0, COLL_RECV = 1 };

/*
 * A rank's part of an operation, as posted: one cache line. Where a buffer is: ranks of
 * one process say its address, with a key that is not 0 if it is in HBM; ranks of
 * several say the offset in the window of that key on the rank's chip, or key 0 if
 * there is none.
 */
struct coll_post {
	uint64_t seq; /* atomic: number + 1 of the operation that stands here */
	uint64_t sig; /* what all must say alike, packed (op.c) */
	uint64_t count;
	uint64_t scalar; /* PREMULSUM */
	union {
		struct {
			uint64_t at[2];
			/* NULL: only buffers and count. To another process only that. */
			const struct coll_extra *extra;
			uint32_t key[2];
		};
		char ride[COLL_RIDE_MAX]; /* pull */
	};
} __attribute__((aligned(64)));

_Static_assert(sizeof(struct coll_post) == 64, "a post is a cache line");

/* Moves in a row, which one core goes through until others have nothing left of theirs. */
struct coll_run {
	uint64_t next __attribute__((aligned(64))); /* atomic: first not taken */
	uint64_t end;
};

#define COLL_RUNS 16u

/* Work of a slot that waiting ranks share. */
struct coll_job {
	struct coll_shape shape; /* without its extra: that is at the posts */
	uint64_t moves, volume;
	uint32_t runs;
	bool empty; /* atomic: all are taken */
	struct coll_run run[COLL_RUNS];
	uint64_t done __attribute__((aligned(64))); /* atomic: finished */
};

/* Where the ranks meet in an operation. */
struct coll_slot {
	uint64_t state __attribute__((aligned(64))); /* atomic */
	uint32_t arrived __attribute__((aligned(64))); /* atomic; posts so far */
	bool planned; /* the device carried it out */
	struct coll_job job;
};

/* What others may see of a rank: a line of its own. */
struct coll_member {
	uint64_t completed; /* atomic: collectives it is through with */
	uint64_t posted; /* atomic */
	uint32_t chip;
	uint32_t born; /* how often that had been lost and found when it joined */
	uint32_t pid; /* as rank 0's process sees it */
	uint32_t bell; /* key of its semaphore, if ranks are apart */
	bool joined;
	bool left; /* atomic */
	bool busy; /* atomic: at memory of others */
	uint64_t agreeing; /* atomic: agreements it has come to */
} __attribute__((aligned(64)));

/* Sends between two ranks, in one direction, that may be under way. */
#define COLL_LETTERS 8u

/* What one side of a message says: a line that it alone writes. */
struct coll_side {
	uint64_t seq; /* atomic: number + 1 of the message that stands here */
	uint64_t through; /* atomic: number + 1 of the last that is over, for this side */
	uint64_t count;
	uint64_t at; /* as in a post */
	uint32_t key;
	uint32_t type;
} __attribute__((aligned(64)));

struct coll_letter {
	struct coll_side side[2]; /* send, receive */
	uint64_t next __attribute__((aligned(64))); /* atomic: pieces taken, */
	uint64_t done; /* atomic: and copied; each with the message's number (pair.c) */
};

struct coll_channel {
	uint64_t called[2] __attribute__((aligned(64))); /* atomic: sends, receives */
	struct coll_letter letter[COLL_LETTERS];
};

/* Of one rank for another; who signals adds, who waits remembers how many it took. */
struct coll_signals {
	uint64_t given[VN_SIGNALS]; /* atomic */
} __attribute__((aligned(64)));

/* Ranks that are gone, as one that is left sees it. */
struct coll_gone {
	uint64_t bits[(VN_MAX_CHIPS + 63) / 64];
} __attribute__((aligned(64)));

#define COLL_TEXT 512u

struct coll_head {
	/* atomic, a bit each: chips that are no rank's, but have buffers of ranks */
	uint64_t foreign[(VN_MAX_CHIPS + 63) / 64];
	uint32_t fault; /* atomic: first failure, errno | its text's rank << 16 */
	/* atomic: of the last two agreements, number << 16 | whose view holds */
	uint64_t verdict[2];
	/* what all must take alike, from rank 0's process */
	uint64_t timeout_ns;
	uint32_t cores; /* that all ranks may use together */
	bool check;
	uint8_t forced; /* enum vn_way */
	uint8_t way[VN_COLL_COUNT][64]; /* by operation and bits of its bytes */
	uint32_t events __attribute__((aligned(64))); /* atomic, a futex */
	uint32_t sleepers; /* atomic */
	uint32_t cramped; /* atomic: ranks that wait until others are through */
};

/* A board as it lies in this process. */
struct coll_board {
	struct coll_head *head;
	struct coll_member *member; /* [ranks] */
	struct coll_slot *slot; /* [COLL_SLOTS] */
	struct coll_post *post; /* [COLL_SLOTS][ranks] */
	struct coll_signals *signals; /* [ranks][ranks]: to, from */
	struct coll_channel *channel; /* [ranks][ranks]: from, to */
	struct coll_gone *gone; /* [ranks][2] */
	char (*text)[COLL_TEXT]; /* [ranks] */
	char *bounce; /* [ranks][COLL_AREAS][COLL_AREA] */
};

size_t coll_board_bytes(uint32_t ranks);
/* At memory of that many bytes, aligned to a page. */
void coll_board_lay(struct coll_board *b, void *at, uint32_t ranks);

static inline uint64_t coll_state(uint64_t seq, enum coll_phase phase)
{
	return (seq + 1) * 8 + phase;
}

#endif

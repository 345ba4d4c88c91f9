/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Sleds of the embedded device. Every function takes sleds_lock, but for embed_sled_lost().
 * Where a sled goes from one state to another that is noted (embed_events_note()), and to be
 * said.
 */
#ifndef VN_EMBED_SLED_H
#define VN_EMBED_SLED_H

#include "embed.h"

/* Where chips of a sled can go; counts them in a. As vn_drain_place(), and DRAIN_OPEN. */
int embed_sled_plan(struct embed_device *dev, struct vn_drain_open *a, struct vn_moves *m);
/* The same, and from then on it is PLANNED, and the slots are taken. */
int embed_sled_begin(struct embed_device *dev, struct vn_drain_open *a, const struct embed_who *who,
		     struct vn_moves *m);
/* It is VALIDATING from then on; and was that before. */
int embed_sled_begin_back(struct embed_device *dev, u32 sled, const struct embed_who *who,
			  struct embed_sled *was);

/* What is FAULTED meanwhile stays that. p: how far it is. */
void embed_sled_go(struct embed_device *dev, u32 sled, u32 state, const struct embed_who *who,
		   const struct embed_progress *p);
/* How far it is; round: one is over. */
void embed_sled_progress(struct embed_device *dev, u32 sled, const struct embed_who *who,
			 const struct embed_progress *p, bool round);
/* It is FAULTED; by the user who made that. sleds_lock held. */
void embed_sled_lost(struct embed_device *dev, u32 sled, u32 uid);
/* It is drained, and loses power; by whom and why. As DRAIN_OPEN. */
int embed_sled_maintain(struct embed_device *dev, u32 sled, const struct embed_who *who);
/*
 * Can the drain go on? -ECANCELED: somebody has called it off; -EHOSTDOWN, -ENETUNREACH:
 * as DRAIN_STEP.
 */
int embed_sled_check(struct embed_device *dev, u32 sled, const struct vn_moves *m);
/* If it can, it is VERIFIED, and too late to call it off. */
int embed_sled_verify(struct embed_device *dev, u32 sled, const struct embed_who *who,
		      const struct vn_moves *m);
/* Is it FAULTED? */
bool embed_sled_faulted(struct embed_device *dev, u32 sled);
/* Nothing of the drain moves any more. */
void embed_sled_settled(struct embed_device *dev, const struct vn_moves *m);
/* Its chips are where they were to go, in the next epoch. */
void embed_sled_moved(struct embed_device *dev, const struct vn_moves *m);
/*
 * The session is over: what the sled is without it, unless it is FAULTED; slots that were
 * taken (or NULL) are free. False: it is.
 */
bool embed_sled_become(struct embed_device *dev, u32 sled, const struct embed_sled *as,
		       const struct embed_who *who, const struct vn_moves *m);

#endif

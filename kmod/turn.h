/* SPDX-License-Identifier: GPL-2.0-only */
/* One turn at a queue, and waiting for it by working on it. */
#ifndef VN_TURN_H
#define VN_TURN_H

#include "worker.h"

/* Runs an attended queue for a while. Who has no runner any more sees to its rest. */
void vn_turn(struct vn_kqueue *kq, struct vn_runner *r, struct vn_turn *t);
/* Makes completions and errors known to whoever waits for them. */
void vn_turn_show(struct vn_kqueue *kq, u32 completions);
/*
 * Stops a queue of that chip, or one whose launch has a program on it; when it returns the
 * queue is in ERROR, or was cleared meanwhile. True: it was one. Its context stays.
 */
bool vn_turn_halt(struct vn_kqueue *kq, u32 chip);
/* Until target is reached: 0, or why not. */
int vn_turn_wait(struct vn_kqueue *kq, u32 target, u64 deadline_ns);

#endif

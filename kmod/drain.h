/* SPDX-License-Identifier: GPL-2.0-only */
/* Sleds, and sessions that take one out of service. */
#ifndef VN_KMOD_DRAIN_H
#define VN_KMOD_DRAIN_H

#include "context.h"

int vn_call_sled_query(struct vn_context *ctx, void *arg);
/* The fd is reserved in arg, and -1 of a dry run; *file is to be installed there. */
int vn_call_drain_open(struct vn_context *ctx, void *arg, struct file **file);
/*
 * Tests the slots of a sled, with one of another sled; validate.c. 0, -EIO with *fault
 * (enum vn_sled_fault) and *slot, -ENOMEM or -EINTR.
 */
int vn_sled_validate(u32 sled, u32 *fault, u32 *slot);

/* A descriptor met a fence so many times. */
void vn_drain_waited(u32 times);

#endif

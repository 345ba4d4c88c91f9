/* SPDX-License-Identifier: GPL-2.0-only */
/* Sessions that take a sled out of service, or bring it back. */
#ifndef VN_KMOD_DRAIN_H
#define VN_KMOD_DRAIN_H

#include "context.h"

/* The fd is reserved in arg, and -1 of a dry run; *file is to be installed there. */
int vn_call_drain_open(struct vn_context *ctx, void *arg, struct file **file);

/* A descriptor met a fence so many times. */
void vn_drain_waited(u32 times);

#endif

/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* What the files behind vneuron/accel.h and vneuron/nccl.h have in common. */
#ifndef VN_LIB_STREAM_H
#define VN_LIB_STREAM_H

#include <stdbool.h>

#include "include/vneuron/accel.h"

/* The UltraServer of accel.h, and the calling thread's chip of it. */
int vn_accel_current(vn_device_t *dev, uint32_t *chip);
/* Waits for what the thread has on streams of that chip: on all, or the blocking ones. */
int vn_streams_sync(vn_device_t dev, uint32_t chip, bool all);

#endif

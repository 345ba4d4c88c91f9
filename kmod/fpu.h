/* SPDX-License-Identifier: GPL-2.0-only */
/* The arithmetic of the engine with the FPU claimed around each call. */
#ifndef VN_FPU_H
#define VN_FPU_H

#include "engine/ops.h"

extern const struct vn_ops vn_ops_kernel;

/* Chooses the instruction set, once. */
void vn_fpu_init(void);
bool vn_fpu_avx2(void);
const char *vn_fpu_name(void);

#endif

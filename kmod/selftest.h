/* SPDX-License-Identifier: GPL-2.0-only */
/* Arithmetic against itself at load time, with the parameter selftest=1. */
#ifndef VN_SELFTEST_H
#define VN_SELFTEST_H

int vn_selftest(void);

#endif

/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#ifndef VN_LIB_ERROR_H
#define VN_LIB_ERROR_H

/* The text vn_error() returns to this thread. */
__attribute__((format(printf, 1, 2))) void vn_set_error(const char *fmt, ...);
/* The same, and returns err: "return vn_fail(-EINVAL, ...)". */
__attribute__((format(printf, 2, 3))) int vn_fail(int err, const char *fmt, ...);

#endif

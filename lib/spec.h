/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#ifndef VN_LIB_SPEC_H
#define VN_LIB_SPEC_H

#include "home.h"

/* A device spec (see vn_open), taken apart. -EINVAL names the part that is wrong. */
int vn_spec_parse(const char *text, struct vn_spec *s);

#endif

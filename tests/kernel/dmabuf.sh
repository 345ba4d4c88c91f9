#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
# The kernel's own dma-bufs, and devices that take ours: see dmabuf.c. Whatever there is of them.
# shellcheck source=tests/kernel/lib.sh
. "$(dirname "$0")/lib.sh"
with_module
modprobe -q vgem
"$VN_BUILD/tests/kernel/dmabuf"

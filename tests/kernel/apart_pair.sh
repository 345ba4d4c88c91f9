#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#
# Shows sends and receives of ranks that are processes (apart_pair.c).
. "$(dirname "$0")/lib.sh"
with_module
"$VN_BUILD/tests/kernel/apart_pair"
exit $?

#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#
# Shows what goes wrong in joining, for ranks that are processes (apart_join.c).
. "$(dirname "$0")/lib.sh"
with_module
"$VN_BUILD/tests/kernel/apart_join"
exit $?

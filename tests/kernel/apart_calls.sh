#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#
# Shows persistent operations, records and streams of ranks that are processes (apart_calls.c).
. "$(dirname "$0")/lib.sh"
with_module
"$VN_BUILD/tests/kernel/apart_calls"
exit $?

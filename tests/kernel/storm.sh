#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#
# Shows that signals, a thousand a second for each thread, change nothing (storm.c).
. "$(dirname "$0")/lib.sh"
with_module
VNEURON_DEVICE=$node "$VN_BUILD/tests/kernel/storm"
exit $?

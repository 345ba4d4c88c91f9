#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#
# Shows chips and a sled that are lost under ranks of several processes (lost.c).
. "$(dirname "$0")/lib.sh"
with_module
"$VN_BUILD/tests/kernel/lost"
exit $?

#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#
# Shows a rank killed at every step of operations, and the others going on (dead.c).
. "$(dirname "$0")/lib.sh"
with_module
"$VN_BUILD/tests/kernel/dead"
exit $?

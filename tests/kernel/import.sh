#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#
# Shows a window of one process mapped by key in another (import.c).
. "$(dirname "$0")/lib.sh"
with_module
"$VN_BUILD/tests/kernel/import"
exit $?

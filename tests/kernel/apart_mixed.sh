#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#
# Shows ranks that are threads of several processes (apart_mixed.c).
. "$(dirname "$0")/lib.sh"
with_module
"$VN_BUILD/tests/kernel/apart_mixed"
exit $?

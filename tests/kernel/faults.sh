#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#
# Shows faults by netlink, by hand (faults.c).
. "$(dirname "$0")/lib.sh"
with_module
"$VN_BUILD/tests/kernel/faults"
exit $?

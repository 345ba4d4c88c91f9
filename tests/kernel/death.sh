#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#
# Shows what is left of who dies, whatever it was doing, and who notices (death.c).
. "$(dirname "$0")/lib.sh"
with_module
"$VN_BUILD/tests/kernel/death"
exit $?

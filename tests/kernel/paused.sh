#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#
# Shows what goes on while a writer waits in the pause of a drain (paused.c).
. "$(dirname "$0")/lib.sh"
with_module
"$VN_BUILD/tests/kernel/paused"
exit $?

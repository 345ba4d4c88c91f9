#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#
# Shows that programs of any calls leave nothing behind (fuzz.c), for VN_SECONDS (10); with
# KCOV, which the debug kernel has, those that reach something new are changed further.
. "$(dirname "$0")/lib.sh"
with_module
[ -e /sys/kernel/debug/kcov ] || mount -t debugfs none /sys/kernel/debug 2>/dev/null
[ -e /sys/kernel/debug/kcov ] || skip_all 'only on a kernel with KCOV'
"$VN_BUILD/tests/kernel/fuzz" ${VN_OUT:+-o "$VN_OUT"} "$top/tests/fuzz/corpus/calls" \
	"$top/tests/fuzz/corpus/kernel"
exit $?

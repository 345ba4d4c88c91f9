#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#
# Shows that a drain that is struck at any of its steps ends well (see
# tests/lib/drain_matrix_test.c), on a small machine with two spare sleds, and that the
# module can be unloaded afterwards. VN_QUICK= (empty): all of it.
. "$(dirname "$0")/lib.sh"
without_module

# Fewer cells where each takes a second.
case ${VN_KERNEL:-} in
debug | kcsan)	export VN_ONE_IN=${VN_ONE_IN:-80} ;;
esac
load sleds=4 chips_per_sled=2 spares=2 faults=1 hbm=64M
ok $? "a small machine, with two spare sleds"
VNEURON_DEVICE=$node VN_QUICK=${VN_QUICK-1} "$VN_BUILD/tests/lib/drain_matrix_test" >"$tmp/matrix" 2>&1
ok $? "$(grep -E '^(not )?ok 1' "$tmp/matrix" | sed 's/.* - //')"
grep '^#' "$tmp/matrix"
unload
ok $? "unloaded"
finish

#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#
# Shows what a full UltraServer costs while nobody uses it: how long it takes to
# load, little memory, and after work no CPU time at all.
. "$(dirname "$0")/lib.sh"
without_module

# The best of three: another program may have been in the way. Also, what the
# kernel keeps for modules is there afterwards.
took=
for _ in 1 2 3; do
	began=$(now_ms)
	load
	ms=$(($(now_ms) - began))
	[ -n "$took" ] && [ "$took" -lt $ms ] || took=$ms
	unload
done
before=$(taken)
load
ok $? "insmod of 144 chips"
memory=$(($(taken) - before))
ok $((memory >= 32 * 1024)) "it takes $memory kB (bound 32768)"
# The emulated guest of a busy host may stand still: a bound on a debug kernel
# would say nothing.
case ${VN_KERNEL:-} in
debug | kcsan)	diag "insmod took $took ms" ;;
*)		ok $((took >= 1000)) "insmod took $took ms (bound 1000)" ;;
esac

# CPU time is counted by the scheduler to the nanosecond (schedstat), for each
# worker of the kernel.
"$VN_BUILD/tests/kernel/idle_load" >"$tmp/out" 2>&1
status=$?
sed 's/^/# /' "$tmp/out"
ok $status "no CPU time is used from 10 ms after the last completion, over 200 ms"
grep -q 'by workers' "$tmp/out"
ok $? "though workers had been at it"
unload
ok $? "rmmod"
finish

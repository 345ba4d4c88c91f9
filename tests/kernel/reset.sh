#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#
# Shows that a reset of a chip is told: by a tracepoint, with what it stopped and ended, and
# by the state of queues and windows that others see. (What it does: tests/lib/reset_test.c.)
. "$(dirname "$0")/lib.sh"
with_module
ctl=$VN_BUILD/neuronctl
export VNEURON_DEVICE=$node
mkfifo "$tmp/in"
"$VN_BUILD/tests/kernel/holder" window 3 <"$tmp/in" >"$tmp/held" &
holder=$!
exec 9>"$tmp/in"
for _ in {1..100}; do
	grep -q ready "$tmp/held" && break
	sleep 0.1
done
"$ctl" -j window list >"$tmp/before"
grep -q '"chip": *3\b' "$tmp/before"
ok $? "somebody has a window on chip 3"
tracing=/sys/kernel/tracing
if [ -e $tracing/events/vneuron/chip_reset ]; then
	echo >$tracing/trace
	echo 1 >$tracing/events/vneuron/chip_reset/enable
fi
"$ctl" chip reset 2 && "$ctl" -j window list >"$tmp/after" && grep -q '"chip": *3\b' "$tmp/after"
ok $? "a reset of another chip leaves it"
"$ctl" chip reset c3 && "$ctl" -j window list >"$tmp/after" && ! grep -q '"chip": *3\b' "$tmp/after"
ok $? "one of that chip does not"
if [ -e $tracing/events/vneuron/chip_reset ]; then
	echo 0 >$tracing/events/vneuron/chip_reset/enable
	grep -q 'chip_reset: chip=2 queues=0 windows=0$' $tracing/trace &&
		grep -q 'chip_reset: chip=3 queues=0 windows=1$' $tracing/trace
	ok $? "the tracepoint tells how many"
else
	skip 'only with a kernel that has tracepoints'
fi
"$ctl" chip reset 999 2>"$tmp/err"
[ $? = 1 ] && grep -q 'no chip 999' "$tmp/err"
ok $? "no such chip: $(<"$tmp/err")"
exec 9>&-
wait $holder
ok $? "whose it was has noticed nothing yet"
finish

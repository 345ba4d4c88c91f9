#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#
# Shows that the module is not unloaded while anything of it is held, that it is
# as soon as nothing is, and that loading and unloading leaves nothing behind.
. "$(dirname "$0")/lib.sh"
without_module
load sleds=2 spares=1 hbm=16M
ok $? "insmod"

for what in server chip mapping ring import status health domain session; do
	coproc holder { exec "$VN_BUILD/tests/kernel/holder" $what; }
	pid=$holder_PID in=${holder[1]}
	read -r -t 20 line <&"${holder[0]}"
	[ "$line" = ready ] && ! rmmod vneuron 2>"$tmp/err" && grep -qi 'in use' "$tmp/err" && [ -c $node ]
	ok $? "refused while held: $what"
	exec {in}>&-
	wait "$pid"
done
[ ! -e /sys/class/vneuron/vneuron0/driver ] && [ -z "$(find /sys/bus/*/drivers -name '*vneuron*' 2>/dev/null)" ]
ok $? "there is no driver to be unbound from it"
unload
ok $? "rmmod when nothing is held"

rounds=${VN_ROUNDS:-20}
round() {
	# Not only loaded: used, every now and then.
	load sleds=2 hbm=16M && { (($1 % 10)) || "$VN_BUILD/tests/kernel/nops" 3; } && unload
}
for i in 0 1 2; do round $i; done
mark
wrong=0 deltas=
was=$(taken)
for ((batch = 0; batch < 5; batch++)); do
	for ((i = 0; i < rounds / 5; i++)); do round $i || wrong=$((wrong + 1)); done
	is=$(taken)
	deltas="$deltas $((is - was))"
	was=$is
done
ok $((wrong > 0)) "$rounds rounds of insmod and rmmod ($wrong failed)"
# What the rest of the system does shows in one batch or two, a leak in all.
bound=$((rounds / 5 * 4 + 128))
# KASAN keeps what was freed for a while; kmemleak looks for what is lost there.
[ "${VN_KERNEL:-}" != debug ] || bound=$((bound + 2048))
# shellcheck disable=SC2086
median=$(printf '%s\n' $deltas | sort -n | sed -n 3p)
ok $((median > bound)) "a fifth of them takes $median kB (of$deltas; bound $bound)"
! ls /dev/vneuron* >/dev/null 2>&1
ok $? "no node is left"
! grep -q '\[vneuron\]' /proc/vmallocinfo
ok $? "nothing in /proc/vmallocinfo"
! grep -q vneuron /proc/kallsyms && ! grep -q vneuron /proc/devices && [ ! -e /sys/class/vneuron ]
ok $? "no symbol, number or class"
# 6.1 warns of a tainting module once; nothing else belongs there.
since
grep vneuron <<<"$log" | grep -Ev 'taint|module verification' >"$tmp/log"
[ ! -s "$tmp/log" ]
ok $? "and the log has no word of it $(head -1 "$tmp/log")"
finish

#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#
# Shows that a process killed in the middle of anything leaves nothing behind:
# HBM, queues, windows and contexts are what they were, and the device works.
. "$(dirname "$0")/lib.sh"
with_module

usage=$VN_BUILD/tests/kernel/usage
rounds=25
[ -z "${VN_QUICK:-}" ] || rounds=2
modes='copy worker plan blocked blocked-plan objects sleep'
mkfifo "$tmp/ready" "$tmp/never"
exec 3<>"$tmp/ready" 4<>"$tmp/never"

# pause SECONDS, without a program
pause() { read -r -t "$1" <&4; }

before=$("$usage")
# gone: within some seconds, all is as before
gone() {
	local i
	for ((i = 0; i < 50; i++)); do
		[ "$("$usage")" = "$before" ] && return 0
		pause 0.05
	done
	diag "was:" $before
	diag "is:" $("$usage")
	return 1
}

# begin MODE: starts a victim; pid
begin() {
	"$VN_BUILD/tests/kernel/kill_victim" "$1" >&3 2>>"$tmp/err" 3>&- 4>&- &
	pid=$!
}

# at_it: one more victim is
at_it() {
	local line
	read -r -t 30 line <&3 && [ "$line" = ready ]
}

for mode in $modes; do
	wrong=0
	for ((i = 0; i < rounds; i++)); do
		begin $mode
		at_it || wrong=$((wrong + 1))
		pause 0.0$((RANDOM % 10))$((RANDOM % 10))
		# At the first, look whether there is anything to be left behind.
		((i)) || [ "$("$usage")" != "$before" ] || wrong=$((wrong + 1))
		kill -9 "$pid" || wrong=$((wrong + 1))
		wait "$pid" 2>/dev/null
		[ $? = 137 ] || wrong=$((wrong + 1))
	done
	[ $wrong = 0 ] && gone
	ok $? "$mode: killed $rounds times, nothing is left"
done

wrong=0
for ((i = 0; i < rounds; i++)); do
	pids=
	for mode in $modes; do
		begin $mode
		pids="$pids $pid"
	done
	for mode in $modes; do
		at_it || wrong=$((wrong + 1))
	done
	# shellcheck disable=SC2086
	kill -9 $pids || wrong=$((wrong + 1))
	# shellcheck disable=SC2086
	wait $pids 2>/dev/null
done
[ $wrong = 0 ] && gone
ok $? "all together, killed at once $rounds times: nothing is left"
[ ! -s "$tmp/err" ] || sed 's/^/# /' "$tmp/err"
"$VN_BUILD/tests/kernel/nops" 23
ok $? "and the device works"
finish

#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#
# Without communicators coll ranks and coll status say so, and why; those of a process
# are seen while it runs (by all that hangs: tests/kernel/ranks.sh), not from outside an
# embedded device.
# shellcheck source=tests/cli/lib.sh disable=SC2016,SC2154
. "$(dirname "$0")/lib.sh"

for what in ranks status; do
	good "coll $what" coll $what
	says '^no communicators' "says that there are none"
	good "coll $what" -j coll $what
	is '@$d == 0' "an empty array"
	[ -n "$quick" ] || {
		bad 2 "'all_reduce' is one argument too many" "an argument" coll $what all_reduce
		bad 2 "unknown option '--all'" "an option" coll $what --all
		good "help" coll help
		says "coll $what$" "it is in the help"
	}
done

"$ctl" coll bench all_reduce --ranks 2 --bytes-min 64K --bytes-max 64K --iters 1000000 \
	>"$tmp/bench" 2>&1 &
pid=$!
if [ $home = embedded ]; then
	sleep 0.3
	good "coll status" coll status
	says "^no communicators: this embedded device is the command's own" \
		"what another process does is not seen, and it says why"
	kill "$pid"
	wait "$pid" 2>/dev/null
	finish
fi
for _ in $(seq 100); do
	run -j coll ranks
	json "2 == grep { \$_->{pid} == $pid && \$_->{completed} } @\$d" && break
	sleep 0.1
done
ok $status "coll ranks, while a program runs"
is "2 == grep { \$_->{pid} == $pid && \$_->{op} eq 'all_reduce' && \$_->{type} eq 'float32' &&
	\$_->{bytes} == 65536 && \$_->{ranks} == 2 && \$_->{chip} == \$_->{rank} &&
	\$_->{state} =~ /^(idle|called|waits)\$/ && !\$_->{error} } @\$d" "has its ranks"
good "coll status" -j coll status
is '@$d == 1 && $d->[0]{here} == 2 && $d->[0]{state} =~ /^(idle|running|stuck)$/ &&
	!@{$d->[0]{missing}}' "and the communicator"
kill "$pid"
wait "$pid" 2>/dev/null
run -j coll ranks
is "!grep { \$_->{pid} == $pid } @\$d" "they end with it"
finish

#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#
# Shows that a sled that was drained is so again, from the journal, when the module has
# been unloaded and loaded: in the same state, by the same user and operation, for the same
# reason; that processes drain side by side with one journal; and that after one of them
# was killed the journal is right, or comes to be.
. "$(dirname "$0")/lib.sh"
without_module
ctl=$VN_BUILD/neuronctl
machine=(sleds=3 chips_per_sled=2 spares=2 hbm=16M)
mkdir "$tmp/own"
kept=$tmp/own/journal
export VNEURON_DEVICE=$node VNEURON_JOURNAL=$kept

# run ARGS...: neuronctl with them; $status, $tmp/out and $tmp/err.
run() {
	"$ctl" "$@" >"$tmp/out" 2>"$tmp/err" </dev/null
	status=$?
}

# good WHAT ARGS...
good() {
	local what=$1
	shift
	run "$@"
	ok $status "$what $(head -1 "$tmp/err")"
}

# is SLED STATE OPERATION WHAT: as sled list has it, where a dash is nobody and nothing.
is() {
	run sled list
	grep -Eq "^s$1 +$2 .* +$3 " "$tmp/out"
	ok $? "$4: $(grep "^s$1 " "$tmp/out" | tr -s ' ')"
}

# stop SLED OPERATION POINT: a drain that stands still there, and is killed.
stop() {
	local pid i
	VNEURON_DRAIN_STOP=$3 "$ctl" sled drain "$1" --operation "$2" >/dev/null 2>&1 &
	pid=$!
	for ((i = 0; i < 200; i++)); do
		grep -q '^State:.T' "/proc/$pid/status" && break
		sleep 0.1
	done
	kill -9 $pid
	wait $pid 2>/dev/null
	[ $? = 137 ] && [ $i -lt 200 ]
	ok $? "a drain is killed at $3"
}

load "${machine[@]}"
ok $? "insmod"
if command -v setpriv >/dev/null; then
	uid=1234
	chmod 666 $node
	chmod 711 "$tmp"
	chown $uid "$tmp/own"
	setpriv --reuid $uid --clear-groups --inh-caps +sys_admin --ambient-caps +sys_admin \
		"$ctl" sled drain 0 --reason fan --operation abcd >"$tmp/out" 2>"$tmp/err"
	ok $? "a drain by user $uid $(head -1 "$tmp/err")"
else
	uid=0
	good "a drain" sled drain 0 --reason fan --operation abcd
fi
run sled list
cp "$tmp/out" "$tmp/before"
unload && load "${machine[@]}"
ok $? "rmmod, insmod"
is 0 in_service - "nothing is drained then"
run sled journal
grep -Eq "^ +6 .* s0 +committed +drained +000000000000abcd +s[34] +$uid +[0-9]+ +fan\$" "$tmp/out"
ok $? "the journal knows"
good "sled restore" sled restore
grep -q "^sled 0: again drained, operation 000000000000abcd of uid $uid: fan\$" "$tmp/out"
ok $? "says so"
run sled list
cmp -s "$tmp/out" "$tmp/before"
ok $? "state, operation, user and reason are what they were: $(grep '^s0 ' "$tmp/out" | tr -s ' ')"
good "again" sled restore
grep -q '^sled 0: already drained' "$tmp/out"
ok $? "it is already"
good "coming back" sled undrain 0
unload && load "${machine[@]}"
good "and after the next restart" sled restore
is 0 in_service - "it stays"

"$ctl" sled drain 1 --operation 11 --to 3 >"$tmp/one" 2>&1 &
"$ctl" sled drain 2 --operation 22 --to 4 >"$tmp/two" 2>&1
two=$?
wait $! && [ $two = 0 ]
ok $? "two at once $(head -1 "$tmp/one"), $(head -1 "$tmp/two")"
run sled journal
[ "$(grep -Ec '(committed|drained) +00000000000000(11|22) ' "$tmp/out")" = 4 ]
ok $? "the journal has both"
unload && load "${machine[@]}"
good "both are restored" sled restore
is 1 drained 0000000000000011 "one"
is 2 drained 0000000000000022 "two"
good "one comes back" sled undrain 1
good "two comes back" sled undrain 2

stop 0 33 fenced:synced
is 0 in_service - "its chips have not moved"
stop 0 44 committed:before
is 0 drained 0000000000000044 "its chips have moved"
run sled journal
! grep -Eq '(committed|drained) +0000000000000044' "$tmp/out"
ok $? "which the journal does not know"
good "asked again" sled drain 0 --operation 44
run sled journal
tail -1 "$tmp/out" | grep -Eq 's0 .* drained +0000000000000044'
ok $? "it gets to know"
unload && load sleds=2 chips_per_sled=2 spares=2 hbm=16M
run sled restore
[ $status = 1 ] && grep -q 'it is of a machine of 3 sleds and 2 spares of 2 chips' "$tmp/err"
ok $? "another machine has another journal: $(<"$tmp/err")"
unload
ok $? "rmmod"
finish

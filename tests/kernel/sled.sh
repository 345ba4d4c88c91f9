#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#
# Shows that sleds are listed by netlink, for every user, as the ABI has them; that all
# who watch are told of each transition of a drain and of coming back, in order; and that
# a drain of another process can be called off until its chips have moved, by who may.
# shellcheck source=tests/cli/lib.sh disable=SC2016,SC2154
. "$(dirname "$0")/../cli/lib.sh"
trap 'kill "${job[@]}" 2>/dev/null; rm -rf "$tmp"' EXIT
[ "$home" = kernel ] || { echo "1..0 # SKIP only with the module loaded"; exit 77; }
sleds=$VN_BUILD/tests/kernel/sleds
job=()
run -j status
json '$d->{spares} >= 1' || { echo "1..0 # SKIP only with a spare sled"; exit 77; }
json '$d->{sleds}' && spare=$value
nobody=
! command -v setpriv >/dev/null || nobody="setpriv --reuid 65534 --regid 65534 --clear-groups"

# until SECONDS COMMAND...: it comes to be true.
until_true() {
	local n=$(($1 * 10))
	shift
	while ! "$@" 2>/dev/null; do
		[ $((n -= 1)) -gt 0 ] || return 1
		sleep 0.1
	done
}

# joined PID: has it joined a group?
joined() {
	awk -v pid="$1" '$2 == 16 && $3 % 4194304 == pid && $4 !~ /^0+$/ { n++ } END { exit !n }' \
		"/proc/$1/net/netlink"
}

# watch NAME PREFIX... -- ARGS...: into $tmp/NAME, once it has joined.
watch() {
	local name=$1 prefix=()
	shift
	while [ "$1" != -- ]; do
		prefix+=("$1")
		shift
	done
	shift
	"${prefix[@]}" "$ctl" "$@" >"$tmp/$name" 2>&1 </dev/null &
	job+=($!)
	until_true 20 joined $!
	ok $? "$name: a watcher"
}

# events NAME: the lines as one JSON document, in $tmp/out
events() { (echo "["; paste -sd, "$tmp/$1"; echo "]") >"$tmp/out"; }

# hold ARGS...: sleds ARGS in the background, with $tmp/$1.in and $tmp/$1.out
hold() {
	rm -f "$tmp/in"
	mkfifo "$tmp/in"
	"$sleds" "$@" <"$tmp/in" >"$tmp/held" 2>&1 &
	held=$!
	job+=("$held")
	exec 9>"$tmp/in"
	until_true 20 grep -Eq '^(held|busy)$' "$tmp/held"
	ok $? "$*"
}

# let_go STATUS TEXT: it ends so.
let_go() {
	(echo >&9) 2>/dev/null
	exec 9>&-
	wait "$held"
	[ $? = "$1" ] && grep -q "^$2\$" "$tmp/held" && grep -q '^kept$' "$tmp/held"
	ok $? "it ends: $(tail -2 "$tmp/held" | tr '\n' ' ')"
}

# home_again: chips that were on sled 0, which is in service, go there again.
home_again() {
	for args in "drain $spare --to 0 --budget 1000" "undrain $spare"; do
		# shellcheck disable=SC2086
		run sled $args
		[ $status = 0 ] || ok 1 "sled $args"
	done
	run -j sled list
	is '!grep { $_->{state} ne "in_service" } @$d' "all sleds are in service again"
	json '$d->[0]{chips} && !$d->[-1]{chips}'
	ok $? "and their chips where they were"
}

# same WHAT PREFIX...: netlink and the ABI tell the same.
same() {
	local what=$1
	shift
	run -j sled list
	"$@" "$sleds" list 2>"$tmp/err" >"$tmp/list"
	cmp -s "$tmp/list" "$tmp/out"
	ok $? "$what"
}

same "the list by netlink is that by the ABI"
"$sleds" list 3 | tr -d '[]\n' >"$tmp/one"
run -j sled status 3
tr -d '\n' <"$tmp/out" | cmp -s - "$tmp/one"
ok $? "one sled, too"
"$sleds" list $((spare + 9)) >"$tmp/out" 2>"$tmp/err"
[ $? = 1 ] && ! grep -q sled "$tmp/out"
ok $? "no such sled: $(<"$tmp/err")"
"$sleds" bare >"$tmp/out" 2>"$tmp/err"
[ $? = 1 ] && ! grep -q sled "$tmp/out"
ok $? "none is named: $(<"$tmp/err")"
if [ -n "$nobody" ]; then
	# shellcheck disable=SC2086
	same "and for another user" $nobody
else
	skip "only with setpriv: other users"
fi

run -j status
json '$d->{epoch}' && epoch=$value
chmod 666 /dev/vneuron0
# shellcheck disable=SC2086
watch json $nobody -- -j event watch
if unshare -n true 2>/dev/null; then
	watch text unshare -n -- event watch
else
	watch text -- event watch
fi
watch few -- event watch --count 2 --timeout 60
good "a drain" -j sled drain 0 --reason fan --operation abcd --budget 1000
same "the list while it is drained"
good "coming back" sled undrain 0
until_true 20 grep -q '"to":"in_service"' "$tmp/json"
ok $? "events of all of it"
head -30 "$tmp/json" | sed 's/^/# /'
events json
is '!grep { !fields($_, "time_ns:n sled:n from:s to:s operation:s uid:n reason:s chips:n epoch:n
	hbm_used:n total_bytes:n copied_bytes:n dirty_bytes:n estimate_ns:n pause_ns:n") } @$d' \
	"have their fields"
is '"in_service planned cordoned precopy fenced stopcopy verified committed drained validating in_service" eq
	join " ", $d->[0]{from}, map { $_->{to} } grep { $_->{from} ne $_->{to} } @$d' "each transition, in order"
is '!grep { $d->[$_]{from} ne $d->[$_ - 1]{to} } 1 .. $#$d' "each from where the one before led"
is 'my @r = grep { $_->{from} eq $_->{to} } @$d; @r && !grep { $_->{to} ne "precopy" } @r' \
	"and rounds of copying"
is '!grep { $_->{sled} || $_->{uid} } @$d' "all of this sled, and user"
is '!grep { $_->{operation} ne "000000000000abcd" || $_->{reason} ne "fan" } @$d[0 .. $#$d - 2]' \
	"a drain's with its operation and reason"
is '$d->[-1]{operation} eq $d->[-2]{operation} && $d->[-1]{operation} =~ /^[0-9a-f]{16}$/ &&
	$d->[-1]{operation} ne "000000000000abcd"' "coming back is another"
is "!grep { \$_->{epoch} != $epoch } grep { \$_->{to} =~ /^(p|c(?!ommitted)|f|st|ve)/ } @\$d" \
	"the epoch is as it was before"
is "my (\$c) = grep { \$_->{to} eq 'committed' } @\$d; \$c->{epoch} == $epoch + 1 && !\$c->{chips} &&
	\$c->{pause_ns} > 0 && !\$c->{dirty_bytes}" "and the next when its chips are elsewhere"
wait "${job[2]}"
[ $? = 0 ] && [ "$(wc -l <"$tmp/few")" = 2 ]
ok $? "so many are enough"
until_true 20 grep -q 'validating -> in_service' "$tmp/text"
cp "$tmp/text" "$tmp/out"
says '^[0-9:.]{12} s0: in_service -> planned, operation 000000000000abcd of uid 0, 0 B of .*: fan$' \
	"in text, in another network"
says 's0: precopy -> precopy, .*, 0 B of 0 B copied, 0 B dirty: fan$' "with how far it is"
kill "${job[0]}" "${job[1]}"
job=()
bad 1 '0 events of 1 in 1 s$' "none comes" event watch --count 1 --timeout 1
good "nor must one" event watch --timeout 1
home_again

# Other tests may have left any chips here.
run -j chip list
json '(grep { $_->{sled} == 0 } @$d)[0]{chip}'
mkfifo "$tmp/holding"
"$VN_BUILD/tests/kernel/holder" window "$value" <"$tmp/holding" >"$tmp/ready" 2>&1 &
job=($!)
exec 8>"$tmp/holding"
until_true 20 grep -q ready "$tmp/ready"
ok $? "a process with a window on the sled"
good "a dry run" -j sled drain 0 --dry-run
is "grep { \$_->{pid} == ${job[0]} && \$_->{windows} == 1 && \$_->{bytes} == 65536 } @{\$d->{holders}}" \
	"names it"
is '$d->{windows} >= 1 && $d->{contexts} >= 1 && $d->{bytes} >= 65536 && $d->{rate} > 0 &&
	$d->{time_ns} > $d->{pause_ns} && @{$d->{targets}} == $d->{chips}' "and tells what it would take"
good "in text" sled drain 0 --dry-run
says "^ +[0-9]+ +${job[0]} +0 +1 +64.0 KiB$" "too"
good "a drain" -j sled drain 0 --budget 1000
is '$d->{planned}{bytes} == $d->{bytes} && $d->{planned}{time_ns} > 0' "has the plan beside it"
exec 8>&-
wait "${job[0]}"
job=()
good "coming back" sled undrain 0
home_again

bad 1 'sled 0: nothing is draining this sled \(' "nothing to call off" sled cancel 0
bad 1 'sled 0: nothing is draining this sled \(' "also by number" sled cancel 0 --operation beef
"$sleds" list >"$tmp/before"
hold hold 0 beef precopy
[ "$("$sleds" copied 0)" = "8388608 8388608" ]
ok $? "how far it is: $("$sleds" copied 0)"
[ "$("$sleds" copied 1)" = none ]
ok $? "others are not drained"
"$sleds" contexts >"$tmp/out"
says '^context [0-9]+ waits 0$' "its context has met no fence"
bad 1 'sled 0: another operation is draining this sled \(' "another operation" \
	sled cancel 0 --operation dead
if [ -n "$nobody" ]; then
	# shellcheck disable=SC2086
	$nobody "$ctl" sled cancel 0 >"$tmp/out" 2>"$tmp/err"
	[ $? = 1 ] && grep -q 'sled 0: calling off takes CAP_SYS_ADMIN (Operation not permitted)' "$tmp/err"
	ok $? "another user may not"
else
	skip "only with setpriv: other users"
fi
run -j sled status 0
is '$d->{state} eq "precopy" && $d->{operation} eq "000000000000beef"' "it is as it was until then"
watch off -- -j event watch --count 1 --timeout 60
good "who may calls it off" -j sled cancel 0 --operation beef
is 'fields($d, "sled:n cancelled:b") && $d->{sled} == 0 && $d->{cancelled}' "and is told so"
good "twice is no more than once" sled cancel s0
says '^sled 0: its drain is called off, and ends with its next step$' "in text"
let_go 1 'sled 0: called off by somebody'
wait "${job[-1]}"
cp "$tmp/off" "$tmp/out"
is '$d->{from} eq "precopy" && $d->{to} eq "in_service" && $d->{operation} eq "000000000000beef" &&
	$d->{reason} eq "hold" && $d->{chips} == 4' "watchers see it"
"$sleds" list | cmp -s - "$tmp/before"
ok $? "all is as it was"

hold busy 0 beef
sleep 0.5
good "a drain that copies" sled cancel 0
let_go 1 'sled 0: called off by somebody'
"$sleds" list | cmp -s - "$tmp/before"
ok $? "all is as it was"

hold hold 0 beef committed
bad 1 'sled 0: too late: its chips are elsewhere \(' "too late" sled cancel 0
let_go 0 drained
bad 1 'sled 0: too late: its chips are elsewhere \(' "when it is done, too" \
	sled cancel 0 --operation beef
bad 1 'sled 0: nothing is draining this sled \(' "which is nothing to call off" sled cancel 0
watch power -- -j event watch --count 1 --timeout 60
good "power off" -j sled maintain 0 --reason fan --operation feed
is 'fields($d, "sled:n state:s operation:s") && $d->{state} eq "maintenance" &&
	$d->{operation} eq "000000000000feed"' "and is told so"
wait "${job[-1]}"
cp "$tmp/power" "$tmp/out"
is '$d->{from} eq "drained" && $d->{to} eq "maintenance" && $d->{reason} eq "fan"' "watchers see it"
bad 1 'sled 0: it is maintenance' "it has none to lose" sled maintain 0
bad 1 '0 are free there: ' "no chip comes there" sled drain 1 --to 0
good "coming back" sled undrain 0
home_again
hold hold 0 beef committed
("$ctl" sled drain 1 --wait --deadline 60 --budget 1000 >"$tmp/waits" 2>&1; echo $? >>"$tmp/waits") &
sleep 0.5
let_go 0 drained
good "room comes" sled undrain 0
wait $!
[ "$(tail -1 "$tmp/waits")" = 0 ]
ok $? "who waits for room has it: $(head -1 "$tmp/waits")"
good "coming back" sled undrain 1
good "home" sled drain 0 --to 1 --budget 1000
good "and the other one" sled undrain 0
home_again
chmod 660 /dev/vneuron0
finish

#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#
# Shows that faults are made, listed and cleared by neuronctl, that what is lost is shown,
# and that nonsense is refused by name.
# shellcheck source=tests/cli/lib.sh disable=SC2016,SC2154
. "$(dirname "$0")/lib.sh"

bad 2 "no fault 'fire'; there are: sled_loss chip_loss link_cut copy_corrupt alloc_fail" \
	"no such fault" fault inject fire
bad 2 "chip_loss: which chip" "no chip" fault inject chip_loss
bad 2 "'s1' is no chip" "a sled is no chip" fault inject chip_loss s1
bad 2 "'c1' is no sled" "a chip is no sled" fault inject link_cut c1
bad 2 "alloc_fail: 0: want 1 to" "none at all" fault inject alloc_fail 0
bad 2 "copy_corrupt: 1048577: want 1 to" "too many" fault inject copy_corrupt 1048577
bad 1 "no chip 144: there are chips 0 to" "no such chip" fault inject chip_loss c144
bad 1 "no sled 40: there are sleds 0 to" "no such sled" fault inject sled_loss s40
bad 1 "sled 1 has no such fault" "nothing to clear there" fault clear link_cut s1
bad 1 "there is none" "nothing to clear" fault clear copy_corrupt
good "all of none is cleared" fault clear
good "a list" fault list
says '^FAULT' "with a heading"
good "as JSON" -j fault list
is '!@$d' "is empty"
good "injected" fault inject chip_loss c2
good "with a count" fault inject copy_corrupt 3

good "a chip is reset" chip reset c3
if [ "$home" = kernel ] && command -v setpriv >/dev/null; then
	setpriv --reuid 65534 --regid 65534 --clear-groups "$ctl" chip reset 3 >"$tmp/out" 2>"$tmp/err"
	[ $? = 1 ]
	ok $? "not by everybody: $(cat "$tmp/err")"
fi

# An embedded device dies with each neuronctl.
if [ "$home" = kernel ]; then
	good "listed" -j fault list
	is '@$d == 2 && !grep { !fields($_, "fault:s where:n slot:n count:n") } @$d' "both"
	is '$d->[0]{fault} eq "chip_loss" && $d->[0]{where} == 2 && $d->[1]{count} == 3' \
		"as they were made"
	good "shown" fault list
	says '^chip_loss +c2 +[0-9]+ +-$' "by name"
	good "seen" -j chip show 2
	is '$d->{lost}' "the chip is lost"
	good "and" -j chip show 1
	is '!$d->{lost}' "another one is not"
	good "in the list" chip list
	says '^c2 .* lost$' "too"
	good "one is cleared" fault clear chip_loss c2
	good "and the other" fault clear copy_corrupt
	good "a sled" fault inject sled_loss s1
	good "is" -j sled status 1
	is '$d->{state} eq "faulted" && $d->{reason} eq "lost"' "faulted, and says so"
	bad 1 "memory does not keep" "it does not pass" sled undrain 1
	good "power is back" fault clear
	good "it passes" sled undrain 1
	good "and is" -j sled status 1
	is '$d->{state} eq "in_service"' "in service"
	if command -v setpriv >/dev/null; then
		setpriv --reuid 65534 --regid 65534 --clear-groups "$ctl" fault inject \
			chip_loss 1 >"$tmp/out" 2>"$tmp/err"
		[ $? = 1 ]
		ok $? "not for everybody: $(cat "$tmp/err")"
	fi
fi
finish

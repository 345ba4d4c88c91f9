#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#
# Shows that wrong module parameters refuse to load, with a line in the kernel
# log that names the parameter and its range, and that right ones are taken.
. "$(dirname "$0")/lib.sh"
without_module

# refused PATTERN PARAMETERS...
refused() {
	local pattern="vneuron: $1" status
	shift
	mark
	load "$@" 2>"$tmp/err"
	status=$?
	since
	[ $status != 0 ] && ! is_loaded && [ ! -e $node ] && [[ $log =~ $pattern ]]
	ok $? "$*: refused: ${log##*vneuron: }"
	! is_loaded || unload
}

refused 'sleds=0: must be 1 to 36' sleds=0
refused 'sleds=37: must be 1 to 36' sleds=37
refused 'sleds=4294967295: must be 1 to 36' sleds=4294967295
refused 'chips_per_sled=0: must be 1 to 16' chips_per_sled=0
refused 'chips_per_sled=17: must be 1 to 16' chips_per_sled=17
refused 'sleds=36.*chips_per_sled=5.*144' sleds=36 chips_per_sled=5
refused 'sleds=10.*chips_per_sled=16.*144' sleds=10 chips_per_sled=16
sizes=(0 1K 4095 4097 5X 5GG G '' -4096 2T 1048577M 0x 18446744073709551616
	18446744073709555712 16777217T)
limits=(contexts domains queues ring_mib windows imports plans plan_mib statuses)
# Loading takes seconds there, and a word is refused as another is.
case ${VN_KERNEL:-} in
debug | kcsan)	sizes=(4097 5GG '' 18446744073709551616) limits=(contexts statuses) ;;
esac
for hbm in "${sizes[@]}"; do
	refused "hbm=$hbm: must be 4K to 1T" hbm=$hbm
done
for what in "${limits[@]}"; do
	refused "user_$what=0: must be 1 to 16777216" user_$what=0
done
refused 'user_windows=16777217: must be 1 to 16777216' user_windows=16777217

# Refused by the kernel's own parser, which names the parameter too
for p in sleds=x sleds=-1 sleds=4294967296 chips_per_sled=; do
	mark
	load $p 2>"$tmp/err"
	status=$?
	since
	[ $status != 0 ] && ! is_loaded && [[ $log == *" invalid for parameter \`${p%=*}'"* ]]
	ok $? "$p: refused"
	! is_loaded || unload
done

# taken CHIPS BYTES PARAMETERS...
taken() {
	local chips=$1 bytes=$2
	shift 2
	if load "$@" 2>"$tmp/err"; then
		[ "$(ls /dev/vneuron0c* | wc -l)" = "$chips" ] &&
			"$VN_BUILD/tests/kernel/usage" | grep -q "^hbm $bytes\$"
		ok $? "$*: $chips chips of $bytes bytes"
		unload
	else
		ok 1 "$*: $(cat "$tmp/err")"
	fi
}
if load 2>"$tmp/err"; then
	"$VN_BUILD/neuronctl" -d $node fault list >"$tmp/out" 2>"$tmp/err"
	[ $? = 1 ] && grep -q 'loaded without faults=1' "$tmp/err"
	ok $? "no faults unless it was loaded with faults=1: $(cat "$tmp/err")"
	unload
else
	ok 1 "$(cat "$tmp/err")"
fi
taken 1 4096 sleds=1 chips_per_sled=1 hbm=4096
taken 16 1099511627776 sleds=1 chips_per_sled=16 hbm=1T
taken 144 2097152 sleds=9 chips_per_sled=16 hbm=2M
taken 36 1073741824 chips_per_sled=1
taken 144 1073741824
finish

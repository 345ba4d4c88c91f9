#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#
# A sled is drained while vneuron-train trains: the weights are the same to the bit, and
# the drain is in the report and below the curve of the loss. A drain that can't be fails
# the training, and leaves no weights. On the module make demo shows the same.
# shellcheck source=tests/cli/lib.sh disable=SC2016,SC2154
. "$(dirname "$0")/lib.sh"

if [ "$home" != embedded ]; then
	skip 'only where the device is embedded'
	finish
fi
program=${VN_BUILD:-$top/build}/vneuron-train
data=$top/tools/demo/digits.csv
epochs=16
device=embedded:sleds=3,chips=2,spares=1,hbm=64M

# train ARGS...: the program with them; $status, $tmp/out and $tmp/err.
train() {
	rm -f "$tmp/weights"
	timeout 60 "$program" -d "$device" -f "$data" -e $epochs -o "$tmp/weights" "$@" \
		>"$tmp/out" 2>"$tmp/err" </dev/null
	status=$?
}

# trained WHAT ARGS...: with the weights that come out without a drain.
trained() {
	local what=$1
	shift
	train "$@"
	[ $status = 0 ] && [ ! -s "$tmp/err" ] && cmp -s "$tmp/weights" "$tmp/want"
	ok $? "$what: the same weights"
}

# refused STATUS PATTERN ARGS...: said on standard error, and no weights.
refused() {
	local want=$1 pattern=$2
	shift 2
	train "$@"
	[ $status = "$want" ] && head -1 "$tmp/err" | grep -Eq "^vneuron-train: $pattern" &&
		[ ! -e "$tmp/weights" ]
	ok $? "$*: $(head -1 "$tmp/err")"
}

train -j
[ $status = 0 ] && [ ! -s "$tmp/err" ] && mv "$tmp/weights" "$tmp/want"
ok $? 'training without a drain'
is "@{\$d->{losses}} == $epochs && \$d->{losses}[-1] == \$d->{loss}" 'has the loss of each epoch'
is '!defined $d->{drain} && $d->{identical}' 'and no drain'

trained 'a drain in the middle' -D 1 -j
is 'fields($d->{drain}, "sled:n operation:s chips:n undrained:b copied_bytes:n rounds:n
	stop_bytes:n pause_ns:n budget_ns:n waits:n took_ns:n first_step:n last_step:n late:b")' \
	'is in the JSON'
is '$d->{identical} && $d->{drain}{sled} == 1 && $d->{drain}{chips} == 2 && !$d->{drain}{undrained}' \
	'with what has moved'
is '$d->{drain}{copied_bytes} > 100_000 && $d->{drain}{rounds} >= 1 &&
	$d->{drain}{pause_ns} > 0 && $d->{drain}{pause_ns} <= $d->{drain}{took_ns}' 'with the pause'
is '$d->{drain}{first_step} == 1 + $d->{steps} / 2 && $d->{drain}{last_step} <= $d->{steps}' \
	'with the steps meanwhile'
trained 'it comes back' -D 1 -u -j
is '$d->{drain}{undrained}' 'which is in the JSON'
for sled in 0 2 3; do
	trained "sled $sled" -D $sled -q
done
for epoch in 1 2 5 $epochs; do
	trained "from epoch $epoch" -D "1@$epoch" -j
	is "\$d->{drain}{first_step} == 1 + ($epoch - 1) * \$d->{steps} / $epochs" 'and no other'
done
device=$device,threads=0 trained 'a single thread' -D 1 -j
trained 'in text' -D 1 -u
says '^sled 1 drained: 2 chips moved, [0-9]+ bytes copied in [0-9]+ rounds?, [0-9]+ of them in the pause;$' \
	'a line says what has moved'
says '^  pause [0-9]+ us(, more than the| of) 10000 us allowed; operation [0-9a-f]{16}; from step 41 to step [0-9]+' \
	'and how long the pause was'
says '^sled 1 tested, and back in service$' 'another that it is back'
says "^ {9} \\+-{$epochs} epoch $epochs\$" 'the curve of the loss has a column for each epoch'
says '^ {9}   {8}\^+ +\^ sled 1 drained$' 'and where the drain was'
[ "$(grep -c '^ *[0-9]\.[0-9]* |' "$tmp/out")" = 8 ] &&
	[ "$(grep '^ *[0-9]\.[0-9]* |' "$tmp/out" | tr -cd '*' | wc -c)" = $epochs ]
ok $? 'a point in each'
train -q
! grep -q 'drained\||' "$tmp/out"
ok $? 'none of it without a drain, quietly'

refused 1 'no sled 4: there are sleds 0 to 3$' -D 4
[ ! -s "$tmp/out" ] || ! grep -q '^accuracy' "$tmp/out"
ok $? 'without a report'
refused 1 'no sled 4294967295: ' -D 4294967295 -j
device=embedded:sleds=3,chips=2,hbm=64M \
	refused 1 'sled 1: its 2 chips want as many slots, 0 are free: 2 short$' -D 1
refused 2 "the training is over before that epoch: '1@17'$" -D 1@17
refused 2 "only with -D: '-u'$" -u
for what in x '' 1@ 1@0 1@x @1 -1 1@1@1 4294967296 1x; do
	refused 2 "no SLED or SLED@EPOCH: '$what'\$" -D "$what"
done
finish

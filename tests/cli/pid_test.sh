#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#
# The embedded device of another process is looked at, watched and drained with -d pid:PID,
# while it trains: the weights are what they are without.
# shellcheck source=tests/cli/lib.sh disable=SC2016,SC2154
. "$(dirname "$0")/lib.sh"

# The module is seen by itself.
if [ "$home" = kernel ]; then
	skip "only embedded: the device of another process"
	finish
fi
train=${VN_BUILD:-$top/build}/vneuron-train
data=$top/tools/demo/digits.csv
[ -x "$train" ] || { echo "1..0 # SKIP no $train"; exit 77; }
export XDG_RUNTIME_DIR=$tmp/run
mkdir "$XDG_RUNTIME_DIR"
spec=embedded:sleds=4,chips=2,spares=1,hbm=64M

# until COMMAND...: it succeeds within 30 s.
until_so() {
	for _ in $(seq 300); do
		! "$@" || return 0
		sleep 0.1
	done
	return 1
}

"$train" -q -f "$data" -d $spec -e 300 -o "$tmp/alone" >/dev/null 2>"$tmp/err"
ok $? "a training without company"
[ ! -e "$XDG_RUNTIME_DIR/vneuron" ]
ok $? "listens to nobody"

# seen ARGS...: a training that others may see, as $pid.
seen() {
	VNEURON_CONTROL=1 "$train" -q -f "$data" -d $spec "$@" >"$tmp/train" 2>&1 &
	pid=$!
	export VNEURON_DEVICE=pid:$pid
	until_so [ -S "$XDG_RUNTIME_DIR/vneuron/$pid" ]
}

seen -e 100000
ok $? "one that others may see"
"$ctl" -j event watch --count 2000 --timeout 60 >"$tmp/events" 2>/dev/null &
watcher=$!
good "status"
says "^UltraServer 0: pid:$pid \(remote home\)$" "names it"
says '^  shape    4 sleds x 2 = 8 chips in 2 racks, epoch [0-9]+, 1 spare sled$' "has its shape"
good "status" -j status
is '$d->{home} eq "remote" && $d->{hbm_used} > 0 && $d->{tx_bytes} > 0' "what it takes, and moves"
good "topo" -j topo
is '"@{[map { scalar @{$_->{sleds}} } @{$d->{racks}}]}" eq "2 2"' "has the same"
good "chip show 7" -j chip show 7
is '$d->{sled} == 3 && $d->{hbm_used} > 0' "has its memory"
good "switch show" -j switch show
is '@{$d->{ports}} == 10 * @{$d->{planes}} && $d->{tx_bytes} > 0' "has its ports"
good "queue list" -j queue list
is "@\$d == 1 && fields(\$d->[0], 'chip:n queue:n context:n pid:n uid:n depth:n state:s status:n done:n') &&
	\$d->[0]{pid} == $pid && \$d->[0]{uid} == $(id -u) && \$d->[0]{done} > 0" "has its queue"
good "window list" -j window list
is '@$d == 0' "has no windows"
good "version" -j version
is '!defined $d->{module} && $d->{process} eq $d->{library}' "tells whose library answers"

bad 1 'no chip 99: there are chips 0 to' "no such chip to reset" chip reset 99
good "sled drain" -j sled drain 1 --reason fan --budget 1000
is '$d->{state} eq "drained" && $d->{chips} == 2 && $d->{bytes} > 0' "moves what is on it"
good "sled status 1" -j sled status 1
is "\$d->{state} eq 'drained' && \$d->{reason} eq 'fan' && \$d->{uid} == $(id -u)" "it is drained"
good "chip show 2" -j chip show 2
is '$d->{sled} == 4' "its chips are on the spare"
bad 1 'its 2 chips want as many slots, 0 are free: 2 short$' "there is no room for more" sled drain 0
good "sled undrain" sled undrain 1
bad 1 'sled 1: nothing is draining this sled$' "nothing to call off" sled cancel 1
kill $watcher
wait $watcher 2>/dev/null
perl -MJSON::PP -e '
	my @path = qw(in_service planned cordoned precopy fenced stopcopy verified committed drained
		validating in_service);
	my ($at, $n) = (0, 0);
	while (<>) {
		my $e = decode_json $_;
		next if $e->{sled} != 1 || $e->{from} eq $e->{to};
		last if $at == $#path;
		# A pause that got too long goes back.
		if ($e->{to} eq "precopy" && $at > 3) { $at = 3; next }
		exit 1 if $e->{from} ne $path[$at] || $e->{to} ne $path[++$at];
		exit 1 if $e->{reason} ne "fan" && $at < 9;
		$n++;
	}
	exit($n < 10)' "$tmp/events"
ok $? "all that happened to the sled was told meanwhile"

bad 1 "pid:$pid: only looking and draining" "its memory is its own" coll bench all_reduce --ranks 2
bad 1 "pid:$pid/1: no such device; 1 there listens$" "it has no second" -d pid:$pid/1
kill $pid
wait $pid 2>/dev/null
[ -e "$XDG_RUNTIME_DIR/vneuron/$pid" ]
ok $? "who is killed leaves a socket"
bad 1 "pid:$pid: no such process$" "where nobody is" status
[ ! -e "$XDG_RUNTIME_DIR/vneuron/$pid" ]
ok $? "and it is gone"

# One drain after another, until the training is over: the last may come too late.
seen -e 300 -o "$tmp/drained"
drains=0
while kill -0 $pid 2>/dev/null; do
	run -j sled list
	json '"s" . [grep { $_->{chips} && $_->{sled} != '$((drains % 4))' } @$d]->[0]{sled}' || break
	run sled drain "$value" --budget 1000 && [ $status = 0 ] || break
	drains=$((drains + 1))
	run sled undrain "$value" && [ $status = 0 ] || break
done
wait $pid
ok $? "a training under $drains drains ends well"
[ $drains -gt 0 ] && cmp -s "$tmp/alone" "$tmp/drained"
ok $? "with the same weights, to the bit"
bad 1 "pid:$pid: no such process$" "after that there is nothing to be seen" status
[ ! -e "$XDG_RUNTIME_DIR/vneuron/$pid" ]
ok $? "nor a socket"

# A chip it trains on is reset under it; between two steps nothing runs there.
ended() {
	run chip reset 7
	! kill -0 $pid 2>/dev/null
}
seen -e 100000
good "chip reset" chip reset 7
until_so ended
wait $pid
[ $? != 0 ] && grep -q 'the chip was reset' "$tmp/train"
ok $? "ends what runs there: $(tail -1 "$tmp/train")"

# Ranks of a communicator.
"$ctl" -d $spec,control=1 coll bench all_reduce --ranks 4 --bytes-min 64K --bytes-max 64K \
	--iters 1000000 >/dev/null 2>&1 &
pid=$!
export VNEURON_DEVICE=pid:$pid
ranks() {
	run -j coll ranks
	[ $status = 0 ] && json 'grep { $_->{called} > 10 } @$d'
}
until_so ranks
ok $? "coll ranks, while a program has some"
is "@\$d == 4 && !grep { \$_->{pid} != $pid } @\$d" "lists them"
good "coll status" -j coll status
is '@$d == 1 && $d->[0]{here} == 4 && $d->[0]{ranks} == 4' "has their communicator"
kill $pid
wait $pid 2>/dev/null
finish

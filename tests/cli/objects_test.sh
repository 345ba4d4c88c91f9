#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#
# Queues and memory of another process are seen while it runs and gone when it
# ends, and its traffic is counted. In the embedded home there is nothing of others.
# shellcheck source=tests/cli/lib.sh disable=SC2016,SC2154
. "$(dirname "$0")/lib.sh"

if [ $home = embedded ]; then
	good "queue list" -j queue list
	is '@$d == 0' "is empty"
	good "window list" -j window list
	is '@$d == 0' "is empty"
	finish
fi

run -j switch show
json '$d->{tx_bytes}' && before=$value
"$ctl" coll bench all_reduce --ranks 2 --bytes-min 64K --bytes-max 64K --iters 1000000 --way plan \
	>"$tmp/bench" 2>&1 &
pid=$!
for _ in $(seq 100); do
	run -j queue list
	json "grep { \$_->{pid} == $pid } @\$d" && break
	sleep 0.1
done
ok $status "queue list, while a program runs"
is "grep { \$_->{pid} == $pid } @\$d" "has its queue"
is '!grep { !fields($_, "chip:n queue:n context:n pid:n uid:n depth:n state:s status:n done:n") } @$d' \
	"with its fields"
is "my (\$q) = grep { \$_->{pid} == $pid } @\$d; \$q->{chip} == 0 && \$q->{depth} == 128 &&
	\$q->{state} eq 'ready' && \$q->{status} == 0 && \$q->{uid} == $(id -u)" "as it was made"
good "in text" queue list
says "^c0 .* $pid +$(id -u) +128 +ready " "too"
for _ in $(seq 100); do
	run -j chip show 1
	json '$d->{hbm_used} >= 131072 && $d->{tx_bytes} > 0' && break
	sleep 0.1
done
is '$d->{hbm_used} >= 131072' "its memory is counted"
is '$d->{tx_bytes} > 0 && $d->{rx_bytes} > 0' "and its traffic"
run -j chip show 0
is '$d->{queues} == 1' "and its queue"

# A window of 64 KiB on chip 1, by the ABI itself: CHIP_ATTACH, MEM_ALLOC, WINDOW_CREATE.
perl -e '
	$| = 1;
	my ($node, %nr) = ($ENV{VNEURON_DEVICE}, attach => 0x5601, alloc => 0x5603, window => 0x5605);
	sysopen(my $device, $node, 2) && sysopen(my $chip, $node . "c1", 2) or die "$node: $!";
	my $attach = pack "LLlL", 16, 0, fileno $chip, 0;
	ioctl $device, $nr{attach}, $attach or die "attach: $!";
	my $alloc = pack "LLQLLQQ", 40, 1, 65536, 0, 0, 0, 0;
	ioctl $device, $nr{alloc}, $alloc or die "alloc: $!";
	my $window = pack "LLQQLL", 32, 1, (unpack "LLQLLQQ", $alloc)[5], 65536, 7, 0;
	ioctl $device, $nr{window}, $window or die "window: $!";
	print +(unpack "LLQQLL", $window)[5], "\n";
	sleep 1000;' >"$tmp/key" 2>&1 &
owner=$!
for _ in $(seq 100); do
	[ ! -s "$tmp/key" ] || break
	sleep 0.1
done
key=$(cat "$tmp/key")
good "window list" -j window list
is '!grep { !fields($_, "chip:n key:n index:n generation:n memory:s part:b offset:n bytes:n access:a in_bytes:n out_bytes:n denials:n context:n pid:n uid:n") } @$d' \
	"windows have their fields"
is "my (\$w) = grep { \$_->{pid} == $owner } @\$d; \$w->{key} == $key && \$w->{chip} == 1 &&
	\$w->{bytes} == 65536 && \"@{\$w->{access}}\" eq 'local_write remote_read remote_write'" \
	"a window is as it was made"
good "in text" window list
says "^c1 +0x$(printf %08x "$key") +64.0 KiB +lw,rr,rw +0 B +0 B +0 +[0-9]+ +$owner +$(id -u)$" "too"
good "window show" -j window show c1 "$key"
is "@\$d == 1 && \$d->[0]{pid} == $owner && \$d->[0]{index} == ($key & 0xffff) &&
	\$d->[0]{generation} == $key >> 16 && \$d->[0]{memory} eq 'hbm' && !\$d->[0]{offset}" \
	"shows that one"
good "in text" window show 1 "0x$(printf %08x "$key")"
says "^c1 0x$(printf %08x "$key"): index [1-9][0-9]*, generation [0-9]+$" "with its key"
says "^  range    64.0 KiB from byte 0 of an allocation of HBM$" "its range"
says "^  access   lw,rr,rw$" "its access"
says "^  traffic  0 B in, 0 B out, 0 refused$" "what went through it"
says "^  owner    context [0-9]+ of process $owner, user $(id -u)$" "and whose it is"
run -j chip show 1
is '$d->{windows} == 1' "and its chip counts it"
kill "$owner"
wait "$owner" 2>/dev/null
good "window list" -j window list
is "!grep { \$_->{pid} == $owner } @\$d" "it ends with its owner"

if [ "$(id -u)" = 0 ] && command -v setpriv >/dev/null; then
	# Objects are listed for their owner's user; the node itself is not for nobody.
	mode=$(stat -c %a "$VNEURON_DEVICE")
	chmod 666 "$VNEURON_DEVICE"
	setpriv --reuid 65534 --regid 65534 --clear-groups \
		"$ctl" -j queue list >"$tmp/out" 2>"$tmp/err"
	status=$?
	chmod "$mode" "$VNEURON_DEVICE"
	[ $status = 0 ] && json '@$d == 0'
	ok $? "another user does not see the queue"
else
	skip "only as root: another user does not see the queue"
fi

kill "$pid"
wait "$pid" 2>/dev/null
run -j queue list
is "!grep { \$_->{pid} == $pid } @\$d" "its queue ends with it"
run -j chip show 1
is '$d->{hbm_used} == 0' "so does its memory"
run -j switch show
is "\$d->{tx_bytes} > $before" \
	"the traffic stays counted"
finish

#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#
# Every command prints its table or its help; options stand anywhere.
# shellcheck source=tests/cli/lib.sh disable=SC2016,SC2154
. "$(dirname "$0")/lib.sh"

good "no arguments: the status"
says '^UltraServer 0: ' "names the UltraServer"
says ' sleds? x .* = .* chips? in .* racks?, epoch ' "and its shape"
says '^  HBM  .* of .* used' "and its memory"
says '^  in use  .* queues?, .* windows?$' "and what is in use"
says '^  traffic  .* through the switch' "and the traffic"
cp "$tmp/out" "$tmp/status"
good "status" status
sed 2q "$tmp/out" | cmp -s - <(sed 2q "$tmp/status")
ok $? "the same by its name"

good "topo show" topo show
says '^RACK +SLED +NODE +SLOTS +CHIPS +EPOCH +HBM +USED$' "has its columns"
says ' c0-c[0-9]+ ' "and sled 0 with its chips"
cp "$tmp/out" "$tmp/topo"
good "topo" topo
cmp -s "$tmp/out" "$tmp/topo"
ok $? "means topo show"

good "chip list" chip list
says '^CHIP +RACK +SLED +SLOT +NODE +HBM +USED +QUEUES +WINDOWS +TX +RX +LOCAL +STATE$' "has its columns"
lines=$(($(wc -l <"$tmp/out") - 1))
run -j status
is "\$d->{chips} == $lines" "and a line per chip"

run -j chip list
json 'join "_", @{$d->[1]}{qw(rack sled slot)}' && IFS=_ read -r rack sled slot <<<"$value"
good "chip show 1" chip show 1
says "^c1: rack $rack, sled $sled, slot $slot, " "says where it is"
says '^PLANE +TX +RX$' "and has a table of planes"
cp "$tmp/out" "$tmp/chip"
good "chip show c1" chip show c1
cmp -s "$tmp/out" "$tmp/chip"
ok $? "means the same"

good "switch show" switch show
says '^SLOT +CHIP +PLANE +TX +RX +LOCAL$' "has its columns"
says '^ all  - +all ' "and the sum"
good "switch show --all" switch show --all
says '^ +0  (c[0-9]+|-) +0 ' "also has idle ports"
! grep -q 'not shown' "$tmp/out"
ok $? "and leaves none out"

good "queue list" queue list
says '^CHIP +QUEUE +CONTEXT +PID +UID +DEPTH +STATE +DONE +STATUS$' "has its columns"
good "window list" window list
says '^CHIP +KEY +BYTES +ACCESS +IN +OUT +DENIALS +CONTEXT +PID +UID$' "has its columns"

good "version" version
says '^neuronctl +[0-9]+\.[0-9]+\.[0-9]+$' "has the tool"
says '^libvneuron +[0-9]+\.[0-9]+\.[0-9]+, ABI [0-9]+$' "the library"
says "^device .*\($home home\), ABI [0-9]+, (avx2|scalar) arithmetic$" "the device"
says '^module +(none|[0-9]+\.[0-9]+\.[0-9]+)$' "and the module"

good "coll bench" coll bench all_reduce --ranks 2 --bytes-max 4K --iters 2
says '^# +size +count +type +redop +root .* #wrong +min +p99 +max +way$' "has its columns"
says '^ +4096 +1024 +float32 +sum +-1 .* (pull|share|plan)$' "and a row for the last size"
says 'GB/s = 10\^9 bytes per second' "and says what its unit is"

# What is below does not depend on the home.
[ -z "$quick" ] || finish

for args in help --help -h 'help topo' 'topo help' 'topo -h' 'topo show --help' '-j -h' \
	'coll bench --ranks 3 -h'; do
	# shellcheck disable=SC2086
	good "$args" $args
	says 'topo show|coll bench' "helps"
done
run help
for object in status topo chip sled switch queue window coll version; do
	says "^    $object " "help knows $object"
done

good "options behind the command" topo show -d embedded:sleds=1,chips=2
says '1 rack, 1 sled x 2 = 2 chips' "are heard"
good "options between the words" topo -d embedded:sleds=1,chips=3 show
says '= 3 chips' "are heard"
good "long options" --device=embedded:sleds=2,chips=1 --json status
is '$d->{chips} == 2' "are heard"
VNEURON_DEVICE=embedded:sleds=3,chips=2 good "VNEURON_DEVICE" topo show
says '3 sleds x 2 = 6 chips, epoch 1$' "is heard"
VNEURON_DEVICE=nonsense good "and gives way to -d" -d embedded status
finish

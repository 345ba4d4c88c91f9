#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#
# What is wrong is said on standard error, naming it: exit status 1 for what
# failed, 2 with the usage for a command line that makes no sense.
# shellcheck source=tests/cli/lib.sh disable=SC2016,SC2154
. "$(dirname "$0")/lib.sh"

bad 1 "chip 9999.* 0 to" "no such chip" chip show 9999
bad 1 "chip c9999.* 0 to" "nor to be reset" chip reset c9999
VNEURON_DEVICE=nonsense bad 1 "'nonsense'" "unknown device in the environment"
bad 1 "/dev/no/node: No such file" "no such node" -d /dev/no/node
bad 1 "/dev/null" "a node of something else" -d /dev/null

full() {
	"$ctl" "$@" >/dev/full 2>"$tmp/err"
	[ $? = 1 ] && grep -q '^neuronctl: standard output: No space left on device$' "$tmp/err"
	ok $? "/dev/full: $*"
}
: >"$tmp/out"
if [ -w /dev/full ]; then
	full topo show
	full coll bench all_reduce --ranks 2 --iters 1
else
	skip "only with /dev/full"
fi
"$ctl" topo show >&- 2>"$tmp/err"
[ $? = 1 ] && grep -q '^neuronctl: standard output: ' "$tmp/err"
ok $? "no standard output at all"

# Nothing but root and the group may open a node; the embedded home is no way out.
if [ $home = kernel ] && [ "$(id -u)" = 0 ] && command -v setpriv >/dev/null; then
	VNEURON_DEVICE='' setpriv --reuid 65534 --regid 65534 --clear-groups \
		"$ctl" status >"$tmp/out" 2>"$tmp/err"
	[ $? = 1 ] && grep -q "^neuronctl: /dev/vneuron0: Permission denied$" "$tmp/err"
	ok $? "a node that can't be opened is an error"
else
	skip "only as root with a node: a node that can't be opened is an error"
fi
# What is below does not depend on the home.
[ -z "$quick" ] || finish

objects='status topo chip sled event fault switch queue window coll version'
bad 2 "'topology'.*$objects" "unknown object" topology
bad 2 "''.*$objects" "empty object" ""
bad 2 "'topo list'.* show" "unknown command" topo list
bad 2 "'chip remove'.* list show" "unknown command of another object" chip remove 3
bad 2 "'coll' wants" "no command, and no default" coll
bad 2 "CHIP" "missing argument" chip show
bad 2 "CHIP" "no chip to reset" chip reset
bad 2 "'s1' is no chip" "a sled is no chip" chip reset s1
bad 2 "KEY" "missing key" window show 1
bad 2 "'s1' is no chip" "no chip for a window" window show s1 1
for key in x 0x 1x 0x100000000; do
	bad 2 "'$key' is no key" "no key" window show 1 "$key"
done
bad 1 "no window 0x00010001 on chip c1 " "no such window" window show c1 0x00010001
bad 1 "no window 0x00010001 on chip 9999 " "no such chip of a window" window show 9999 65537
bad 2 "OPERATION" "missing operation" coll bench
bad 2 "OPERATION" "missing operation of another command" coll explain --bytes 8
bad 2 "'all_reduce'" "an argument to coll tune" coll tune all_reduce
bad 2 "'2'" "an argument too many" chip show 1 2
bad 2 "'x'" "an argument to a command that has none" version x
bad 2 "'-x'" "unknown option" -x
bad 2 "'-x'" "unknown option of a command" topo show -x
bad 2 "'--jsn'" "unknown long option" --jsn
bad 2 "'--json=3'" "a value for an option without" --json=3 status
bad 2 "'--all=1'" "the same of a command's" switch show --all=1
bad 2 "'-d'" "missing value" -d
bad 2 "'--ranks'" "missing value of a command's option" coll bench all_reduce --ranks
bad 2 "'--ranks'" "another command's option" topo show --ranks 3
bad 2 "'foo'" "help about nothing" help foo
sed -n 2p <(run coll bench; cat "$tmp/err") | grep -q 'coll bench OPERATION \[--ranks P\]'
ok $? "the usage is that of the command"

for n in x -1 1x '' c 1K 99999999999999999999; do
	bad 2 "'$n'" "chip '$n'" chip show -- "$n"
done
bad 1 "chip c144" "the first that is none" -d embedded chip show c144

bad 1 "'nonsense'" "unknown device" -d nonsense topo show
bad 1 "embeddedx" "nearly a device" -d embeddedx
bad 1 "sled" "unknown device option" -d embedded:sled=3
bad 1 "sleds=37" "too many sleds" -d embedded:sleds=37
bad 1 "spares=5" "too many spares" -d embedded:spares=5
bad 1 "chips" "too many chips" -d embedded:sleds=36,chips=16
bad 1 "pid:1: no embedded device there listens" "another process" -d pid:1 status
VNEURON_DEVICE=pid:1 bad 1 "pid:1: no embedded device there" "another process, by the environment"
bad 1 "'pid:x': want pid:PID" "a process that is none" -d pid:x status
bad 1 "'pid:0': want pid:PID" "or nobody's" -d pid:0 status
bad 1 "control=2: want 0 to 1" "seen by others, or not" -d embedded:control=2
for object in status topo chip sled switch queue window version; do
	bad 1 "/dev/no/node" "$object says so too" -j -d /dev/no/node $object
done

while IFS='|' read -r pattern args; do
	# shellcheck disable=SC2086
	bad 2 "$pattern" "coll $args" coll $args
done <<'END'
'all_to_none'.*all_reduce.*scatterv, sendrecv.*signal, and all|bench all_to_none
--ranks 0: want 1 to 144|bench all_reduce --ranks 0
--ranks 145: want|bench all_reduce --ranks 145
--ranks 2K: want|bench all_reduce --ranks 2K
--iters x: want|bench all_reduce --iters x
--iters 0: want|bench all_reduce --iters 0
--warmup -1: want 0 to|bench all_reduce --warmup -1
--factor 1: want|bench all_reduce --factor 1
--bytes-min 3: want 4 to|bench all_reduce --bytes-min 3
--bytes-min 7: want 8 to|bench all_gather --type int64 --bytes-min 7
--bytes-max 2G: want|bench all_reduce --bytes-max 2G
--bytes-max 1T: want|bench all_reduce --bytes-max 1T
--bytes-min is more|bench all_reduce --bytes-min 8K --bytes-max 4K
--type int7: want one of int8.*float8e5m2, or all|bench all_reduce --type int7
--redop mean: want one of sum.*bxor, or all|bench all_reduce --redop mean
--redop bor: --type bfloat16 has none|bench all --type bfloat16 --redop bor
--bytes-min 7: want 8 to|bench all_reduce --type all --bytes-min 7
put: --persistent is for collectives|bench put --persistent
sendrecv: --in-place is for collectives|bench sendrecv --in-place
pingpong: --ranks 1: it takes two|bench pingpong --ranks 1
'--persistent=1'|bench all_reduce --persistent=1
--root 144: want 0 to 143|bench reduce --root 144
--threads two: want one of ranks, one|bench all_reduce --threads two
--buffers disk: want one of hbm, host|bench all_reduce --buffers disk
--way ring: want one of auto, pull, share, plan|bench all_reduce --way ring
'all_to_none'.*all_reduce.*scatterv$|explain all_to_none
'sendrecv'.*all_reduce|explain sendrecv
'all'.*all_reduce|explain all
--bytes -1: want 0 to|explain all_reduce --bytes -1
--way ring: want one of auto|explain all_reduce --way ring
--ranks 2,x: 'x': want 1 to 144|tune --ranks 2,x
--ranks 2,: '': want|tune --ranks 2,
'none'.*all_reduce|tune --ops all_reduce,none
scan is there twice|tune --ops scan,reduce,scan
--ranks 2,4,2: 2 is there twice|tune --ranks 2,4,2
--bytes 8,2: '2': want 4 to|tune --bytes 8,2
--bytes 1K,1024: 1024 is there twice|tune --bytes 1K,1024
--output and --dry-run|tune --dry-run --output x
--type int7: want one of int8.*float8e5m2|explain all_reduce --type int7
--seconds 0: want 1 to|tune --seconds 0
END
for command in 'bench all_reduce' 'explain all_reduce' 'tune'; do
	# shellcheck disable=SC2086
	bad 1 "--ranks 5: there are 4 chips" "more ranks than chips: $command" \
		-d embedded:sleds=1,chips=4 coll $command --ranks 5
	# shellcheck disable=SC2086
	bad 1 "/dev/no/node" "coll $command says so too" -j -d /dev/no/node coll $command
done
bad 1 "--root 2: there are 2 ranks" "a root that is no rank" coll bench reduce --ranks 2 --root 2
bad 1 "pingpong: --ranks 1: it takes two" "one chip alone" \
	-d embedded:sleds=1,chips=1 coll bench pingpong
VNEURON_COLL_WAY=ring bad 1 "VNEURON_COLL_WAY=ring" "no such way in the environment" \
	coll explain all_reduce
bad 1 "chip 0: .*65536" "more bytes than HBM" \
	-d embedded:sleds=1,chips=2,hbm=64K coll bench all_reduce --bytes-min 256K --bytes-max 256K


if [ -w /dev/full ]; then
	full status
	full -j chip list
	full help
	full version
	full -j coll bench all_reduce --ranks 2 --iters 1
fi
finish

#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#
# Shows that a job that hangs is explained: who is late, who calls something else, who was
# killed, has left or never came, as text and as JSON; two at once; to root and to their
# user, and to nobody else; and that nonsense in the pages stays nonsense.
# shellcheck source=tests/cli/lib.sh disable=SC2016,SC2154
. "$(dirname "$0")/../cli/lib.sh"
trap 'kill "${job[@]}" 2>/dev/null; rm -rf "$tmp"' EXIT
[ "$home" = kernel ] || { echo "1..0 # SKIP only with the module loaded"; exit 77; }
jobs=0 job=()

# hang MODE RANKS [PREFIX...]: starts it; pids of its ranks are in ${pid[@]}, its name in $comm.
hang() {
	local mode=$1 n=$2 word rank p
	shift 2
	jobs=$((jobs + 1))
	"$@" "$VN_BUILD/tests/kernel/ranks" "$mode" "$n" </dev/null >"$tmp/job$jobs" 2>&1 &
	job[jobs]=$!
	for _ in $(seq 300); do
		grep -q '^ready' "$tmp/job$jobs" && break
		sleep 0.1
	done
	pid=(0)
	while read -r word rank p; do
		[ "$word" != rank ] || pid[rank]=$p
	done <"$tmp/job$jobs"
	comm=none
	for _ in $(seq 100); do
		run -j coll ranks
		json "my (\$r) = map { \$_->{comm} } grep { \$_->{pid} == ${pid[0]} } @\$d; \$r" && break
		sleep 0.1
	done
	comm=$value
}

# over JOB: ends it.
over() {
	kill "${job[$1]}"
	wait "${job[$1]}" 2>/dev/null
	for _ in $(seq 100); do
		run -j coll ranks
		json "!grep { \$_->{comm} eq '$2' } @\$d" && break
		sleep 0.1
	done
}

# stands EXPRESSION WHAT: it comes to be true of the block $c of $comm, and for how long.
stands() {
	for _ in $(seq 100); do
		run -j coll status
		json "my (\$c) = grep { \$_->{comm} eq '$comm' } @\$d; \$c && ($1)" && break
		sleep 0.1
	done
	ok $? "$2"
}

# documented WHAT: every field of the last output is in the man page.
documented() {
	missing=$(grep -o '"[a-z_0-9]*":' "$tmp/out" | sort -u | tr -d '":' | while read -r field; do
		grep -Eq "Va (.* , Va )?$field( |\$)" "$top/tools/neuronctl/neuronctl.1" || echo "$field"
	done)
	[ -z "$missing" ]
	ok $? "the man page has every field of $1${missing:+: not} $missing"
}

good "no communicators" coll ranks
says '^no communicators' "it says so"
good "no communicators" coll status
says '^no communicators' "here, too"
good "no communicators" -j coll status
is '!@$d' "and in JSON"

hang late 4
stands "\$c->{state} eq 'stuck' && \"@{\$c->{behind}}\" eq '2' && \"@{\$c->{there}}\" eq '0 1 3' &&
	!@{\$c->{missing}} && \$c->{waits_ns} > 0" "one is late"
is 'fields($d->[0], "comm:s uid:n ranks:n here:n state:s op:s number:n bytes:n type:s redop:s root:n
	waits_ns:n failed:n missing:a left:a joining:a behind:a held:a there:a mismatch:a why:s")' \
	"a block has its fields"
documented "coll status"
is '$d->[0]{op} eq "all_reduce" && $d->[0]{number} == 3 && $d->[0]{bytes} == 1024 &&
	$d->[0]{type} eq "float32" && $d->[0]{redop} eq "sum" && $d->[0]{ranks} == 4 &&
	$d->[0]{here} == 4' "it says what they wait for"
is "\$d->[0]{why} =~ /^rank 2 \\(pid ${pid[2]}\\) has not called all_reduce 3, on which 3 ranks wait for [\\d.]+ m?s\$/" \
	"and on whom, in a sentence"
good "coll status" coll status
says "^communicator $comm of uid 0: 4 of 4 ranks are here$" "the text has its name"
says "^  rank 2 \(pid ${pid[2]}\) has not called all_reduce 3, on which 3 ranks wait" "and the sentence"
says "^  behind +2 \(pid ${pid[2]}\), 3 called$" "and how far the late one is"
good "coll ranks" -j coll ranks
is '@$d == 4 && !grep { !fields($_, "comm:s ranks:n rank:n context:n pid:n uid:n chip:n state:s op:s
	number:n bytes:n type:s redop:s root:n called:n posted:n completed:n pending:n waits_ns:n
	error:n torn:b") } @$d' "ranks have their fields"
documented "coll ranks"
is "my (\$r) = grep { \$_->{rank} == 1 } @\$d; \$r->{pid} == ${pid[1]} && \$r->{chip} == 1 &&
	\$r->{called} == 4 && \$r->{posted} == 4 && \$r->{completed} == 3 && \$r->{pending} == 1 &&
	\$r->{state} eq 'waits' && \$r->{number} == 3 && \$r->{uid} == 0" "one that waits"
is "my (\$r) = grep { \$_->{rank} == 2 } @\$d; \$r->{pid} == ${pid[2]} && \$r->{called} == 3 &&
	\$r->{completed} == 3 && !\$r->{pending} && \$r->{state} eq 'idle' && !\$r->{waits_ns}" \
	"one that does not"
good "coll ranks" coll ranks
says "^$comm +2/4 +${pid[2]} +0 +c2 +all_reduce +2 +3/3/3 +1\.0 KiB +- +idle$" "a line each"

first=$comm
hang dead 3
second=$comm
stands "\$c->{state} eq 'failed' && \"@{\$c->{missing}}\" eq '2' && \$c->{here} == 2 &&
	\$c->{failed} == 2" "another communicator: one was killed, which the others noticed"
is "my (\$c) = grep { \$_->{comm} eq '$comm' } @\$d; \$c->{why} =~
	/^2 ranks have failed in all_reduce 3: Owner died; rank 2 is not there \\(ended\\)\$/" \
	"the sentence says so"
is "@\$d == 2 && '$first' ne '$comm' &&
	(grep { \$_->{comm} eq '$first' && \"@{\$_->{behind}}\" eq '2' } @\$d)" "both are seen"

if command -v setpriv >/dev/null; then
	chmod 666 /dev/vneuron0*
	nobody="setpriv --reuid 65534 --regid 65534 --clear-groups"
	$nobody "$ctl" -j coll ranks >"$tmp/out" 2>"$tmp/err" </dev/null
	is '!@$d' "another user sees neither"
	$nobody "$ctl" coll status >"$tmp/out" 2>"$tmp/err" </dev/null
	says '^no communicators' "and is told that there are none of his"
	hang late 2 $nobody
	$nobody "$ctl" -j coll ranks >"$tmp/out" 2>"$tmp/err" </dev/null
	is "@\$d == 2 && !grep { \$_->{uid} != 65534 || \$_->{comm} ne '$comm' } @\$d" "but his own"
	stands "\$c->{uid} == 65534" "and root sees his, too"
	over $jobs "$comm"
	chmod 660 /dev/vneuron0*
else
	skip "only with setpriv: other users"
fi
over 1 "$first"
over 2 "$second"

hang odd 3
stands "\$c->{state} eq 'mismatch' && \"@{\$c->{mismatch}}\" eq '1'" "one calls something else"
is "\$d->[0]{why} =~ /^rank 1 \\(pid ${pid[1]}\\) calls broadcast 3 \\(1\\.0 KiB float32, root 0\\) where the others call all_reduce 3/" \
	"the sentence says what"
good "coll status" coll status
says "^  mismatch 1 \(pid ${pid[1]}\): broadcast, 1\.0 KiB float32, root 0$" "the text, too"
over $jobs "$comm"

hang join 3
stands "\$c->{state} eq 'joining' && \"@{\$c->{joining}}\" eq '0 1' && \"@{\$c->{missing}}\" eq '2'" \
	"one never came"
is "\$d->[0]{why} =~ /^rank 2 has not joined.*: 2 ranks wait for /" "the sentence says who"
over $jobs "$comm"

hang recv 2
stands "\$c->{state} eq 'pairs'" "a receive"
is "\$d->[0]{why} =~ /^rank 0 \\(pid ${pid[0]}\\) waits in recv( for [\\d.]+ m?s)? on rank 1 \\(pid ${pid[1]}\\), which has nothing under way/" \
	"the sentence says from whom"
over $jobs "$comm"

hang left 3
stands "\"@{\$c->{left}}\" eq '0' && \$c->{here} == 2" "one has left"
is "\$d->[0]{why} =~ /rank 0 \\(pid ${pid[0]}\\) has left/" "the sentence says so"
over $jobs "$comm"

# Ranks that lie, as fast as they can.
jobs=$((jobs + 1))
"$VN_BUILD/tests/kernel/ranks" noise 2 </dev/null >"$tmp/job$jobs" 2>&1 &
job[jobs]=$!
sleep 0.5
bad=0 seen=0
for _ in $(seq 20); do
	run -j coll ranks
	[ $status = 0 ] && json '!grep { my $r = $_;
		$r->{comm} !~ /^[\w.-]{1,16}\z/ || $r->{ranks} < 1 || $r->{ranks} > 144 ||
		$r->{rank} >= $r->{ranks} || $r->{root} >= $r->{ranks} || $r->{chip} > 143 ||
		$r->{completed} > $r->{posted} || $r->{posted} > $r->{called} ||
		$r->{error} > 4095 || !$r->{type} || !$r->{redop} } @$d' || bad=1
	json '@$d > 0' && seen=1
	run -j coll status
	[ $status = 0 ] && json '!grep { !length $_->{why} } @$d' || bad=1
	run coll status
	[ $status = 0 ] || bad=1
done
ok $bad "nonsense in the pages is left out, or in its range"
[ $seen = 1 ]
ok $? "some of it could be true"
over $jobs none
finish

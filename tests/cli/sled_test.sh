#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#
# Sleds are listed with their state; one is drained, called off by a signal, or
# refused with what is short; a dry run says which beforehand. A journal keeps each step, and
# a restart restores from it.
# shellcheck source=tests/cli/lib.sh disable=SC2016,SC2154
. "$(dirname "$0")/lib.sh"

plan='sled:n to:n chips:n free_slots:n short_slots:n targets:a contexts:n bytes:n rate:n pause_ns:n
	budget_ns:n time_ns:n exports:n exports_context:n exports_pid:n windows:n holders:a'

good "sled list" sled list
says '^SLED +STATE +CHIPS +RACK +NODE +USED +OPERATION +UID +REASON$' "has its columns"
cp "$tmp/out" "$tmp/list"
lines=$(($(wc -l <"$tmp/out") - 1))
run -j status
is "\$d->{sleds} + \$d->{spares} == $lines" "and a line per sled, spares too"
good "sled" sled
cmp -s "$tmp/out" "$tmp/list"
ok $? "means sled list"
good "sled status" sled status
says '^[0-9]+ in service, [0-9]+ spare, [0-9]+ drained' "counts them"
good "sled status 0" sled status 0
says '^s0: [a-z_]+, rack 0, ' "says where it is"
cp "$tmp/out" "$tmp/status"
good "sled status s0" sled status s0
cmp -s "$tmp/out" "$tmp/status"
ok $? "means the same"
run -j sled list
json "join '_', map { \$_ // 'null' } map { my \$s = \$_; map { \$s->{\$_} } qw(sled rack state operation) } \$d->[0]" &&
	first=$value
run -j sled status 0
is "join('_', map { \$_ // 'null' } map { \$d->{\$_} } qw(sled rack state operation)) eq '$first'" \
	"so does its JSON, as in the list"
bad 1 "sled 99: there are sleds 0 to $((lines - 1))$" "no such sled" sled status 99

# Nothing is drained for good on a device that others use.
if [ $home = embedded ] || [ "$(id -u)" = 0 ]; then
	run -j sled list
	json '"s" . [grep { $_->{state} eq "in_service" && $_->{chips} } @$d]->[0]{sled}' && sled=$value
	run -j sled drain "$sled" --dry-run
	is "fields(\$d, '$plan') && 's' . \$d->{sled} eq '$sled' && \$d->{chips} > 0" "a dry run has its fields"
	is "(\$d->{short_slots} == 0) == ($status == 0)" "and fails if there are too few slots"
	is '@{$d->{targets}} == $d->{free_slots} && !grep { $_->{sled} == $d->{sled} } @{$d->{targets}}' \
		"it names the slots, on other sleds"
	is '$d->{rate} > 0 && $d->{pause_ns} > 0 && $d->{time_ns} >= $d->{pause_ns}' \
		"how fast it would copy, and how long it would take"
else
	skip "only as root, or embedded: a dry run"
fi
# What is below does not depend on the home.
[ -z "$quick" ] || finish

export VNEURON_DEVICE=embedded:sleds=3,chips=2,spares=1,hbm=64M
for object in status topo; do
	good "$object, with a spare" $object
	says '3 sleds x 2 = 6 chips.*, 1 spare sled$' "names it"
	good "$object" -j $object
	is '$d->{spares} == 1' "so does its JSON"
done
good "switch show" -j switch show
is '@{$d->{ports}} == 8 * @{$d->{planes}}' "has ports of spare slots"
is '!grep { ($_->{slot} < 6 ? $_->{slot} : -1) != $_->{chip} } @{$d->{ports}}' "without chips"
good "in text" switch show --all
says '^ +7  -  ' "too"
good "sled list" sled list
says '^s2 +in_service +2 +1 +- +0 B +- +- +-$' "has sleds with chips"
says '^s3 +in_service +0 +' "and the spare without"
good "sled list" -j sled list
is '!grep { $_->{uid} != -1 || defined $_->{operation} || $_->{reason} ne "" } @$d' "nobody drained one"
good "sled status" sled status
says '^3 in service, 1 spare, 0 drained$' "counts them"
good "sled status" -j sled status
is '"@$d{qw(in_service spare drained other)}" eq "3 1 0 0" && !@{$d->{sleds}}' "so does its JSON"
good "sled status 1" sled status 1
says '^  chips +c2-c3$' "has the chips of one"
good "sled status s3" sled status s3
says '^  chips +none$' "a spare has none"

good "sled drain" sled drain s0 --reason fan --operation abCD
says '^sled 0 is drained: operation 000000000000abcd$' "says what is done"
says '^  moved    2 chips, with 0 B of 0 contexts$' "what moved"
says '^  copied   0 B in [0-9]+ rounds?.*, 0 B of it in the pause$' "what was copied"
says '^  pause    .* us of 10.0 ms allowed, 0 waits$' "how long nobody could write"
says '^  time     .*s in all$' "how long it took"
says '^  planned  0 B, a pause of [0-9.]+ .?s, [0-9.]+ .?s in all$' "and what was thought before"
good "in JSON" -j sled drain 1 --budget 200 --deadline 5 --to s3
is 'fields($d, "sled:n state:s operation:s already:b chips:n contexts:n bytes:n copied_bytes:n
	rounds:n stop_bytes:n rate:n pause_ns:n budget_ns:n waits:n took_ns:n planned:o")' "has its fields"
is '$d->{sled} == 1 && $d->{state} eq "drained" && !$d->{already} && $d->{chips} == 2' "tells the same"
is '$d->{budget_ns} == 200_000_000 && $d->{pause_ns} < $d->{took_ns}' "in nanoseconds"
is 'fields($d->{planned}, "bytes:n pause_ns:n time_ns:n") && $d->{planned}{time_ns} > 0' "beside the plan"
is '$d->{operation} =~ /^[0-9a-f]{16}$/' "its number is one"
json '$d->{operation}' && operation=$value
run -j sled drain 1
is "\$d->{operation} ne '$operation'" "the next has another"
good "a reason as long as can be" sled drain 0 --reason "$(printf 'L\303\274fter %055d' 0)"
good "draining a spare" -j sled drain 3
is '$d->{chips} == 0 && $d->{state} eq "drained"' "moves nothing"

good "a dry run" sled drain 0 --dry-run --reason fan
says '^  slots    2 for its chips, 2 free$' "has the slots"
says '^  targets  slot [0-9]+ of s3, slot [0-9]+ of s3$' "where they would go"
says '^  copying  0 B of 0 contexts$' "what there is to copy"
says '^  pause    about .*s if nothing is written meanwhile, 10.0 ms allowed$' "how long writers wait"
says '^  time     about .*s at [0-9.]+ GB/s ' "how long it takes"
says '^  windows  0 on its chips' "and whose memory it is"
good "in JSON" -j sled drain s0 --dry-run --to 3
is "fields(\$d, '$plan') && '2 2 0 0 3' eq \"@\$d{qw(chips free_slots short_slots sled to)}\"" "too"

short='its 2 chips want as many slots, 0 are free there: 2 short$'
bad 1 "sled 0: $short" "to a full sled" sled drain 0 --to s1
run -j sled drain 0 --to s1 --dry-run
[ $status = 1 ] && grep -Eq "^neuronctl: sled 0: $short" "$tmp/err"
ok $? "a dry run says the same"
is '"@$d{qw(free_slots short_slots to)}" eq "0 2 1"' "also in JSON"
short='its 4 chips want as many slots, 0 are free: 4 short$'
bad 1 "sled 2: $short" "without spares" -d embedded sled drain 2
run -d embedded sled drain 2 --dry-run
[ $status = 1 ] && grep -Eq "^neuronctl: sled 2: $short" "$tmp/err"
ok $? "a dry run says the same"
says '^  slots    4 for its chips, only 0 free$' "and its plan"

for args in 'status 4' 'drain 4' 'drain s4 --dry-run' 'drain 0 --to 4' 'drain 0 --to 4294967295' \
	'drain 4294967296'; do
	# shellcheck disable=SC2086
	bad 1 "no sled s?(4|4294967295|4294967296): there are sleds 0 to 3$" "$args" sled $args
done
while IFS='|' read -r pattern args; do
	# shellcheck disable=SC2086
	bad 2 "$pattern" "sled $args" sled $args
done <<'END'
SLED|drain
'x' is no sled|status x
's' is no sled|drain s
'-1' is no sled|drain -- -1
'c3' is no sled|drain c3
'x' is no sled|drain 0 --to x
'1' is one argument too many|drain 0 1
'1' is one argument too many|status 0 1
--to s1: that is the sled|drain 1 --to s1
--budget 0: want 1 to 60000$|drain 0 --budget 0
--budget 60001: want 1 to 60000$|drain 0 --budget 60001
--budget 1K: want|drain 0 --budget 1K
--deadline 0: want 1 to 86400$|drain 0 --deadline 0
--deadline 86401: want|drain 0 --deadline 86401 --dry-run
--operation 0: want 1 to 16 hex|drain 0 --operation 0
--operation 0x1: want|drain 0 --operation 0x1
--operation 12345678123456789: want|drain 0 --operation 12345678123456789
there are: list status drain cancel undrain maintain restore journal$|uncordon 3
SLED|cancel
'x' is no sled|cancel x
--operation 0: want 1 to 16 hex|cancel 0 --operation 0
END
bad 2 "--operation : want" "an empty operation" sled drain 0 --operation ''
bad 2 "--reason: 64 bytes; at most 63" "a reason too long" sled drain 0 --reason "$(printf %064d 0)"
for reason in $'fan\n' $'\033[31mfan' $'f\177'; do
	bad 2 "--reason: a control character" "in a reason" sled drain 0 --reason "$reason"
done

bad 1 'sled 0: it is in service$' "what is in service can't come back" sled undrain 0
bad 1 'no sled 99' "nor what is not there" sled undrain 99
bad 2 "'x' is no sled" "nor what is no sled" sled undrain x
bad 1 'sled 0: it is in_service' "what is in service keeps its power" sled maintain 0
bad 1 'no sled 99' "so does what is not there" sled maintain 99
bad 2 "--reason: a control" "a reason is a line" sled maintain 0 --reason $'a\nb'
bad 2 "--operation zz: want" "a number is one" sled maintain 0 --operation zz
bad 1 'its 2 chips want as many slots, 0 are free: 2 short' "no room comes" \
	-d embedded:sleds=3,chips=2 sled drain 0 --wait --deadline 1
# Waiting for room does not make a journal free that somebody else keeps locked.
: >"$tmp/locked"
exec 8<"$tmp/locked"
flock -x 8
SECONDS=0
bad 1 'locked: process [0-9]+ writes to it$' "nor is a journal waited for" \
	sled drain 0 --wait --deadline 100 --journal "$tmp/locked"
[ "$SECONDS" -lt 90 ]
ok $? "for as long as for room"
exec 8<&-

bad 1 'sled 0: nothing is draining this sled$' "nothing to call off" sled cancel 0
bad 1 'no sled 4: there are sleds 0 to 3$' "nor where no sled is" sled cancel 4
bad 1 "own, nothing happens to it: events are seen with the kernel module, or by -d pid:PID$" \
	"no events here" event watch --count 1
bad 2 '--count 0: want 1 to' "as many as none" event watch --count 0
bad 2 '--timeout 86401: want 1 to 86400$' "or for too long" event watch --timeout 86401

# What a restart takes from a journal.
kept=$tmp/kept
good "a drain with a journal" sled drain s0 --journal "$kept" --reason fan --operation abcd
good "sled journal" sled journal --journal "$kept"
says '^SEQ +TIME +SLED +FROM +TO +OPERATION +TARGET +UID +PID +REASON$' "has its columns"
says "^ +6 .* s0 +committed +drained +000000000000abcd +s3 +$(id -u) +[0-9]+ +fan\$" \
	"and what has happened"
[ "$(wc -l <"$tmp/out")" = 7 ]
ok $? "a line each"
VNEURON_JOURNAL=$kept good "in JSON, by the environment" -j sled journal
is 'fields($d, "journal:s records:a torn:b") && @{$d->{records}} == 6 && !$d->{torn}' "has its fields"
is '!grep { !fields($_, "seq:n time_ns:n sled:n from:s to:s operation:s target:n uid:n pid:n reason:s") }
	@{$d->{records}}' "so have records"
is 'join(" ", map { $_->{to} } @{$d->{records}}) eq
	"planned cordoned precopy fenced committed drained"' "each step"
good "sled restore" sled restore --journal "$kept"
says "^sled 0: again drained, operation 000000000000abcd of uid $(id -u): fan\$" "says what it did"
good "in JSON" -j sled restore --journal "$kept"
is '@$d == 1 && fields($d->[0], "sled:n was:s state:s operation:s uid:n reason:s already:b error:z")' \
	"has its fields"
is '$d->[0]{was} eq "drained" && $d->[0]{state} eq "drained" && !$d->[0]{already}' "tells the same"
good "coming back" sled undrain 0 --journal "$kept"
says '^sled 0: it was in service, now the journal knows$' "of what the journal says is out"
bad 1 'sled 0: it is in service$' "once" sled undrain 0 --journal "$kept"
good "nothing to restore" sled restore --journal "$kept"
says "^$kept: all sleds are in service\$" "is said"
good "also in JSON" -j sled restore --journal "$kept"
is 'ref $d eq "ARRAY" && !@$d' "an empty list"
cp "$kept" "$tmp/torn"
truncate -s -1 "$tmp/torn"
good "a torn end" sled journal --journal "$tmp/torn"
says '^the last record is torn, and counts for nothing$' "is said"
good "in JSON" -j sled journal --journal "$tmp/torn"
is '$d->{torn} && @{$d->{records}} == 6' "too"
good "and not restored" -j sled restore --journal "$tmp/torn"
is '@$d == 1' "what was before is"
printf x | dd of="$tmp/torn" bs=1 seek=300 conv=notrunc 2>"$tmp/err"
for args in journal restore 'drain 0' 'undrain 0'; do
	# shellcheck disable=SC2086
	bad 1 "/torn: it is damaged at offset 256, " "damaged: $args" sled $args --journal "$tmp/torn"
done
for args in journal restore 'drain 0'; do
	# shellcheck disable=SC2086
	bad 1 "/none/of/it: No such file" "missing: $args" sled $args --journal /none/of/it
done
bad 1 "kept: it is of a machine of 3 sleds and 1 spares of 2 chips; this one has 2 and 2 of 2" \
	"of another machine" -d embedded:sleds=2,chips=2,spares=2 sled restore --journal "$kept"
for args in journal restore 'drain 0' 'undrain 0'; do
	# shellcheck disable=SC2086
	bad 2 "--journal.*: want the name of a file" "no name: $args" sled $args --journal ''
done
bad 2 "--journal none: want the name of a file" "no journal to list" sled journal --journal none
bad 2 "--journal: want the name of a file to restore from" "none of an embedded device" sled restore
good "a drain without" sled drain 0 --journal none
[ ! -e none ] && [ ! -e "$VNEURON_JOURNAL" ]
ok $? "keeps none, nor does an embedded device unless it is told"
(ulimit -f 0; trap '' XFSZ; exec "$ctl" sled drain 0 --journal "$tmp/full") 2>&1 >/dev/null |
	cat >"$tmp/err"
[ "${PIPESTATUS[0]}" = 1 ] && grep -q "^neuronctl: $tmp/full: .*File too large" "$tmp/err"
ok $? "no room: $(<"$tmp/err")"
VNEURON_DRAIN_STOP=fenced bad 1 "VNEURON_DRAIN_STOP=fenced: want STATE:POINT" "no such point" \
	sled drain 0

# Signals that are there before the first step.
for signal in INT TERM; do
	perl -MPOSIX -e '
		my $signal = shift;
		sigprocmask(SIG_BLOCK, POSIX::SigSet->new(eval "SIG$signal"));
		kill $signal => $$;
		exec @ARGV' $signal "$ctl" sled drain 0 >"$tmp/out" 2>"$tmp/err"
	[ $? = 1 ] && [ ! -s "$tmp/out" ] &&
		grep -q '^neuronctl: sled 0: called off, all is as it was$' "$tmp/err"
	ok $? "SIG$signal calls it off"
done
# Standard output is a full pipe: it is asleep there when the signal comes, too late.
perl -MIO::Handle -e '
	pipe my $r, my $w or die;
	$w->blocking(0);
	1 while syswrite $w, "x" x 4096;
	$w->blocking(1);
	my $pid = fork // die;
	if (!$pid) {
		open STDOUT, ">&", $w;
		exec @ARGV;
	}
	close $w;
	for (my ($asleep, $looks) = (0, 0); $asleep < 5 && $looks < 500; $looks++) {
		select undef, undef, undef, 0.02;
		open my $stat, "<", "/proc/$pid/stat" or last;
		$asleep = <$stat> =~ /\(neuronctl\) S/ ? $asleep + 1 : 0;
	}
	kill TERM => $pid;
	my $text = join "", <$r>;
	waitpid $pid, 0;
	print $text =~ s/^x+//r;
	exit($? >> 8 || $? & 127);' "$ctl" -j sled drain 0 >"$tmp/out" 2>"$tmp/err"
status=$?
[ $status = 0 ] && [ ! -s "$tmp/err" ] && json '$d->{state} eq "drained"'
ok $? "when the chips have moved it changes nothing"
if command -v script >/dev/null; then
	script -qec "$ctl -j sled drain 0 2>&1 >$tmp/out" /dev/null </dev/null >"$tmp/err"
	tr '\r' '\n' <"$tmp/err" | grep -q '^s0: precopy, 1 round, 0 B copied, 0 B dirty'
	ok $? "on a terminal a line tells how far it is"
	is '$d->{state} eq "drained"' "and is no part of the output"
else
	skip "only with script: the line on a terminal"
fi
finish

#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#
# coll bench: every type and reduction is exact, sizes and ranks are those asked
# for, the numbers of a row fit together.
# shellcheck source=tests/cli/lib.sh disable=SC2016,SC2154
. "$(dirname "$0")/lib.sh"

bench() {
	run -j coll bench all_reduce --iters 2 "$@"
	[ "$status" = 0 ] && json '@$d && !grep { $_->{wrong} } @$d'
	ok $? "all_reduce $*"
}

redops='sum prod max min'
[ -z "$quick" ] || redops=sum
for type in float32 bfloat16 float16 int32; do
	for redop in $redops; do
		bench --ranks 5 --bytes-min 1000 --bytes-max 20000 --factor 20 --type $type --redop "$redop"
		is "!grep { \$_->{type} ne '$type' || \$_->{redop} ne '$redop' } @\$d" "says what it did"
	done
	bench --ranks 3 --bytes-max 16K --type $type --in-place
done

row='op:s ranks:n bytes:n count:n type:s redop:s time_us:o algbw:n busbw:n wrong:n in_place:b iters:n'
bench --ranks 3 --bytes-min 4 --bytes-max 1K --factor 16
is "!grep { !fields(\$_, '$row') } @\$d" "rows have their fields"
is '!grep { !fields($_->{time_us}, "min:n p50:n p99:n max:n") } @$d' "and times theirs"
is 'join(" ", map { $_->{bytes} } @$d) eq "4 64 1024"' "sizes go up by the factor"
is '!grep { $_->{count} * 4 != $_->{bytes} } @$d' "count is elements"
is '!grep { my $t = $_->{time_us}; $t->{min} <= 0 || $t->{min} > $t->{max} } @$d' "times are in order"
is '!grep { my $t = $_->{time_us}; $t->{p50} != $t->{min} || $t->{p99} != $t->{max} } @$d' \
	"percentiles are the nearest rank"
is '!grep { abs($_->{algbw} - $_->{bytes} / $_->{time_us}{p50} / 1e3) > 1e-3 * $_->{algbw} + 1e-6 } @$d' \
	"algbw is 10^9 bytes per second"
is '!grep { abs($_->{busbw} - $_->{algbw} * 4 / 3) > 1e-5 } @$d' "busbw is algbw times 2(n-1)/n"
is '!grep { $_->{op} ne "all_reduce" || $_->{ranks} != 3 || $_->{in_place} || $_->{iters} != 2 } @$d' \
	"and the rest is as asked"

bench --ranks 1 --bytes-max 1K
is '$d->[0]{busbw} == 0' "one rank needs no bus"
bench --ranks 2 --bytes-min 1M --bytes-max 1M
bench --ranks 2 --bytes-max 100
is '@$d == 1 && $d->[0]{bytes} == 100' "one end alone moves the other"
bench --ranks 2 --bytes-min 1023 --bytes-max 1023 --type int32
is '@$d == 1 && $d->[0]{bytes} == 1020' "sizes are whole elements"
run -j status
json '$d->{chips}' && chips=$value
bench --bytes-max 1K
is "\$d->[0]{ranks} == $chips" "without --ranks all chips take part"
finish

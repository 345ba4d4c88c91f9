#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#
# coll bench: every operation, in and out of place, prepared or not, every type,
# reduction and way is exact; sizes and ranks are those asked for, the numbers of a
# row fit together. coll tune times every way it can; coll explain says what is picked. Tables
# are in tune_test.sh.
# shellcheck source=tests/cli/lib.sh disable=SC2016,SC2154
. "$(dirname "$0")/lib.sh"

ops='all_reduce reduce broadcast all_gather reduce_scatter all_to_all gather scatter permute scan
	exscan barrier all_gatherv reduce_scatterv all_to_allv gatherv scatterv'
pairs='sendrecv pingpong put put_signal get signal'

# bench ARGS...: what was measured, and every element of it was right.
bench() {
	run -j coll bench "$@"
	[ "$status" = 0 ] && json '@$d && !grep { $_->{wrong} } @$d'
	ok $? "$*"
}

# ---- all operations ----------------------------------------------------------

row='op:s ranks:n bytes:n count:n type:s redop:s root:n time_us:o algbw:n busbw:n wrong:n in_place:b
	way:s iters:n warmup:n threads:s buffers:s registered:b persistent:b'
bench all --ranks 5 --root 3 --iters 2 --warmup 1 --bytes-min 4 --bytes-max 40000 --factor 100
is "my %n; \$n{\$_->{op}}++ for @\$d; !grep { \$n{\$_} != (\$_ eq 'barrier' ? 2 : 6) } qw($ops)" \
	"every collective, three sizes, in both places"
is "my %n; \$n{\$_->{op}}++ for grep { !\$_->{in_place} } @\$d;
	!grep { \$n{\$_} != (\$_ eq 'signal' ? 1 : 3) } qw($pairs)" \
	"every operation between two ranks, out of place"
is "my %n; \$n{\$_->{op}}++ for @\$d; keys %n == (() = qw($ops $pairs))" "and no other"
is "!grep { !fields(\$_, '$row') } @\$d" "rows have their fields"
is '!grep { !fields($_->{time_us}, "min:n p50:n p99:n max:n") } @$d' "and times theirs"
is '!grep { my $t = $_->{time_us}; $t->{min} <= 0 || $t->{min} > $t->{p50} || $t->{p50} > $t->{p99} ||
	$t->{p99} > $t->{max} } @$d' "times are in order"
is '!grep { my $t = $_->{time_us}; $t->{p50} != $t->{min} || $t->{p99} != $t->{max} } @$d' \
	"percentiles are the nearest rank"
is '!grep { $_->{bytes} != $_->{count} * 4 * ($_->{op} =~ /(gather|scatter|to_all)$/ ? 5 : 1) } @$d' \
	"a size is all blocks, a count one of them; of unequal ones, all"
is '!grep { $_->{op} =~ /v$/ && $_->{bytes} !~ /^(4|400|40000)$/ } @$d' \
	"unequal ones make up any size"
is '!grep { abs($_->{algbw} - $_->{bytes} / $_->{time_us}{p50} / 1e3) > 1e-3 * $_->{algbw} + 1e-6 } @$d' \
	"algbw is 10^9 bytes per second"
is '!grep { my $o = $_->{op}; my $f = $o eq "all_reduce" ? 8 / 5 :
	$o =~ /gather|scatter|all_to_all/ ? 4 / 5 : 1;
	abs($_->{busbw} - $_->{algbw} * $f) > 1e-5 } @$d' "busbw has the factor of the operation"
is '!grep { $_->{root} != ($_->{op} =~ /^(reduce|broadcast|gatherv?|scatterv?)$/ ? 3 : -1) } @$d' \
	"a root is where there is one"
is '!grep { $_->{redop} ne ($_->{op} =~ /reduce|scan/ ? "sum" : "none") } @$d' "so is a reduction"
is '!grep { $_->{ranks} != 5 || $_->{iters} != 2 || $_->{warmup} != 1 || $_->{type} ne "float32" ||
	$_->{threads} ne "ranks" || $_->{buffers} ne "hbm" || $_->{registered} ||
	$_->{persistent} } @$d' "and the rest is as asked"

bench all --ranks 3 --iters 1 --warmup 0 --bytes-max 2K --threads one
is '!grep { $_->{threads} ne "one" } @$d' "one thread"
bench all --ranks 3 --iters 1 --warmup 0 --bytes-max 2K --threads one --in-place --persistent \
	--register
is '!grep { !$_->{in_place} || !$_->{persistent} || !$_->{registered} } @$d' \
	"in place alone, persistent"
is "my %n; \$n{\$_->{op}}++ for @\$d; join(' ', sort keys %n) eq join(' ', sort qw($ops))" \
	"that is for collectives"
bench all --ranks 4 --iters 1 --bytes-min 32K --bytes-max 32K --buffers host --out-of-place
is '!grep { $_->{in_place} || $_->{buffers} ne "host" || $_->{way} eq "plan" } @$d' \
	"memory of the host, out of place alone"
for way in pull share plan; do
	bench all --ranks 3 --iters 1 --bytes-min 8K --bytes-max 8K --out-of-place \
		--way $way
	is "my \$share = join '|', 'permute', '.*v', qw($pairs); !grep { \$_->{op} ne 'barrier' &&
		\$_->{way} ne (\$_->{op} =~ /^(\$share)\\z/ ? 'share' : '$way') } @\$d" \
		"is the way they went"
done
bench all --ranks 3 --iters 3 --bytes-min 8K --bytes-max 8K --way plan --persistent
is '!grep { $_->{op} ne "barrier" && $_->{way} ne
	($_->{in_place} && $_->{op} =~ /permute|all_to_all/ ? "share" : "plan") } @$d' \
	"prepared, all can be plans but an exchange in place"

run -j status
json '$d->{chips}' && chips=$value
# So many threads take their time where processors are emulated.
threads=ranks
[ -z "$quick" ] || threads=one
bench all_reduce --iters 1 --bytes-max 1K --threads $threads
is "\$d->[0]{ranks} == $chips" "without --ranks all chips take part"
for way in share plan; do
	bench all_gather --iters 1 --bytes-min 4 --bytes-max 4K --factor 4 --way $way --threads $threads
	is "my %n; \$n{\$_->{bytes}}++ for @\$d; \$d->[0]{bytes} == 4 * $chips && \$d->[0]{count} == 1 &&
		!grep { \$_ != 2 } values %n" \
		"at least an element a rank, and no size twice"
done

good "text" coll bench all_gather --ranks 4 --bytes-max 4K --iters 2
says '^# +size +count +type +redop +root +time +algbw +busbw +#wrong +time +algbw +busbw +#wrong +min +p99 +max +way$' \
	"has its columns"
says '^ +4096 +256 +float32 +none +-1( +[0-9.]+){3} +0( +[0-9.]+){3} +0( +[0-9.]+){3} +(pull|share|plan)$' \
	"and a row for the last size"
says 'GB/s = 10\^9 bytes per second' "and says what its unit is"
says '^# Wrong elements +: 0 OK$' "and that nothing is wrong"
says '^# Average bus bandwidth +: [0-9.]+ GB/s$' "and an average"
[ -n "$quick" ] || {
	good "text" coll bench all --ranks 3 --bytes-max 4K --iters 2 --type int32 --redop all
	says '^ +4096 +1024 +int32 +premulsum +-1( +[0-9.]+){3} +0( +[0-9.]+){3} +0' \
		"has every reduction"
	says '^ +4096 +1024 +int32 +none +-1( +[0-9.]+){3} +0( +-){4}( +[0-9.]+){3} +share$' \
		"and nothing in place where there is none"
	good "text" coll bench all --ranks 3 --bytes-max 1K --iters 1 --persistent
	says '^# get: left out: --persistent is for collectives$' "says what is left out"
	good "text" coll bench all --ranks 1 --bytes-max 1K --iters 1
	says '^# pingpong: left out: --ranks 1: it takes two$' "and why"
}

# ---- tune and explain ---------------------------------------------------------

# Of all sizes, however slow it is here: more than two seconds it takes if it must.
seconds=2
[ -z "$quick" ] || seconds=30
good "coll tune" -j coll tune --ops all_reduce,all_to_all --ranks 3,2 --bytes 4K,8,512,64 \
	--seconds $seconds --dry-run
is '@$d && !grep { !fields($_, "op:s ranks:n bytes:n way:s way_us:o built_in:s") } @$d' "has its fields"
is '!grep { my $p = $_; join(" ", sort keys %{$p->{way_us}}) ne "plan pull share" ||
	grep { defined $_ && $_ < $p->{way_us}{$p->{way}} } values %{$p->{way_us}} } @$d' \
	"the best is the best of the ways"
is 'join(" ", map { $_->{bytes} } grep { $_->{op} eq "all_reduce" && $_->{ranks} == 2 } @$d) eq
	"8 64 512 4096"' "sizes go up"
is 'my %n; $n{"$_->{op} $_->{ranks}"}++ for @$d; keys %n == 4' "all that was asked for"

explain='op:s ranks:n bytes:n type:s way:s cost_us:o cost_from:o forced:b source:s why:s note:s'
good "coll explain" -j coll explain all_reduce --bytes 64K --ranks 2
is "fields(\$d, '$explain')" "has its fields"
is '$d->{op} eq "all_reduce" && $d->{ranks} == 2 && $d->{bytes} == 65536' "is about what was asked"
is 'my $c = $d->{cost_us}; join(" ", sort keys %$c) eq "plan pull share" &&
	!grep { defined $_ && $_ < $c->{$d->{way}} } values %$c' "the choice costs least"
VNEURON_COLL_WAY=plan good "coll explain" -j coll explain scan --bytes 8 --ranks 2
is '$d->{way} eq "plan" && $d->{why} =~ /VNEURON_COLL_WAY/' "the environment is heard"
VNEURON_COLL_WAY=plan good "coll explain --way" -j coll explain scan --bytes 8 --ranks 2 --way share
is '$d->{way} eq "share" && $d->{why} !~ /VNEURON_COLL_WAY/' "--way before it"
VNEURON_COLL_WAY=plan bench scan --iters 1 --ranks 2 --bytes-max 1K
is '!grep { $_->{way} ne "plan" } @$d' "and the environment by bench"
# What is below does not depend on the home.
[ -z "$quick" ] || finish

good "in text" coll explain gather --ranks 3 --bytes 4K
says '^gather, 3 ranks, 4.0 KiB: (pull|share|plan)$' "says which"
says '^(pull|share|plan) +[0-9.]+ +built-in +\*$' "and marks it"
says '^figures: built-in$' "and whose figures they are"
good "in text" coll tune --ops reduce --ranks 2 --bytes 8,64 --seconds 1 --dry-run
says '^OP +RANKS +BEST$' "has its columns"
says '^reduce +2 +(pull|share|plan)' "and a row"

# ---- types and reductions -----------------------------------------------------

types='int8 uint8 int16 uint16 int32 uint32 int64 uint64 float16 float32 float64 bfloat16 float8e4m3
	float8e5m2'
redops='sum prod min max avg premulsum band bor bxor'
# all that there is of what is in the row: integers have all reductions, floats six
kinds="map { my \$t = \$_; map { \"\$t \$_\" } grep { \$t !~ /float/ || !/^b/ } qw($redops) }
	qw($types)"
every() {
	is "my %n; \$n{\"\$_->{type} \$_->{redop}\"} = 1 for grep { \$_->{op} eq '$1' } @\$d;
		join('_', sort keys %n) eq join('_', sort($2))" "$1: all there are"
}
# By one thread: rows are 1,649, and threads that take turns are what they would wait for.
bench all --ranks 5 --iters 2 --bytes-min 10001 --bytes-max 10001 --type all --redop all \
	--threads one
every all_reduce "$kinds"
every reduce_scatterv "$kinds"
every all_to_allv "map { \"\$_ none\" } qw($types)"
every put "map { \"\$_ none\" } qw($types)"
is 'my @b = grep { $_->{op} eq "barrier" } @$d; @b == 2' "what has no data has one type"
bench exscan --ranks 5 --iters 2 --bytes-min 1000 --bytes-max 20000 --factor 20 --type all \
	--redop all
bench all_reduce --ranks 4 --iters 2 --bytes-min 20000 --type all --redop premulsum --persistent \
	--register --way plan
bench reduce_scatter --iters 1 --warmup 0 --bytes-min 20K --bytes-max 20K --type all --redop all \
	--threads one
is "!grep { \$_->{ranks} != $chips } @\$d" "of all chips, too"
bench scatterv --ranks 3 --iters 1 --bytes-max 1K --type float8e5m2 --redop band
is '!grep { $_->{redop} ne "none" } @$d' "a reduction is nothing to what has none"

bench all_reduce --ranks 3 --iters 2 --bytes-min 4 --bytes-max 1K --factor 16 --in-place
is 'join(" ", map { $_->{bytes} } @$d) eq "4 64 1024"' "sizes go up by the factor"
bench all --ranks 1 --iters 1 --bytes-max 1K
is '$d->[0]{busbw} == 0' "one rank needs no bus"
bench sendrecv --ranks 2 --iters 2 --bytes-min 1M --bytes-max 1M --buffers host --register
bench all_reduce --ranks 2 --iters 2 --bytes-min 1M --bytes-max 1M
bench all_reduce --ranks 2 --iters 2 --bytes-max 100
is '@$d == 2 && $d->[0]{bytes} == 100' "one end alone moves the other"
bench all_reduce --ranks 2 --iters 2 --bytes-min 1023 --bytes-max 1023 --type int32
is '@$d == 2 && $d->[0]{bytes} == 1020' "sizes are whole elements"
finish

#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#
# coll bench: every operation, in and out of place, every type, reduction and way
# is exact; sizes and ranks are those asked for, the numbers of a row fit
# together. coll tune times every way it can; coll explain says what is picked.
# shellcheck source=tests/cli/lib.sh disable=SC2016,SC2154
. "$(dirname "$0")/lib.sh"

ops='all_reduce reduce broadcast all_gather reduce_scatter all_to_all gather scatter permute scan
	exscan barrier'

# bench ARGS...: what was measured, and every element of it was right.
bench() {
	run -j coll bench "$@"
	[ "$status" = 0 ] && json '@$d && !grep { $_->{wrong} } @$d'
	ok $? "$*"
}

# ---- all operations ----------------------------------------------------------

row='op:s ranks:n bytes:n count:n type:s redop:s root:n time_us:o algbw:n busbw:n wrong:n in_place:b
	way:s iters:n warmup:n threads:s buffers:s'
bench all --ranks 5 --root 3 --iters 2 --warmup 1 --bytes-min 4 --bytes-max 40000 --factor 100
is "my %n; \$n{\$_->{op}}++ for @\$d; !grep { \$n{\$_} != (\$_ eq 'barrier' ? 2 : 6) } qw($ops)" \
	"every operation, three sizes, in both places"
is "!grep { !fields(\$_, '$row') } @\$d" "rows have their fields"
is '!grep { !fields($_->{time_us}, "min:n p50:n p99:n max:n") } @$d' "and times theirs"
is '!grep { my $t = $_->{time_us}; $t->{min} <= 0 || $t->{min} > $t->{p50} || $t->{p50} > $t->{p99} ||
	$t->{p99} > $t->{max} } @$d' "times are in order"
is '!grep { my $t = $_->{time_us}; $t->{p50} != $t->{min} || $t->{p99} != $t->{max} } @$d' \
	"percentiles are the nearest rank"
is '!grep { $_->{bytes} != $_->{count} * 4 * ($_->{op} =~ /gather|scatter|to_all/ ? 5 : 1) } @$d' \
	"a size is all blocks, a count one of them"
is '!grep { abs($_->{algbw} - $_->{bytes} / $_->{time_us}{p50} / 1e3) > 1e-3 * $_->{algbw} + 1e-6 } @$d' \
	"algbw is 10^9 bytes per second"
is '!grep { my $o = $_->{op}; my $f = $o eq "all_reduce" ? 8 / 5 :
	$o =~ /^(all_gather|reduce_scatter|all_to_all)$/ ? 4 / 5 : 1;
	abs($_->{busbw} - $_->{algbw} * $f) > 1e-5 } @$d' "busbw has the factor of the operation"
is '!grep { $_->{root} != ($_->{op} =~ /^(reduce|broadcast|gather|scatter)$/ ? 3 : -1) } @$d' \
	"a root is where there is one"
is '!grep { $_->{redop} ne ($_->{op} =~ /reduce|scan/ ? "sum" : "none") } @$d' "so is a reduction"
is '!grep { $_->{ranks} != 5 || $_->{iters} != 2 || $_->{warmup} != 1 || $_->{type} ne "float32" ||
	$_->{threads} ne "ranks" || $_->{buffers} ne "hbm" } @$d' "and the rest is as asked"

bench all --ranks 3 --iters 1 --warmup 0 --bytes-max 2K --threads one --in-place
is '!grep { !$_->{in_place} || $_->{threads} ne "one" } @$d' "one thread, in place alone"
bench all --ranks 4 --iters 1 --bytes-min 32K --bytes-max 32K --buffers host --out-of-place
is '!grep { $_->{in_place} || $_->{buffers} ne "host" || $_->{way} eq "plan" } @$d' \
	"memory of the host, out of place alone"
for way in pull share plan; do
	bench all --ranks 3 --iters 1 --bytes-min 8K --bytes-max 8K --out-of-place \
		--way $way
	is "!grep { \$_->{op} !~ /permute|barrier/ && \$_->{way} ne '$way' } @\$d" "is the way they went"
done

run -j status
json '$d->{chips}' && chips=$value
bench all_reduce --iters 1 --bytes-max 1K
is "\$d->[0]{ranks} == $chips" "without --ranks all chips take part"
for way in share plan; do
	bench all_gather --iters 1 --bytes-min 4 --bytes-max 4K --factor 4 --way $way
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

# ---- tune and explain ---------------------------------------------------------

good "coll tune" -j coll tune --ops all_reduce,all_to_all --ranks 2,3 --max-bytes 4K --seconds 2
is '@$d && !grep { !fields($_, "op:s ranks:n bytes:n way:s way_us:o") } @$d' "has its fields"
is '!grep { my $p = $_; join(" ", sort keys %{$p->{way_us}}) ne "plan pull share" ||
	grep { defined $_ && $_ < $p->{way_us}{$p->{way}} } values %{$p->{way_us}} } @$d' \
	"the best is the best of the ways"
is 'join(" ", map { $_->{bytes} } grep { $_->{op} eq "all_reduce" && $_->{ranks} == 2 } @$d) eq
	"8 64 512 4096"' "sizes go up"
is 'my %n; $n{"$_->{op} $_->{ranks}"}++ for @$d; keys %n == 4' "all that was asked for"

explain='op:s ranks:n bytes:n way:s cost_us:o source:s why:s'
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
says '^(pull|share|plan) +[0-9.]+ +\*$' "and marks it"
says '^figures: built-in$' "and whose figures they are"
good "in text" coll tune --ops reduce --ranks 2 --max-bytes 64 --seconds 1
says '^OP +RANKS +BEST$' "has its columns"
says '^reduce +2 +(pull|share|plan)' "and a row"

# ---- types and reductions -----------------------------------------------------

types='int8 uint8 int16 uint16 int32 uint32 int64 uint64 float16 float32 float64 bfloat16 float8e4m3 float8e5m2'
for type in $types; do
	bench all_to_all --ranks 3 --iters 2 --bytes-min 10001 --bytes-max 10001 --type "$type"
	is "!grep { \$_->{type} ne '$type' } @\$d" "says what it did"
done
for type in $types; do
	redops='sum prod min max avg premulsum band bor bxor'
	[ "$type" = "${type#*float}" ] || redops='sum prod min max avg premulsum'
	for redop in $redops; do
		for op in all_reduce exscan; do
			bench $op --ranks 5 --iters 2 --bytes-min 1000 --bytes-max 20000 --factor 20 \
				--type "$type" --redop "$redop"
			is "!grep { \$_->{redop} ne '$redop' } @\$d" "says what it did"
		done
		bench reduce_scatter --iters 1 --bytes-min 20K --bytes-max 20K --type "$type" --redop "$redop"
	done
done

bench all_reduce --ranks 3 --iters 2 --bytes-min 4 --bytes-max 1K --factor 16 --in-place
is 'join(" ", map { $_->{bytes} } @$d) eq "4 64 1024"' "sizes go up by the factor"
bench all_reduce --ranks 1 --iters 1 --bytes-max 1K
is '$d->[0]{busbw} == 0' "one rank needs no bus"
bench all_reduce --ranks 2 --iters 2 --bytes-min 1M --bytes-max 1M
bench all_reduce --ranks 2 --iters 2 --bytes-max 100
is '@$d == 2 && $d->[0]{bytes} == 100' "one end alone moves the other"
bench all_reduce --ranks 2 --iters 2 --bytes-min 1023 --bytes-max 1023 --type int32
is '@$d == 2 && $d->[0]{bytes} == 1020' "sizes are whole elements"
finish

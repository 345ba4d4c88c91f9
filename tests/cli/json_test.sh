#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#
# The JSON of every command is a document with exactly the promised fields, and
# the commands agree with each other. Any text survives being written.
# shellcheck source=tests/cli/lib.sh disable=SC2016,SC2154
. "$(dirname "$0")/lib.sh"

traffic='tx_bytes:n rx_bytes:n local_bytes:n'
chip="chip:n rack:n sled:n slot:n numa_node:n epoch:n hbm_bytes:n hbm_used:n queues:n windows:n lost:b $traffic"

good "status" -j status
is "fields(\$d, 'device:s home:s ultraserver:n racks:n sleds:n spares:n chips_per_sled:n chips:n epoch:n
	hbm_bytes:n hbm_used:n queues:n windows:n $traffic')" "has its fields"
is "\$d->{home} eq '$home'" "is about the right home"
is '$d->{chips} == $d->{sleds} * $d->{chips_per_sled}' "adds up"
[ "$(wc -l <"$tmp/out")" = 1 ]
ok $? "is one line"
json '$d->{chips}' && chips=$value
json '$d->{hbm_bytes}' && hbm=$value
json '($d->{sleds} + $d->{spares}) * $d->{chips_per_sled}' && slots=$value
run -j sled list
json 'join "_", map { $_->{sled} } grep { $_->{chips} } @$d' && sleds=$value

good "pretty" -p status
[ "$(wc -l <"$tmp/out")" -gt 10 ]
ok $? "has lines"
is 'fields($d, "device:s home:s ultraserver:n racks:n sleds:n spares:n chips_per_sled:n chips:n epoch:n
	hbm_bytes:n hbm_used:n queues:n windows:n tx_bytes:n rx_bytes:n local_bytes:n")' \
	"and the same fields"
good "both" -jp status
[ "$(wc -l <"$tmp/out")" -gt 10 ]
ok $? "are pretty too"

good "topo show" -j topo show
is 'fields($d, "ultraserver:n epoch:n spares:n racks:a")' "has its fields"
is 'fields($d->{racks}[0], "rack:n sleds:a")' "so have racks"
is 'fields($d->{racks}[0]{sleds}[0], "sled:n numa_node:n hbm_bytes:n hbm_used:n chips:a")' \
	"and sleds"
is 'fields($d->{racks}[0]{sleds}[0]{chips}[0], "chip:n slot:n epoch:n hbm_bytes:n hbm_used:n")' \
	"and chips"
is "my %seen; \$seen{\$_->{chip}}++ for map { @{\$_->{chips}} } map { @{\$_->{sleds}} } @{\$d->{racks}};
	keys %seen == $chips && !grep { \$_ != 1 } values %seen" "every chip is there once"
is "my @s = map { @{\$_->{sleds}} } @{\$d->{racks}}; join('_', sort { \$a <=> \$b } map { \$_->{sled} } @s) eq
	'$sleds'" "so is every sled that has chips"
is 'my @r = map { $_->{rack} } @{$d->{racks}}; !grep { $r[$_] <= $r[$_ - 1] } 1..$#r' "and every rack"
json 'join "_", sort map { my $r = $_; map { my $s = $_; map { join ".", $r->{rack}, $s->{sled}, $_->{chip},
	$_->{slot} } @{$s->{chips}} } @{$r->{sleds}} } @{$d->{racks}}' && places=$value

good "chip list" -j chip list
is "join('_', sort map { join '.', @\$_{qw(rack sled chip slot)} } @\$d) eq '$places'" "chips are where topo show says"
is "@\$d == $chips && !grep { !fields(\$_, '$chip') } @\$d" "all have their fields"
is '!grep { $d->[$_]{chip} != $_ } 0..$#$d' "and are in order"
is "sum('hbm_bytes', @\$d) == $hbm" \
	"the sum of their memory is that of the UltraServer"

good "chip show" -j chip show $((chips - 1))
is "my \$p = delete \$d->{planes}; fields(\$d, '$chip') && \$d->{chip} == $chips - 1 && @\$p > 0" \
	"has the fields of the list"
is '!grep { !fields($_, "plane:n tx_bytes:n rx_bytes:n") } @{$d->{planes}}' "so have its planes"

good "switch show" -j switch show
is "fields(\$d, '$traffic planes:a ports:a')" "has its fields"
is '!grep { !fields($_, "plane:n tx_bytes:n rx_bytes:n") } @{$d->{planes}}' "so have planes"
is "!grep { !fields(\$_, 'slot:n chip:n plane:n $traffic') } @{\$d->{ports}}" "and ports"
is "@{\$d->{ports}} == $slots * @{\$d->{planes}}" "there is a port per slot and plane"
is 'my @p = @{$d->{ports}}; !grep { $_ && $p[$_]{slot} * 100 + $p[$_]{plane} <=
	$p[$_ - 1]{slot} * 100 + $p[$_ - 1]{plane} } 0..$#p' "ordered by slot and plane"
is 'sum("tx_bytes", @{$d->{ports}}) == $d->{tx_bytes} && sum("tx_bytes", @{$d->{planes}}) == $d->{tx_bytes}' \
	"sent bytes add up"
is '$d->{tx_bytes} == $d->{rx_bytes}' "what is sent is received"

sled='sled:n state:s chips:n rack:n numa_node:n epoch:n hbm_used:n uid:n reason:s'
good "sled list" -j sled list
is "!grep { my \$op = kind(\$_->{operation}); \$op !~ /[sz]/ || !fields(\$_, \"$sled operation:\$op\") } @\$d" \
	"has its fields"
is '!grep { $d->[$_]{sled} != $_ } 0..$#$d' "and is in order"
is "sum('chips', @\$d) == $chips" "the sum of their chips is that of the UltraServer"
good "sled status" -j sled status
is 'fields($d, "in_service:n spare:n drained:n other:n sleds:a")' "has its fields"

good "queue list" -j queue list
is 'ref $d eq "ARRAY"' "is an array"
good "window list" -j window list
is 'ref $d eq "ARRAY"' "is an array"

good "version" -j version
if [ $home = kernel ]; then module=s; else module=z; fi
is "fields(\$d, 'tool:s library:s abi:n device:s home:s device_abi:n module:$module process:z simd:s')" \
	"has its fields"
is '$d->{tool} eq $d->{library} && $d->{abi} == $d->{device_abi}' "they belong together"

# Quotes, control bytes, UTF-8 and bytes that are none: overlong, surrogate, cut short.
text=$'a"b\\c\n\t\001\033\177\303\244\360\237\230\200\377\300\200\355\240\200z\342\202'
read_back='m{^(.*/)?a"b\\c\n\t\x01\x1b\x7f\xe4\x{1f600}\x{fffd}{6}z\x{fffd}{2}$}'
if [ $home = kernel ]; then
	ln -s "$VNEURON_DEVICE" "$tmp/$text"
	good "a node with a strange name" -j -d "$tmp/$text" status
	is "\$d->{device} =~ $read_back" "can be read back"
elif command -v cc >/dev/null; then
	cat >"$tmp/json.c" <<'END'
#include "json.h"
int main(int argc, char **argv)
{
	struct json j = { .to = stdout, .pretty = argc > 2 };
	double zero = 0;

	json_object(&j, NULL);
	json_object(&j, "empty");
	json_object_end(&j);
	json_array(&j, "list");
	json_array_end(&j);
	json_string(&j, "text", argv[1]);
	json_string(&j, argv[1], NULL);
	json_double(&j, "nan", zero / zero);
	json_double(&j, "third", 1 / 3.);
	json_s64(&j, "least", INT64_MIN);
	json_u64(&j, "most", UINT64_MAX);
	json_object_end(&j);
	return 0;
}
END
	cc -I"$top/tools/neuronctl" -o "$tmp/json" "$tmp/json.c" "$top/tools/neuronctl/json.c"
	ok $? "the JSON writer compiles by itself"
	for pretty in '' pretty; do
		# shellcheck disable=SC2086 # no empty argument
		"$tmp/json" "$text" $pretty >"$tmp/out"
		is "\$d->{text} =~ $read_back" "any text can be read back${pretty:+, }$pretty"
		is "exists \$d->{(grep { $read_back } keys %\$d)[0]}" "also as a name"
		is '!%{$d->{empty}} && !@{$d->{list}}' "empty things are empty"
		is '!defined $d->{nan} && abs($d->{third} - 1 / 3) < 1e-6' "numbers are numbers"
		is '"$d->{least} $d->{most}" eq "-9223372036854775808 18446744073709551615"' "to their ends"
	done
else
	skip "only with a compiler or a node: any text can be read back"
fi
finish

#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#
# coll tune leaves a table where it is told to, or where the library looks; the
# library goes by it and coll explain says so. A table that makes no sense is an
# error that names the line, but no obstacle to making another.
# shellcheck source=tests/cli/lib.sh disable=SC2016,SC2154
. "$(dirname "$0")/lib.sh"

short='--ops all_reduce,barrier --ranks 2 --bytes 8,4K --seconds 1'
table=$tmp/table
cores=$(nproc)

# tune ARGS...: the short one with them.
tune() {
	# shellcheck disable=SC2086
	run "$@" coll tune $short
}

# made CORES ROWS: a table of this home, made by hand.
made() {
	printf 'vneuron-table 1 home %s cores %d\n%b\n' "$home" "$1" "$2" >"$table"
}

# explain [ARGS...]: all_reduce among two ranks.
explain() {
	run -j coll explain all_reduce --ranks 2 --bytes "$@"
	[ "$status" = 0 ]
}

# ---- writing it ----------------------------------------------------------------

# shellcheck disable=SC2086
good "tune -o" coll tune $short -o "$table"
says '^2 operations, 2 sizes, ranks: 2; takes 1 s at most, about$' "says how long it takes"
says "^[0-9]+ figures are in $table$" "and where the figures are"
[ "$(head -1 "$table")" = "vneuron-table 1 home $home cores $cores" ]
ok $? "is for this machine: $(head -1 "$table")"
[ "$(sed -n 2p "$table" | cut -c1-15)" = '# by neuronctl ' ]
ok $? "says what made it"
! sed 1,2d "$table" | grep -Evq '^(all_reduce|barrier) 2 (0|8|4096) (pull|share|plan) [0-9]+\.[0-9]{3}$'
ok $? "and has rows"
# A slow machine has no time for more than the smallest size.
for row in 'all_reduce 2 8 pull' 'all_reduce 2 8 share' 'all_reduce 2 8 plan' 'barrier 2 0 pull'; do
	grep -q "^$row " "$table"
	ok $? "with $row"
done
[ "$(stat -c %a "$table")" = 600 ]
ok $? "nobody else's to read"
[ -z "$(find "$tmp" -name 'table.*')" ]
ok $? "nothing is left beside it"

# ---- going by it ------------------------------------------------------------------

export VNEURON_COLL_TABLE=$table
explain 8
is "\$d->{source} eq 'table $table' && !grep { \$_ ne 'table' } values %{\$d->{cost_from}}" \
	"explain says whose figures they are"
measured=$(sed -n 's/^all_reduce 2 8 share //p' "$table")
is "abs(\$d->{cost_us}{share} - $measured) < 0.001" "and they are the measured ones: $measured"
cp "$table" "$tmp/before"
# A way that is never the cheapest: who takes it goes by the table.
made "$cores" 'all_reduce 2 8 plan 0.001'
run -j coll bench all_reduce --ranks 2 --iters 1 --bytes-max 8
is '!grep { $_->{way} ne "plan" } @$d' "the library goes by it"
made $((cores + 1)) 'all_reduce 2 8 plan 0.001'
explain 8
is "\$d->{source} eq 'built-in' && \$d->{note} eq
	'table $table was made with $((cores + 1)) cores, this machine has $cores'" \
	"one of another machine counts for nothing, and that is said"
made "$cores" '# x\nall_reduce 2 8 plan soon'
bad 1 "table $table, line 3: a time that is no number" "a bad one" coll explain all_reduce --ranks 2
# What is below does not depend on the home.
[ -z "$quick" ] || finish

bad 1 "table $table, line 3: a time that is no number" "bench" \
	coll bench all_reduce --ranks 2 --iters 1 --bytes-max 8
tune -j
[ "$status" = 0 ] && head -1 "$table" | grep -q "cores $cores$" && [ "$(wc -l <"$table")" -gt 4 ]
ok $? "tune replaces it"
is '@$d > 1 && !grep { !fields($_, "op:s ranks:n bytes:n way:s way_us:o built_in:s") } @$d' "and is JSON"
explain 8
is "\$d->{source} eq 'table $table'" "and all is well again"
made "$cores" 'all_reduce 2 8 plan 0.001'
explain 8
is '$d->{way} eq "plan" && $d->{cost_from}{pull} eq "built-in" && $d->{cost_from}{plan} eq "table"' \
	"figures the table lacks are built in"
explain 8 --way pull
is '$d->{way} eq "pull" && $d->{forced} && $d->{why} =~ /^forced/' "what is forced comes first"
VNEURON_COLL_TABLE=none explain 8
is '$d->{source} eq "built-in" && $d->{note} eq ""' "a table may be forbidden"

# ---- where it goes --------------------------------------------------------------------

unset VNEURON_COLL_TABLE
# shellcheck disable=SC2086
good "tune --dry-run" coll tune $short --dry-run
! grep -q 'figures are in' "$tmp/out" && [ ! -e "$XDG_CACHE_HOME" ]
ok $? "writes nothing"
tune
[ "$status" = 0 ] && [ -f "$XDG_CACHE_HOME/vneuron/coll-$home.table" ] &&
	[ "$(stat -c %a "$XDG_CACHE_HOME")" = 700 ]
ok $? "without -o it goes into the cache, which is made"
explain 8
is "\$d->{source} eq 'table $XDG_CACHE_HOME/vneuron/coll-$home.table'" "where the library finds it"
good "in text" coll explain all_reduce --ranks 2 --bytes 8
says '^figures: table ' "says so"
says '^(pull|share|plan) +[0-9.]+ +table +\*$' "for each way"
ln -s "$tmp/before" "$tmp/link"
mkfifo "$tmp/pipe"
# place PATTERN WHAT ARGS...: no place for a table, which is found out at once.
place() {
	local pattern=$1 what=$2
	shift 2
	# shellcheck disable=SC2086
	bad 1 "$pattern" "$what" coll tune $short "$@"
}
VNEURON_COLL_TABLE=none place "no file for a table: want --output FILE" "none is no file"
place "/no/such/folder/x: No such file" "a folder that is not there" -o /no/such/folder/x
place "$tmp: no regular file" "a folder" -o "$tmp"
place "$tmp/link: no regular file" "a link" --output "$tmp/link"
place "$tmp/pipe: no regular file" "no file" -o "$tmp/pipe"
[ -p "$tmp/pipe" ] && [ -L "$tmp/link" ] && grep -q '^all_reduce' "$tmp/before"
ok $? "stay what they are"
bad 2 "'-o' wants a value" "-o alone" coll tune -o
VNEURON_COLL_TABLE=/no/such/table bad 1 "table /no/such/table: No such file" \
	"a table that is named must be there" coll explain all_reduce
if [ "$(id -u)" != 0 ]; then
	mkdir -m 500 "$tmp/closed"
	place "$tmp/closed/x: Permission denied" "no right to write" -o "$tmp/closed/x"
fi

good "--type" -j coll explain all_reduce --ranks 2 --bytes 1003 --type float64
is '$d->{bytes} == 1000 && $d->{type} eq "float64"' "sizes are whole elements of it"
good "all that have a choice" -j -d embedded:sleds=1,chips=2 coll tune --bytes 8 --seconds 1 --dry-run
is 'my %n; $n{$_->{op}}++ for @$d; join(" ", sort keys %n) eq "all_gather all_reduce all_to_all" .
	" barrier broadcast exscan gather reduce reduce_scatter scan scatter"' "are tuned"
finish

#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#
# lib/nccl.md and vneuron/nccl.h say the same: what the table calls mapped the header
# has, and nothing else, by functions that the library exports. The headers are C and
# C++, and the document's program compiles as both and runs.
. "$(dirname "$0")/lib.sh"

header=$top/lib/include/vneuron/nccl.h doc=$top/lib/nccl.md
include="-I$top/lib/include -I$top/uapi"
lib=${VN_BUILD:-$top/build}/libvneuron.a

# same WHAT A B: two lists, equal.
same() {
	diff "$2" "$3" > "$tmp/out" 2>&1
	ok $? "$1"
}

# Names that the header defines, and rows of the table.
grep -oE '^static inline [^(]*[ *](nccl[A-Za-z0-9]+)\(' "$header" | grep -oE 'nccl[A-Za-z0-9]+\($' |
	tr -d '(' | sort > "$tmp/defined"
sed -n 's/^| `\(nccl[A-Za-z0-9]*\)` | \(yes\|no\) | ..*|$/\1 \2/p' "$doc" | sort > "$tmp/rows"
sed -n 's/ yes$//p' "$tmp/rows" > "$tmp/mapped"
[ "$(wc -l < "$tmp/defined")" -gt 30 ]
ok $? "the header defines $(wc -l < "$tmp/defined") calls"
same "the table has them as mapped, and no other" "$tmp/defined" "$tmp/mapped"
cut -d' ' -f1 "$tmp/rows" | uniq -d > "$tmp/twice"
same "no call is twice in the table" /dev/null "$tmp/twice"
grep '^| `' "$doc" | grep -vE '^\| `nccl[A-Za-z0-9]+` \| (yes|no) \| ' > "$tmp/odd"
same "no row is anything else" /dev/null "$tmp/odd"
sed -n 's/^| `nccl[^|]*| yes | \(.*\)|$/\1/p' "$doc" | grep -oE 'vn_[a-z_]+\(' | tr -d '(' | sort -u > "$tmp/by"
sed -n 's/^\t\t\(vn_[a-z_]*\);/\1/p' "$top/lib/libvneuron.map" | sort > "$tmp/exported"
comm -23 "$tmp/by" "$tmp/exported" > "$tmp/unknown"
same "the library exports what they are mapped to" /dev/null "$tmp/unknown"
# What the table says of a call is what the header does.
while read -r call; do
	by=$(sed -n "s/^| \`$call\` | yes | \`\(vn_[a-z_]*\)()\`.*/\1/p" "$doc")
	[ -n "$by" ] || continue
	sed -n "/^static inline .*[ *]$call(/,/^}/p" "$header" > "$tmp/body"
	# Joining and revoking go through lib/nccl.c.
	grep -oE 'vn_nccl_(init|revoke)[a-z_]*' "$tmp/body" | while read -r inner; do
		sed -n "/^int $inner(/,/^}/p" "$top/lib/nccl.c"
	done > "$tmp/inner"
	grep -q "\b$by(" "$tmp/body" "$tmp/inner" || echo "$call: not by $by"
done < "$tmp/mapped" > "$tmp/otherwise"
same "each by the function the table names" /dev/null "$tmp/otherwise"

# They are the same in both homes; what runs is in tests/lib.
if [ -n "$quick" ] || ! command -v g++ >/dev/null; then
	skip "only where there is a C++ compiler, and time"
	finish
fi
for name in accel nccl; do
	for std in 'gcc -std=c99' 'gcc -std=gnu11 -Wstrict-prototypes' 'g++ -x c++ -std=c++11' 'g++ -x c++ -std=c++20'; do
		echo "#include <vneuron/$name.h>" > "$tmp/header.c"
		# shellcheck disable=SC2086
		$std -Wall -Wextra -Werror -fsyntax-only $include "$tmp/header.c" > "$tmp/out" 2>&1
		ok $? "vneuron/$name.h: $std"
	done
done
sed -n '/^```c$/,/^```$/p' "$doc" | sed '1d;$d' > "$tmp/program.c"
for std in 'gcc -std=gnu11' 'g++ -x c++ -std=c++17'; do
	# shellcheck disable=SC2086
	$std -O1 -Wall -Wextra -Werror $include -c -o "$tmp/program.o" "$tmp/program.c" > "$tmp/out" 2>&1 &&
		g++ -o "$tmp/program" "$tmp/program.o" "$lib" -lnl-genl-3 -lnl-3 -lnuma -luring -lm -pthread > "$tmp/out" 2>&1
	ok $? "the document's program: $std"
	"$tmp/program" > "$tmp/out" 2>"$tmp/err"
	# 0 + 1 + ... + 7
	[ "$(cat "$tmp/out")" = "8 devices, sum 28" ]
	ok $? "and runs"
done
sed 's,<vneuron/nccl.h>,<nccl.h>,' "$tmp/program.c" > "$tmp/as_it_was.c"
# shellcheck disable=SC2086
gcc -Wall -Wextra -Werror -fsyntax-only "-I$top/lib/include/vneuron" $include "$tmp/as_it_was.c" > "$tmp/out" 2>&1
ok $? "and compiles with <nccl.h>, where that is ours"
finish

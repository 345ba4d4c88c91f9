#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#
# Shows that the descriptions for syzkaller are those of the headers: all calls, structs, fields,
# flags and netlink commands, and their numbers as the compiler knows them. What is new in a
# header gets into them with "check.sh write".
set -u
here=$(cd "$(dirname "$0")" && pwd)
top=$here/../../..
tmp=$(mktemp -d) || exit 1
trap 'rm -rf "$tmp"' EXIT
points=0 failed=0

ok() {
	points=$((points + 1))
	[ "$1" = 0 ] || failed=1
	[ "$1" = 0 ] && echo "ok $points - $2" || echo "not ok $points - $2"
}

if [ "${1:-}" = write ]; then
	"$here/generate.py" text >"$tmp/text" && "$here/generate.py" const >"$tmp/const" &&
		cp "$tmp/text" "$here/dev_vneuron.txt" && cp "$tmp/const" "$here/dev_vneuron.txt.const"
	exit
fi

"$here/generate.py" text | diff "$here/dev_vneuron.txt" - | sed 's/^/# /'
ok $((PIPESTATUS[0] || PIPESTATUS[1])) 'structs and calls are those of the headers'
"$here/generate.py" const | diff "$here/dev_vneuron.txt.const" - | sed 's/^/# /'
ok $((PIPESTATUS[0] || PIPESTATUS[1])) 'numbers are those of the headers'
"$here/generate.py" c >"$tmp/numbers.c" &&
	${CC:-gcc} -Wall -Werror -I"$top/uapi" -c -o "$tmp/numbers.o" "$tmp/numbers.c" 2>&1 | sed 's/^/# /'
ok $((PIPESTATUS[0])) 'numbers and sizes are those of the compiler'
# Nothing that a header has is left out.
missing=$(sed -nE 's/^\t(VN_IOCTL_\w+|VN_NL_CMD_\w+)(,|\s).*/\1/p' "$top"/uapi/linux/vneuron{,_nl}.h |
	grep -vE '_(UNSPEC|SLED_EVENT|CALL|JOIN|HEALTH)$' | sort -u |
	while read -r name; do
		grep -q "\$$name(" "$here/dev_vneuron.txt" || echo "$name"
	done)
[ -z "$missing" ] || echo "# $missing"
ok "$([ -z "$missing" ]; echo $?)" 'each call and each command is there'
echo "1..$points"
exit $failed

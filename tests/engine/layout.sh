#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#
# Shows that the ABI header means the same to every compiler: C and C++, 64 and
# 32 bits, the pedantic ones included; and that a struct with a gap in it would
# be noticed.

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
top=$(cd "$here/../.." && pwd)
n=0 failed=0
work=$(mktemp -d "${TMPDIR:-/tmp}/vn-layout.XXXXXX") || exit 1
trap 'rm -rf "$work"' EXIT

# ok STATUS TEXT
ok() {
	((n++))
	if (($1)); then
		((failed++))
		echo "not ok $n - $2"
		sed 's/^/# /' "$work/log"
	else
		echo "ok $n - $2"
	fi
}

# compiles TEXT COMPILER... of layout.h, nothing else
compiles() {
	local text=$1
	shift
	"$@" -Wall -Wextra -Werror -Wpadded -fsyntax-only -I "$top/uapi" -include "$here/layout.h" \
		"$work/empty" >"$work/log" 2>&1
	ok $? "$text"
}

touch "$work/empty"
for cc in gcc clang; do
	command -v $cc >/dev/null || continue
	compiles "$cc, 64 bits" $cc -x c -std=gnu11
	compiles "$cc, 32 bits" $cc -x c -std=gnu11 -m32 -ffreestanding -I "/usr/include/$(gcc -print-multiarch)"
	compiles "$cc, C++" $cc -x c++ -std=c++17
	compiles "$cc, C++, 32 bits" $cc -x c++ -std=c++17 -m32 -ffreestanding \
		-I "/usr/include/$(gcc -print-multiarch)"
done

# The check itself: a field made wider must not go through.
mkdir -p "$work/uapi/linux"
cp "$top"/uapi/linux/vneuron_{ring,sled}.h "$work/uapi/linux/"
sed 's/^\t__u16 reserved0;/\t__u32 reserved0;/' "$top/uapi/linux/vneuron.h" >"$work/uapi/linux/vneuron.h"
! gcc -x c -fsyntax-only -I "$work/uapi" -include "$here/layout.h" "$work/empty" >"$work/log" 2>&1
ok $? "a field of another width is refused"
echo "1..$n"
exit $((failed > 0))

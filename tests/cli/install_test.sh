#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#
# What `make install` puts somewhere is enough for a stranger: the program in
# README.md compiles through pkg-config against the shared and the static
# library and runs, only the API's symbols are exported, and README's commands work.
set -u
top=$(cd "$(dirname "$0")/../.." && pwd)
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
n=0 bad=0
ok() { # STATUS WHAT
	n=$((n + 1))
	if [ "$1" = 0 ]; then echo "ok $n - $2"; else echo "not ok $n - $2"; bad=1; fi
}
build=${VN_BUILD:-$top/build}

if [ ! -w "$top" ]; then
	echo "1..0 # SKIP only where the tree is writable"
	exit 77
fi
make -C "$top" --no-print-directory -s B="$build" DESTDIR="$tmp" prefix=/opt/vneuron install >"$tmp/log" 2>&1
ok $? "make install"
export PKG_CONFIG_SYSROOT_DIR=$tmp PKG_CONFIG_PATH=$tmp/opt/vneuron/lib/pkgconfig
sed -n '/^```c$/,/^```$/p' "$top/README.md" | sed '1d;$d' > "$tmp/program.c"
# shellcheck disable=SC2046
cc -Wall -Werror -o "$tmp/shared" "$tmp/program.c" $(pkg-config --cflags --libs vneuron)
ok $? "the README's program compiles against the shared library"
# shellcheck disable=SC2046
cc -o "$tmp/static" "$tmp/program.c" $(pkg-config --cflags vneuron) "$tmp/opt/vneuron/lib/libvneuron.a" \
	-lnl-genl-3 -lnl-3 -lnuma -luring -lm -pthread
ok $? "and against the static one"
for kind in gcc g++; do
	for header in coll sled journal; do
		echo "#include <vneuron/$header.h>" > "$tmp/header.$kind.c"
		# shellcheck disable=SC2046
		$kind -Wall -Wextra -Werror -fsyntax-only $([[ $kind != g++ ]] || echo -x c++) \
			"$tmp/header.$kind.c" $(pkg-config --cflags vneuron)
		ok $? "$kind takes <vneuron/$header.h>"
	done
done
for kind in shared static; do
	said=$(VNEURON_DEVICE=embedded LD_LIBRARY_PATH=$tmp/opt/vneuron/lib "$tmp/$kind")
	# 0 + 1 + ... + 143
	[ "$said" = "144 chips, sum 10296" ]
	ok $? "and prints the sum ($kind): $said"
done
said=$(VNEURON_DEVICE=nonsense "$tmp/static" 2>&1)
[ $? = 1 ] && [[ $said == *nonsense* ]]
ok $? "and names a device that makes no sense: $said"
nm -D --defined-only "$tmp/opt/vneuron/lib/libvneuron.so.0" | awk '$2 != "A" {sub(/@.*/, "", $3); print $3}' |
	sort > "$tmp/exported"
sed -n 's/^\t\t\(vn_[a-z_]*\);/\1/p' "$top/lib/libvneuron.map" | sort > "$tmp/promised"
diff "$tmp/promised" "$tmp/exported" | sed 's/^/# /'
cmp -s "$tmp/promised" "$tmp/exported"
ok $? "the shared library exports what the map promises and nothing else"
grep -oE '^    neuronctl[^#]*' "$top/README.md" | grep -v pid: > "$tmp/commands"
ok $(($(wc -l < "$tmp/commands") < 3)) "README has commands"
# What somebody tuned this machine to stays, and a minute is too long here.
export XDG_CACHE_HOME=$tmp/cache
while read -r command; do
	command=${command/coll tune/coll tune --seconds 3}
	(cd "$tmp" && PATH=$tmp/opt/vneuron/bin:$PATH VNEURON_DEVICE=embedded bash -c "$command" </dev/null >"$tmp/out" 2>&1)
	ok $? "README: $command"
done < "$tmp/commands"
# What is done to a program that runs: once it can be reached.
{
	echo "set -e; trap 'kill \$!' EXIT"
	grep -E '^    VNEURON_CONTROL=1 .*&$' "$top/README.md"
	echo 'until neuronctl -d pid:$! version; do kill -0 $!; sleep 0.1; done'
	grep -oE '^    neuronctl[^#]*pid:[^#]*' "$top/README.md"
} > "$tmp/outside"
(cd "$tmp" && PATH=$tmp/opt/vneuron/bin:$build:$PATH timeout 60 bash "$tmp/outside" </dev/null >"$tmp/out" 2>&1)
ok $? "README: an embedded device from outside"
echo "1..$n"
exit $bad

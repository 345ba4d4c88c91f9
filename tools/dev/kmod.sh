#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
# kmod.sh KERNEL DIR: builds the module for a kernel (6.1, 6.12, debug, kcsan, or host)
# in a copy below DIR, so that several kernels can be built from one tree.
# Warnings are errors of ours: the build is to be silent with W=1 and sparse; VN_SPARSE=0:
# without the latter.
set -euo pipefail
kernel=$1 dir=$2
top=$(cd "$(dirname "$0")/../.." && pwd)

if [ "$kernel" = host ]; then
	kdir=/lib/modules/$(uname -r)/build
else
	kdir=$("$top/tests/vm/kernel.sh" kdir "$kernel")
fi
mkdir -p "$dir"
dir=$(cd "$dir" && pwd)
case $dir in
*[[:space:]:]*)
	echo "kmod.sh: Kbuild takes no space or colon in a path: $dir" >&2
	exit 1
	;;
esac
# Only what changed, so that make rebuilds only that.
for path in Kbuild kmod uapi; do
	mkdir -p "$dir/src"
	cp -ru "$top/$path" "$dir/src/"
done
check=0
[ "${VN_SPARSE:-}" = 0 ] || ! command -v sparse >/dev/null || check=2
log=$dir/build.log
# A make of its own: what the caller passes down (-j, B=) is not for the kernel.
if ! env -u MAKEFLAGS -u MFLAGS -u MAKEOVERRIDES make -j"$(nproc)" -C "$kdir" M="$dir/src" W=1 C=$check \
	modules >"$log" 2>&1; then
	cat "$log" >&2
	exit 1
fi
# vmlinux is not in every header package; that it is missing says nothing of us.
if grep -E 'warning:|error:|WARNING' "$log" | grep -v 'BTF generation' >&2; then
	echo "kmod.sh: the module does not build silently on $kernel" >&2
	exit 1
fi
cp "$dir/src/vneuron.ko" "$dir/vneuron.ko"

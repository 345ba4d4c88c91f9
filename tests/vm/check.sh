#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#
# check.sh KERNEL: runs tests/kernel/all.sh on the module, in a guest with that
# kernel (6.1, 6.12, debug), or on this machine itself (host). Counts go to
# $VN_COUNTS when that is set. Two NUMA nodes, so that placement is tested.
set -euo pipefail
kernel=$1
top=$(cd "$(dirname "$0")/../.." && pwd)
cd "$top"
B=${B:-build}
out=$top/$B/check-$kernel
counts=${VN_COUNTS:-}
rm -rf "$out"
mkdir -p "$out"

export VN_BUILD=$top/$B VN_KO=$top/$B/kmod-$kernel/vneuron.ko VN_QUICK=1 VN_KERNEL=$kernel
if [ "$kernel" = host ]; then
	make --no-print-directory "$B/kmod-host/vneuron.ko"
	status=0
	VN_OUT=$out VN_COUNTS=$out/counts tests/kernel/all.sh || status=$?
else
	seconds=900
	[ "$kernel" = debug ] && seconds=3000
	status=0
	# The guest sees $out as its own $VN_OUT.
	VN_OUT=$out VN_COUNTS='' tests/vm/vm.sh -k "$kernel" -m 4G -n 2 -t "$seconds" \
		-l "$out/kernel.log" -- sh -c 'VN_COUNTS=$VN_OUT/counts exec tests/kernel/all.sh' || status=$?
fi
if [ -n "$counts" ]; then
	if [ -s "$out/counts" ]; then
		sed "s/^/$kernel-/" "$out/counts" >> "$counts"
	fi
	# The guest itself is a point: it booted, its log is clean, it powered off.
	if [ "$status" = 0 ]; then
		echo "$kernel-guest 1 0 0" >> "$counts"
	else
		echo "$kernel-guest 0 1 0" >> "$counts"
	fi
fi
[ "$status" = 0 ] || echo "check.sh: kernel $kernel: exit status $status (98: no boot, 99: see $out/kernel.log, 124: timeout)" >&2
exit "$status"

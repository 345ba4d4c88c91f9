#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#
# check.sh KERNEL: runs launch.sh in a guest with that kernel (6.1, 6.12, debug), or on
# this machine itself (host). Counts go to $VN_COUNTS when that is set.
set -euo pipefail
kernel=$1
top=$(cd "$(dirname "$0")/../.." && pwd)
cd "$top"
B=${B:-build}
out=$top/$B/launch-$kernel
counts=${VN_COUNTS:-}
rm -rf "$out"
mkdir -p "$out"
VN_SLURM=$(tests/launch/slurm.sh fetch) || VN_SLURM=
export VN_SLURM VN_BUILD=$top/$B VN_KO=$top/$B/kmod-$kernel/vneuron.ko
status=0
if [ "$kernel" = host ]; then
	make --no-print-directory "$B/kmod-host/vneuron.ko"
	VN_COUNTS=$out/counts tests/run.sh --home launch --timeout 900 tests/launch/launch.sh || status=$?
else
	# The guest sees $out as its own $VN_OUT.
	# shellcheck disable=SC2016 # the guest's
	VN_OUT=$out VN_COUNTS='' tests/vm/vm.sh -k "$kernel" -m 4G -t 960 -l "$out/kernel.log" -- \
		sh -c 'VN_COUNTS=$VN_OUT/counts exec tests/run.sh --home launch --timeout 900 tests/launch/launch.sh' ||
		status=$?
fi
[ -z "$counts" ] || [ ! -s "$out/counts" ] || sed "s/^/$kernel-/" "$out/counts" >>"$counts"
[ "$status" = 0 ] || echo "check.sh: kernel $kernel: exit status $status (98: no boot, 99: see $out/kernel.log, 124: timeout)" >&2
exit "$status"

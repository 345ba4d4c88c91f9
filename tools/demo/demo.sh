#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#
# make demo: trains the same model with the same binary on the embedded device
# and on the kernel module, and compares the weights bit for bit; and with eight
# chips, in one process and as eight processes under mpirun.
set -euo pipefail
top=$(cd "$(dirname "$0")/../.." && pwd)
cd "$top"
B=${B:-build}
out=$top/$B/demo
mkdir -p "$out"
rm -f "$out"/*.weights
say() { printf '\n== %s\n\n' "$*"; }

say "embedded home: the UltraServer is in this process"
began=$(date +%s)
"$B/vneuron-train" -d embedded -f tools/demo/digits.csv -o "$out/embedded.weights"
echo "embedded part: $(($(date +%s) - began)) s"

began=$(date +%s)
export VN_BUILD=$top/$B VN_RANKS=8
if [ "$(tests/vm/home.sh)" = host ]; then
	say "kernel home: the UltraServer is vneuron.ko in this machine's kernel"
	make --no-print-directory "$B/kmod-host/vneuron.ko"
	VN_OUT=$out VN_KO=$top/$B/kmod-host/vneuron.ko tools/demo/kernel.sh
else
	say "kernel home: this machine loads no modules, so a guest is booted"
	VN_OUT=$out VN_KO=$top/$B/kmod-6.1/vneuron.ko tests/vm/vm.sh -k 6.1 -t 600 \
		-l "$out/kernel.log" -- tools/demo/kernel.sh
fi
echo "kernel part: $(($(date +%s) - began)) s"

say "eight chips in one process, to compare with eight processes"
"$B/vneuron-train" -q -d embedded:sleds=2,chips=4 -f tools/demo/digits.csv -o "$out/threads.weights"

say "the same weights?"
cmp "$out/threads.weights" "$out/processes.weights"
echo "yes: $(sha256sum <"$out/processes.weights" | cut -c1-16)... in one process and in $VN_RANKS"
cmp "$out/embedded.weights" "$out/kernel.weights"
echo "yes: $(stat -c %s "$out/kernel.weights") bytes, sha256 $(sha256sum < "$out/kernel.weights" | cut -c1-16)... in both homes"

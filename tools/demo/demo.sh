#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#
# make demo: trains the same model with the same binary on the embedded device
# and on the kernel module, and compares the weights bit for bit; and with eight
# chips, in one process and as eight processes under mpirun. In both homes a sled
# is drained in the middle of it, and the weights are those without a drain.
set -euo pipefail
top=$(cd "$(dirname "$0")/../.." && pwd)
cd "$top"
B=${B:-build}
out=$top/$B/demo
mkdir -p "$out"
rm -f "$out"/*.weights "$out"/*.txt
say() { printf '\n== %s\n\n' "$*"; }

embedded=embedded:sleds=36,chips=4,spares=1
train() { "$B/vneuron-train" -f tools/demo/digits.csv "$@"; }

say "embedded home: the UltraServer is in this process"
began=$(date +%s)
train -q -d $embedded -o "$out/embedded.weights"
say "the same, and sled 1 is drained in the middle of it"
train -d $embedded -D 1 -o "$out/embedded-drained.weights" | tee "$out/embedded.txt"
echo "embedded part: $(($(date +%s) - began)) s"

began=$(date +%s)
# Of the processes: half as many, as they take longest.
export VN_BUILD=$top/$B VN_RANKS=8 VN_EPOCHS=20
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
train -q -e $VN_EPOCHS -d embedded:sleds=2,chips=4 -o "$out/threads.weights"

say "the same weights?"
# same WHAT FILE FILE: to the bit.
same() {
	cmp "$2" "$3"
	echo "yes: sha256 $(sha256sum <"$3" | cut -c1-16)... $1"
}
same "in one process and in $VN_RANKS, with a drain" "$out/threads.weights" "$out/processes.weights"
same "embedded, without and with a drain" "$out/embedded.weights" "$out/embedded-drained.weights"
same "in both homes, with a drain" "$out/embedded-drained.weights" "$out/kernel.weights"

say "how long writers were kept out"
for run in embedded kernel processes; do
	printf '%-10s' $run
	grep -o 'pause .* allowed' "$out/$run.txt"
done

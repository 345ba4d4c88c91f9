#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#
# check.sh KERNEL: runs tests/kernel/all.sh on the module, in a guest with that
# kernel (6.1, 6.12, debug, kcsan), or on this machine itself (host). Counts go to
# $VN_COUNTS when that is set, else their sum is the last line. Two NUMA nodes, so that placement is tested. The
# kernels that look for mistakes have four CPUs, whatever the host has: more
# comes between one step and the next. What is slow on them goes into two guests
# at once.
set -euo pipefail
kernel=$1
top=$(cd "$(dirname "$0")/../.." && pwd)
cd "$top"
B=${B:-build}
out=$top/$B/check-$kernel
rm -rf "$out"
mkdir -p "$out"
counts=${VN_COUNTS:-$out/counts.all}

export VN_BUILD=$top/$B VN_KO=$out/vneuron.ko VN_QUICK=1 VN_KERNEL=$kernel
# It ends what hangs: on a busy machine all of it takes 900 s.
cpus=2 mem=4G seconds=1800 args='' halves=('')
case $kernel in
debug)
	# What is new or was freed has no zeros by chance, that hide what was not set. Who
	# took it KASAN knows.
	args='init_on_alloc=0 slub_debug=FZP page_poison=1' ;;
kcsan)
	# Of so many accesses one is watched; all of them are the module's. Caches have no
	# objects aside for each CPU, so that what is left behind can be counted.
	args='kcsan.skip_watch=200 slub_debug=F' ;;
esac
case $kernel in
debug | kcsan)
	# Less memory is looked through for leaks in less time.
	cpus=4 mem=3G seconds=3300
	# Rounds that look for what is left behind: make soak does them for long.
	export VN_LOADS=5 VN_OPENS=20
	halves=('kernel' 'load abi lib cli numa')
	# See all.sh.
	[ -z "${VN_ALL:-}" ] || seconds=$((4 * seconds)) ;;
esac

# Keeps the counts, and the status of that guest, 0 if all is well.
count() {
	local dir=$1 status=$2
	if [ -s "$dir/counts" ]; then
		sed "s/^/$kernel-/" "$dir/counts"
	fi
	# The guest itself is a point: it booted, its log is clean, it powered off.
	if [ "$status" = 0 ]; then
		echo "$kernel-guest 1 0 0"
	else
		echo "$kernel-guest 0 1 0"
	fi
}

# guest DIR PARTS: it sees DIR as its own $VN_OUT.
guest() {
	mkdir -p "$1"
	# shellcheck disable=SC2016 # the guest expands it
	VN_PARTS=$2 VN_OUT=$1 VN_COUNTS='' tests/vm/vm.sh -k "$kernel" -c $cpus -m $mem -n 2 -t $seconds \
		-a "$args" -l "$1/kernel.log" -- sh -c 'VN_COUNTS=$VN_OUT/counts exec tests/kernel/all.sh'
}

# ended DIR STATUS
ended() {
	count "$@" >>"$counts"
	[ "$2" != 0 ] || return 0
	echo "check.sh: kernel $kernel: exit status $2 (98: no boot, 99: see $1/kernel.log, 124: timeout)" >&2
	failed=$2
}

failed=0 status=0
[ "$kernel" != host ] || make --no-print-directory "$B/kmod-host/vneuron.ko"
# It is loaded some hundred times, and nine tenths of it are for debuggers.
strip -g -o "$VN_KO" "$B/kmod-$kernel/vneuron.ko"
if [ "$kernel" = host ]; then
	VN_OUT=$out VN_COUNTS=$out/counts tests/kernel/all.sh || status=$?
	ended "$out" $status
elif [ ${#halves[@]} = 1 ]; then
	guest "$out" '' || status=$?
	ended "$out" $status
else
	# The second one is shown when the first is through.
	guest "$out/second" "${halves[1]}" >"$out/second.log" 2>&1 &
	second=$!
	guest "$out/first" "${halves[0]}" || status=$?
	ended "$out/first" $status
	status=0
	wait $second || status=$?
	cat "$out/second.log"
	ended "$out/second" $status
fi
[ -n "${VN_COUNTS:-}" ] || tests/run.sh --sum "$counts" || true
exit "$failed"

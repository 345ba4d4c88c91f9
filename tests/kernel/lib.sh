# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
# shellcheck shell=bash
#
# For the tests that load and unload the module: TAP, and the module. To be
# sourced. $VN_KO is the module, programs are in $VN_BUILD, both as make left
# them. To be run as root, where the module may be loaded and unloaded.
set -u
export LC_ALL=C
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
top=$(cd "$here/../.." && pwd)
VN_BUILD=${VN_BUILD:-$top/build}
node=/dev/vneuron0
tmp=$(mktemp -d "${TMPDIR:-/tmp}/vn-kernel.XXXXXX") || exit 1
points=0 failed=0

# ok STATUS WHAT: one point.
ok() {
	points=$((points + 1))
	if [ "$1" = 0 ]; then
		echo "ok $points - $2"
	else
		failed=1
		echo "not ok $points - $2"
	fi
}

diag() { echo "# $*"; }

# skip REASON: one point that can't be had.
skip() {
	points=$((points + 1))
	echo "ok $points # SKIP $1"
}

skip_all() {
	echo "1..0 # SKIP $1"
	exit 77
}

finish() {
	echo "1..$points"
	exit $failed
}

is_loaded() { [ -e /sys/module/vneuron ]; }

# Programs of one's own take long to start in emulation; busybox is quicker.
box=
! command -v busybox >/dev/null || box=busybox

# load [PARAMETERS...]
load() { $box insmod "$VN_KO" "$@"; }

# What udev would do meanwhile: unloading may have to wait for a moment.
unload() {
	local i
	for i in 1 2 3 4 5 6 7 8 9 10; do
		$box rmmod vneuron 2>"$tmp/rmmod" && return 0
		sleep 0.1
	done
	echo "rmmod: $(<"$tmp/rmmod")" >&2
	return 1
}

# These begin and end without the module.
without_module() {
	[ -n "${VN_KO:-}" ] || skip_all 'only with $VN_KO, a module to load'
	if is_loaded; then
		echo "Bail out! vneuron is loaded already" >&2
		exit 1
	fi
	trap 'is_loaded && rmmod vneuron; rm -rf "$tmp"' EXIT
}

with_module() {
	trap 'rm -rf "$tmp"' EXIT
	[ -c $node ] || skip_all 'only with the module loaded'
}

# What this script and its children take is counted by itself, where there are groups.
in_group() {
	local group=/sys/fs/cgroup/vn-$1
	echo +memory >/sys/fs/cgroup/cgroup.subtree_control && mkdir -p $group &&
		echo $$ >$group/cgroup.procs
} 2>/dev/null

# mark; since: the kernel log from here on, in $log
mark() { echo "vneuron-test: mark $$ $((++marks))" >/dev/kmsg; }
since() {
	log=$($box dmesg)
	log=${log##*vneuron-test: mark $$ $marks}
}
marks=0 log=

# Memory that is neither free nor could be, kB; what is freed a bit later, as
# the text of a module is, does not count. Nor do pages on the lists that each
# CPU keeps (some MiB, up and down): they are free, but not in MemFree.
taken() {
	sync
	sleep 0.3
	echo 3 >/proc/sys/vm/drop_caches
	sleep 0.1
	cat /proc/sys/vm/stat_refresh 2>/dev/null
	awk '$1 == "count:" { n += 4 * $2 }
		/^(MemFree|Cached|Buffers|SReclaimable|AnonPages):/ { n += $2 } /^MemTotal:/ { t = $2 }
		END { print t - n }' /proc/zoneinfo /proc/meminfo
}

now_ms() {
	local t=${EPOCHREALTIME/./}
	echo $((t / 1000))
}

#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#
# make bench: this beside its peers and floors.
#
#   bench.sh [-o FILE] [-d DEVICE] [SECTION...]
#
#   -o FILE    all rows as one JSON array
#   -d DEVICE  the device of nop, allreduce, plans and drain, default embedded
#   SECTION    ops, nop, allreduce, plans, drain, window, coll, guest, window-guest,
#              coll-guest; default all
#
# ops        arithmetic on one core: against scalar code and a memory floor
# nop        descriptors that do nothing, against io_uring
# allreduce  144 chips, against a floor: all cores, every byte touched once
# plans      persistent collectives of 144 chips: what it costs to prepare and to
#            launch one, and what a thousand launches leave behind
# drain      a sled taken out of service: the pause that who has memory there sees,
#            against its budget and what copying takes; and small writes of who has none
#            there, beside it and beside as much copying
# window     writing and reading by key, against a copy by the processor and against
#            process_vm_writev() and readv(); a small write against the way of a cache
#            line; making, ending and finding 10 to 1,000,000 windows
# coll       2 to 144 ranks, 8 B to 64 MiB, against the best of the settings of
#            Open MPI and MPICH, and a floor; $COLL: options of coll.sh
# guest      nop on the kernel module, where modules can be loaded: else in a
#            guest, maybe an emulated one; to be looked at, not compared
# window-guest  window on the module, there, beside Soft-RoCE on a veth pair
# coll-guest  coll with two and eight ranks, processes and threads, on the module, there
#
# In every table a ratio is the other's time by ours: above 1 we are faster.
# What takes part in a ratio took turns in one run.
set -euo pipefail
top=$(cd "$(dirname "$0")/../.." && pwd)
cd "$top"
B=${B:-build}

usage() {
	sed -n '/^#   bench.sh/,/^#   SECTION/s/^#   //p' "${BASH_SOURCE[0]}" >&2
	exit 2
}

out='' device=()
while getopts o:d: opt; do
	case $opt in
	o) out=$OPTARG ;;
	d) device=(-d "$OPTARG") ;;
	*) usage ;;
	esac
done
shift $((OPTIND - 1))
sections=("$@")
[[ $# != 0 ]] || sections=(ops nop allreduce plans drain window coll guest window-guest coll-guest)

tmp=$(mktemp -d "$PWD/$B/bench.XXXXXX")
trap 'rm -rf "$tmp"' EXIT
rows=$tmp/rows
: >"$rows"
status=0

say() { echo "bench.sh: $*" >&2; }
title() { printf '\n== %s\n\n' "$*"; }
# What did not come out right is said at the end too.
failed() { say "$*"; status=1; }

# field(name): of a JSON row on one line
# shellcheck disable=SC2016 # it is awk
awk_field='function field(name, s) {
	if (!match($0, "\"" name "\": *(\"[^\"]*\"|[^,}]*)"))
		return ""
	s = substr($0, RSTART, RLENGTH)
	sub(/^[^:]*: */, "", s)
	gsub(/"/, "", s)
	return s
}'

bench_ops() {
	title "arithmetic on one core: matrix products against scalar code, reductions against a floor"
	"$B/bench/ops_bench" >"$tmp/ops" || return
	cat "$tmp/ops" >>"$rows"
	awk "$awk_field"'
	field("op") == "gemm" {
		if (!gemm++)
			printf "%-9s %-3s %5s %5s %5s %12s %12s %7s\n", "gemm", "", "m", "n", "k",
				"GFLOP/s", "scalar", "ratio"
		printf "%-9s %-3s %5d %5d %5d %12.2f %12.2f %7.2f\n", field("type"), field("trans"),
			field("m"), field("n"), field("k"), field("avx2_gflops"),
			field("scalar_gflops"), field("ratio")
	}
	field("op") == "reduce" {
		if (!reduce++)
			printf "\n%-9s %4s %4s %10s %12s %12s %12s %7s\n", "reduce", "src", "dst", "bytes",
				"plain GB/s", "stream GB/s", "floor GB/s", "ratio"
		printf "%-9s %4d %4d %10d %12.2f %12.2f %12.2f %7.2f\n", field("type"), field("sources"),
			field("destinations"), field("bytes"), field("plain_gbps"),
			field("stream_gbps"), field("floor_gbps"), field("ratio")
	}' "$tmp/ops"
}

bench_nop() {
	title "empty descriptors against io_uring"
	"$B/bench/nop" -o "$rows" "${device[@]:--dembedded}"
}

bench_allreduce() {
	title "all-reduce against its floor"
	"$B/bench/allreduce" -o "$rows" "${device[@]}"
}

bench_plans() {
	title "persistent collectives of all chips"
	"$B/bench/plans" -o "$rows" "${device[@]}"
}

bench_drain() {
	title "draining a sled: pauses, and bystanders"
	"$B/bench/drain" -o "$rows" "${device[@]}"
}

bench_window() {
	title "writing and reading by key, against copying and process_vm_writev(), readv()"
	"$B/bench/window" -o "$rows" "${device[@]:--dembedded}"
	title "keys: making, ending and finding windows"
	"$B/bench/keys" -o "$rows" "${device[@]:--dembedded}"
}

bench_coll() {
	title "all-reduce against the best of the MPI libraries' settings, and a floor"
	# shellcheck disable=SC2086 # options
	tests/bench/coll.sh -o "$rows" -g "$B/bench-plots" ${COLL:-}
}

# on_module TITLE SECONDS JOB: runs it where the module can be loaded, loaded;
# JSON rows it leaves in $VN_OUT/guest are ours.
on_module() {
	local ko where job

	where=$(tests/vm/home.sh)
	title "$1 ($where; reported only)"
	ko=$top/$B/kmod-6.1/vneuron.ko
	[[ $where != host ]] || ko=$top/$B/kmod-host/vneuron.ko
	if [[ ! -e $ko ]]; then
		say "no $ko: make builds it"
		return
	fi
	export VN_OUT=$tmp VN_KO=$ko VN_BENCH=$top/$B/bench VN_COLL="${COLL:-}" VN_B=$top/$B
	# shellcheck disable=SC2016 # expanded where it runs
	job='set -e; insmod "$VN_KO"; trap "rmmod vneuron" EXIT; '$3
	if [[ $where == host ]]; then
		bash -c "$job" || failed "$1 failed"
	else
		tests/vm/vm.sh -k 6.1 -t "$2" -- bash -c "$job" || failed "$1 failed"
	fi
	[[ ! -e $tmp/guest ]] || sed "s/^{/{\"where\": \"$where\", /" "$tmp/guest" >>"$rows"
	rm -f "$tmp/guest"
}

bench_guest() {
	# shellcheck disable=SC2016 # expanded where it runs
	on_module "empty descriptors on the kernel module" 300 \
		'"$VN_BENCH/nop" -d /dev/vneuron0 -o "$VN_OUT/guest"'
}

bench_window_guest() {
	# shellcheck disable=SC2016 # expanded where it runs
	on_module "writing by key on the kernel module, beside Soft-RoCE" 900 \
		'tests/bench/rxe.sh -o "$VN_OUT/guest"
		"$VN_BENCH/window" -d /dev/vneuron0 -s 64,65536 -o "$VN_OUT/guest"'
	awk "$awk_field"'
	field("op") == "rxe_write"	{ bw = field("algbw") }
	field("op") == "rxe_latency"	{ us = field("p50") }
	field("where") == ""		{ next }
	field("op") == "write" && field("pieces") == 32 && field("bytes") == 32 * 65536 {
		ours = field("algbw")
	}
	field("op") == "write_latency"	{ half = field("p50") }
	field("op") == "mapped_latency"	{ mapped = field("p50") }
	END {
		if (!bw || !ours || !half || !mapped)
			exit 1
		printf "\nSoft-RoCE by ours: 64 KiB %.1f, 64 bytes %.1f by descriptor, %.1f by mapped windows\n",
			ours / bw, us / half, us / mapped
	}' "$rows" || failed "no figures beside Soft-RoCE"
}

bench_coll_guest() {
	# shellcheck disable=SC2016 # expanded where it runs
	on_module "all-reduce of two and eight ranks on the kernel module" 2400 \
		'B=$VN_B tests/bench/coll.sh -p 2,8 -s 8,128,1K,4K,16K,64K,512K,4M -c warm \
			-r procs,hbm,host,floor -d /dev/vneuron0 -o "$VN_OUT/guest" $VN_COLL'
}

for s in "${sections[@]}"; do
	case $s in
	ops) bench_ops ;;
	nop) bench_nop ;;
	allreduce) bench_allreduce ;;
	plans) bench_plans ;;
	drain) bench_drain ;;
	coll) bench_coll ;;
	window) bench_window ;;
	guest) bench_guest ;;
	window-guest) bench_window_guest ;;
	coll-guest) bench_coll_guest ;;
	*) say "no section '$s'"; usage ;;
	esac || failed "$s failed"
done

if [[ $out != "" ]]; then
	{ echo '['; sed '$!s/$/,/' "$rows"; echo ']'; } >"$out"
	echo
	echo "$(wc -l <"$rows") rows in $out"
fi
exit "$status"

#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#
# make bench: this beside its peers and floors.
#
#   bench.sh [-o FILE] [-d DEVICE] [SECTION...]
#
#   -o FILE    all rows as one JSON array
#   -d DEVICE  the device of nop and allreduce, default embedded
#   SECTION    ops, nop, allreduce, mpi, guest; default all
#
# ops        arithmetic on one core: against scalar code and a memory floor
# nop        descriptors that do nothing, against io_uring
# allreduce  144 chips, against a floor: all cores, every byte touched once
# mpi        2 chips, against the best of Open MPI's settings
# guest      nop on the kernel module, where modules can be loaded: else in a
#            guest, maybe an emulated one; to be looked at, not compared
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
[[ $# != 0 ]] || sections=(ops nop allreduce mpi guest)

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

# Settings of Open MPI: the first of them may be far from the best.
mpi_settings() {
	local ob1='--mca pml ob1 --mca btl self,vader --mca btl_vader_single_copy_mechanism'
	local ucx='--mca pml ucx --mca pml_ucx_tls any --mca pml_ucx_devices any -x UCX_TLS='
	local tuned='--mca coll_tuned_use_dynamic_rules 1 --mca coll_tuned_allreduce_algorithm'

	cat <<-EOF
	default
	ob1-cma $ob1 cma
	ob1-copy $ob1 none
	ucx-posix ${ucx}posix,self
	ucx-cma ${ucx}posix,cma,self
	coll-sm $ob1 cma --mca coll_sm_priority 100
	doubling $ob1 cma $tuned 3
	ring $ob1 cma $tuned 4
	segmented $ob1 cma $tuned 5
	rabenseifner $ob1 cma $tuned 6
	ucx-ring ${ucx}posix,self $tuned 4
	EOF
}

bench_mpi() {
	local label args words

	title "all-reduce of two ranks against Open MPI"
	if [[ ! -x $B/bench/allreduce_mpi ]] || ! command -v mpirun >/dev/null; then
		failed "no Open MPI: run tools/dev/deps.sh bench, then make bench"
		return
	fi
	# It wants to be asked twice before it runs as root.
	export OMPI_ALLOW_RUN_AS_ROOT=1 OMPI_ALLOW_RUN_AS_ROOT_CONFIRM=1
	while read -r label args; do
		read -ra words <<<"$args"
		echo "... $label" >&2
		timeout 300 mpirun -n 2 "${words[@]}" "$B/bench/allreduce_mpi" -l "$label" -o "$rows" \
			</dev/null >>"$tmp/mpi" 2>"$tmp/err" ||
			{ cat "$tmp/err" >&2; failed "Open MPI with setting $label failed"; }
	done < <(mpi_settings)
	[[ -s $tmp/mpi ]] || return 0
	# setting bytes side min p50 p99 max wrong
	awk '
	$3 == "openmpi" {
		if (!($2 in best) || $5 < best[$2]) {
			best[$2] = $5
			setting[$2] = $1
		}
		if (!seen[$2]++)
			size[++sizes] = $2
	}
	{
		p50[$1, $2, $3] = $5
		min[$1, $2, $3] = $4
		wrong[$2] += $8
	}
	END {
		printf "fp32 sum; times in us; the best of Open MPI'\''s settings, and ours as measured beside it\n"
		printf "%9s %10s %10s | %10s %10s  %-12s %10s | %5s %5s %6s\n", "bytes", "ours p50", "min",
			"MPI p50", "min", "setting", "(default)", "ratio", "(min)", "wrong"
		for (i = 1; i <= sizes; i++) {
			b = size[i]
			s = setting[b]
			printf "%9d %10.1f %10.1f | %10.1f %10.1f  %-12s %10.1f | %5.2f %5.2f %6d\n", b,
				p50[s, b, "vneuron"], min[s, b, "vneuron"], p50[s, b, "openmpi"],
				min[s, b, "openmpi"], s, p50["default", b, "openmpi"],
				p50[s, b, "openmpi"] / p50[s, b, "vneuron"],
				min[s, b, "openmpi"] / min[s, b, "vneuron"], wrong[b]
		}
	}' "$tmp/mpi"
}

bench_guest() {
	local ko where

	where=$(tests/vm/home.sh)
	title "empty descriptors on the kernel module ($where; reported only)"
	ko=$top/$B/kmod-6.1/vneuron.ko
	[[ $where != host ]] || ko=$top/$B/kmod-host/vneuron.ko
	if [[ ! -e $ko ]]; then
		say "no $ko: make builds it"
		return
	fi
	export VN_OUT=$tmp VN_KO=$ko VN_BENCH=$top/$B/bench
	# shellcheck disable=SC2016 # expanded where it runs
	local job='set -e; insmod "$VN_KO"; trap "rmmod vneuron" EXIT
		"$VN_BENCH/nop" -d /dev/vneuron0 -o "$VN_OUT/guest"'
	if [[ $where == host ]]; then
		bash -c "$job" || failed "nop on the module failed"
	else
		tests/vm/vm.sh -k 6.1 -t 300 -- bash -c "$job" || failed "nop in a guest failed"
	fi
	[[ ! -e $tmp/guest ]] || sed "s/^{/{\"where\": \"$where\", /" "$tmp/guest" >>"$rows"
}

for s in "${sections[@]}"; do
	case $s in
	ops) bench_ops ;;
	nop) bench_nop ;;
	allreduce) bench_allreduce ;;
	mpi) bench_mpi ;;
	guest) bench_guest ;;
	*) say "no section '$s'"; usage ;;
	esac || failed "$s failed"
done

if [[ $out != "" ]]; then
	{ echo '['; sed '$!s/$/,/' "$rows"; echo ']'; } >"$out"
	echo
	echo "$(wc -l <"$rows") rows in $out"
fi
exit "$status"

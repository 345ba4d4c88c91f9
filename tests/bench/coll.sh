#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#
# All-reduce of libvneuron, of the peers (MPI libraries) and the floor, by one
# harness (coll.h), and the table of their ratios:
#
#   coll.sh [-p RANKS,...] [-s BYTES,...] [-c warm|cold] [-t SECONDS] [-l LIMIT]
#           [-r ROW,...] [-m SETTING,...] [-d DEVICE] [-o FILE] [-g DIR]
#           [-k FILE]
#
#   -p RANKS    default 2,4,8,36,144
#   -s BYTES    sizes of a buffer, with K and M; default 8 to 64M
#   -c CACHES   buffers just rewritten, or flushed from all caches; default both
#   -t SECONDS  time for a cell of the table, default 0.15
#   -l LIMIT    seconds after which a cell without 5 iterations is given up, 10
#   -r ROWS     ours: hbm, host, group, floor, and procs (ranks as processes, on the
#               module only, not by default); "none"
#   -m SETTINGS of the peers, default all; "none"
#   -d DEVICE   default an embedded one with just so many chips
#   -o FILE     rows are appended here as JSON, one a line
#   -g DIR      plots go here
#   -k FILE     text rows of earlier runs: kept there, and part of the table
#
# For each number of ranks ours runs, then each setting of each peer, then ours
# again. A cell of ours is the better of its two runs, that of the peers the best
# of all settings; every time is the p50 of its iterations.
set -euo pipefail
top=$(cd "$(dirname "$0")/../.." && pwd)
B=${B:-build}
[[ $B == /* ]] || B=$top/$B

say() { echo "coll.sh: $*" >&2; }

usage() {
	sed -n '/^#   coll.sh/,/^#   -k/s/^#   //p' "${BASH_SOURCE[0]}" >&2
	exit 2
}

# Sizes of the default are those of coll.h.
ranks=2,4,8,36,144 sizes=8,32,128,512,2K,8K,32K,128K,512K,1M,2M,8M,16M,32M,64M
caches='' share=0.15 limit=10 ours=hbm,host,group,floor peers='' device='' json='' plots='' keep=''
while getopts p:s:c:t:l:r:m:d:o:g:k: opt; do
	case $opt in
	p) ranks=$OPTARG ;;
	s) sizes=$OPTARG ;;
	c) caches=$OPTARG ;;
	t) share=$OPTARG ;;
	l) limit=$OPTARG ;;
	r) ours=$OPTARG ;;
	m) peers=$OPTARG ;;
	d) device=$OPTARG ;;
	o) json=$OPTARG ;;
	g) plots=$OPTARG ;;
	k) keep=$OPTARG ;;
	*) usage ;;
	esac
done
shift $((OPTIND - 1))
[[ $# == 0 ]] || usage

tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
rows=${keep:-$tmp/rows}
touch "$rows"
common=(-s "$sizes" -t "$share" ${caches:+-c "$caches"} ${json:+-o "$json"})
cpus=$(nproc)
status=0

# ---- running -----------------------------------------------------------------

# Of the Open MPI settings the first may be far from the best. Those with the best
# prospects go first: who is far behind then loses little time.
openmpi_settings() {
	local ob1='--mca pml ob1 --mca btl self,vader --mca btl_vader_single_copy_mechanism'
	local ucx='--mca pml ucx --mca pml_ucx_tls any --mca pml_ucx_devices any -x UCX_TLS='
	local tuned='--mca coll_tuned_use_dynamic_rules 1 --mca coll_tuned_allreduce_algorithm'

	cat <<-EOT
	rabenseifner $ob1 cma $tuned 6
	ob1-cma $ob1 cma
	ucx-posix ${ucx}posix,self
	default
	ob1-copy $ob1 none
	ucx-cma ${ucx}posix,cma,self
	coll-sm $ob1 cma --mca coll_sm_priority 100
	doubling $ob1 cma $tuned 3
	ring $ob1 cma $tuned 4
	segmented $ob1 cma $tuned 5
	ucx-doubling ${ucx}posix,self $tuned 3
	ucx-ring ${ucx}posix,self $tuned 4
	ucx-segmented ${ucx}posix,self $tuned 5
	ucx-rabenseifner ${ucx}posix,self $tuned 6
	EOT
}

# wanted(setting): named with -m, or nothing is
wanted() { [[ -z $peers || ,$peers, == *,$1,* ]]; }

# run_peer IMPL SETTING RANKS COMMAND...
run_peer() {
	local impl=$1 setting=$2 p=$3 why

	shift 3
	echo "... $p ranks, $impl $setting" >&2
	# Not of a pipe: a setting may read what was meant for this shell.
	if timeout 300 "$@" "${common[@]}" -n "$setting" -b "$rows" \
		</dev/null >"$tmp/out" 2>"$tmp/err"; then
		why=''
	else
		why="ended with $?"
		head -n 5 "$tmp/err" >&2
	fi
	grep -E '^(row|skip) ' "$tmp/out" >>"$rows" || true
	[[ -z $why ]] || echo "skip $impl $setting $p - - $why" >>"$rows"
}

run_openmpi() {
	local p=$1 label args words crowd=()

	((p <= cpus)) || crowd=(--oversubscribe --mca mpi_yield_when_idle 1)
	# It wants to be asked twice before it runs as root.
	export OMPI_ALLOW_RUN_AS_ROOT=1 OMPI_ALLOW_RUN_AS_ROOT_CONFIRM=1
	while read -r label args; do
		wanted "$label" || continue
		read -ra words <<<"$args"
		run_peer openmpi "$label" "$p" mpirun.openmpi -n "$p" "${crowd[@]}" "${words[@]}" \
			"$B/bench/coll_openmpi" -l "$limit"
	done < <(openmpi_settings)
}

# It knows no yielding: with more ranks than CPUs it is soon given up.
run_mpich() {
	local p=$1 l=$limit

	wanted mpich || return 0
	((p <= cpus)) || l=2
	run_peer mpich mpich "$p" mpirun.mpich -n "$p" "$B/bench/coll_mpich" -l "$l"
}

# has(impl): or the table says that it is missing
has() {
	[[ ! -x $B/bench/coll_$1 ]] || ! command -v "mpirun.$1" >/dev/null || return 0
	echo "skip $1 all $p - - not installed: tools/dev/deps.sh bench" >>"$rows"
	return 1
}

# run_ours RANKS ROWS
run_ours() {
	[[ $2 != "" ]] || return 0
	echo "... $1 ranks, ours: $2" >&2
	timeout 900 "$B/bench/coll_ours" ${device:+-d "$device"} -p "$1" -r "$2" -l "$limit" "${common[@]}" \
		</dev/null >"$tmp/out" || { say "ours failed with $1 ranks"; status=1; }
	grep -E '^(row|skip) ' "$tmp/out" >>"$rows" || true
}

[[ $ours != none ]] || ours=''
again=$(tr , '\n' <<<"$ours" | grep -vx floor | paste -sd , || true)
for p in ${ranks//,/ }; do
	for s in ${sizes//,/ }; do
		((p * $(numfmt --from=iec "$s") <= 4 << 30)) ||
			echo "skip all all $p $(numfmt --from=iec "$s") - beyond 4 GiB" >>"$rows"
	done
	run_ours "$p" "$ours"
	if [[ $peers != none ]]; then
		! has openmpi || run_openmpi "$p"
		! has mpich || run_mpich "$p"
	fi
	run_ours "$p" "$again"
done

# ---- showing -----------------------------------------------------------------

awk -v plots="$tmp" -f "$top/tests/bench/coll.awk" "$rows" || status=1

if [[ -n $plots ]] && command -v gnuplot >/dev/null; then
	mkdir -p "$plots"
	for data in "$tmp"/*.dat; do
		[[ -e $data ]] || continue
		name=$(basename "$data" .dat)
		gnuplot -e "data='$data'; name='$name'; to='$plots/$name.svg'" \
			"$top/tests/bench/coll.gp" 2>"$tmp/err" ||
			{ cat "$tmp/err" >&2; say "no plot of $name"; status=1; }
	done
	echo
	echo "plots in $plots"
fi
exit "$status"

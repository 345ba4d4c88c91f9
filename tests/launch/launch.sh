#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#
# Ranks that launchers start as processes (world.c), on the module $VN_KO: as users type
# it, by mpirun, by srun where $VN_SLURM says where Slurm is (slurm.sh), and by prun where
# there is one. Who is missing is named, and what is.
# shellcheck source=tests/kernel/lib.sh
. "$(dirname "$0")/../kernel/lib.sh"
without_module
world=$VN_BUILD/tests/launch/world
# As many as there are chips, once by each part of what is to be shown; else fewer, since
# in emulation each process takes most of a second.
most=${VN_LAUNCH_RANKS:-144}
some=$((most < 36 ? most : 36))

# Debian lets several packages have the name mpirun.
mpirun=$(command -v mpirun.openmpi || command -v mpirun)
mpi() { timeout -k 5 "${limit:-300}" "$mpirun" --oversubscribe --allow-run-as-root "$@"; }

# run COMMAND...: $status, $tmp/out, $tmp/err, $took
run() {
	local began
	began=$(now_ms)
	"$@" >"$tmp/out" 2>"$tmp/err"
	status=$?
	took=$(($(now_ms) - began))
}

# point STATUS WHAT: with what was said, if it fails
point() {
	ok "$1" "$2"
	[ "$1" = 0 ] || head -n 30 "$tmp/out" "$tmp/err" | sed 's/^/# /'
}

# ranks N TIMES PATTERN: each of N ranks said so, so many times, and nobody anything else
ranks() {
	[ "$status" = 0 ] && [ ! -s "$tmp/err" ] && [ "$(wc -l <"$tmp/out")" = $(($1 * $2)) ] &&
		[ "$(grep -Ec "^rank [0-9]+ of $1: $3\$" "$tmp/out")" = $(($1 * $2)) ] &&
		[ "$(cut -d' ' -f2 "$tmp/out" | sort -un | wc -l)" = "$1" ]
}

# all_add NAME N COMMAND...
all_add() {
	local name=$1 n=$2
	shift 2
	run "$@"
	ranks "$n" 1 "sum $((n * (n - 1) / 2))"
	point $? "$name: $n ranks add up their numbers, in $took ms"
}

# one_id NAME N COMMAND...: prints two ids on each rank, the same two on all
one_id() {
	local name=$1 n=$2
	shift 2
	run "$@"
	ranks "$n" 2 'id [0-9a-f]{8}' && [ "$(grep -o 'id .*' "$tmp/out" | sort -u | wc -l)" = 2 ]
	point $? "$name: $n ranks get the two ids that rank 0 made, in $took ms"
}

# refused PATTERN WHAT COMMAND...; mpirun itself may not end then: see tests/cli/world_test.sh
refused() {
	local pattern=$1 what=$2 limit=60
	shift 2
	for _ in 1 2 3; do
		run "$@"
		[ "$status" = 124 ] || [ "$status" = 137 ] || break
	done
	[ "$status" != 0 ] && [ "$status" != 124 ] && [ "$status" != 137 ] && grep -Eq "^world: $pattern" "$tmp/err"
	point $? "$what: $(grep -m 1 '^world:' "$tmp/err")"
}

of_mpirun() {
	local lib
	if [ -z "$mpirun" ]; then
		skip 'no mpirun'
		return
	fi
	all_add mpirun 2 mpi -np 2 "$world"
	all_add mpirun 8 mpi -np 8 "$world"
	all_add 'mpirun, rank 0 late' 3 mpi -np 3 "$world" late 0 1500
	run mpi -np 2 "$world" twice
	ranks 2 2 'sum 1'
	point $? 'mpirun: a second communicator'
	one_id mpirun "$most" mpi -np "$most" "$world" id twice
	all_add mpirun "$most" mpi -np "$most" "$world"

	refused 'rank [12] of 3: rank 0 did not call vn_comm_init_world\(\) within 1000 ms' \
		'rank 0 does not come' mpi -np 3 "$world" never 0 timeout 1000
	refused 'communicator of 3 ranks: within 1000 ms these did not join: 1 \(' \
		'another one does not' mpi -np 3 "$world" never 1 timeout 1000
	lib=$(ldconfig -p | sed -n 's/.*libpmix\.so\.2 .*=> //p' | head -1)
	# shellcheck disable=SC2016 # the inner shell's
	refused 'the launcher speaks PMIx, but its library is missing: .*libpmix' 'no libpmix' \
		mpi -np 1 unshare -m sh -c 'mount --bind /dev/null "$(readlink -f "$1")" && exec "$2"' \
		sh "$lib" "$world"
}

of_prun() {
	if ! command -v prun >/dev/null || ! command -v prte >/dev/null; then
		skip 'only where PRRTE is installed: Debian has no package of it'
		return
	fi
	if prte --allow-run-as-root --daemonize; then
		all_add prun 8 timeout 300 prun --allow-run-as-root --map-by :oversubscribe -n 8 "$world"
		pterm
	else
		ok 1 'prte starts'
	fi
}

of_slurm() {
	if [ -z "${VN_SLURM:-}" ]; then
		# shellcheck disable=SC2016 # its name
		skip 'no Slurm: $VN_SLURM is not set'
		return
	fi
	"$top/tests/launch/slurm.sh" start "$VN_SLURM" "$tmp/slurm"
	ok $? 'Slurm starts' || return
	(
		# shellcheck disable=SC1091
		. "$tmp/slurm/env"
		all_add srun 2 timeout 300 srun --mpi=pmix -O -n 2 "$world"
		all_add srun 8 timeout 300 srun --mpi=pmix -O -n 8 "$world"
		one_id srun "$some" timeout 300 srun --mpi=pmix -O -n "$some" "$world" id twice
		all_add srun "$some" timeout 300 srun --mpi=pmix -O -n "$some" "$world"
		refused 'started by Slurm without PMIx: use srun --mpi=pmix' 'srun alone' \
			timeout 60 srun -O -n 2 "$world"
		echo "points=$points failed=$failed" >"$tmp/count"
	)
	# shellcheck disable=SC1091
	. "$tmp/count"
	"$top/tests/launch/slurm.sh" stop "$tmp/slurm"
}

load sleds=36 chips_per_sled=4 hbm=16M
ok $? 'the module loads'
export VNEURON_DEVICE=/dev/vneuron0
of_mpirun
of_prun
of_slurm
unload
ok $? 'the module unloads: nobody left anything behind'
finish

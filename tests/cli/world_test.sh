#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#
# Ranks that a launcher starts as processes, where the device is embedded: the processes
# find each other, and are told that they can't be ranks of a device inside one of them.
# Without a launcher, or with one that doesn't speak PMIx, it is said what to do. What
# works, on the module, is shown by tests/launch.
. "$(dirname "$0")/lib.sh"

if [ "$home" != embedded ]; then
	skip 'only where the device is embedded'
	finish
fi
world=${VN_BUILD:-$top/build}/tests/launch/world
unset PMIX_NAMESPACE PMIX_RANK SLURM_PROCID PMI_RANK

# refused PATTERN WHAT COMMAND...: exit status 1, soon, and nothing but that is said.
# When ranks have failed, mpirun itself may wait for ever for a lock that it holds (Open MPI
# 4.1.4 with libpmix 4.2.2, PMIx_server_finalize()): it is asked again then.
refused() {
	local pattern=$1 what=$2
	shift 2
	for _ in 1 2 3; do
		timeout -k 2 10 "$@" >"$tmp/out" 2>"$tmp/err"
		status=$?
		[ $status = 124 ] || [ $status = 137 ] || break
	done
	[ $status = 1 ] && [ ! -s "$tmp/out" ] && grep -Eq "^world: $pattern" "$tmp/err"
	ok $? "$what: $(grep -m 1 '^world:' "$tmp/err")"
}

refused 'no launcher: start it with mpirun, prun or srun --mpi=pmix, or call vn_comm_init_rank\(\)' \
	'no launcher' "$world"
refused 'started by Slurm without PMIx: use srun --mpi=pmix' 'srun without PMIx' \
	env SLURM_PROCID=0 "$world"
refused 'the launcher speaks PMI, but not PMIx' 'PMI' env PMI_RANK=0 "$world"
refused "the launcher's PMIx server does not answer: " 'a launcher that is gone' \
	env PMIX_NAMESPACE=none PMIX_RANK=0 "$world"

# Debian lets several packages have the name mpirun.
mpirun=$(command -v mpirun.openmpi || command -v mpirun)
if [ -z "$mpirun" ]; then
	skip 'no mpirun'
	finish
fi
mpi() { timeout 60 "$mpirun" --oversubscribe --allow-run-as-root "$@" 2>"$tmp/err" >"$tmp/out"; }

for by in '' set; do
	refused 'rank [0-7] of 8: embedded lies in this process, where the ranks are threads; several processes need the module' \
		'several processes' "$mpirun" --oversubscribe --allow-run-as-root -np 8 "$world" $by
done
mpi -np 1 "$world" twice && [ "$(sort -u "$tmp/out")" = 'rank 0 of 1: sum 0' ] && [ ! -s "$tmp/err" ]
ok $? 'one process may have communicators'
for n in 2 144; do
	mpi -np $n "$world" id twice && [ ! -s "$tmp/err" ] &&
		[ "$(grep -Eo "^rank [0-9]+ of $n:" "$tmp/out" | sort -u | wc -l)" = $n ] &&
		[ "$(grep -o 'id [0-9a-f]*$' "$tmp/out" | sort | uniq -c | awk '{ print $1 }' | xargs)" = "$n $n" ]
	ok $? "$n processes get the two ids that rank 0 made"
done
finish

#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
# The kernel half of the demo: runs as root where vneuron.ko can be loaded.
set -euo pipefail
run() { echo "# $*"; "$@"; echo; }
export PATH=$VN_BUILD:$PATH

run insmod "$VN_KO" sleds=36 chips_per_sled=4 spares=1
trap 'rmmod vneuron' EXIT
run neuronctl -d /dev/vneuron0 topo show
# The training runs under the tracer, which ends with it. In the middle sled 1 is drained.
script='tracepoint:vneuron:queue_complete { @completions[args->chip] = sum(args->count); }
	tracepoint:vneuron:sled_state { @sled_states[args->sled] = count(); }
	tracepoint:vneuron:mem_alloc { @hbm_bytes = sum(args->bytes); }
	tracepoint:vneuron:plan_complete { @plans = count(); @plan_bytes = hist(args->bytes); }'
echo "# bpftrace -e '$script' -c vneuron-train"
train="$VN_BUILD/vneuron-train -d /dev/vneuron0 -D 1 -f tools/demo/digits.csv -o $VN_OUT/kernel.weights"
bpftrace -e "$script" -c "$train" | tee "$VN_OUT/kernel.txt"
# The tracer does not pass the program's status on: the file is the evidence.
[ -s "$VN_OUT/kernel.weights" ]
run neuronctl -d /dev/vneuron0 switch show | tail -12
run neuronctl -d /dev/vneuron0 sled status 1
run neuronctl -d /dev/vneuron0 sled undrain 1 --journal none
# The same once more as processes, a chip each, that find each other through the launcher;
# the first one drains.
mpirun=$(command -v mpirun.openmpi || command -v mpirun)
run "$mpirun" --oversubscribe --allow-run-as-root -np "$VN_RANKS" \
	vneuron-train -qw -e "$VN_EPOCHS" -D 0 -u -d /dev/vneuron0 -f tools/demo/digits.csv \
	-o "$VN_OUT/processes.weights" | tee "$VN_OUT/processes.txt"

#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#
# make fuzz: looks for bytes that somebody may send, or leave in shared memory, and that do
# harm. Each place has VN_SECONDS (600), two at a time. The last line is "N passed, N failed".
#
#   fuzz.sh [PLACE...]		NAME: tests/fuzz/NAME_fuzz.c under libFuzzer, ASan and UBSan;
#				kernel: tests/kernel/fuzz.c on the debug kernel. Default: all
#   fuzz.sh keep [NAME...]	takes what was found into tests/fuzz/corpus, as few and as
#				short inputs as reach the same edges; kernel: all that the last
#				run has found
#
# The kernel has twice as long, unless VN_SECONDS says how long. It begins where VN_SEED says.
#
# Of a target it prints what was executed, how many edges and inputs there are, and which part
# of the lines of the files under test was reached. Inputs that crash are in
# build/fuzz/crash: "build/fuzz/tests/fuzz/NAME_fuzz FILE" runs one again. What is found goes
# to build/fuzz/corpus, where the next run begins.
set -euo pipefail
top=$(cd "$(dirname "$0")/../.." && pwd)
cd "$top"
B=${B:-build} make=${MAKE:-make}
F=$B/fuzz
seconds=${VN_SECONDS:-600}
flags='-O1 -g -fsanitize=address,undefined,fuzzer-no-link -fno-sanitize-recover=all'
flags+=' -fno-omit-frame-pointer -fprofile-instr-generate -fcoverage-mapping'
export ASAN_OPTIONS=detect_stack_use_after_return=1:allocator_may_return_null=1

# The files that a target is about.
declare -A about=(
	[boot]='lib/coll/boot.c lib/coll/guest.c'
	[calls]='kmod/engine/abi.c lib/embed/context.c lib/embed/memory.c lib/embed/window.c
		lib/embed/queue.c lib/embed/plan.c lib/embed/run.c lib/embed/status.c
		lib/embed/drain.c'
	[desc]='kmod/engine/desc.c kmod/engine/exec.c'
	[journal]='lib/drain/scan.c lib/drain/record.c lib/drain/journal.c'
	[netlink]='lib/netlink.c lib/netlink_rows.c'
	[plan]='kmod/engine/plan.c kmod/engine/desc.c'
	[request]='lib/embed/request.c lib/embed/message.c lib/embed/objects.c lib/embed/control.c
		lib/embed/control_session.c'
	[ring]='kmod/engine/queue.c kmod/engine/sched.c'
	[spec]='lib/spec.c'
	[status]='kmod/engine/status.c'
	[table]='lib/coll/table.c'
	[window_table]='kmod/engine/window_table.c'
)

targets=()
for file in tests/fuzz/*_fuzz.c; do
	file=${file##*/}
	targets+=("${file%_fuzz.c}")
done

build() {
	$make --no-print-directory "-j$(nproc)" B="$F" CC=clang CFLAGS="$flags" FUZZER=-fsanitize=fuzzer \
		fuzz-tests
}

# dirs NAME: where its inputs are; the first takes what is new.
dirs() {
	mkdir -p "$F/corpus/$1" "tests/fuzz/corpus/$1"
	echo "$F/corpus/$1 tests/fuzz/corpus/$1"
}

# lines NAME: the part of its files that its inputs reach, as "N of N lines, N%".
lines() {
	local profile=$F/$1.profile
	# shellcheck disable=SC2046 # two folders
	LLVM_PROFILE_FILE=$profile.raw "$F/tests/fuzz/$1_fuzz" -runs=0 $(dirs "$1") >/dev/null 2>&1
	llvm-profdata-14 merge -o "$profile" "$profile.raw"
	# shellcheck disable=SC2086 # a list
	llvm-cov-14 export -summary-only -instr-profile="$profile" "$F/tests/fuzz/$1_fuzz" ${about[$1]} |
		python3 -c '
import json, sys
n = json.load(sys.stdin)["data"][0]["totals"]["lines"]
print("%d of %d lines, %.0f%%" % (n["covered"], n["count"], n["percent"]))'
	rm -f "$profile" "$profile.raw"
}

# fuzz NAME: for VN_SECONDS; a line of what came of it.
fuzz() {
	local name=$1 log=$F/$1.log dict=() status=0 runs edges inputs
	[[ ! -e tests/fuzz/$name.dict ]] || dict=("-dict=tests/fuzz/$name.dict")
	# shellcheck disable=SC2046 # two folders
	LLVM_PROFILE_FILE=/dev/null "$F/tests/fuzz/${name}_fuzz" "${dict[@]}" -max_total_time="$seconds" \
		-timeout=60 -rss_limit_mb=3000 -print_final_stats=1 -max_len=4096 -len_control=0 \
		-artifact_prefix="$F/crash/$name-" $(dirs "$name") >"$log" 2>&1 </dev/null || status=$?
	runs=$(sed -n 's/^stat::number_of_executed_units: *//p' "$log")
	edges=$(grep -aoE ' cov: [0-9]+' "$log" | tail -n 1 | grep -oE '[0-9]+')
	inputs=$(find "$F/corpus/$name" "tests/fuzz/corpus/$name" -type f | wc -l)
	if ((status)); then
		tail -n 60 "$log"
		echo "FAIL $name: exit status $status after ${runs:-no} runs, see $log"
		return 1
	fi
	echo "ok   $name: $runs runs in $seconds s, ${edges:-0} edges, $inputs inputs, $(lines "$name")"
}

# keep NAME: its corpus in the tree, made anew.
keep() {
	local name=$1 fresh=$F/keep file
	if [[ $name == kernel ]]; then
		for file in "$F"/kernel/kept-*; do
			cp "$file" "tests/fuzz/corpus/kernel/$(sha1sum "$file" | cut -c 1-16)"
		done
		return
	fi
	rm -rf "$fresh"
	mkdir -p "$fresh"
	# shellcheck disable=SC2046 # two folders
	LLVM_PROFILE_FILE=/dev/null "$F/tests/fuzz/${name}_fuzz" -set_cover_merge=1 -use_counters=0 \
		-max_len=4096 "$fresh" $(dirs "$name") >"$F/$name.log" 2>&1
	# What once crashed stays, whatever it reaches now.
	find "tests/fuzz/corpus/$name" -type f ! -name 'was-*' -delete
	mv "$fresh"/* "tests/fuzz/corpus/$name"
	echo "$name: $(find "tests/fuzz/corpus/$name" -type f | wc -l) inputs," \
		"$(du -bs "tests/fuzz/corpus/$name" | cut -f 1) bytes"
}

# In the guest: a small machine, on which all is soon tried.
guest() {
	local status=0
	insmod "$VN_KO" sleds=2 chips_per_sled=2 spares=1 faults=1 hbm=256K
	tests/kernel/fuzz.sh || status=$?
	rmmod vneuron || status=1
	return $status
}

in_kernel() {
	local out=$top/$F/kernel s=${VN_SECONDS:-1200} status=0 ko=$top/$B/kmod-debug/vneuron.ko places
	$make --no-print-directory "$B/kmod-debug/vneuron.ko" "$B/tests/kernel/fuzz" || return 1
	rm -rf "$out"
	mkdir -p "$out"
	# Where the compiler has put a call for KCOV.
	places=$(objdump -r "$ko" | grep -c __sanitizer_cov_trace_pc)
	VN_OUT=$out VN_KO=$ko VN_BUILD=$top/$B VN_SECONDS=$s VN_PLACES=$places \
		tests/vm/vm.sh -k debug -m 3G -n 2 -t $((s + 900)) -l "$out/kernel.log" \
		-- tests/fuzz/fuzz.sh guest >"$F/kernel.txt" 2>&1 || status=$?
	grep -E '^# (VN_SEED|[0-9]+ s:)' "$F/kernel.txt" | sed -n '1p;$p'
	if ((status)); then
		tail -n 60 "$F/kernel.txt"
		echo "FAIL kernel: exit status $status (99: see $out/kernel.log); the program that ran is" \
			"$out/current, tests/kernel/fuzz -r FILE runs it again"
		return 1
	fi
	echo "ok   kernel: $(grep -m 1 '^ok ' "$F/kernel.txt" | cut -d- -f2-)"
}

if [[ ${1:-} == guest ]]; then
	guest
	exit
fi
command=fuzz
if [[ ${1:-} == keep ]]; then
	command=keep
	shift
fi
if [[ $# == 0 ]]; then
	set -- "${targets[@]}"
	[[ $command == keep ]] || set -- "$@" kernel
fi
mkdir -p "$F/crash"
libfuzzer=() kernel=
for place; do
	if [[ $place == kernel ]]; then
		kernel=kernel
	elif [[ -n ${about[$place]:-} ]]; then
		libfuzzer+=("$place")
	else
		echo "fuzz.sh: no target $place; there are: ${targets[*]} kernel" >&2
		exit 2
	fi
done
[[ ${#libfuzzer[@]} == 0 ]] || build
if [[ $command == keep ]]; then
	for place in "${libfuzzer[@]}" $kernel; do
		keep "$place"
	done
	exit
fi

passed=0 failed=0 running=0
count() {
	if (($1)); then
		failed=$((failed + 1))
	else
		passed=$((passed + 1))
	fi
}
ended() {
	local status=0
	wait -n || status=$?
	running=$((running - 1))
	count "$status"
}
# Two at a time: as one ends, the next begins.
for place in "${libfuzzer[@]}"; do
	((running < 2)) || ended
	fuzz "$place" &
	running=$((running + 1))
done
while ((running)); do
	ended
done
if [[ -n $kernel ]]; then
	status=0
	in_kernel || status=$?
	count "$status"
fi
echo "$passed passed, $failed failed"
((failed == 0))

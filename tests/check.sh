#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#
# make check: builds everything and runs all tests in both homes. The last line
# is "N passed, N failed".
#
#   engine	units of kmod/engine, plain and under ASan+UBSan and TSan
#   embedded	library and command-line tests, the library's also under ASan and TSan
#   6.1, 6.12	the same programs and the ABI and kernel tests on the module, in a
#		guest; on this machine's own kernel where modules can be loaded
#	launch	ranks started by mpirun and srun, on the module, with the first of these
#	debug	with VN_KASAN=1, as .ci/run sets it, and only if that kernel is in the
#		cache: what make check-debug runs
#
# Before the last lines it says which of the sets on kernels that look for mistakes ran.
set -euo pipefail
top=$(cd "$(dirname "$0")/.." && pwd)
cd "$top"
B=${B:-build} make=${MAKE:-make}
jobs=-j$(nproc)
export VN_COUNTS=$top/$B/check.counts
began=$(date +%s)
say() { printf '\n== %s (%d s)\n' "$*" $(($(date +%s) - began)); }

mkdir -p "$B"
: > "$VN_COUNTS"
failed=0
run() { tests/run.sh "$@" || failed=1; }

plain='-O2 -g1'
asan='-O1 -g1 -fsanitize=address,undefined -fno-sanitize-recover=all -fno-omit-frame-pointer'
tsan='-O1 -g1 -fsanitize=thread -Wno-tsan'
# What has been compiled before, in whichever checkout, is not compiled again.
if [ -d /usr/lib/ccache ]; then
	export PATH=/usr/lib/ccache:$PATH CCACHE_DIR=${XDG_CACHE_HOME:-$HOME/.cache}/vneuron/ccache
	export CCACHE_BASEDIR=$top CCACHE_NOHASHDIR=1 CCACHE_MAXSIZE=1G
fi
# Some hundred programs are linked.
! type -P ld.gold >/dev/null || plain+=' -fuse-ld=gold' asan+=' -fuse-ld=gold' tsan+=' -fuse-ld=gold'

say build
$make --no-print-directory "$jobs" CFLAGS="$plain" tests
# Lines of the source are enough for a trace. Sparse sees the same on both kernels; make style
# asks it for both.
KCFLAGS=-g1 VN_SPARSE=0 $make --no-print-directory "$jobs" "$B/kmod-6.1/vneuron.ko"
KCFLAGS=-g1 $make --no-print-directory "$jobs" modules

if [ "$(tests/vm/home.sh)" = host ]; then
	kernels=host
else
	kernels='6.1 6.12'
fi
# In the kernel home: one kernel after the other, then the launchers.
guests() {
	local kernel status=0
	for kernel in $kernels; do
		tests/vm/check.sh "$kernel" >"$B/check-$kernel.log" 2>&1 || status=1
	done
	# In emulation many take long: VN_LAUNCH_RANKS=144 is what there are chips.
	VN_LAUNCH_RANKS=${VN_LAUNCH_RANKS:-12} tests/launch/check.sh "${kernels%% *}" \
		>"$B/check-launchers.log" 2>&1 || status=1
	return $status
}
# An emulated guest keeps one core busy and now and then a second one, and what is embedded does
# the same: one of each at a time. CPUs of a guest that wait for a core keep each other waiting.
# Who ends here ends them.
set -m
guests &
guests=$!
set +m
trap 'kill -- -$guests 2>/dev/null || true' EXIT
$make --no-print-directory "$jobs" B="$B/asan" CFLAGS="$asan" engine-tests lib-tests fuzz-tests
$make --no-print-directory "$jobs" B="$B/tsan" CFLAGS="$tsan" engine-tests lib-tests

say engine
run --home engine "$B"/tests/engine/*_test tests/engine/layout.sh
VN_QUICK=1 run --home engine-asan "$B"/asan/tests/engine/*_test
run --home fuzz "$B"/asan/tests/fuzz/*_fuzz tests/fuzz/syzkaller/check.sh
# Those that have threads.
threaded=$(cd tests/engine && grep -l pthread_create -- *_test.c)
# shellcheck disable=SC2086 # a list
VN_QUICK=1 run --home engine-tsan $(printf "$B/tsan/tests/engine/%s " ${threaded//.c/})

say embedded
export VNEURON_DEVICE=embedded VN_BUILD=$top/$B
run --home embedded "$B"/tests/lib/*_test
VN_QUICK=1 run --home embedded-asan "$B"/asan/tests/lib/*_test
VN_QUICK=1 run --home embedded-tsan "$B"/tsan/tests/lib/*_test
run --home cli tests/cli/*_test.sh
unset VNEURON_DEVICE

say "kernel home, $kernels"
wait $guests || failed=1
trap - EXIT
for kernel in $kernels launchers; do
	printf '\n== on %s\n' "$kernel"
	cat "$B/check-$kernel.log"
done

sets=()
if [ "${VN_KASAN:-}" != 1 ]; then
	sets+=('KASAN set: not run, that is make check-debug')
elif ! tests/vm/kernel.sh cached debug; then
	sets+=('KASAN set: not run, no debug kernel in the cache')
else
	say 'KASAN set, on the debug kernel'
	before=$SECONDS
	$make --no-print-directory "$jobs" "$B/kmod-debug/vneuron.ko"
	tests/vm/check.sh debug || failed=1
	sets+=("KASAN set: ran, $((SECONDS - before)) s")
fi
sets+=('KCSAN set: not run, that is make check-kcsan')

say done
printf '%s\n' "${sets[@]}"
tests/run.sh --sum "$VN_COUNTS" || failed=1
exit $failed

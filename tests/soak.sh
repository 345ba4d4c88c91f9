#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#
# make soak: random sequences of operations on several communicators at once
# (tests/lib/random_test.c), every byte looked at, for VN_SECONDS (300) in each place.
# The last line is "N passed, N failed".
#
#   soak.sh [PLACE...]
#
#   tsan	embedded, in this process, under ThreadSanitizer
#   debug	on the module, in a guest with KASAN, lockdep and kmemleak; also 6.1, 6.12
#
# Default: tsan debug. Each prints the seed it begins with. What fails prints the
# command that does the same once more: VN_SEED is where to begin, with VN_SAME=1 that
# one sequence is repeated.
set -euo pipefail
top=$(cd "$(dirname "$0")/.." && pwd)
cd "$top"
B=${B:-build} make=${MAKE:-make}
jobs=-j$(nproc)
tsan='-O1 -g -fsanitize=thread -Wno-tsan'
passed=0 failed=0
export VN_SECONDS=${VN_SECONDS:-300}

# In the guest: the module, the program, and no module.
guest() {
	local status=0
	insmod "$VN_KO" sleds=36 chips_per_sled=4 hbm=256M
	VNEURON_DEVICE=/dev/vneuron0 timeout -k 5 $((VN_SECONDS + 300)) \
		"$VN_BUILD/tests/lib/random_test" || status=$?
	rmmod vneuron || status=1
	return $status
}

# place NAME COMMAND...
place() {
	local name=$1 log=$top/$B/soak-$1.log status=0 began=$SECONDS reports seed
	shift
	echo "== $name, $VN_SECONDS s, from VN_SEED=$VN_SEED"
	"$@" >"$log" 2>&1 || status=$?
	reports=$(grep -c '^WARNING: ThreadSanitizer' "$log" || true)
	if ((status)) || ! grep -q '^ok ' "$log"; then
		((++failed))
		head -n 200 "$log"
		seed=$(grep -oE '(at|once more:) VN_SEED=[0-9]+' "$log" | grep -om 1 'VN_SEED=.*' || true)
		echo "FAIL $name: exit status $status, $reports reports of ThreadSanitizer, all in $log"
		echo "once more: ${seed:-VN_SEED=$VN_SEED} VN_SAME=1 VN_SECONDS=60 tests/soak.sh $name"
	else
		((++passed))
		grep -h ' scripts from seed ' "$log"
		echo "ok   $name: $((SECONDS - began)) s, $reports reports of ThreadSanitizer"
	fi
}

if [[ ${1:-} == guest ]]; then
	guest
	exit
fi
[[ $# != 0 ]] || set -- tsan debug
for name; do
	[[ $name =~ ^(tsan|debug|6\.1|6\.12)$ ]] || { echo "soak.sh: no place $name" >&2; exit 2; }
done
first=${VN_SEED:-$(date +%s)000000}
for name; do
	export VN_SEED=$first
	if [[ $name == tsan ]]; then
		$make --no-print-directory "$jobs" B="$B/tsan" CFLAGS="$tsan" "$B/tsan/tests/lib/random_test"
		export TSAN_OPTIONS=${TSAN_OPTIONS:-halt_on_error=1}
		# What hangs is ended by the communicators' own timeout, a minute.
		VNEURON_DEVICE=embedded place tsan timeout -k 5 $((VN_SECONDS + 300)) \
			"$B/tsan/tests/lib/random_test"
		continue
	fi
	$make --no-print-directory "$jobs" "$B/tests/lib/random_test" "$B/kmod-$name/vneuron.ko"
	export VN_BUILD=$top/$B VN_KO=$top/$B/kmod-$name/vneuron.ko
	place "$name" tests/vm/vm.sh -k "$name" -m 4G -n 2 -t $((VN_SECONDS + 900)) \
		-l "$top/$B/soak-$name.kernel.log" -- tests/soak.sh guest
done
echo "$passed passed, $failed failed"
exit $((failed > 0))

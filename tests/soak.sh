#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#
# make soak: random sequences of operations on several communicators at once
# (tests/lib/random_test.c), every byte looked at, for VN_SECONDS in each place: 300, while
# sleds are drained 600. The last line is "N passed, N failed".
#
#   soak.sh [PLACE...]
#
#   plain	embedded, in this process
#   tsan	the same under ThreadSanitizer
#   debug	on the module, in a guest with KASAN, lockdep and kmemleak; also 6.1, 6.12
#   drain, drain-tsan, drain-debug, drain-6.1, drain-6.12
#		there, while sleds are drained and come back
#   hostile, hostile-debug
#		a victim beside hostile neighbours (tests/kernel/hostile.c), on 6.1 and debug
#   reload, reload-debug, reload-6.1, reload-6.12
#		no collectives: the module is loaded and unloaded VN_LOADS times (1,000), with
#		processes on it that are killed, and VN_OPENS contexts (10,000) with work
#		under way are opened and closed (tests/kernel/reload.c)
#
# Default: tsan debug drain drain-tsan drain-debug. Each prints the seed it begins with.
# What fails prints the command that does the same once more: VN_SEED is where to begin,
# with VN_SAME=1 that one sequence is repeated.
set -euo pipefail
top=$(cd "$(dirname "$0")/.." && pwd)
cd "$top"
B=${B:-build} make=${MAKE:-make}
jobs=-j$(nproc)
tsan='-O1 -g -fsanitize=thread -Wno-tsan'
passed=0 failed=0
seconds=${VN_SECONDS:-}

# In the guest: the module, the program, and no module.
guest() {
	local status=0
	insmod "$VN_KO" sleds=36 chips_per_sled=4 spares=1 hbm=256M
	VNEURON_DEVICE=/dev/vneuron0 timeout -k 5 $((VN_SECONDS + 300)) \
		"$VN_BUILD/tests/lib/random_test" || status=$?
	rmmod vneuron || status=1
	return $status
}

# The same with hostile neighbours, whose test loads the module itself.
hostile_guest() { timeout -k 5 $((2 * VN_SECONDS + 300)) tests/kernel/hostile.sh; }

# place NAME COMMAND...
place() {
	local name=$1 log=$top/$B/soak-$1.log status=0 began=$SECONDS reports seed
	shift
	case $name in
	reload*)	echo "== $name, $VN_LOADS loads and $VN_OPENS contexts" ;;
	*)		echo "== $name, $VN_SECONDS s, from VN_SEED=$VN_SEED" ;;
	esac
	"$@" >"$log" 2>&1 || status=$?
	reports=$(grep -c '^WARNING: ThreadSanitizer' "$log" || true)
	if ((status)) || ! grep -q '^ok ' "$log"; then
		((++failed))
		head -n 200 "$log"
		seed=$(grep -oE '(at|once more:) VN_SEED=[0-9]+' "$log" | grep -om 1 'VN_SEED=.*' || true)
		echo "FAIL $name: exit status $status, $reports reports of ThreadSanitizer, all in $log"
		[[ $name == reload* ]] ||
			echo "once more: ${seed:-VN_SEED=$VN_SEED} VN_SAME=1 VN_SECONDS=60 tests/soak.sh $name"
	else
		((++passed))
		grep -hE ' scripts from seed |# sleds: |^ok .*hostile|^# .*p99|^ok .*(loads|contexts opened|caches)|^# mem' \
			"$log"
		echo "ok   $name: $((SECONDS - began)) s, $reports reports of ThreadSanitizer"
	fi
}

if [[ ${1:-} == *guest ]]; then
	"${1/-/_}"
	exit
fi
[[ $# != 0 ]] || set -- tsan debug drain drain-tsan drain-debug
for name; do
	[[ $name =~ ^((drain-)?(tsan|debug|6\.1|6\.12)|plain|drain|hostile(-debug)?)$ ||
		$name =~ ^reload(-(debug|6\.1|6\.12))?$ ]] ||
		{ echo "soak.sh: no place $name" >&2; exit 2; }
done
first=${VN_SEED:-$(date +%s)000000}

# embedded NAME BUILD [CFLAGS]: what hangs is ended by the communicators' own timeout, a minute.
embedded() {
	local program=$2/tests/lib/random_test

	$make --no-print-directory "$jobs" B="$2" ${3:+CFLAGS="$3"} "$program"
	VNEURON_DEVICE=embedded place "$1" timeout -k 5 $((VN_SECONDS + 300)) "$program"
}

# reload NAME KERNEL
reload() {
	$make --no-print-directory "$jobs" "$B/tests/kernel/reload" "$B/kmod-$2/vneuron.ko"
	export VN_BUILD=$top/$B VN_KO=$top/$B/kmod-$2/vneuron.ko VN_KERNEL=$2
	export VN_LOADS=${VN_LOADS:-1000} VN_OPENS=${VN_OPENS:-10000}
	place "$1" tests/vm/vm.sh -k "$2" -m 4G -n 2 -t 10800 -l "$top/$B/soak-$1.kernel.log" \
		-- tests/kernel/reload.sh
}

for name; do
	export VN_SEED=$first VN_DRAINS=0 VN_SECONDS=${seconds:-300}
	where=${name#drain-} program=lib/random_test run=guest
	if [[ $name == hostile* ]]; then
		where=${name#hostile} where=${where#-} program=kernel/hostile run=hostile-guest
		where=${where:-6.1}
	fi
	if [[ $name == drain* ]]; then
		VN_DRAINS=1 VN_SECONDS=${seconds:-600}
	fi
	case $where in
	plain | drain) embedded "$name" "$B" ;;
	reload) reload "$name" 6.1 ;;
	reload-*) reload "$name" "${name#reload-}" ;;
	tsan)
		export TSAN_OPTIONS=${TSAN_OPTIONS:-halt_on_error=1}
		embedded "$name" "$B/tsan" "$tsan"
		;;
	*)
		$make --no-print-directory "$jobs" "$B/tests/$program" "$B/kmod-$where/vneuron.ko"
		export VN_BUILD=$top/$B VN_KO=$top/$B/kmod-$where/vneuron.ko
		place "$name" tests/vm/vm.sh -k "$where" -m 4G -n 2 -t $((VN_SECONDS + 900)) \
			-l "$top/$B/soak-$name.kernel.log" -- tests/soak.sh $run
		;;
	esac
done
echo "$passed passed, $failed failed"
exit $((failed > 0))

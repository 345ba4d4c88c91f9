#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#
# All tests of the kernel home, with the module $VN_KO and the programs in
# $VN_BUILD: those that load and unload it themselves, then the library's, the
# ABI's and the command line's on one load. As root, in a guest (tests/vm) or
# where modules may be loaded. Exit status 1 when anything failed; counts are
# appended to $VN_COUNTS. With VN_PARTS only those parts.
set -u
cd "$(dirname "$0")/../.." || exit 1
: "${VN_KO:?is not set: the module to test}"
export VN_BUILD=${VN_BUILD:-$PWD/build}
failed=0 began=$SECONDS

# part LABEL PROGRAM...
part() {
	local label=$1 start=$SECONDS limit=120
	shift
	[ -e "${1:-}" ] || return 0
	case " ${VN_PARTS:-$label} " in
	*" $label "*)	;;
	*)		return 0 ;;
	esac
	case ${VN_KERNEL:-} in
	debug | kcsan)	limit=1200 ;;
	esac
	echo "== $label"
	tests/run.sh --home "$label" --timeout $limit "$@" || failed=1
	echo "== $label took $((SECONDS - start)) s, $((SECONDS - began)) s in all"
}

# Load and unload it themselves.
alone='params nodes limits hostile rmmod reload idle matrix restore'
loads=$alone
# Of these the rest is the library's, or no matter of the kernel's version.
[ "${VN_KERNEL:-}" != 6.12 ] || loads='nodes limits rmmod reload'
part load $(printf "tests/kernel/%s.sh " $loads)

if ! insmod "$VN_KO" sleds=36 chips_per_sled=4 spares=1 faults=1 hbm=256M; then
	echo "all.sh: the module does not load" >&2
	exit 1
fi
export VNEURON_DEVICE=/dev/vneuron0
rest=
for script in tests/kernel/*.sh; do
	name=${script##*/}
	case " $alone all lib lockdown " in
	*" ${name%.sh} "*)	;;
	*)			rest="$rest $script" ;;
	esac
done
# What the module has no part in: how headers compile, and the man page.
cli=$(ls tests/cli/*_test.sh | grep -vE '/(install|nccl|man)_test')
# What only uses the library is the same on another kernel.
[ "${VN_KERNEL:-}" != 6.12 ] ||
	cli=$(ls tests/cli/*_test.sh |
		grep -E '/(commands|json|objects|ranks|sled|fault|export|pid)_test')
# Collectives stand on the calls alone.
above='accel|blocks|calls|collective|communicator|kin|matrix|nccl|nccl_kin|onesided|onesided_refused'
above+='|order|pair|pair_refused|persistent|random|ranks|reset_coll|tuner'
# These are of the embedded device, wherever they run.
lib=$(ls "$VN_BUILD"/tests/lib/*_test |
	grep -vE '/(numa|journal_drain|journal_restore|flip|liar|nested|control.*)_test')
# In make check each of the two kernels has its part of what is the same on both; those that
# look for mistakes take ten times as long, and leave out what stands on the calls alone.
# VN_ALL=1: all of it.
# shellcheck disable=SC2086 # lists
case ${VN_ALL:+all}${VN_KERNEL:-} in
6.1)
	rest=$(printf '%s\n' $rest | grep -vE '/(ranks|apart_.*)\.sh') ;;
6.12)
	rest=$(printf '%s\n' $rest | grep -vE '/sled\.sh') ;;
debug | kcsan)
	rest=$(printf '%s\n' $rest | grep -vE '/(ranks|apart(_(calls|join|many|mixed|onesided|pair))?)\.sh')
	cli=$(printf '%s\n' $cli | grep -vE '/(coll|tune|train|world)_test') ;;
esac
# shellcheck disable=SC2086 # a list
case ${VN_ALL:+all}${VN_KERNEL:-} in
6.12 | debug | kcsan)
	lib=$(printf '%s\n' $lib | grep -vE "/($above|journal.*)_test") ;;
esac

# shellcheck disable=SC2086 # lists
{
	part abi "$VN_BUILD"/tests/abi/*_test
	part kernel $rest
	part lib $lib
	part cli $cli
	VNEURON_DEVICE=embedded part numa "$VN_BUILD/tests/lib/numa_test"
	# From there is no way back.
	part lockdown tests/kernel/lockdown.sh
}

if ! rmmod vneuron; then
	echo "all.sh: the module does not unload" >&2
	failed=1
fi
exit $failed

#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#
# Runs test programs and counts their points.
#
#   run.sh [--home NAME] [--timeout SECONDS] PROGRAM...
#   run.sh --sum FILE	adds up what runs with VN_COUNTS=FILE left there
#
# A PROGRAM prints TAP (tap.h) and exits 0, 1, or 77 when nothing of it can be
# tested here; one that prints no TAP is one point. A crash, a timeout, a wrong
# exit status and a missing plan are failures. So is a skip, unless
# VN_ALLOW_SKIP=1 or the reason starts with "only" (a point that this kind of
# run does not have: "only with two NUMA nodes").
#
# Of a failing program its failed points are shown, then all it printed; of the
# others one line. The last line is "N passed, N failed"; the exit status is 0 when nothing failed.
# With VN_COUNTS=FILE a line "NAME passed failed skipped" is appended to it.

home= limit=${VN_TEST_TIMEOUT:-120} passed=0 failed=0 skipped=0

sum() {
	local name p f s
	[[ -r $1 ]] || { echo "run.sh: no results in $1" >&2; exit 1; }
	while read -r name p f s; do
		printf '%-24s %6d passed %4d failed %4d skipped\n' "$name" "$p" "$f" "$s"
		((passed += p, failed += f))
	done <"$1"
	echo "$passed passed, $failed failed"
	exit $((failed > 0 || passed == 0))
}

while [[ ${1:-} == --* ]]; do
	case $1 in
	--home)		home=$2; shift 2 ;;
	--timeout)	limit=$2; shift 2 ;;
	--sum)		sum "$2" ;;
	*)		echo "run.sh: unknown option $1" >&2; exit 2 ;;
	esac
done

out=$(mktemp "${TMPDIR:-/tmp}/vn-run.XXXXXX") || exit 1
trap 'rm -f "$out"' EXIT

# judge STATUS: counts the points in $out into ok, bad, skip; why says what is
# wrong with the program as a whole.
judge() {
	local status=$1 line plan=-1 wrong=0 reason
	ok=0 bad=0 skip=0 why='' skips=''
	while IFS= read -r line; do
		case $line in
		'not ok '*)	((bad++, wrong++)) ;;
		'ok '*'# SKIP'*|'1..0 # SKIP'*)
			reason=${line#*# SKIP }
			skips+="${skips:+; }$reason"
			if [[ ${VN_ALLOW_SKIP:-0} == 1 || $reason == only* ]]; then
				((skip++))
			else
				((bad++))
				why="skipped: $reason"
			fi
			[[ $line != 1..* ]] || plan=1
			;;
		'ok '*)		((ok++)) ;;
		1..*)		plan=${line#1..} ;;
		esac
	done <"$out"
	if ((status == 124 || status == 137)); then
		why="no end after $limit s"
	elif ((status > 128)); then
		why="killed by signal $((status - 128))"
	elif ((ok + bad + skip == 0 && plan < 0 && status == 0)); then
		ok=1
		return
	elif ((status == 77)); then
		((ok + bad + skip > 0)) || why='skipped without a reason'
	elif ((status != (wrong > 0))); then
		why="exit status $status"
	elif ((plan != ok + bad + skip)); then
		why="planned $plan points, made $((ok + bad + skip))"
	fi
	if [[ -n $why ]] && ((bad == 0)); then
		bad=1
	fi
}

for program; do
	name=${program##*/}
	began=$SECONDS
	# The braces keep the shell's own words about a crash away.
	{ timeout -k 5 "$limit" "$program" >"$out" 2>&1 </dev/null; } 2>/dev/null
	judge $?
	((passed += ok, failed += bad, skipped += skip))
	if ((bad)); then
		printf 'FAIL %-28s %s\n' "$name" "$why"
		sed -n 's/^not ok/    failed:&/p' "$out"
		while IFS= read -r line; do
			printf '    %s\n' "$line"
		done <"$out"
	else
		printf 'ok   %-28s %5d points %3d s%s\n' "$name" "$ok" $((SECONDS - began)) \
			"${skips:+  (skipped: $skips)}"
	fi
done

[[ -z ${VN_COUNTS:-} ]] || echo "${home:-tests} $passed $failed $skipped" >>"$VN_COUNTS"
[[ -z $home ]] || echo "$home:"
((passed + failed + skipped)) || { echo "run.sh: nothing ran" >&2; failed=1; }
echo "$passed passed, $failed failed"
exit $((failed > 0))

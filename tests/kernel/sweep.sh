#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#
# Each allocation of each call fails in turn (sweep.c). What is lost by that kmemleak finds
# when the guest ends.
. "$(dirname "$0")/lib.sh"
with_module
in_group sweep
[ -w /proc/thread-self/fail-nth ] ||
	skip_all 'only with a kernel that lets allocations fail (fail-nth)'

# All kinds: also those that may sleep, and single pages. No word of each in the log.
for kind in failslab fail_page_alloc fail_usercopy; do
	at=/sys/kernel/debug/$kind
	[ -d $at ] || { echo "Bail out! this kernel has no $kind"; exit 1; }
	for knob in ignore-gfp-wait:N ignore-gfp-highmem:N min-order:0 verbose:0; do
		[ ! -e "$at/${knob%:*}" ] || echo "${knob#*:}" >"$at/${knob%:*}"
	done
done
"$VN_BUILD/tests/kernel/sweep"
exit $?

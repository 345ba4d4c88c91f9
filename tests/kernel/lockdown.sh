#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#
# Shows that no faults are made in a kernel that is locked down, by whomever; all else goes
# on. There is no way back from there: in a guest only, and the last thing done in it.
. "$(dirname "$0")/lib.sh"
with_module
[ "${VN_KERNEL:-host}" != host ] || skip_all 'only in a guest: it locks the kernel down'
at=/sys/kernel/security
[ -e $at/lockdown ] || mount -t securityfs securityfs $at 2>/dev/null
[ -e $at/lockdown ] || skip_all 'only with a kernel that can be locked down'
ctl=$VN_BUILD/neuronctl
export VNEURON_DEVICE=$node
"$ctl" fault inject link_cut 1 && "$ctl" fault clear link_cut 1
ok $? "faults are made"
echo integrity >$at/lockdown
for args in 'inject link_cut 1' 'clear link_cut 1' list; do
	# shellcheck disable=SC2086
	"$ctl" fault $args >"$tmp/out" 2>"$tmp/err"
	[ $? = 1 ] && grep -q 'no faults in a kernel that is locked down' "$tmp/err"
	ok $? "locked down, it says of $args: $(<"$tmp/err")"
done
"$VN_BUILD/tests/kernel/nops" 23 && "$ctl" chip reset 1
ok $? "all else goes on"
finish

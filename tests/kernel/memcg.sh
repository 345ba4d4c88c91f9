#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#
# Shows that all a process takes of the device is charged to its control group: in one of
# 64 MiB it gets ENOMEM, of every kind of object, long before the limits of its user, and
# nobody is killed for it: not itself, nor others of that group. When it has ended nothing
# is charged any more.
. "$(dirname "$0")/lib.sh"
with_module
top=/sys/fs/cgroup
grep -qw memory $top/cgroup.controllers 2>/dev/null || skip_all "only with the memory controller"
echo +memory >$top/cgroup.subtree_control
group=$top/vn-small
mkdir $group
bystander=
end() {
	[ -z "$bystander" ] || kill $bystander 2>/dev/null
	wait 2>/dev/null
	rmdir $group
	rm -rf "$tmp"
}
trap end EXIT
echo $((64 << 20)) >$group/memory.max
[ ! -e $group/memory.swap.max ] || echo 0 >$group/memory.swap.max
(echo $BASHPID >$group/cgroup.procs; exec sleep 1000) &
bystander=$!

# killed: how many ever were, there
killed() { sed -n 's/^oom_kill //p' $group/memory.events; }
charged() { echo $(($(<$group/memory.current) >> 10)); }

sleep 0.2
before=$(charged)
for kind in queue plan hbm window; do
	# As many windows as a table has are not that much.
	[ $kind != window ] || echo $((12 << 20)) >$group/memory.max
	said=$( (echo $BASHPID >$group/cgroup.procs; exec "$VN_BUILD/tests/kernel/memcg" $kind) )
	status=$?
	[ $status = 0 ] && [[ $said == *' ENOMEM' ]]
	ok $? "$kind: $said"
	[ "$(killed)" = 0 ] && kill -0 $bystander
	ok $? "$kind: nobody is killed for it"
	for i in 1 2 3 4 5 6 7 8 9 10; do
		[ $(($(charged) - before)) -lt 4096 ] && break
		sleep 0.2
	done
	[ $(($(charged) - before)) -lt 4096 ]
	ok $? "$kind: when it has ended $(($(charged) - before)) kB more than before are charged"
done
finish

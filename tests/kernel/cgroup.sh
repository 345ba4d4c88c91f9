#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#
# Shows that HBM is charged to the control group of who took it, also after a drain that
# somebody else has made; and that a limit of that group does not keep its sled in service.
. "$(dirname "$0")/lib.sh"
with_module
ctl=$VN_BUILD/neuronctl
export VNEURON_DEVICE=$node VNEURON_JOURNAL=$tmp/own/journal
mkdir "$tmp/own"
top=/sys/fs/cgroup
grep -qw memory $top/cgroup.controllers 2>/dev/null || skip_all "only with the memory controller"
echo +memory >$top/cgroup.subtree_control
tenant=$top/vn-tenant admin=$top/vn-admin
mkdir $tenant $admin
holder=
end() {
	exec 9>&-
	wait $holder 2>/dev/null
	rmdir $tenant $admin
	rm -rf "$tmp"
}
trap end EXIT

# mib GROUP: what is charged there
mib() { echo $(($(<"$1/memory.current") >> 20)); }

# charged TENANT ADMIN WHAT: at least, and at most so many MiB
charged() {
	local t a
	t=$(mib $tenant) a=$(mib $admin)
	[ "$t" -ge "$1" ] && [ "$a" -le "$2" ]
	ok $? "$3: $t MiB there, $a MiB here"
}

# by_admin WHAT ARGS...
by_admin() {
	local what=$1
	shift
	(echo $BASHPID >$admin/cgroup.procs; exec "$ctl" "$@") >"$tmp/out" 2>"$tmp/err"
	ok $? "$what $(head -1 "$tmp/err")"
}

# sled: that of chip 0
sled() { "$ctl" -j chip show 0 | sed -n 's/.*"sled": *\([0-9]*\).*/\1/p'; }

mkfifo "$tmp/in"
(echo $BASHPID >$tenant/cgroup.procs; exec "$VN_BUILD/tests/kernel/holder" memory) \
	<"$tmp/in" >"$tmp/held" &
holder=$!
exec 9>"$tmp/in"
for i in {1..100}; do
	grep -q ready "$tmp/held" && break
	sleep 0.1
done
home=$(sled)
charged 64 16 "a tenant has HBM"
by_admin "its sled is drained" sled drain "$home" --budget 1000
charged 64 16 "it has it still"
by_admin "and comes back" sled undrain "$home"
away=$(sled)
[ "$away" != "$home" ]
ok $? "its chip was on sled $home, and is on sled $away"
echo $((80 << 20)) >$tenant/memory.max
by_admin "with a limit too low for a copy it goes home" sled drain "$away" --to "$home" --budget 1000
[ "$(sled)" = "$home" ]
ok $? "and is there"
by_admin "where it came from is used again" sled undrain "$away"
finish

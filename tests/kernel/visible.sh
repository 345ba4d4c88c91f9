#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#
# Shows what is not to be seen: objects of other users (visible.c); names of their commands,
# addresses of the kernel and of the host's memory, in netlink, tracepoints, logs and sysfs;
# and that the module's source has nothing that could say or take such an address.
. "$(dirname "$0")/lib.sh"
with_module
mark
"$VN_BUILD/tests/kernel/visible" >"$tmp/out"
status=$?
grep -vE '^1\.\.' "$tmp/out"
points=$(grep -cE '^(not )?ok ' "$tmp/out")
[ $status = 0 ] || failed=1

ctl=$VN_BUILD/neuronctl
mkfifo "$tmp/in"
"$VN_BUILD/tests/kernel/visible" hold <"$tmp/in" >"$tmp/held" &
holder=$!
exec 9>"$tmp/in"
for _ in {1..100}; do
	grep -q ready "$tmp/held" && break
	sleep 0.1
done
for args in status 'chip list' 'sled list' 'switch show' 'queue list' 'window list' 'coll ranks'; do
	# shellcheck disable=SC2086
	"$ctl" -d $node -j $args
done >"$tmp/said" 2>&1
find /sys/class/vneuron/ /sys/module/vneuron/parameters -type f -exec cat {} + >>"$tmp/said" 2>/dev/null
find /sys/devices/virtual/vneuron -type f -exec cat {} + >>"$tmp/said" 2>/dev/null
exec 9>&-
wait $holder
since
echo "$log" | grep vneuron | grep -v 'vneuron-test' >>"$tmp/said"
[ "$(wc -c <"$tmp/said")" -gt 1000 ]
ok $? "there is something to be read: $(wc -c <"$tmp/said") bytes"
! grep -a vn-secret "$tmp/said"
ok $? "no name of a command is in it"
# In hexadecimal and, of JSON, in decimal.
! grep -aE '(ffff[89a-f][0-9a-f]{11}|1844[0-9]{16})' "$tmp/said"
ok $? "nor an address of the kernel"
if [ -e /sys/kernel/tracing/events/vneuron ]; then
	! grep -hE 'field:' /sys/kernel/tracing/events/vneuron/*/format | grep -v common_ |
		grep -E '\*|char|comm|unsigned long'
	ok $? "fields of tracepoints are numbers of 32 and 64 bits"
fi
# What would name an address of the host's memory, or print one.
! grep -nE 'remap_pfn_range|io_remap|phys_to_virt|virt_to_phys|page_to_phys|ioremap|/dev/mem' \
	"$top"/kmod/*.[ch] "$top"/kmod/engine/*.[ch]
ok $? "the source takes no address of the host's memory"
! grep -nE '%p|->comm\b|get_task_comm|__get_task_comm' "$top"/kmod/*.[ch] "$top"/kmod/engine/*.[ch]
ok $? "nor does it print a pointer or a command"
finish

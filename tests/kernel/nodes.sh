#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#
# Shows the nodes of a full UltraServer: one and 144, character devices, for
# owner and group only, with the class and numbers udev goes by.
. "$(dirname "$0")/lib.sh"
without_module
load
ok $? "insmod"
[ "$(ls /dev | grep -Ec '^vneuron0(c[0-9]+)?$')" = 145 ]
ok $? "145 nodes"
wrong=0 seen=0 first=
while read -r name mode owner major minor; do
	chip=${name#"$node"} chip=${chip#c}
	: "${first:=$major}"
	[ "$mode $owner $major $((0x$minor))" = "660 root $first $((${chip:--1} + 1))" ] || {
		wrong=$((wrong + 1))
		diag "$name: $mode $owner $major $minor"
	}
	seen=$((seen + 1))
done < <(stat -c '%n %a %U %t %T' $node $node*c*)
major=$first
[ $seen = 145 ] || wrong=$((wrong + 1))
ok $((wrong > 0)) "mode 0660 of root, minor N + 1 for chip N ($wrong are not)"
[ "$(ls /sys/class/vneuron | wc -l)" = 145 ]
ok $? "145 devices of class vneuron"
[ "$(cat /sys/class/vneuron/vneuron0c143/dev)" = "$((0x$major)):144" ]
ok $? "with their numbers"
grep -q "^ *$((0x$major)) vneuron\$" /proc/devices
ok $? "of the region of that name"
unload
ok $? "rmmod"
! ls /dev/vneuron* >/dev/null 2>&1 && [ ! -e /sys/class/vneuron ] && ! grep -q vneuron /proc/devices
ok $? "and all are gone"
finish

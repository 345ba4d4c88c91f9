#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#
# /init of the guest's initramfs, run by busybox: makes a root out of the
# host's file system, read-only over virtio-9p, and hands over to guest.sh.
# Nothing of the host can be changed from inside but what vm.sh exports as
# $VN_OUT. All that can be done here is: in emulation a static busybox in
# memory starts in 10 ms, the host's dynamic programs in 200.

fail() {
	echo "vneuron-guest: boot failed: $*" >/dev/kmsg
	echo o >/proc/sysrq-trigger
	sleep 60
}

# try MOUNT-ARGUMENTS...: the mount point is made if it is not there
try() {
	for point; do :; done
	[ -d "$point" ] || mkdir -p "$point"
	mount "$@" || fail "mount $*"
}

mount -t devtmpfs dev /dev
mount -t proc proc /proc
for m in /modules/*.ko; do
	[ ! -e "$m" ] || insmod "$m" || fail "insmod $m"
done

# loose: executables are mapped, and the host does not change under a guest
# that lives for seconds. msize is the most the transport takes.
p9=trans=virtio,version=9p2000.L,msize=512000
try -t 9p -o ro,cache=loose,$p9 host /host
try -o bind /host /root

read -r cmdline </proc/cmdline
job=${cmdline##*vn.job=}
job=${job%% *}
[ -d "/host$job" ] || fail "no job $job"

try -t tmpfs -o mode=1777 tmpfs /root/tmp
try -t tmpfs -o mode=1777 tmpfs /root/var/tmp
try -t tmpfs -o mode=755 tmpfs /root/run
mkdir -p /root/run/lock /root/run/user
mkdir -m 700 /root/run/user/0
try -o bind "/host$job" /root/run/vm

# What the host has under /tmp and the like is hidden now: put back what the
# command needs (a checkout may well be there).
while read -r d; do
	try -o bind "/host$d" "/root$d"
done <"/host$job/keep"

# The only directory of the host that can be written
read -r out <"/host$job/out-dir"
[ -z "$out" ] || try -t 9p -o cache=mmap,$p9 out "/root$out"

# The guest kernel's modules at /lib/modules. A host without that directory (a
# container image, say) gets it by a read-only overlay of the two trees.
read -r modules <"/host$job/modules"
if [ -d /root/usr/lib/modules ]; then
	try -o bind "/host$modules" /root/usr/lib/modules
else
	try -t overlay -o "ro,lowerdir=/host${modules%/*}:/host/usr/lib" overlay /root/usr/lib
fi

try -o move /dev /root/dev
try -t devpts -o mode=620,ptmxmode=666 devpts /root/dev/pts
try -t tmpfs -o mode=1777 tmpfs /root/dev/shm
try -t mqueue mqueue /root/dev/mqueue
ln -s /proc/self/fd /root/dev/fd
for n in 0:stdin 1:stdout 2:stderr; do
	ln -s "/proc/self/fd/${n%:*}" "/root/dev/${n#*:}"
done
try -t sysfs sysfs /root/sys
try -t debugfs debugfs /root/sys/kernel/debug
try -t tracefs tracefs /root/sys/kernel/tracing
try -t bpf bpf /root/sys/fs/bpf
try -t cgroup2 cgroup2 /root/sys/fs/cgroup
ifconfig lo 127.0.0.1 up
hostname vneuron-guest

read -r init <"/host$job/init"
try -o move /proc /root/proc
exec switch_root /root /bin/bash "$init"

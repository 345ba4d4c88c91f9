#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#
# Process 1 of the guest, after boot.sh: runs the job that vm.sh left in
# /run/vm, reports its exit status and powers off. Not for use on a host.

[[ $$ == 1 ]] || { echo "guest.sh runs as process 1 of a guest only" >&2; exit 2; }

kmsg() { echo "vneuron-guest: $*" >/dev/kmsg; }

power_off() {
	echo o >/proc/sysrq-trigger
	sleep 60
}

# finish STATUS: the line in the kernel log tells vm.sh that the log is
# complete, the one on the status port ends the run.
finish() {
	trap - EXIT
	kmsg "status $1"
	echo "status $1" >&"$status_fd"
	# vm.sh ends the emulator now. If it is gone, so are we.
	sleep 2
	power_off
}

# A process 1 that exits panics the kernel: say what it was instead.
trap 'kmsg "guest.sh ended by itself"; power_off' EXIT

# port NAME: the device of a virtio port, into $port
port() {
	local p
	for p in /sys/class/virtio-ports/*; do
		[[ $(<"$p/name") != "$1" ]] || port=/dev/${p##*/}
	done
}

export PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
export HOME=/tmp LANG=C.UTF-8 XDG_RUNTIME_DIR=/run/user/0

port status
exec {status_fd}>"$port"

cwd='' interactive='' tty_size='' command=()
# exports, and the four above
# shellcheck disable=SC1091
. /run/vm/job
cd "$cwd" || { kmsg "no directory $cwd"; finish 98; }

kmsg "start"
if [[ -n $interactive ]]; then
	exec {tty}<>/dev/hvc0
	[[ -z $tty_size ]] || stty rows "${tty_size% *}" cols "${tty_size#* }" <&"$tty"
	setsid -c -w "${command[@]}" <&"$tty" >&"$tty" 2>&1
	status=$?
else
	# Pipes in between: a port can be opened only once, so a command that
	# opens /dev/stdout or /dev/stderr by name would get EBUSY.
	busybox mkfifo /run/out /run/err
	port out
	busybox cat /run/out >"$port" &
	cats=($!)
	port err
	busybox cat /run/err >"$port" &
	cats+=($!)
	"${command[@]}" </dev/null >/run/out 2>/run/err {status_fd}>&-
	status=$?
	# Not for ever: a process left behind may hold the pipe open
	(busybox sleep 2; kill "${cats[@]}" 2>/dev/null) {status_fd}>&- &
	wait "${cats[@]}" 2>/dev/null
fi

# Leaks are reported by the second scan that finds the same bytes unreferenced,
# and only when they are older than five seconds.
leaks=/sys/kernel/debug/kmemleak
if [[ -e $leaks && -z $interactive ]]; then
	echo scan >$leaks
	busybox sleep 5
	echo scan >$leaks
	# cat: a shell reads byte by byte, and each is a walk over all objects
	busybox cat $leaks | while IFS= read -r line; do
		kmsg "kmemleak: $line"
	done
fi

# How much was watched, and what was found.
watched=/sys/kernel/debug/kcsan
if [[ -e $watched ]]; then
	busybox cat $watched | while IFS= read -r line; do
		kmsg "kcsan: $line"
	done
fi

[[ -z ${VN_OUT:-} ]] || { cd / && busybox umount -l "$VN_OUT" && busybox sync; }
finish $status

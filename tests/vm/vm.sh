#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#
# Runs a command as root in a guest that sees this machine's files read-only:
#
#   vm.sh [-k KERNEL] [-c CPUS] [-m MEM] [-n NODES] [-t SECONDS]
#         [-a KERNEL_ARGS] [-l LOGFILE] [-i] -- COMMAND [ARGS...]
#
#   -k KERNEL   6.1 (default), 6.12, debug or kcsan; see kernel.sh
#   -c CPUS     default 2
#   -m MEM      default 2G
#   -n NODES    fake NUMA nodes, default none
#   -t SECONDS  kill the guest after so long, default 600, 0 never
#   -a ARGS     more kernel arguments
#   -l LOGFILE  keep the kernel log here
#   -i          on this terminal; COMMAND defaults to a shell, -t to never
#
# KVM if the processor helps it, else emulation; VN_ACCEL=kvm|tcg decides
# otherwise. The command runs in the same directory as the caller, with the
# variables VN_* and VNEURON_* of the caller. /tmp, /run, /var/tmp and /dev/shm
# are fresh; a directory the caller names in $VN_OUT is the only one whose files
# survive. Its standard output and error are ours, the kernel log goes
# elsewhere. Exit status:
#
#   that of COMMAND, or
#   98   the guest did not boot or did not report
#   99   the kernel log has a warning, an oops, a leak, ...: printed on stderr
#   124  timeout
set -euo pipefail
shopt -s inherit_errexit

# depmod, modprobe: a user's path lacks them
export PATH=$PATH:/usr/sbin:/sbin

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
cache=${XDG_CACHE_HOME:-$HOME/.cache}/vneuron

# What must not be in a kernel log. "BUG " without colon: SLUB's reports.
bad='WARNING:|BUG[: ]|Oops|KASAN|possible circular|suspicious RCU|INFO: task .* blocked'
bad+='|INFO: rcu.*(stall|detected)|RCU stall|general protection|UBSAN|suspected memory leaks'
bad+='|Kernel panic|ODEBUG'

# The kernel log. Empty lines are a report of KCSAN in which our module has no part (they end
# with a line of "=", as they begin), and the one warning that the kernel has for an allocation
# that failed: tests/kernel/sweep.c makes it fail where free addresses are to be split.
ours() {
	awk '
	function flush(show, i) {
		for (i = 1; i <= n; i++)
			print show ? report[i] : ""
		n = inside = mine = sweep = split_failed = 0
	}
	/BUG: KCSAN: /		{ inside = "race" }
	/-\[ cut here \]-/	{ inside = "warning" }
	inside {
		report[++n] = $0
		if (/\[vneuron\]/)
			mine = 1
		if (/ Comm: sweep /)
			sweep = 1
		if (/ RIP: [0-9a-f]+:alloc_vmap_area\+/)
			split_failed = 1
		if (inside == "race" && /====================/)
			flush(mine)
		if (inside == "warning" && /---\[ end trace /)
			flush(!(sweep && split_failed))
		next
	}
	{ print }
	END { flush(1) }' "$log"
}

say() { echo "vm.sh: $*" >&2; }
die() { say "$@"; exit 98; }

usage() {
	sed -n '/^#   vm.sh/,/^#   -i/s/^#   //p' "${BASH_SOURCE[0]}" >&2
	exit 2
}

kernel=6.1 cpus=2 mem=2G nodes='' timeout='' args='' log='' interactive=''
while getopts k:c:m:n:t:a:l:i opt; do
	case $opt in
	k) kernel=$OPTARG ;;
	c) cpus=$OPTARG ;;
	m) mem=$OPTARG ;;
	n) nodes=$OPTARG ;;
	t) timeout=$OPTARG ;;
	a) args=$OPTARG ;;
	l) log=$OPTARG ;;
	i) interactive=1 ;;
	*) usage ;;
	esac
done
shift $((OPTIND - 1))
if [[ $# == 0 ]]; then
	[[ -n $interactive ]] || usage
	set -- /bin/bash
fi
[[ -n $timeout ]] || timeout=$([[ -n $interactive ]] && echo 0 || echo 600)

tmp=$(mktemp -d "${TMPDIR:-/tmp}/vneuron-vm.XXXXXX")
qemu=''
# shellcheck disable=SC2317 # called by the trap
cleanup() {
	[[ -z $qemu ]] || kill -9 "$qemu" 2>/dev/null || true
	rm -rf "$tmp"
}
trap cleanup EXIT
trap 'exit 130' INT
trap 'exit 143' TERM HUP
log=${log:-$tmp/log}
: >"$log"

guest=$("$here/kernel.sh" fetch "$kernel") || exit 98
release=$(<"$guest/release")
modules=$(readlink -f "$guest/modules")

# The initramfs: busybox, boot.sh and the modules that reach the host's files.
# Cached under a hash of what goes in.
initramfs() {
	local busybox key dir m n=0 kind path list
	busybox=$(type -P busybox) || die "no busybox: run tools/dev/deps.sh guest"
	key=$(cat "$busybox" "$here/boot.sh" "${BASH_SOURCE[0]}" <(echo "$guest") | sha256sum)
	initrd=$cache/initramfs-${key:0:12}.cpio
	[[ ! -e $initrd ]] || return 0
	dir=$tmp/initramfs
	mkdir -p "$dir"/{bin,dev,proc,host,root,modules}
	cp "$busybox" "$dir/bin/busybox"
	for m in sh mount insmod mkdir ln sleep ifconfig hostname switch_root; do
		ln -s busybox "$dir/bin/$m"
	done
	install -m 755 "$here/boot.sh" "$dir/init"
	for m in virtio_pci virtio_console 9pnet_virtio 9p overlay; do
		list=$(modprobe -d "${modules%/lib/modules}" -S "$release" --show-depends "$m") ||
			die "the $kernel kernel has no module $m"
		while read -r kind path _; do
			[[ $kind == insmod ]] || continue
			add_module "$path" "$dir/modules/$(printf %02d $n)-$(basename "${path%%.ko*}").ko"
			n=$((n + 1))
		done <<<"$list"
	done
	(cd "$dir" && find . | cpio -o -H newc --quiet) >"$initrd.$$"
	mv "$initrd.$$" "$initrd"
}

# A dependency of several modules is listed once for each: the first counts.
declare -A added
add_module() {
	[[ -z ${added[$1]:-} ]] || return 0
	added[$1]=1
	case $1 in
	*.xz)	xz -dc "$1" >"$2" ;;
	*.zst)	zstd -qdc "$1" >"$2" ;;
	*)	cp "$1" "$2" ;;
	esac
}

# What the guest is to do, read there by boot.sh and guest.sh.
write_job() {
	local d hidden name
	{
		while IFS= read -r name; do
			[[ $name != VN_* && $name != VNEURON_* ]] || printf 'export %s=%q\n' "$name" "${!name}"
		done < <(compgen -e)
		if [[ -n $interactive ]]; then
			printf 'export TERM=%q\n' "${TERM:-vt100}"
			printf 'tty_size=%q\n' "$(stty size 2>/dev/null)" || true
		fi
		printf 'interactive=%q\ncwd=%q\ncommand=(' "$interactive" "$PWD"
		printf ' %q' "$@"
		printf ' )\n'
	} >"$tmp/job"
	echo "$modules" >"$tmp/modules"
	echo "$here/guest.sh" >"$tmp/init"
	echo "${VN_OUT:-}" >"$tmp/out-dir"
	for d in "$PWD" "${here%/tests/vm}" "$cache"; do
		for hidden in /tmp /run /var/tmp; do
			[[ $d != "$hidden"/* ]] || echo "$d"
		done
	done | sort -u >"$tmp/keep"
}

# A /dev/kvm without the processor's help (a virtual machine's own guests in
# software) boots in minutes what emulation boots in seconds.
usable_kvm() {
	case ${VN_ACCEL:-} in
	kvm)	return 0 ;;
	tcg)	return 1 ;;
	'')	[[ -r /dev/kvm && -w /dev/kvm ]] && grep -qwE 'vmx|svm' /proc/cpuinfo ;;
	*)	die "VN_ACCEL=$VN_ACCEL: kvm or tcg" ;;
	esac
}

start() {
	local accel cpu opts append
	if usable_kvm; then
		accel=kvm cpu=host
	else
		# la57: KASAN reports wild accesses with it. erms, fsrm: "rep
		# movsb" is emulated byte by byte, plain moves are 3 times faster.
		accel=tcg,thread=multi cpu=max,la57=off,-erms,-fsrm
	fi
	append="console=ttyS0 earlycon=uart8250,io,0x3f8 loglevel=8 printk.devkmsg=on"
	append+=" oops=panic panic=-1 panic_on_warn=0 nokaslr mitigations=off"
	# What has been translated is found again by its virtual address: with the libraries
	# elsewhere in each process, starting one takes twice as long.
	[[ $accel = kvm ]] || append+=" norandmaps"
	append+=" tsc=reliable no_timer_check random.trust_cpu=on cryptomgr.notests"
	# an emulated CPU of a busy host stands still for seconds
	append+=" rcupdate.rcu_cpu_stall_timeout=60 watchdog_thresh=30"
	[[ -z $nodes ]] || append+=" numa=fake=$nodes"
	append+=" $args vn.job=$tmp"
	# shellcheck disable=SC2054 # the commas are qemu's
	opts=(
		-no-user-config -nodefaults -display none -no-reboot
		-M q35 -accel "$accel" -cpu "$cpu" -smp "$cpus" -m "$mem"
		-kernel "$guest/image" -initrd "$initrd" -append "$append"
		-chardev "file,id=log,path=$log" -serial chardev:log
		-fsdev local,id=root,path=/,security_model=none,readonly=on,multidevs=remap
		-device virtio-9p-pci,fsdev=root,mount_tag=host
		-device virtio-serial-pci
	)
	if [[ -n $interactive ]]; then
		# shellcheck disable=SC2054
		opts+=(-chardev stdio,id=tty,signal=off -device virtconsole,chardev=tty)
	fi
	# Files, not pipes: output must not get lost when our reader is slow
	local name
	for name in out err status; do
		opts+=(-chardev "file,id=$name,path=$tmp/$name,append=on"
			-device "virtserialport,chardev=$name,name=$name")
	done
	if [[ -n ${VN_OUT:-} ]]; then
		opts+=(-fsdev "local,id=out,path=$VN_OUT,security_model=none,multidevs=remap"
			-device "virtio-9p-pci,fsdev=out,mount_tag=out")
	fi
	qemu-system-x86_64 "${opts[@]}" <&6 2>"$tmp/qemu" &
	qemu=$!
	SECONDS=0
}

if [[ -n ${VN_OUT:-} ]]; then
	mkdir -p "$VN_OUT"
	VN_OUT=$(cd "$VN_OUT" && pwd -P)
	export VN_OUT
fi
type -P qemu-system-x86_64 >/dev/null || die "no qemu-system-x86_64: run tools/dev/deps.sh guest"
initramfs
write_job "$@"
: >"$tmp/out"
: >"$tmp/err"
mkfifo "$tmp/status"
exec 5<>"$tmp/status"
if [[ -n $interactive ]]; then
	exec 6<&0
else
	exec 6</dev/null
fi
start
tails=()
if [[ -z $interactive ]]; then
	tail -f -c +1 -s 0.1 --pid="$qemu" "$tmp/out" &
	tails+=($!)
	tail -f -c +1 -s 0.1 --pid="$qemu" "$tmp/err" >&2 &
	tails+=($!)
fi

status='' late=''
while ! read -r -t 0.5 _ status <&5; do
	kill -0 "$qemu" 2>/dev/null || break
	if ((timeout && SECONDS >= timeout)); then
		late=1
		break
	fi
done
if [[ -n $status ]]; then
	# another CPU may still be printing
	for ((i = 0; i < 100; i++)); do
		! grep -aq 'vneuron-guest: status' "$log" || break
		sleep 0.05
	done
fi
kill "$qemu" 2>/dev/null || true
wait "$qemu" || true
qemu=''
[[ ${#tails[@]} == 0 ]] || wait "${tails[@]}" || true

complaint=$(ours | grep -aEn "$bad" | head -n 1 | cut -d : -f 1) || true
if [[ -n $complaint ]]; then
	say "the $kernel guest's kernel complained:"
	tail -n "+$((complaint > 3 ? complaint - 3 : 1))" "$log" | head -n 100 >&2 || true
fi
if [[ -n $late ]]; then
	say "timeout after $timeout s"
	exit 124
fi
[[ -z $complaint ]] || exit 99
if [[ -z $status ]]; then
	cat "$tmp/qemu" >&2
	tail -n 20 "$log" >&2
	die "the $kernel guest ended without reporting"
fi
exit "$status"

#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#
# Sees that the Debian packages of the named groups are there:
#
#   deps.sh [build] [guest] [check] [debug] [fuzz] [bench] [style]     default: build
#
# Says nothing when all are. Else root gets them installed; anybody else is
# told the one command to run, and the exit status is 1. No kernel is ever
# installed: tests/vm/kernel.sh unpacks its own in a cache.
set -euo pipefail

# The compiler by version: kernel modules are built with the kernel's own.
# libelf1: objtool of the kernel headers; dwarves: type information of modules
# (6.12); kmod, xz-utils, zstd: unpacking kernels and modules.
declare -A groups=(
	[build]="gcc gcc-12 libc6-dev make pkgconf libelf1 dwarves
		libnl-3-dev libnl-genl-3-dev libnuma-dev liburing-dev libpmix-dev
		systemtap-sdt-dev"
	[guest]="qemu-system-x86 busybox-static cpio kmod xz-utils zstd bpftrace"
	[demo]="openmpi-bin"
	[check]="ccache g++ sparse dwarves clang libclang-rt-14-dev numactl procps util-linux iproute2 python3
		openmpi-bin"
	[debug]="bc bison flex libelf-dev libssl-dev cpio kmod perl xz-utils"
	[fuzz]="clang libclang-rt-14-dev llvm-14"
	[bench]="openmpi-bin libopenmpi-dev mpich libmpich-dev gnuplot-nox
		iproute2 perftest rdma-core ibverbs-providers"
	[style]="git clang-format shellcheck coccinelle"
)

say() { echo "deps.sh: $*" >&2; }

[[ $# != 0 ]] || set -- build
wanted=()
for group; do
	[[ -n ${groups[$group]:-} ]] || {
		say "no group $group; there are: $(printf '%s\n' "${!groups[@]}" | sort | xargs)"
		exit 2
	}
	# shellcheck disable=SC2206 # words
	wanted+=(${groups[$group]})
done

# what dpkg does not list as installed ("ii", or held: "hi")
mapfile -t missing < <(
	comm -23 <(printf '%s\n' "${wanted[@]}" | sort -u) \
		<(dpkg-query -W -f '${db:Status-Abbrev} ${Package}\n' "${wanted[@]}" 2>/dev/null |
			sed -n 's/^.i *//p' | sort -u)
)
[[ ${#missing[@]} != 0 ]] || exit 0

install=(install -y --no-install-recommends "${missing[@]}")
if [[ $(id -u) != 0 ]]; then
	say "missing packages; as root run: apt-get update && apt-get ${install[*]}"
	exit 1
fi

echo "installing: ${missing[*]}"
export DEBIAN_FRONTEND=noninteractive
log=$(mktemp)
trap 'rm -f "$log"' EXIT
# Another apt may be at work: wait for it instead of failing
apt=(apt-get -q -o DPkg::Lock::Timeout=300)
if ! { "${apt[@]}" update && "${apt[@]}" "${install[@]}"; } >"$log" 2>&1; then
	cat "$log" >&2
	say "cannot install: ${missing[*]}"
	exit 1
fi

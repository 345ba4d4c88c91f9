#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#
# Prints where modules are tested: "host" if this machine can load ours itself,
# else "guest". -v says why on stderr.
set -euo pipefail

guest() {
	[[ $verbose == "" ]] || echo "home.sh: $*" >&2
	echo guest
	exit 0
}

verbose=''
[[ ${1:-} != -v ]] || verbose=1

[[ $(id -u) == 0 ]] || guest "not root"
[[ -r /proc/modules ]] || guest "the running kernel has no loadable modules"
[[ $(cat /proc/sys/kernel/modules_disabled 2>/dev/null) != 1 ]] || guest "kernel.modules_disabled is set"
[[ -e /lib/modules/$(uname -r)/build/Makefile ]] || guest "no headers of the running kernel, $(uname -r)"

# CAP_SYS_MODULE is bit 16. A container is root, but not with that.
caps=$(sed -n 's/^CapEff:[[:space:]]*//p' /proc/self/status)
(((16#$caps >> 16) & 1)) || guest "no CAP_SYS_MODULE"

# Secure boot: the kernel would refuse a module signed by nobody it knows.
if grep -qE '\[(integrity|confidentiality)\]' /sys/kernel/security/lockdown 2>/dev/null; then
	guest "the kernel is locked down"
fi
echo host

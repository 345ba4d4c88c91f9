#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
# make vm: a shell in a guest with the module loaded; `exit` powers it off.
set -euo pipefail
top=$(cd "$(dirname "$0")/../.." && pwd)
cd "$top"
B=${B:-build}
export VN_KO=$top/$B/kmod-6.1/vneuron.ko VN_BUILD=$top/$B
# shellcheck disable=SC2016
exec tests/vm/vm.sh -k 6.1 -i -- sh -c 'insmod "$VN_KO" && PATH=$VN_BUILD:$PATH && export PATH &&
	neuronctl; exec "${SHELL:-/bin/sh}"'

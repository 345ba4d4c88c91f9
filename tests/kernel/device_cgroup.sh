#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#
# Shows that a device control group decides over chip nodes (device_cgroup.c).
. "$(dirname "$0")/lib.sh"
with_module
"$VN_BUILD/tests/kernel/device_cgroup"
exit $?

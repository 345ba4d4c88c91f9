#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#
# Loads the module with small limits of what one user may have, and runs limits.c.
. "$(dirname "$0")/lib.sh"
without_module
load sleds=1 chips_per_sled=2 hbm=4M user_contexts=8 user_domains=12 user_queues=16 user_ring_mib=1 \
	user_windows=100 user_imports=10 user_plans=6 user_plan_mib=1 user_statuses=5
"$VN_BUILD/tests/kernel/limits"
status=$?
unload || status=1
exit $status

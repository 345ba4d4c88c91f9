#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#
# Loads the module with limits that can be reached in a short while, and runs hostile.c.
. "$(dirname "$0")/lib.sh"
without_module
load sleds=1 chips_per_sled=4 hbm=16M user_contexts=40 user_domains=60 user_queues=64 user_ring_mib=8 \
	user_windows=2000 user_imports=500 user_plans=50 user_plan_mib=2 user_statuses=50
"$VN_BUILD/tests/kernel/hostile"
status=$?
unload || status=1
exit $status

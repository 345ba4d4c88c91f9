#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#
# Loads and unloads the module under work, VN_LOADS times, and opens and closes VN_OPENS
# contexts with work under way (reload.c); make soak does so for long.
. "$(dirname "$0")/lib.sh"
without_module
in_group reload
"$VN_BUILD/tests/kernel/reload" "$VN_KO" "${VN_LOADS:-15}" "${VN_OPENS:-50}"
exit $?

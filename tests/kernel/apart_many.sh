#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#
# Shows communicators of very many processes (apart_many.c).
. "$(dirname "$0")/lib.sh"
with_module
"$VN_BUILD/tests/kernel/apart_many"
exit $?

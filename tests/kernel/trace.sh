#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#
# Shows that tracepoints tell exactly what happened: of 23 allocations, windows
# and descriptors, 23 of each, with the fields that are promised.
. "$(dirname "$0")/lib.sh"
with_module
if ! command -v bpftrace >/dev/null; then
	skip 'bpftrace is not installed'
	finish
fi
if [ "${VN_KERNEL:-}" = debug ] && [ ! -e /sys/kernel/tracing/events/vneuron ]; then
	skip 'only with a kernel that has tracepoints'
	finish
fi
cat >"$tmp/count.bt" <<'END'
tracepoint:vneuron:mem_alloc /args->chip == 0 && args->bytes == 4096/ { @allocs = count(); }
tracepoint:vneuron:mem_free { @frees = count(); }
tracepoint:vneuron:window_create { @windows = count(); }
tracepoint:vneuron:window_invalidate { @ends = count(); }
tracepoint:vneuron:queue_submit { @submits = count(); @submitted = sum(args->waiting); }
tracepoint:vneuron:queue_start { @starts = count(); }
tracepoint:vneuron:queue_complete /args->state == 0/ { @completions = sum(args->count); @last = max(args->seq); }
END
BPFTRACE_STRLEN=64 bpftrace -o "$tmp/out" -c "$VN_BUILD/tests/kernel/nops 23" "$tmp/count.bt" >"$tmp/err" 2>&1
ok $? "bpftrace"
sed 's/^/# /' "$tmp/err" "$tmp/out"
for what in allocs frees windows ends submits submitted starts completions last; do
	grep -q "^@$what: 23\$" "$tmp/out"
	ok $? "23 $what"
done
[ "$(ls -d /sys/kernel/tracing/events/vneuron/*/ | wc -l)" -ge 9 ]
ok $? "all promised tracepoints are there"
! grep -rhE 'field:.*\*' /sys/kernel/tracing/events/vneuron/*/format
ok $? "and none has a pointer"
finish

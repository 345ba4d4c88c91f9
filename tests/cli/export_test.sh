#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#
# A sled of which memory is exported is not drained: a dry run says so beforehand, and whose it
# is; when the export is closed it is drained. On the module, or the device of another process.
# shellcheck source=tests/cli/lib.sh disable=SC2016,SC2154
. "$(dirname "$0")/lib.sh"

if [ "$home" = kernel ] && [ "$(id -u)" != 0 ]; then
	skip "only as root, or embedded: a drain"
	finish
fi
exporter=${VN_BUILD:-$top/build}/tests/kernel/exporter
[ -x "$exporter" ] || { echo "1..0 # SKIP no $exporter"; exit 77; }
export XDG_RUNTIME_DIR=$tmp/run
mkdir "$XDG_RUNTIME_DIR"
[ "$home" = kernel ] || export VNEURON_DEVICE=embedded:sleds=3,chips=2,spares=1,hbm=64M

# said WORD: the process has said it, within 30 s.
said() {
	for _ in $(seq 300); do
		! grep -q "^$1\$" "$tmp/said" || return 0
		sleep 0.1
	done
	return 1
}

mkfifo "$tmp/orders"
VNEURON_CONTROL=1 "$exporter" 1 <"$tmp/orders" >"$tmp/said" &
pid=$!
exec 9>"$tmp/orders"
said exported
ok $? "a process exports memory"
[ "$home" = kernel ] || export VNEURON_DEVICE=pid:$pid

run -j chip show 1
json '"s" . $d->{sled}' && sled=${value#s}
run sled drain "$sled" --dry-run
[ $status = 1 ] && grep -Eq "^neuronctl: sled $sled: 1 export of memory on it, by context [0-9]+ of process $pid$" "$tmp/err"
ok $? "a dry run fails, and names it: $(head -1 "$tmp/err")"
says "^  exports  1 of its memory, by context [0-9]+ of process $pid: " "as does its text"
run -j sled drain "$sled" --dry-run
is "\$d->{exports} == 1 && \$d->{exports_pid} == $pid && \$d->{short_slots} == 0" "and its JSON"
bad 1 "sled $sled: 1 export of memory on it .*by context [0-9]+ of process $pid" "a drain says the same" \
	sled drain "$sled" --journal none
run -j sled status "$sled"
is '$d->{state} eq "in_service"' "the sled is in service"
echo close >&9
said closed
ok $? "the process closes it"
run -j sled drain "$sled" --dry-run
is '$d->{exports} == 0 && $d->{exports_context} == 0 && $d->{exports_pid} == 0' "there is none"
run sled drain "$sled" --journal none
ok $status "and it is drained: $(head -1 "$tmp/err")"
run sled undrain "$sled" --journal none
ok $status "and comes back"
echo end >&9
wait "$pid"
finish

#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#
# The man page is well-formed, has every command, option and JSON field that
# there is, and its examples run.
# shellcheck source=tests/cli/lib.sh disable=SC2016,SC2154
. "$(dirname "$0")/lib.sh"
man=$top/tools/neuronctl/neuronctl.1

grep -c '^\.Dl neuronctl' "$man" >"$tmp/out"
[ "$(cat "$tmp/out")" -gt 5 ]
ok $? "has examples"
while read -r _ _ args; do
	# shellcheck disable=SC2086
	good "example: neuronctl $args" $args
done < <(grep '^\.Dl neuronctl' "$man")
# What is below does not depend on the home.
[ -z "$quick" ] || finish

if command -v mandoc >/dev/null; then
	mandoc -T lint -W warning "$man" >"$tmp/out" 2>&1
	ok $? "mandoc has nothing to say"
else
	skip "only with mandoc"
fi

run help
sed -n '/^Objects/,$s/^    \([a-z]*\) \([a-z]*\) .*/\1 \2/p' "$tmp/out" >"$tmp/commands"
while read -r object command; do
	grep -Eq "^\.It Cm $object${command:+ $command}( |$)" "$man"
	ok $? "has '$object${command:+ $command}'"
	run help "$object"
	# shellcheck disable=SC2013
	for option in $(grep -Eo -- '--[a-z-]+' "$tmp/out" | sort -u); do
		grep -Eq "Fl -${option#--}( |$)" "$man"
		ok $? "has $option of $object"
	done
done <"$tmp/commands"
for option in d j p h; do
	grep -Eq "^\.It Fl $option " "$man"
	ok $? "has -$option"
done

for args in status 'topo show' 'chip show 0' 'switch show' version 'sled list' 'sled status' \
	'-d embedded:spares=1 sled drain 0' '-d embedded:spares=1 sled drain 0 --dry-run' \
	"-d embedded:spares=1 sled drain 0 --journal $tmp/kept" "sled journal --journal $tmp/kept" \
	"-d embedded:spares=1 sled restore --journal $tmp/kept" \
	'coll bench all_reduce --ranks 2 --bytes-max 1K --iters 1' 'coll explain scan' \
	'coll tune --ops reduce --ranks 2 --bytes 8 --seconds 1'; do
	# shellcheck disable=SC2086
	run -j $args
	missing=$(grep -o '"[a-z_0-9]*":' "$tmp/out" | sort -u | tr -d '":' | while read -r field; do
		grep -Eq "Va (.* , Va )?$field( |\$)" "$man" || echo "$field"
	done)
	[ -z "$missing" ]
	ok $? "has every field of $args${missing:+: not} $missing"
done

finish

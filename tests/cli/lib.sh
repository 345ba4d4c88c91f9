# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
# shellcheck shell=bash disable=SC2034
#
# For the tests of neuronctl: TAP, running it, and looking into its JSON. To be
# sourced. $VN_BUILD/neuronctl is tested on $VNEURON_DEVICE (default embedded).
set -u
export LC_ALL=C
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
top=$(cd "$here/../.." && pwd)
ctl=${VN_BUILD:-$top/build}/neuronctl
export VNEURON_DEVICE=${VNEURON_DEVICE:-embedded}
tmp=$(mktemp -d "${TMPDIR:-/tmp}/vn-cli.XXXXXX") || exit 1
trap 'rm -rf "$tmp"' EXIT
# What somebody tuned this machine to is no part of a test.
export XDG_CACHE_HOME=$tmp/cache
# Nor is which of its sleds are out of service.
export VNEURON_JOURNAL=$tmp/journal
unset VNEURON_COLL_TABLE VNEURON_COLL_WAY
points=0 failed=0
# Set where a process costs most of a second: then only what depends on the home.
quick=${VN_QUICK:-}
case $VNEURON_DEVICE in
embedded*)	home=embedded ;;
*)		home=kernel ;;
esac

# ok STATUS WHAT: one point.
ok() {
	points=$((points + 1))
	if [ "$1" = 0 ]; then
		echo "ok $points - $2"
		return
	fi
	failed=1
	echo "not ok $points - $2"
	[ ! -s "$tmp/out" ] || head -20 "$tmp/out" | sed 's/^/# out: /'
	[ ! -s "$tmp/err" ] || head -20 "$tmp/err" | sed 's/^/# err: /'
}

# skip REASON: a point that is none here. It begins with "only" when that is as
# it should be.
skip() {
	points=$((points + 1))
	echo "ok $points # SKIP $1"
}

finish() {
	echo "1..$points"
	exit $failed
}

# run ARGS...: neuronctl with them; $status, $tmp/out and $tmp/err.
run() {
	"$ctl" "$@" >"$tmp/out" 2>"$tmp/err" </dev/null
	status=$?
}

# good WHAT ARGS...: must succeed and have nothing to complain about.
good() {
	local what=$1
	shift
	run "$@"
	[ $status = 0 ] && [ ! -s "$tmp/err" ]
	ok $? "$what"
}

# bad STATUS PATTERN WHAT ARGS...: must fail so, saying what on standard error
# alone, in one line (and the usage).
bad() {
	local want=$1 pattern=$2 what=$3
	shift 3
	run "$@"
	[ $status = "$want" ] && [ ! -s "$tmp/out" ] &&
		head -1 "$tmp/err" | grep -Eq "^neuronctl: .*$pattern" &&
		if [ "$want" = 2 ]; then
			sed -n 2p "$tmp/err" | grep -q '^usage: neuronctl'
		else
			[ "$(wc -l <"$tmp/err")" = 1 ]
		fi
	ok $? "$what: $(head -1 "$tmp/err")"
}

# says PATTERN WHAT: a line of the last output matches.
says() {
	grep -Eq "$1" "$tmp/out"
	ok $? "$2"
}

# json EXPRESSION: is it true of the last output, a JSON document $d, in perl?
# Its value is left in $value. fields($x, "a:n b:s"): $x is an object of exactly
# these fields, of type n(umber), s(tring), b(oolean), a(rray), o(bject) or z
# (null). One perl answers all questions: in an emulated guest its start takes
# a second.
json() {
	local line
	[ -n "${PERL_PID:-}" ] || coproc PERL { exec perl -MJSON::PP -MB -e "$perl"; }
	printf '%s\0%s\0' "$1" "$tmp/out" >&"${PERL[1]}"
	while IFS= read -r line <&"${PERL[0]}"; do
		case $line in
		'= '*)	value=${line#= } ;;
		true)	return 0 ;;
		false)	return 1 ;;
		*)	echo "# $line" ;;
		esac
	done
	return 1
}
# shellcheck disable=SC2016 # perl's
perl='
	use strict;
	sub kind {
		my $v = shift;
		return "z" if !defined $v;
		return "b" if JSON::PP::is_bool($v);
		return "a" if ref $v eq "ARRAY";
		return "o" if ref $v eq "HASH";
		return B::svref_2object(\$v)->FLAGS & B::SVf_POK ? "s" : "n";
	}
	sub fields {
		my ($x, $want) = @_;
		return 0 if kind($x) ne "o";
		my $got = join " ", sort map { "$_:" . kind($x->{$_}) } keys %$x;
		$want = join " ", sort split " ", $want;
		print "fields $got\nwanted $want\n" if $got ne $want;
		return $got eq $want;
	}
	sub sum { my $f = shift; my $s = 0; $s += $_->{$f} for @_; return $s; }
	sub word { local $/ = "\0"; my $w = <STDIN>; chomp $w if defined $w; return $w; }
	$| = 1;
	while (defined(my $question = word())) {
		my $file = word();
		my $text = do { local (@ARGV, $/) = $file; <> };
		my $d = eval { JSON::PP->new->utf8->decode($text) };
		my $r = $@ ? undef : eval $question;
		print "$@\n" if $@;
		print defined $r && !ref $r && $r =~ /^[\w.]+$/ ? "= $r\n" : "", $r ? "true\n" : "false\n";
	}'

# is EXPRESSION WHAT: of the JSON of the last run.
is() {
	json "$1"
	ok $? "$2"
}

[ -x "$ctl" ] || { echo "1..0 # SKIP no $ctl"; exit 77; }

# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#
# The table of the coll benchmark out of its rows (see coll.h), and one file of
# figures for each plot in the directory `plots`. Exit status 1 if a result was
# wrong.

function fixed(us) {
	return us == "" ? "-" : us < 10 ? sprintf("%.2f", us) : sprintf("%.1f", us)
}

function ratio(a, b) {
	return a == "" || b == "" ? "-" : sprintf("%.2f", a / b)
}

function text(bytes) {
	return bytes >= 1048576 ? bytes / 1048576 "M" : bytes >= 1024 ? bytes / 1024 "K" : bytes
}

# what: procs, hbm, host, group, floor or peer
function take(what, cell, setting) {
	if ((what, cell) in p50 && p50[what, cell] <= $9)
		return
	p50[what, cell] = $9
	least[what, cell] = $8
	how[what, cell] = setting
}

function number(list, n, v, i) {
	for (i = n; i && list[i] > v; i--)
		list[i + 1] = list[i]
	list[i + 1] = v
}

$1 == "row" {
	cell = $4 SUBSEP $5 SUBSEP $6
	wrong += $12
	if ($12)
		bad[++bads] = $0
	if (!($4 in ranks_seen)) {
		ranks_seen[$4] = 1
		number(ranks, nr++, $4 + 0)
	}
	if (!($5 in sizes_seen)) {
		sizes_seen[$5] = 1
		number(sizes, ns++, $5 + 0)
	}
	take($2 == "vneuron" ? $3 : $2 == "floor" ? "floor" : "peer", cell, $3)
}

$1 == "skip" {
	who = $4 " ranks, " $2 " " $3
	why = $5 == "-" ? "" : " " text($5) ($6 == "-" ? "" : " " $6)
	for (i = 7; i <= NF; i++)
		why = why " " $i
	if (!(who in skipped))
		order[++skips] = who
	# Ours runs twice, and what is too slow is so again.
	if (index(skipped[who] ",", why ","))
		next
	skipped[who] = skipped[who] (skipped[who] == "" ? "" : ",") why
}

function count(what, c, place, r) {
	if (p50["peer", c] == "" || p50[what, c] == "")
		return
	r = p50["peer", c] / p50[what, c]
	cells[what]++
	faster[what] += r >= 1
	if (!(what in worst) || r < worst[what]) {
		worst[what] = r
		where[what] = place
	}
}

function table(p, caches, file, i, c, any) {
	file = plots "/coll-" p "-" caches ".dat"
	for (i = 1; i <= ns; i++) {
		c = p SUBSEP sizes[i] SUBSEP caches
		if (!(("procs", c) in p50) && !(("hbm", c) in p50) && !(("host", c) in p50) && !(("group", c) in p50) &&
		    !(("peer", c) in p50) && !(("floor", c) in p50))
			continue
		if (!any++) {
			printf "\n%d ranks, %s\n", p, caches
			printf "%5s %10s %10s %10s %10s %10s | %10s %10s  %-16s | %6s %6s %6s %6s %6s | %10s %-10s %6s\n",
				"bytes", "hbm", "min", "host", "group", "procs", "peer", "min", "setting",
				"ratio", "(min)", "host", "group", "procs", "floor", "stores", "ours"
		}
		printf "%5s %10s %10s %10s %10s %10s | %10s %10s  %-16s | %6s %6s %6s %6s %6s | %10s %-10s %6s\n",
			text(sizes[i]), fixed(p50["hbm", c]), fixed(least["hbm", c]),
			fixed(p50["host", c]), fixed(p50["group", c]), fixed(p50["procs", c]),
			fixed(p50["peer", c]), fixed(least["peer", c]), how["peer", c], ratio(p50["peer", c], p50["hbm", c]),
			ratio(least["peer", c], least["hbm", c]), ratio(p50["peer", c], p50["host", c]),
			ratio(p50["peer", c], p50["group", c]),
			ratio(p50["peer", c], p50["procs", c]), fixed(p50["floor", c]), how["floor", c],
			ratio(p50["hbm", c], p50["floor", c])
		print sizes[i], fixed(p50["hbm", c]), fixed(p50["host", c]), fixed(p50["group", c]),
			fixed(p50["peer", c]), fixed(p50["floor", c]) >file
		count("hbm", c, p " ranks, " text(sizes[i]) ", " caches)
		count("procs", c, p " ranks, " text(sizes[i]) ", " caches)
	}
	close(file)
}

END {
	print "all-reduce, fp32 sum; p50 in us; hbm, host, group (threads), procs are ours, the"
	print "peer is the best of all settings; ratio, (min), host, group, procs: the peer's time by"
	print "ours, above 1 we are faster; the last column: ours (hbm) by the floor"
	for (i = 1; i <= nr; i++) {
		table(ranks[i], "warm")
		table(ranks[i], "cold")
	}
	print ""
	for (i = split("hbm procs", what); i; i--)
		if (cells[what[i]])
			printf "ratio of the peer to %s: 1 or more in %d of %d cells, least %.2f (%s)\n",
				what[i], faster[what[i]], cells[what[i]], worst[what[i]], where[what[i]]
	if (skips)
		print "\nnot measured:"
	for (i = 1; i <= skips; i++)
		print "  " order[i] ":" skipped[order[i]]
	for (i = 1; i <= bads; i++)
		print "WRONG: " bad[i]
	exit bads != 0
}

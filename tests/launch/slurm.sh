#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#
# Debian's Slurm, downloaded into a cache and never installed: it would leave daemons
# and users behind.
#
#   slurm.sh fetch		get it; print the directory
#   slurm.sh start TREE DIR	start munged, slurmctld and slurmd of that directory, as
#				one node with all CPUs; what they write goes to DIR
#   slurm.sh stop DIR		stop them
#
# After start, . DIR/env makes srun and scontrol those of TREE. For root, and for a
# guest that lives no longer than the daemons.
set -euo pipefail

cache=${XDG_CACHE_HOME:-$HOME/.cache}/vneuron
packages=(munge slurm-client slurm-wlm-basic-plugins slurmctld slurmd)

say() { echo "slurm.sh: $*" >&2; }
die() { say "$@"; exit 1; }

# What of their libraries is not installed here comes along.
download() {
	local missing
	missing=$(apt-get -s install --no-install-recommends "${packages[@]}" |
		sed -n 's/^Inst \([^ ]*\) .*/\1/p') || return 1
	# shellcheck disable=SC2046 # words
	apt-get -q -o APT::Sandbox::User=root download \
		$(printf '%s\n' "${packages[@]}" "$missing" | sort -u)
}

# Complete or not there: it appears by rename.
fetch() {
	local key tree unpack deb
	key=$(cat "${BASH_SOURCE[0]}" /etc/debian_version | sha256sum)
	tree=$cache/slurm-${key:0:12}
	mkdir -p "$cache"
	exec 9>"$cache/slurm.lock"
	flock 9
	if [[ ! -d $tree ]]; then
		unpack=$(mktemp -d "$cache/.slurm.XXXXXX")
		# shellcheck disable=SC2064 # now
		trap "rm -rf '$unpack'" EXIT
		mkdir "$unpack/debs" "$unpack/tree"
		say "downloading ${packages[*]}"
		if ! (cd "$unpack/debs" && download) >"$unpack/log" 2>&1; then
			cat "$unpack/log" >&2
			die "cannot download Slurm (apt-get update may help)"
		fi
		for deb in "$unpack"/debs/*.deb; do
			dpkg -x "$deb" "$unpack/tree"
		done
		rm -rf "${unpack:?}"/tree/usr/share
		chmod 755 "$unpack/tree"
		mv -T "$unpack/tree" "$tree"
	fi
	echo "$tree"
}

config() {
	local host=$1 plugins=$2 dir=$3
	cat <<-EOF
		ClusterName=vneuron
		SlurmctldHost=$host(127.0.0.1)
		SlurmctldPort=16817
		SlurmdPort=16818
		SlurmUser=root
		SlurmdUser=root
		AuthInfo=socket=$dir/munge.socket
		MpiDefault=none
		PluginDir=$plugins
		StateSaveLocation=$dir/state
		SlurmdSpoolDir=$dir/spool
		SlurmctldPidFile=$dir/slurmctld.pid
		SlurmdPidFile=$dir/slurmd.pid
		SlurmctldLogFile=$dir/slurmctld.log
		SlurmdLogFile=$dir/slurmd.log
		ProctrackType=proctrack/linuxproc
		TaskPlugin=task/none
		JobAcctGatherType=jobacct_gather/none
		SelectType=select/cons_tres
		SelectTypeParameters=CR_Core
		SchedulerType=sched/builtin
		SwitchType=switch/none
		ReturnToService=2
		NodeName=$host NodeAddr=127.0.0.1 CPUs=$(nproc) State=UNKNOWN
		PartitionName=all Nodes=ALL Default=YES MaxTime=INFINITE State=UP OverSubscribe=FORCE
	EOF
}

# A host with the loopback interface alone has no address that Slurm would listen at.
address() {
	[[ -n $(ip -o address show scope global) ]] || ip address add 192.0.2.1/32 dev lo
}

start() {
	local tree=$1 dir=$2 libraries host i
	libraries=$tree/usr/lib/x86_64-linux-gnu
	host=$(hostname)
	mkdir -p "$dir/state" "$dir/spool"
	chmod 755 "$dir"
	config "$host" "$libraries/slurm-wlm" "$dir" >"$dir/slurm.conf"
	cat >"$dir/env" <<-EOF
		export SLURM_CONF=$dir/slurm.conf PATH=$tree/usr/bin:\$PATH
		export LD_LIBRARY_PATH=$libraries:$libraries/slurm-wlm
	EOF
	# shellcheck disable=SC1091
	. "$dir/env"
	(umask 077; head -c 128 /dev/urandom >"$dir/munge.key")
	address
	"$tree/usr/sbin/munged" --force --key-file="$dir/munge.key" --seed-file="$dir/munge.seed" \
		--socket="$dir/munge.socket" --pid-file="$dir/munged.pid" --log-file="$dir/munged.log" \
		2>"$dir/munged.err"
	"$tree/usr/sbin/slurmctld-wlm"
	"$tree/usr/sbin/slurmd-wlm" -N "$host" -d "$tree/usr/sbin/slurmstepd-wlm"
	for ((i = 0; i < 60; i++)); do
		[[ $(sinfo -h -o %T 2>/dev/null) != idle ]] || return 0
		sleep 1
	done
	tail -n 20 "$dir"/*.log "$dir"/*.err >&2
	die "no node came up"
}

stop() {
	local name pid
	for name in slurmd slurmctld munged; do
		if read -r pid <"$1/$name.pid"; then
			kill "$pid"
		fi
	done
}

case ${1:-} in
fetch)	fetch ;;
start)	start "$2" "$3" ;;
stop)	stop "$2" ;;
*)	sed -n '/^#   slurm.sh/,/^#$/s/^#   //p' "${BASH_SOURCE[0]}" >&2; exit 2 ;;
esac

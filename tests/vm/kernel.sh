#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#
# Guest kernels, downloaded or built into a cache and never installed.
#
#   kernel.sh fetch   KERNEL   get it; print the directory
#   kernel.sh image   KERNEL   print what qemu boots
#   kernel.sh modules KERNEL   print the directory to bind to /lib/modules
#   kernel.sh release KERNEL   print what uname -r will say
#   kernel.sh kdir    KERNEL   print KDIR for "make -C KDIR M=..."
#   kernel.sh scripts KERNEL   print a directory with scripts/checkpatch.pl,
#                              scripts/kernel-doc and .clang-format (6.1, 6.12)
#   kernel.sh cached  KERNEL   status 0 if fetch has nothing to build (debug, kcsan)
#
# KERNEL: 6.1 and 6.12 are Debian's own. debug is 6.1 from Debian's source with
# tests/vm/debug.config, built once (15 to 25 minutes on two cores); kcsan the
# same with tests/vm/kcsan.config upon it (10 to 15).
#
# Everything lives under ${XDG_CACHE_HOME:-~/.cache}/vneuron in directories
# named by content (package version, hash of the configuration) that appear by
# rename, so they are complete or not there. Two runs at once wait for each
# other. Deleting the cache is always safe.
set -euo pipefail
shopt -s inherit_errexit

# depmod, modprobe: a user's path lacks them
export PATH=$PATH:/usr/sbin:/sbin

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
cache=${XDG_CACHE_HOME:-$HOME/.cache}/vneuron
lists=/var/lib/apt/lists
unpack=	# being filled
arguments=("$@")
dir=	# the result of what fills the cache

say() { echo "kernel.sh: $*" >&2; }
die() { say "$@"; exit 1; }
cleanup() { [[ -z $unpack ]] || rm -rf "$unpack"; }
trap cleanup EXIT
trap 'exit 130' INT
trap 'exit 143' TERM

usage() {
	sed -n '/^#   kernel.sh/,/^#$/s/^#   //p' "${BASH_SOURCE[0]}" >&2
	exit 2
}

# Runs quietly; a failure shows what the command said.
quiet() {
	local out
	out=$("$@" 2>&1) || { echo "$out" >&2; return 1; }
}

apt_lists_empty() {
	! compgen -G "$lists/*_Packages*" >/dev/null
}

apt_update() {
	[[ $(id -u) == 0 ]] || die "apt's lists are missing or old: run apt-get update as root"
	say "apt-get update"
	quiet apt-get -q update
}

# Prints "NAME VERSION" of what a package resolves to: of itself when it has no
# dependency that fits the pattern (a meta package has one).
resolve() {
	local pattern=$2
	apt-cache show --no-all-versions "$1" 2>/dev/null | awk -v pat="$pattern" '
		/^Package: /	{ name = $2 }
		/^Version: /	{ version = $2 }
		/^Depends: /	{
			if (match($0, pat "[^ ,]*"))
				name = substr($0, RSTART, RLENGTH)
		}
		END		{ if (version != "") print name, version; else exit 1 }'
}

# Like resolve, but asks apt only when its lists changed since the last answer:
# make calls us often, and a machine without network keeps what it has.
resolve_cached() {
	local stamp=$cache/resolved/$1
	if [[ -s $stamp ]] && { [[ $stamp -nt $lists ]] || apt_lists_empty; }; then
		cat "$stamp"
		return
	fi
	mkdir -p "$cache/resolved"
	# without lists apt would answer with what is installed, a dead end
	! apt_lists_empty || apt_update
	resolve "$@" >"$stamp.$$" || { apt_update && resolve "$@" >"$stamp.$$"; } ||
		die "apt knows no package $1"
	mv "$stamp.$$" "$stamp"
	cat "$stamp"
}

# Downloads and unpacks packages (NAME=VERSION) into $unpack.
unpack_packages() {
	local debs=$unpack/.debs deb
	mkdir -p "$debs"
	say "downloading $*"
	# apt's sandbox user could not write here, and says so at length
	if ! (cd "$debs" && quiet apt-get -q -o APT::Sandbox::User=root download "$@"); then
		# the archive has moved on: start again with new lists, once
		[[ -z ${KERNEL_SH_AGAIN:-} ]] || die "cannot download $*"
		apt_update
		cleanup
		rm -rf "$cache/resolved"
		KERNEL_SH_AGAIN=1 exec bash "${BASH_SOURCE[0]}" "${arguments[@]}"
	fi
	for deb in "$debs"/*.deb; do
		dpkg -x "$deb" "$unpack"
	done
	rm -rf "$debs"
}

# begin: fails when $dir is there already; else returns with the lock held
# (until we exit) and $unpack made beside it, to be renamed by commit.
begin() {
	[[ ! -d $dir ]] || return 1
	mkdir -p "$cache"
	exec 9>"$dir.lock"
	if ! flock -n 9; then
		say "waiting for another run to finish ${dir##*/}"
		flock 9
	fi
	[[ ! -d $dir ]] || return 1
	# what a killed run left goes first: the lock says nobody uses it
	unpack=$cache/.unpack.${dir##*/}
	rm -rf "$unpack"
	mkdir "$unpack" || die "cannot write in $cache"
}

commit() {
	chmod 755 "$unpack"
	mv -T "$unpack" "$dir"
	unpack=
}

# The kernel proper out of a bzImage. The guest boots that over PVH and saves
# the decompressor, which takes longer in emulation than the rest of the boot.
extract_vmlinux() {
	local image=$1 out=$2 sects offset length magic unpacker
	word() { od -An -v -t "u$2" -j "$1" -N "$2" "$image" | tr -d ' '; }
	sects=$(word $((0x1f1)) 1)
	offset=$(((sects + 1) * 512 + $(word $((0x248)) 4)))
	# the last four bytes are the unpacked size, not part of the stream
	length=$(($(word $((0x24c)) 4) - 4))
	magic=$(od -An -v -t x1 -j "$offset" -N 4 "$image" | tr -d ' ')
	case $magic in
	fd377a58)	unpacker="xz -dc" ;;
	28b52ffd)	unpacker="zstd -qdc" ;;
	1f8b*)		unpacker="gzip -dc" ;;
	*)		die "$image: unknown compression $magic" ;;
	esac
	# shellcheck disable=SC2086 # a command and its options
	dd if="$image" bs=1M iflag=skip_bytes,count_bytes skip="$offset" count="$length" status=none |
		$unpacker >"$out"
}

debian_image() {
	local resolved name version release
	resolved=$(resolve_cached "$1" 'linux-image-')
	read -r name version <<<"$resolved"
	dir=$cache/image-$version
	if begin; then
		unpack_packages "$name=$version"
		release=${name#linux-image-}
		extract_vmlinux "$unpack/boot/vmlinuz-$release" "$unpack/image"
		# usrmerge: newer packages ship usr/lib/modules
		if [[ -d $unpack/usr/lib/modules ]]; then
			ln -s usr/lib/modules "$unpack/modules"
			depmod -b "$unpack/usr" "$release"
		else
			ln -s lib/modules "$unpack/modules"
			depmod -b "$unpack" "$release"
		fi
		echo "$release" >"$unpack/release"
		rm -rf "${unpack:?}/usr/share" "${unpack:?}/boot"
		commit
	fi
}

debian_headers() {
	local resolved name version packages p
	resolved=$(resolve_cached "$1" 'linux-headers-')
	read -r name version <<<"$resolved"
	dir=$cache/headers-$version
	if begin; then
		mapfile -t packages < <(apt-cache show "$name=$version" | sed -n 's/^Depends: //p' |
			tr ',|' '\n' | sed -nE 's/^ *(linux-(headers|kbuild)-[^ ]*).*/\1/p')
		for p in "${!packages[@]}"; do
			packages[p]+="=$version"
		done
		unpack_packages "$name=$version" "${packages[@]}"
		rm -rf "${unpack:?}/usr/share" "${unpack:?}/lib"
		# The one absolute path inside. Made relative to the Makefile, so
		# that nothing installed under /usr/src is ever picked up.
		# shellcheck disable=SC2016 # make expands it
		sed -i 's,^include /usr/src/,include $(dir $(realpath $(lastword $(MAKEFILE_LIST))))../,' \
			"$unpack/usr/src/$name/Makefile"
		! grep -q '/usr/src/' "$unpack/usr/src/$name/Makefile" ||
			die "$name: Makefile still refers to /usr/src"
		[[ -x $unpack/usr/src/$name/scripts/basic/fixdep ]] ||
			die "$name: incomplete, no scripts/basic/fixdep"
		ln -s "usr/src/$name" "$unpack/kdir"
		commit
	fi
}

# The few scripts that style checks need, out of a source package.
source_scripts() {
	local resolved name version f files=()
	resolved=$(resolve_cached "$1" 'no-dependency-wanted')
	read -r name version <<<"$resolved"
	dir=$cache/scripts-$version
	if begin; then
		unpack_packages "$name=$version"
		for f in scripts/{checkpatch.pl,spelling.txt,const_structs.checkpatch,kernel-doc} .clang-format; do
			files+=("$name/$f")
		done
		tar -xf "$unpack/usr/src/$name.tar.xz" -C "$unpack" --strip-components=1 "${files[@]}"
		rm -rf "${unpack:?}/usr"
		commit
	fi
}

# Names every line of the fragment that is not in the resulting .config: an
# option that silently lost a dependency would make the kernel check nothing.
# Of several fragments the last that names an option counts.
check_config() {
	local fragments=("${@:1:$#-1}") config=${*: -1} line bad=0
	while read -r line; do
		case $line in
		CONFIG_*)
			grep -Fxq "$line" "$config" || { say "lost: $line"; bad=1; } ;;
		"# CONFIG_"*" is not set")
			line=${line#\# }
			! grep -q "^${line%% *}=" "$config" || { say "still on: ${line%% *}"; bad=1; } ;;
		esac
	done < <(awk '
		{ name = $0; sub(/^# /, "", name); sub(/[ =].*/, "", name) }
		name ~ /^CONFIG_/ { last[name] = $0 }
		END { for (name in last) print last[name] }' "${fragments[@]}")
	[[ $bad == 0 ]] || die "${fragments[*]##*/}: does not hold in this kernel"
}

debug_build() {
	local source=$1
	cd "$source"
	make tinyconfig
	cat "$here/debug.config" >>.config
	make olddefconfig
	check_config "$here/debug.config" .config
	nice -n 19 make -j"$(nproc)" bzImage modules
}

# The module is what is watched, so that each of the few watchpoints is on
# something of it: the kernel is built without instrumentation, but for what
# reads and writes the module's data in its place. Barriers inside the kernel
# count for the module's accesses before them.
kcsan_build() {
	local source=$1 d f
	cd "$source"
	make tinyconfig
	cat "$here/debug.config" "$here/kcsan.config" >>.config
	make olddefconfig
	check_config "$here/debug.config" "$here/kcsan.config" .config
	for d in kernel kernel/locking kernel/rcu kernel/time lib mm fs net/core net/netlink; do
		echo 'KCSAN_INSTRUMENT_BARRIERS := y' >>"$d/Makefile"
	done
	for f in usercopy xarray; do
		echo "KCSAN_SANITIZE_$f.o := y" >>lib/Makefile
	done
	nice -n 10 make -j"$(nproc)" KCSAN_SANITIZE=n bzImage modules
}

# own_dir KIND FRAGMENT...: where the kernel of our own of that kind is
own_dir() {
	local kind=$1 hash
	shift
	resolved=$(resolve_cached linux-source-6.1 'no-dependency-wanted')
	read -r _ version <<<"$resolved"
	# of the configuration and of the way it is built
	hash=$({ cat "${@/#/$here/}"; declare -f "${kind}_build"; } | sha256sum)
	dir=$cache/$kind-$version-${hash:0:12}
}

own_kernel() {
	local resolved version log source release kind=$1
	own_dir "$@"
	if begin; then
		log=$dir.log
		unpack_packages "linux-source-6.1=$version"
		say "unpacking the source"
		tar -xf "$unpack/usr/src/linux-source-6.1.tar.xz" -C "$unpack"
		rm -rf "${unpack:?}/usr"
		source=$unpack/linux-source-6.1
		say "building the $kind kernel, 10 to 25 minutes on two idle cores; log: $log"
		# a process of its own: in the condition of || set -e would be off
		bash "${BASH_SOURCE[0]}" "${kind}_build" "$source" >"$log" 2>&1 ||
			{ grep -a 'kernel.sh: ' "$log" >&2; tail -n 20 "$log" >&2; die "the $kind kernel does not build"; }
		# Keep what modules are built against, 100 MB, not 2 GB
		(
			cd "$source"
			find . -name '*.[oa]' -delete
			mkdir "$unpack/kdir"
			cp -a --parents .config Makefile Kbuild Module.symvers System.map \
				include scripts arch/x86 tools/objtool "$unpack/kdir"
			cp arch/x86/boot/bzImage "$unpack/image"
			make -s kernelrelease >"$unpack/release"
			rm -r "$unpack/kdir/arch/x86/boot"
		)
		# All is built in; the lists let modprobe say so
		release=$(<"$unpack/release")
		mkdir -p "$unpack/lib/modules/$release"
		ln -s lib/modules "$unpack/modules"
		cp "$source"/modules.{builtin,builtin.modinfo,order} "$unpack/modules/$release"
		depmod -b "$unpack" "$release"
		# The headers, for bpftrace: this kernel describes no types itself
		ln -s "$dir/kdir" "$unpack/modules/$release/build"
		rm -rf "$source"
		commit
	fi
}

# own COMMAND KIND: own_kernel or own_dir of what such a kernel is made from
own() {
	case $2 in
	debug)	"$1" debug debug.config ;;
	kcsan)	"$1" kcsan debug.config kcsan.config ;;
	*)	usage ;;
	esac
}

fetch() {
	case $1 in
	6.1)	debian_image linux-image-amd64 ;;
	6.12)	debian_image linux-image-6.12-amd64 ;;
	*)	own own_kernel "$1" ;;
	esac
}

headers() {
	case $1 in
	6.1)	debian_headers linux-headers-amd64 ;;
	6.12)	debian_headers linux-headers-6.12-amd64 ;;
	*)	own own_kernel "$1" ;;
	esac
}

[[ $# == 2 ]] || usage
case $1 in
debug_build | kcsan_build)
		"$1" "$2" ;;
cached)		own own_dir "$2"; [[ -d $dir ]] ;;
fetch)		fetch "$2"; echo "$dir" ;;
image)		fetch "$2"; echo "$dir/image" ;;
modules)	fetch "$2"; readlink -f "$dir/modules" ;;
release)	fetch "$2"; cat "$dir/release" ;;
scripts)
	[[ $2 == 6.1 || $2 == 6.12 ]] || usage
	source_scripts "linux-source-$2"
	echo "$dir" ;;
kdir)		headers "$2"; readlink -f "$dir/kdir" ;;
*)		usage ;;
esac

#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#
# make style: silent when all is well.
#
#   checkpatch	kmod and uapi, as a kernel reviewer would
#   sparse	the module, W=1 C=2, on both kernels (tools/dev/kmod.sh)
#   clang-format	lib, tools and tests
#   kernel-doc	every field of the uapi headers
#   spatch	no word of shared memory is read twice (ring_reads.cocci)
#   pahole	no hole and no implicit padding in a struct of the ABI
#   lengths	no file over 800 lines, port.h at most 100
set -uo pipefail
top=$(cd "$(dirname "$0")/../.." && pwd)
cd "$top" || exit 1
B=${B:-build}
bad=0
complain() { echo "style: $*" >&2; bad=1; }
git rev-parse --is-inside-work-tree >/dev/null || exit 1
list() { git ls-files "$@"; }

# Kernel scripts come from the source package, unpacked in the cache, never kept here.
scripts=$(tests/vm/kernel.sh scripts 6.12) || exit 1
# Left out: what is a template in the preprocessor's own syntax, which it takes for C.
kernel_c=$(list 'kmod/*.c' 'kmod/*.h' 'uapi/linux/*.h' |
	grep -vE '^kmod/(trace\.h|engine/(simd\.h|port\.h|op_avx2\.c))$')
# Ignored: rules for files inside a kernel tree, and false alarms (designated
# initialisers in macros, version tests, locks described above their struct).
ignore=SPDX_LICENSE_TAG,FILE_PATH_CHANGES,LINUX_VERSION_CODE,MACRO_ARG_REUSE,COMPLEX_MACRO
ignore+=,PREFER_KERNEL_TYPES,BIT_MACRO,NEW_TYPEDEFS,BRACKET_SPACE,CONSTANT_COMPARISON
ignore+=,UNCOMMENTED_DEFINITION,MACRO_ARG_PRECEDENCE,LONG_LINE_COMMENT
# shellcheck disable=SC2086
perl "$scripts/scripts/checkpatch.pl" --no-tree --terse --quiet --show-types --strict \
	--max-line-length=100 --ignore "$ignore" -f $kernel_c | grep -v '^total:' && bad=1

for kernel in 6.1 6.12; do
	tools/dev/kmod.sh "$kernel" "$B/kmod-$kernel" || bad=1
done

for file in $(list 'lib/*.[ch]' 'tools/*.[ch]' 'tests/*.[ch]' | grep -v '^lib/include/'); do
	clang-format "$file" | cmp -s - "$file" || complain "clang-format -i $file"
done

for header in $(list 'uapi/linux/*.h'); do
	perl "$scripts/scripts/kernel-doc" -none -Werror "$header" 2>&1 | grep . && bad=1
done

# twice FILE...: what they read twice of what a user can write.
twice() { spatch --very-quiet --sp-file tools/dev/ring_reads.cocci "$@" | grep '^[-+]'; }
# shellcheck disable=SC2046
twice $(list 'kmod/*.c' 'kmod/engine/*.c') && complain "shared memory is read as ring_reads.cocci says it must not be"
# It finds what there is to be found.
echo 'int f(struct q *q) { if (READ_ONCE(q->ring->sq_tail)) return 1; return READ_ONCE(q->ring->sq_tail); }' \
	>"$B/twice.c"
[ "$(twice "$B/twice.c" | grep -c '^-int')" = 1 ] || complain "spatch does not find a word that is read twice"

pahole -C "$(sed -n 's/^struct \(vn_[a-z_]*\) {.*/\1/p' uapi/linux/vneuron{,_ring,_sled}.h | paste -sd,)" \
	"$B/tests/engine/layout_test" 2>/dev/null > "$B/pahole.txt"
grep -q 'struct vn_desc' "$B/pahole.txt" || complain "pahole found no ABI structs in $B/tests/engine/layout_test"
grep -nE 'XXX|/\* sum members.*holes' "$B/pahole.txt" && complain "holes in a struct of the ABI"

for file in $(list '*.c' '*.h' '*.sh' '*.inc'); do
	lines=$(wc -l < "$file")
	[ "$lines" -le 800 ] || complain "$file has $lines lines (800 at most)"
done
[ "$(wc -l < kmod/engine/port.h)" -le 100 ] || complain "kmod/engine/port.h is over 100 lines"
exit $bad

# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#
# make            the library, neuronctl, the training program, the module
# make demo       the main job, in both homes
# make check      the tests, in both homes
# make help       the other targets

VERSION	:= 0.1.0
B	?= build
CC	?= gcc
prefix	?= /usr/local
KERNELS	?= 6.1 6.12
V	?= 0
Q	:= $(if $(filter 1,$(V)),,@)

CFLAGS	?= -O2 -g
warn	:= -Wall -Wextra -Wstrict-prototypes -Wmissing-prototypes
# -ffp-contract=off: no fused multiply-add, so that all homes get the same bits.
flags	:= -std=gnu11 -D_GNU_SOURCE -DVN_VERSION='"$(VERSION)"' -ffp-contract=off -fno-strict-aliasing -fPIC -pthread \
	   $(warn) -Iuapi -Ilib/include -Ilib -Itests $(shell pkg-config --cflags-only-I libnl-genl-3.0 pmix 2>/dev/null)
libs	:= -lnl-genl-3 -lnl-3 -lnuma -luring -lm -pthread

engine	:= $(wildcard kmod/engine/*.c)
libsrc	:= $(wildcard lib/*.c lib/coll/*.c lib/drain/*.c lib/embed/*.c) $(engine)
ctlsrc	:= $(wildcard tools/neuronctl/*.c)
demosrc	:= $(wildcard tools/demo/*.c)

programs := $(B)/neuronctl $(B)/vneuron-train
library	:= $(B)/libvneuron.a $(B)/libvneuron.so.0 $(B)/vneuron.pc

tests_engine := $(patsubst tests/engine/%.c,$(B)/tests/engine/%,$(wildcard tests/engine/*_test.c))
tests_lib := $(patsubst tests/lib/%.c,$(B)/tests/lib/%,$(wildcard tests/lib/*_test.c))
tests_abi := $(patsubst tests/abi/%.c,$(B)/tests/abi/%,$(wildcard tests/abi/*_test.c))
tests_launch := $(patsubst tests/launch/%.c,$(B)/tests/launch/%,$(wildcard tests/launch/*.c))
tests_kernel := $(patsubst tests/kernel/%.c,$(B)/tests/kernel/%,$(wildcard tests/kernel/*.c))
tests_fuzz := $(patsubst tests/fuzz/%.c,$(B)/tests/fuzz/%,$(wildcard tests/fuzz/*_fuzz.c))
# What feeds them: fuzz.sh links libFuzzer instead.
FUZZER	?= $(B)/obj/tests/fuzz/replay.o
# The peers of the collectives: MPI libraries, those that are there.
mpis	:= $(foreach m,openmpi mpich,$(if $(shell command -v mpicc.$(m)),$(m)))
benches	:= $(patsubst tests/bench/%.c,$(B)/bench/%,$(filter-out %_mpi.c,$(wildcard tests/bench/*.c))) \
	   $(B)/bench/ops_bench $(mpis:%=$(B)/bench/coll_%)

.PHONY: all deps module modules tests engine-tests lib-tests fuzz-tests benches demo check check-debug check-kcsan fuzz soak bench vm style install dkms clean help FORCE
.DELETE_ON_ERROR:
# Objects of the tests stay, so that the next build is short.
.SECONDARY:

all: deps
	$(Q)$(MAKE) --no-print-directory $(library) $(programs) module

deps:
	$(Q)tools/dev/deps.sh build

# ---- objects: build/PATH.o, and build/asan, build/tsan beside it ------------

obj = $(patsubst %.c,$(B)/obj/%.o,$(1))

$(B)/obj/kmod/engine/op_avx2.o: simd := -mavx2
$(B)/obj/%.o: %.c
	@mkdir -p $(@D)
	$(Q)$(CC) $(CFLAGS) $(flags) $(simd) -MMD -MP -c -o $@ $<

$(B)/libvneuron.a: $(call obj,$(libsrc))
	@rm -f $@
	$(Q)$(AR) rcs $@ $^

$(B)/libvneuron.so.0: $(call obj,$(libsrc)) lib/libvneuron.map
	$(Q)$(CC) $(CFLAGS) -shared -Wl,-soname,$(@F) -Wl,--version-script=lib/libvneuron.map \
		-o $@ $(filter %.o,$^) $(libs)
	@ln -sf $(@F) $(B)/libvneuron.so

# Made anew each time: it depends on the prefix.
$(B)/vneuron.pc: FORCE
	@mkdir -p $(@D)
	@sed -e 's,@prefix@,$(prefix),' -e 's,@version@,$(VERSION),' lib/vneuron.pc.in > $@

$(B)/neuronctl: $(call obj,$(ctlsrc)) $(B)/libvneuron.a
	$(Q)$(CC) $(CFLAGS) -o $@ $^ $(libs)

$(B)/vneuron-train: $(call obj,$(demosrc)) $(B)/libvneuron.a
	$(Q)$(CC) $(CFLAGS) -o $@ $^ $(libs) -lm

$(B)/tests/%: $(B)/obj/tests/%.o $(B)/libvneuron.a
	@mkdir -p $(@D)
	$(Q)$(CC) $(CFLAGS) -o $@ $^ $(libs) -lm

$(B)/tests/fuzz/%: $(B)/obj/tests/fuzz/%.o $(filter %.o,$(FUZZER)) $(B)/libvneuron.a
	@mkdir -p $(@D)
	$(Q)$(CC) $(CFLAGS) $(filter-out %.o,$(FUZZER)) -o $@ $^ $(libs) -lm

$(B)/bench/ops_bench: $(B)/obj/tests/engine/ops_bench.o $(B)/libvneuron.a
	@mkdir -p $(@D)
	$(Q)$(CC) $(CFLAGS) -o $@ $^ $(libs)

$(B)/bench/%: $(B)/obj/tests/bench/%.o $(B)/libvneuron.a
	@mkdir -p $(@D)
	$(Q)$(CC) $(CFLAGS) -o $@ $^ $(libs) -lm

$(B)/bench/coll_openmpi $(B)/bench/coll_mpich: $(B)/bench/coll_%: tests/bench/coll_mpi.c tests/bench/coll.h tests/bench/bench.h
	@mkdir -p $(@D)
	$(Q)OMPI_CC=$(CC) MPICH_CC=$(CC) mpicc.$* $(CFLAGS) $(flags) -DCOLL_IMPL='"$*"' -o $@ $<

# ---- the module: built in a copy, one per kernel -----------------------------

module: $(B)/kmod-6.1/vneuron.ko
modules: $(KERNELS:%=$(B)/kmod-%/vneuron.ko)

kmodsrc	:= Kbuild $(wildcard kmod/*.[ch] kmod/engine/*.* uapi/linux/*.h)
$(B)/kmod-%/vneuron.ko: $(kmodsrc)
	$(Q)tools/dev/kmod.sh $* $(@D)

# ---- running it ---------------------------------------------------------------

tests: $(library) $(programs) $(tests_engine) $(tests_lib) $(tests_abi) $(tests_kernel) $(tests_launch)
engine-tests: $(tests_engine)
lib-tests: $(tests_lib)
fuzz-tests: $(tests_fuzz)
benches: $(benches)

demo:
	$(Q)tools/dev/deps.sh build guest demo
	$(Q)$(MAKE) --no-print-directory $(library) $(programs) module
	$(Q)B=$(B) tools/demo/demo.sh

check:
	$(Q)tools/dev/deps.sh build guest check
	$(Q)B=$(B) MAKE="$(MAKE)" tests/check.sh

check-debug:
	$(Q)tools/dev/deps.sh build guest check debug
	$(Q)$(MAKE) --no-print-directory tests $(B)/kmod-debug/vneuron.ko
	$(Q)B=$(B) tests/vm/check.sh debug

check-kcsan:
	$(Q)tools/dev/deps.sh build guest check debug
	$(Q)$(MAKE) --no-print-directory tests $(B)/kmod-kcsan/vneuron.ko
	$(Q)B=$(B) tests/vm/check.sh kcsan

fuzz:
	$(Q)tools/dev/deps.sh build guest check debug fuzz
	$(Q)B=$(B) MAKE="$(MAKE)" tests/fuzz/fuzz.sh $(FUZZ)

soak:
	$(Q)tools/dev/deps.sh build guest check debug
	$(Q)B=$(B) MAKE="$(MAKE)" tests/soak.sh $(SOAK)

bench:
	$(Q)tools/dev/deps.sh build guest bench
	$(Q)$(MAKE) --no-print-directory all benches
	$(Q)B=$(B) tests/bench/bench.sh $(BENCH)

vm:
	$(Q)tools/dev/deps.sh build guest
	$(Q)$(MAKE) --no-print-directory all
	$(Q)B=$(B) tests/vm/shell.sh

style:
	$(Q)tools/dev/deps.sh build guest check style
	$(Q)$(MAKE) --no-print-directory $(B)/tests/engine/layout_test
	$(Q)B=$(B) tools/dev/style.sh

install: all
	install -d $(DESTDIR)$(prefix)/bin $(DESTDIR)$(prefix)/lib/pkgconfig $(DESTDIR)$(prefix)/include/linux $(DESTDIR)$(prefix)/include/vneuron \
		$(DESTDIR)$(prefix)/share/man/man1 $(DESTDIR)/lib/udev/rules.d
	install $(B)/neuronctl $(DESTDIR)$(prefix)/bin
	install -m 644 $(B)/libvneuron.a $(DESTDIR)$(prefix)/lib
	install $(B)/libvneuron.so.0 $(DESTDIR)$(prefix)/lib
	ln -sf libvneuron.so.0 $(DESTDIR)$(prefix)/lib/libvneuron.so
	install -m 644 $(B)/vneuron.pc $(DESTDIR)$(prefix)/lib/pkgconfig
	install -m 644 lib/include/vneuron.h $(DESTDIR)$(prefix)/include
	install -m 644 lib/include/vneuron/*.h $(DESTDIR)$(prefix)/include/vneuron
	install -m 644 uapi/linux/*.h $(DESTDIR)$(prefix)/include/linux
	install -m 644 tools/neuronctl/neuronctl.1 $(DESTDIR)$(prefix)/share/man/man1
	install -m 644 tools/udev/60-vneuron.rules $(DESTDIR)/lib/udev/rules.d

dkms:
	install -d $(DESTDIR)/usr/src/vneuron-$(VERSION)
	cp -r Kbuild dkms.conf kmod uapi $(DESTDIR)/usr/src/vneuron-$(VERSION)
	dkms add vneuron/$(VERSION)
	dkms install vneuron/$(VERSION)

clean:
	rm -rf $(B)

help:
	@echo 'make              build the library, neuronctl, the training program, the module'
	@echo 'make demo         train a model on the virtual UltraServer, in both homes'
	@echo 'make check        the tests, in both homes, on both kernels'
	@echo 'make check-debug  the kernel tests on a KASAN + lockdep kernel, built once'
	@echo 'make check-kcsan  the kernel tests on a KCSAN kernel, which finds data races, built once'
	@echo 'make fuzz         bytes of all kinds for ten minutes a target (FUZZ="desc kernel" for some)'
	@echo 'make soak         random sequences of collectives for minutes (SOAK="drain" for one place)'
	@echo 'make bench        this beside its peers (BENCH="-o FILE" for JSON)'
	@echo 'make vm           a shell in a guest with the module loaded'
	@echo 'make style        checkpatch, sparse, clang-format, kernel-doc, pahole'
	@echo 'make install      below $$DESTDIR$$prefix;  make dkms: the module through dkms'

-include $(shell find $(B)/obj -name '*.d' 2>/dev/null)

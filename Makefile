# sembed: one core, two hosts.
#
#   make                  the PostgreSQL extension (where pg_config is found) and the SQLite extension
#   make sqlite           the SQLite extension alone: build/sqlite/sembed.so
#   make install          installs the PostgreSQL extension
#   make installcheck     pg_regress on sql/ and expected/, against a running server
#   make check            unit tests and SQLite tests
#   make asan ubsan tsan  the same under a sanitizer
#   make coverage         the same, and how much of core/ they reach
#   make valgrind         the SQLite tests and one of images under valgrind
#   make soak             half an hour of sixteen connections to PostgreSQL
#   make bench            times of every engine that is installed, in turn: a table and a plot
#   make fuzz             fuzzers, for hours (clang)
#   make torture          every allocation fails once, in both databases
#   make parity           the programs behind tests/parity/*.py
#   make format           clang-format over all C files
#
# ONEDNN=no builds without oneDNN: OpenBLAS alone multiplies. BUILD names the folder for what is made,
# V=1 shows the commands, WERROR= goes on after a warning.

default: all

BUILD     ?= build
SANITIZE  ?=
WERROR    ?= -Werror
CC        ?= cc
AR        ?= ar
PKG_CONFIG ?= pkg-config

# -ffp-contract=fast lets the compiler use fused multiply-add; nothing here is built with -ffast-math,
# which reorders sums and, at link time, changes the host's floating-point mode.
SEMBED_CFLAGS = -std=gnu11 -O2 -g -fPIC -fvisibility=hidden -ffp-contract=fast -pthread \
                -Wall -Wextra $(WERROR) -Wshadow -Wstrict-prototypes -Wmissing-prototypes -Wvla \
                -I. -MMD -MP $(SANITIZE)

# One line a step.
say = $(if $(V),,@echo '  $(1)  $@';)

# --- engine ---------------------------------------------------------------------------------------

# The folders of Debian's libraries for the target. (From 18 on clang does not say the name; it is the
# machine's less the vendor.)
MULTIARCH     := $(or $(shell $(CC) -print-multiarch 2>/dev/null),$(shell $(CC) -dumpmachine | sed 's/-[^-]*-linux/-linux/'))

# Debian's oneDNN has no fast code for processors other than x86-64, where OpenBLAS is better.
ONEDNN ?= $(if $(filter x86_64%,$(MULTIARCH)),$(shell printf '\043include <dnnl.h>\n' | $(CC) -E - >/dev/null 2>&1 && echo yes || echo no),no)

, := ,

# The serial OpenBLAS by its own path: the threaded build starts threads when it is loaded.
OPENBLAS_DIR  ?= $(firstword $(wildcard /usr/lib/$(MULTIARCH)/openblas-serial))
OPENBLAS_INC  ?= $(firstword $(wildcard /usr/include/$(MULTIARCH)/openblas-serial))
ENGINE_CFLAGS := $(if $(OPENBLAS_INC),-I$(OPENBLAS_INC))
ENGINE_LIBS   := $(if $(OPENBLAS_DIR),-L$(OPENBLAS_DIR) -Wl$(,)-rpath$(,)$(OPENBLAS_DIR)) -lopenblas
ifeq ($(ONEDNN),yes)
ENGINE_CFLAGS += -DSEMBED_WITH_ONEDNN
ENGINE_LIBS   += -ldnnl -lgomp
endif
CORE_LIBS = $(ENGINE_LIBS) -lutf8proc -lpcre2-8 -lxxhash -ljansson -lm -lpthread

# --- core -----------------------------------------------------------------------------------------

CORE_SOURCES := $(wildcard core/*.c core/base/*.c core/text/*.c core/model/*.c core/compute/*.c core/image/*.c)
ifneq ($(ONEDNN),yes)
CORE_SOURCES := $(filter-out core/compute/gemm_onednn.c core/compute/onednn_weights.c,$(CORE_SOURCES))
endif
CORE_OBJECTS := $(CORE_SOURCES:%.c=$(BUILD)/%.o)

# core/compute/simd/*.c are compiled once for each instruction set; the best is picked at run time.
SIMD_SOURCES := $(wildcard core/compute/simd/*.c)
ifneq ($(filter x86_64%,$(MULTIARCH)),)
SIMD_SETS := baseline avx2 avx512 amx
else
SIMD_SETS := baseline
endif
SIMD_FLAGS_baseline :=
SIMD_FLAGS_avx2     := -mavx2 -mfma -mf16c
SIMD_FLAGS_avx512   := -mavx512f -mavx512bw -mavx512dq -mavx512vl -mavx2 -mfma -mf16c \
                       -mprefer-vector-width=512
SIMD_FLAGS_amx      := $(SIMD_FLAGS_avx512) -mavx512bf16 -mamx-tile -mamx-bf16
SIMD_OBJECTS := $(foreach set,$(SIMD_SETS),$(SIMD_SOURCES:%.c=$(BUILD)/%.$(set).o))

# A compiled image of a model is for the very program that wrote it (core/model/identity.c): a sum of
# the sources tells programs apart.
SOURCES_SUM := $(shell cat $(sort $(wildcard core/*.[ch] core/*/*.[ch] core/*/*/*.[ch])) | cksum | tr ' ' -)
$(shell mkdir -p $(BUILD)/core; echo $(SOURCES_SUM) | cmp -s - $(BUILD)/core/sources || \
        echo $(SOURCES_SUM) >$(BUILD)/core/sources)
$(BUILD)/core/model/identity.o: $(BUILD)/core/sources
$(BUILD)/core/model/identity.o: SEMBED_CFLAGS += -DSEMBED_SOURCES='"$(SOURCES_SUM)"'

CORE_LIBRARY := $(BUILD)/core/libsembed.a

$(CORE_LIBRARY): $(CORE_OBJECTS) $(SIMD_OBJECTS)
	@rm -f $@
	$(call say,AR)$(AR) rcs $@ $^

$(BUILD)/core/%.o: core/%.c
	@mkdir -p $(@D)
	$(call say,CC)$(CC) $(SEMBED_CFLAGS) $(ENGINE_CFLAGS) -c $< -o $@

define simd_rule
$(BUILD)/core/compute/simd/%.$(1).o: core/compute/simd/%.c
	@mkdir -p $$(@D)
	$$(call say,CC)$$(CC) $$(SEMBED_CFLAGS) -O3 $$(SIMD_FLAGS_$(1)) -DSIMD_SET=$(1) -DSIMD_SET_$(1) -c $$< -o $$@
endef
$(foreach set,$(SIMD_SETS),$(eval $(call simd_rule,$(set))))

# --- SQLite ---------------------------------------------------------------------------------------

SQLITE_SOURCES := $(wildcard sqlite/*.c)
SQLITE_OBJECTS := $(SQLITE_SOURCES:%.c=$(BUILD)/%.o)
SQLITE_LIBRARY := $(BUILD)/sqlite/sembed.so

sqlite: $(SQLITE_LIBRARY)

$(BUILD)/sqlite/%.o: sqlite/%.c
	@mkdir -p $(@D)
	$(call say,CC)$(CC) $(SEMBED_CFLAGS) -c $< -o $@

$(SQLITE_LIBRARY): $(SQLITE_OBJECTS) $(CORE_LIBRARY)
	$(call say,LINK)$(CC) $(SANITIZE) -shared -Wl,--no-undefined -Wl,--exclude-libs,ALL -Wl,-z,nodelete \
	    -o $@ $^ $(CORE_LIBS)

# --- tests ----------------------------------------------------------------------------------------

TEST_SOURCES  := $(wildcard tests/unit/test_*.c)
TEST_PROGRAMS := $(TEST_SOURCES:tests/unit/%.c=$(BUILD)/tests/%)
TEST_SUPPORT  := $(patsubst %.c,$(BUILD)/%.o,$(filter-out $(TEST_SOURCES),$(wildcard tests/unit/*.c)))
SQLITE_TESTS  := $(patsubst tests/sqlite/%.c,$(BUILD)/tests/sqlite/%,$(wildcard tests/sqlite/test_*.c))
SQLITE_TEST_SUPPORT := $(BUILD)/tests/sqlite/support.o

$(BUILD)/tests/%.o: tests/%.c
	@mkdir -p $(@D)
	$(call say,CC)$(CC) $(SEMBED_CFLAGS) -c $< -o $@

.SECONDARY:
$(BUILD)/tests/test_%: $(BUILD)/tests/unit/test_%.o $(TEST_SUPPORT) $(CORE_LIBRARY)
	$(call say,LINK)$(CC) $(SANITIZE) -o $@ $^ -lcmocka $(CORE_LIBS)

# These load build/sqlite/sembed.so as a user's program would, through libsqlite3.
$(BUILD)/tests/sqlite/test_%: $(BUILD)/tests/sqlite/test_%.o $(SQLITE_TEST_SUPPORT)
	$(call say,LINK)$(CC) $(SANITIZE) -o $@ $^ -lcmocka -lsqlite3 -ljansson -lm -lpthread

COUNTED := sembed_embed json_array_read memory_copy
# These have the extension inside, to count its calls of the core and to take its memory away.
$(BUILD)/tests/sqlite/test_core_%: $(BUILD)/tests/sqlite/test_core_%.o $(BUILD)/tests/sqlite/linked.o \
        $(SQLITE_TEST_SUPPORT) $(SQLITE_OBJECTS) $(CORE_LIBRARY)
	$(call say,LINK)$(CC) $(SANITIZE) $(if $(findstring calls,$*),$(COUNTED:%=-Wl$(,)--wrap=%)) -o $@ $^ \
	    -lcmocka -lsqlite3 $(CORE_LIBS)

# What the scripts of tests/parity ask; they need Python with the reference, so no test run builds them.
PARITY_PROGRAMS := $(patsubst %.c,$(BUILD)/%,$(wildcard tests/parity/*.c))

$(BUILD)/tests/parity/%: $(BUILD)/tests/parity/%.o $(CORE_LIBRARY)
	$(call say,LINK)$(CC) $(SANITIZE) -o $@ $^ $(CORE_LIBS)

parity: $(PARITY_PROGRAMS)

check: check-unit check-sqlite

check-unit: $(TEST_PROGRAMS)
	@set -e; for program in $(TEST_PROGRAMS); do echo "== $$program"; $$program; done

check-sqlite: $(SQLITE_LIBRARY) $(SQLITE_TESTS)
	@set -e; for program in $(SQLITE_TESTS); do echo "== $$program"; \
	    SEMBED_CACHE=$(BUILD)/cache SEMBED_EXTENSION=$(SQLITE_LIBRARY) $$program; done
	SEMBED_CACHE=$(BUILD)/cache SEMBED_EXTENSION=$(SQLITE_LIBRARY) tests/sqlite/shell.sh
	SEMBED_CACHE=$(BUILD)/cache SEMBED_EXTENSION=$(SQLITE_LIBRARY) tests/sqlite/recipes.sh

# GCC 12's leak checker misreads the header of thread-local storage that was allocated by the address
# sanitizer itself, and crashes; it need not know of that storage.
asan:
	ASAN_OPTIONS=intercept_tls_get_addr=0:$(ASAN_OPTIONS) $(MAKE) BUILD=$(BUILD)/asan \
	    SANITIZE="-fsanitize=address -fno-omit-frame-pointer" check
ubsan:
	$(MAKE) BUILD=$(BUILD)/ubsan SANITIZE="-fsanitize=undefined -fno-sanitize-recover=all" check
tsan:
	TSAN_OPTIONS=suppressions=$(CURDIR)/tests/tsan.supp:$(TSAN_OPTIONS) $(MAKE) BUILD=$(BUILD)/tsan \
	    SANITIZE="-fsanitize=thread" check

# valgrind 3.19 knows no AVX-512, and AVX2's fused multiplications it works out one number at a time:
# both engines and our own kernels stay at SSE4, and the last tests also run with AVX2. It is some 100
# times as slow, so the soak is short and the deadlines of interrupts are not for it.
VALGRIND = valgrind --quiet --error-exitcode=9 --leak-check=full --show-leak-kinds=definite --errors-for-leak-kinds=definite \
           --suppressions=tests/valgrind.supp
VALGRIND_TESTS ?= $(BUILD)/tests/test_archive \
                  $(filter-out %test_interrupt %test_threads %test_minilm,$(SQLITE_TESTS))
VALGRIND_AVX2_TESTS ?= $(BUILD)/tests/sqlite/test_embed $(BUILD)/tests/sqlite/test_schema

define under_valgrind
	@set -e; for program in $(1); do echo "== $$program"; \
	    SOAK_SECONDS=1 SEMBED_TEST_EMULATED=1 $(2) \
	    SEMBED_CACHE=$(BUILD)/cache-valgrind SEMBED_EXTENSION=$(SQLITE_LIBRARY) $(VALGRIND) $$program; done
endef

# The cache is empty at first, so that images are written as well as read.
valgrind: $(SQLITE_LIBRARY) $(SQLITE_TESTS) $(BUILD)/tests/test_archive
	@rm -rf $(BUILD)/cache-valgrind
	$(call under_valgrind,$(VALGRIND_TESTS),SEMBED_ISA=baseline ONEDNN_MAX_CPU_ISA=SSE41 OPENBLAS_CORETYPE=Nehalem)
	$(call under_valgrind,$(VALGRIND_AVX2_TESTS),SEMBED_ISA=avx2 ONEDNN_MAX_CPU_ISA=AVX2 OPENBLAS_CORETYPE=Haswell)

# Counters start anew; they are counted up by all the programs of check.
coverage:
	@mkdir -p $(BUILD)/coverage && find $(BUILD)/coverage -name '*.gcda' -delete
	$(MAKE) BUILD=$(BUILD)/coverage SANITIZE="--coverage -fprofile-update=atomic -O1 -DSEMBED_COUNTS_LINES" check
	scripts/coverage-report $(if $(MISSED),--missed) $(BUILD)/coverage

# Half an hour of sixteen connections to a PostgreSQL of its own, then a thousand interrupts; see
# tests/soak/run.
SOAK_SECONDS ?= 1800
LIBPQ_DIR     = $(shell $(PG_CONFIG) --libdir)

$(BUILD)/tests/soak/%.o: tests/soak/%.c
	@mkdir -p $(@D)
	$(call say,CC)$(CC) $(SEMBED_CFLAGS) -I$(shell $(PG_CONFIG) --includedir) -c $< -o $@

$(BUILD)/tests/soak/interrupts: $(BUILD)/tests/soak/interrupts.o
	$(call say,LINK)$(CC) $(SANITIZE) -o $@ $^ -L$(LIBPQ_DIR) -lpq -lpthread

# A module that a test's server loads.
define server_module
	@mkdir -p $(@D)
	$(call say,LINK)$(CC) $(filter-out -Wextra -Wshadow -fvisibility=hidden,$(SEMBED_CFLAGS)) \
	    -I$(shell $(PG_CONFIG) --includedir-server) -shared -o $@ $(filter %.c,$^)
endef

$(BUILD)/tests/soak/in_use.so: tests/soak/in_use.c
	$(server_module)

soak:
	BUILD=$(BUILD) PG_CONFIG=$(PG_CONFIG) scripts/pg-test --run tests/soak/run $(SOAK_SECONDS) 1000
# --- fuzzing and torture --------------------------------------------------------------------------

# Linked with clang's libFuzzer where SANITIZE asks for it, else with a main that reads the files it is
# given.
FUZZ_PROGRAMS := $(patsubst tests/fuzz/%.c,$(BUILD)/fuzz/%,$(wildcard tests/fuzz/fuzz_*.c))
FUZZ_SUPPORT  := $(BUILD)/tests/fuzz/support.o $(BUILD)/tests/unit/folder.o
ifneq ($(findstring fuzzer,$(SANITIZE)),)
FUZZ_LINK := $(subst fuzzer-no-link,fuzzer,$(SANITIZE))
else
FUZZ_LINK := $(SANITIZE) $(BUILD)/tests/fuzz/replay.o
$(FUZZ_PROGRAMS): $(BUILD)/tests/fuzz/replay.o
endif

$(BUILD)/fuzz/fuzz_sql: $(BUILD)/tests/sqlite/linked.o $(SQLITE_OBJECTS)
$(BUILD)/fuzz/fuzz_sql: FUZZ_LIBS = -lcmocka -lsqlite3
$(BUILD)/fuzz/fuzz_%: $(BUILD)/tests/fuzz/fuzz_%.o $(FUZZ_SUPPORT) $(CORE_LIBRARY)
	@mkdir -p $(@D)
	$(call say,LINK)$(CC) -o $@ $(filter-out %/replay.o %/libsembed.a,$^) $(FUZZ_LINK) $(CORE_LIBRARY) \
	    $(FUZZ_LIBS) $(CORE_LIBS)

fuzz-programs: $(FUZZ_PROGRAMS)

# An hour each, or FUZZ_SECONDS; FUZZERS names some of them. See tests/fuzz/run.
FUZZ_SANITIZE = -O1 -fsanitize=fuzzer-no-link,address,undefined -fno-sanitize-recover=all \
                -fno-omit-frame-pointer -Wno-error
fuzz-build:
	$(MAKE) BUILD=$(BUILD)/fuzz CC=clang ONEDNN=no SANITIZE="$(FUZZ_SANITIZE)" fuzz-programs
.PHONY: fuzz-programs fuzz-build fuzz
fuzz: fuzz-build
	tests/fuzz/run $(BUILD)/fuzz/fuzz $(FUZZERS)

# Memory that runs out: every allocation of a process fails once, the libraries' included.
TORTURE_PROGRAMS := $(addprefix $(BUILD)/torture/,allocations address_space damage)

.PHONY: torture torture-programs
torture-programs: $(TORTURE_PROGRAMS)
torture: $(TORTURE_PROGRAMS)
	@set -e; for program in $(TORTURE_PROGRAMS); do echo "== $$program"; $$program; done
	$(if $(PGXS),BUILD=$(BUILD) PG_CONFIG=$(PG_CONFIG) scripts/pg-test --run tests/torture/postgresql)
$(BUILD)/torture/allocations: $(BUILD)/tests/torture/failing_malloc.o $(BUILD)/tests/sqlite/linked.o \
        $(SQLITE_OBJECTS)
$(BUILD)/torture/allocations: FUZZ_LIBS = -lcmocka -lsqlite3
$(BUILD)/torture/%: $(BUILD)/tests/torture/%.o $(BUILD)/tests/unit/folder.o $(CORE_LIBRARY)
	@mkdir -p $(@D)
	$(call say,LINK)$(CC) $(SANITIZE) -o $@ $(filter-out %/libsembed.a,$^) $(CORE_LIBRARY) \
	    $(FUZZ_LIBS) $(CORE_LIBS)

# The same in a PostgreSQL server; see tests/torture/postgresql.
$(BUILD)/torture/postgresql: tests/torture/postgresql.c
	@mkdir -p $(@D)
	$(call say,LINK)$(CC) $(SEMBED_CFLAGS) -I$(shell $(PG_CONFIG) --includedir) -o $@ $< -L$(LIBPQ_DIR) -lpq
$(BUILD)/torture/failing_postgresql.so: $(addprefix tests/torture/,failing_postgresql.c failing_malloc.c failing_malloc.h)
	$(server_module)

# --- benchmarks -----------------------------------------------------------------------------------

BENCH_PROGRAM := $(BUILD)/bench/bench

$(BUILD)/bench/%.o: bench/%.c
	@mkdir -p $(@D)
	$(call say,CC)$(CC) $(SEMBED_CFLAGS) -c $< -o $@

$(BENCH_PROGRAM): $(patsubst %.c,$(BUILD)/%.o,$(wildcard bench/*.c)) $(CORE_LIBRARY)
	$(call say,LINK)$(CC) $(SANITIZE) -o $@ $^ $(CORE_LIBS)

bench: $(BENCH_PROGRAM)
	[ -d models/all-MiniLM-L6-v2 ] || scripts/fetch-model
	bench/compare $(BENCH_PROGRAM)
	bench/report --plot $(BUILD)/bench/performance.png

format:
	clang-format -i $(shell git ls-files '*.c' '*.h')

format-check:
	clang-format --dry-run -Werror $(shell git ls-files '*.c' '*.h')

clean: clean-build
clean-build:
	rm -rf $(BUILD)

-include $(shell find $(BUILD) -name '*.d' 2>/dev/null)

# --- PostgreSQL -----------------------------------------------------------------------------------

PG_CONFIG ?= pg_config
PGXS := $(wildcard $(shell $(PG_CONFIG) --pgxs 2>/dev/null))

# Started in a folder of its own; see pg/pg.mk. The ways from there are relative, for make cannot read
# names with spaces.
PG_TOP   = $(shell mkdir -p $(BUILD)/pg && realpath --relative-to=$(BUILD)/pg .)
PG_MAKE  = $(MAKE) --no-print-directory -C $(BUILD)/pg -f $(PG_TOP)/pg/pg.mk \
           PG_CONFIG='$(PG_CONFIG)' SANITIZE='$(SANITIZE)' WERROR='$(WERROR)' CORE_LIBS='$(CORE_LIBS)' \
           CORE_LIBRARY='$(if $(filter /%,$(CORE_LIBRARY)),,$(PG_TOP)/)$(CORE_LIBRARY)'

all: sqlite $(if $(PGXS),pg)

ifneq ($(PGXS),)
pg: $(CORE_LIBRARY)
	+$(PG_MAKE) all
install: $(CORE_LIBRARY)
	+$(PG_MAKE) install
installcheck uninstall:
	+$(PG_MAKE) $@
else
pg install installcheck uninstall:
	@echo "This needs PostgreSQL's server headers (package postgresql-server-dev-all); PG_CONFIG=$(PG_CONFIG)" >&2
	@exit 1
endif

.PHONY: default all sqlite check check-unit check-sqlite asan ubsan tsan valgrind coverage soak bench parity format format-check \
        clean clean-build pg install installcheck uninstall

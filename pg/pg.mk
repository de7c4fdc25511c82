# The PostgreSQL extension, by PGXS, in a make of its own that the top Makefile starts in the top
# folder: PGXS brings its own CC, CFLAGS, pattern rules and a `check` that refuses to run, and so none
# of it touches the core or the other targets. The top Makefile hands over
#   PG_CONFIG, BUILD, CORE_LIBRARY (built already), CORE_LIBS, SANITIZE.

MODULE_big = sembed
EXTENSION  = pg/sembed
DATA       = pg/sembed--0.1.0.sql
OBJS       = $(patsubst %.c,$(BUILD)/%.o,$(wildcard pg/*.c))

# PostgreSQL's headers are not clean under -Wunused-parameter and -Wsign-compare.
PG_CFLAGS  = -Wextra -Werror -Wno-unused-parameter -Wno-sign-compare \
             -Wno-declaration-after-statement -MMD -MP $(SANITIZE)
SHLIB_LINK = $(CORE_LIBRARY) -Wl,--exclude-libs,ALL $(CORE_LIBS) $(SANITIZE)

# Inlining by the JIT compiler is of use for functions of nanoseconds, and its bitcode needs the very
# clang that PostgreSQL was built with.
override with_llvm = no

PGXS := $(shell $(PG_CONFIG) --pgxs)
include $(PGXS)

$(BUILD)/pg/%.o: pg/%.c
	@mkdir -p $(@D)
	$(COMPILE.c) -o $@ $<

$(shlib): $(CORE_LIBRARY)

-include $(OBJS:.o=.d)

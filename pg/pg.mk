# The PostgreSQL extension, by PGXS, in a make of its own that the top Makefile starts in $(BUILD)/pg:
# PGXS brings its own CC, CFLAGS, pattern rules and a `check` that refuses to run, and so none of it
# touches the core or the other targets. As the Makefile is elsewhere, PGXS makes a VPATH build of it:
# srcdir is the folder of this file. The top Makefile hands over PG_CONFIG, CORE_LIBRARY (built
# already), CORE_LIBS, SANITIZE and WERROR.

here := $(dir $(firstword $(MAKEFILE_LIST)))
top  := $(here)..

MODULE_big = sembed
EXTENSION  = sembed
DATA       = $(notdir $(wildcard $(here)sembed--*.sql))
OBJS       = $(patsubst $(here)%.c,%.o,$(sort $(wildcard $(here)*.c)))

# PGXS hands over the options of the compiler that PostgreSQL was built with: clang does not know all of
# gcc's. PostgreSQL's headers are not clean under -Wunused-parameter and -Wsign-compare.
CLANG_CFLAGS = $(if $(findstring clang,$(CC)),-Wno-unknown-warning-option \
               -Wno-ignored-optimization-argument -Wno-ignored-attributes)
PG_CPPFLAGS = -I$(top)
PG_CFLAGS   = -Wextra $(WERROR) -Wno-unused-parameter -Wno-sign-compare \
              -Wno-declaration-after-statement $(CLANG_CFLAGS) -MMD -MP $(SANITIZE)
SHLIB_LINK  = $(CORE_LIBRARY) -Wl,--exclude-libs,ALL $(CORE_LIBS) $(SANITIZE)

# Model folders for installcheck: the fixture and broken copies of it. The server must be able to
# read them; name another folder in SEMBED_REGRESS_MODELS where it cannot read this one.
export SEMBED_REGRESS_MODELS ?= $(CURDIR)/models

REGRESS      = setup functions golden options vectors rerank tokens chunk evaluation cases batch errors settings security encoding cancel planner
REGRESS_OPTS = --inputdir=$(top)
REGRESS_PREP = regress-models
ENCODING     = UTF8
NO_LOCALE    = yes
EXTRA_CLEAN  = $(OBJS:.o=.d) server-version models

# Inlining by the JIT compiler is of use for functions of nanoseconds, and its bitcode needs the very
# clang that PostgreSQL was built with.
override with_llvm = no

PGXS := $(shell $(PG_CONFIG) --pgxs)
include $(PGXS)

$(shlib): $(CORE_LIBRARY)

# An object is for one version of the server.
$(shell echo '$(VERSION)' | cmp -s - server-version || echo '$(VERSION)' >server-version)
$(OBJS): server-version

-include $(OBJS:.o=.d)

regress-models:
	$(here)make-regress-models '$(SEMBED_REGRESS_MODELS)'

.PHONY: regress-models

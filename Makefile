# Taskwire's one build file.  `make help` lists what it does.
#
# Every product stands under build/<variant>/ (release, or the sanitizers' names); objects
# are found by folder, so a new module needs no line here.

SHELL       := /bin/bash
MAKEFLAGS   += --no-builtin-rules
.DELETE_ON_ERROR:
.SECONDARY:

comma       := ,
empty       :=
space       := $(empty) $(empty)
V           ?=
Q           := $(if $(V),,@)
say          = @printf '  %-5s %s\n' $(1) $(2)

CC          := $(if $(filter default,$(origin CC)),gcc,$(CC))
# Which build: release, or the names of the sanitizers; clang, fault points and fuzzing apart.
B           := build/$(if $(SAN),$(subst $(comma),-,$(SAN)),release)$(if $(filter clang%,$(notdir $(CC))),-clang)$(if $(FAULTS),-faults)$(if $(FUZZ),-fuzz)
WARN        := -Wall -Wextra -Werror -Wshadow -Wvla -Wformat=2 -Wstrict-prototypes -Wmissing-prototypes
OPT         ?= -O2 -g
CFLAGS      ?=
FLAGS        = -std=c11 -D_GNU_SOURCE -I. $(WARN) $(OPT) $(if $(SAN),-fsanitize=$(SAN) -fno-sanitize-recover=all) $(if $(FUZZ),-fsanitize=fuzzer-no-link) \
               $(if $(FAULTS),-DTASKWIRE_FAULTS) -fno-omit-frame-pointer $(CFLAGS)
VERSION     := $(shell git describe --always --dirty --tags 2>/dev/null || echo unknown)

# --- libraries: pkg-config where there is a file, Debian 12's places where there is none ---
PKGS        := libuv hiredis jansson libcrypto zlib
PKG_CFLAGS  := $(shell pkg-config --cflags $(PKGS) libmongoc-1.0 sqlite3 2>/dev/null)
LLHTTP_SRC  := /usr/share/llhttp
ifneq ($(wildcard $(LLHTTP_SRC)/llhttp.c),)
LLHTTP_CFLAGS := -I/usr/share/include/llhttp -DLLHTTP_STRICT_MODE=1
LLHTTP_OBJS   = $(patsubst $(LLHTTP_SRC)/%.c,$(B)/llhttp/%.o,$(wildcard $(LLHTTP_SRC)/*.c))
else
LLHTTP_CFLAGS := $(shell pkg-config --cflags libllhttp 2>/dev/null) -DLLHTTP_STRICT_MODE=1
LLHTTP_LIBS   := -lllhttp
endif
LIBS        := $(shell pkg-config --libs $(PKGS) 2>/dev/null) $(LLHTTP_LIBS) -lwslay -lpthread -lm
LIBS_TASKD  := $(shell pkg-config --libs libmongoc-1.0 sqlite3 2>/dev/null)

# --- rooms: each folder is an archive, its main.c stands apart ---
ROOMS       := common proto gateway/engineio gateway/socketio gateway taskd taskd/ctl taskd/ctl/cli
srcs         = $(filter-out %/main.c,$(sort $(wildcard $(1)/*.c)))
objs         = $(patsubst %.c,$(B)/%.o,$(call srcs,$(1)))
lib          = $(B)/lib/$(subst /,-,$(1)).a
COMMON       = $(call lib,proto) $(call lib,common)
BINS         = $(addprefix $(B)/bin/,gateway taskd taskctl)

all: $(BINS) proto-out web man          ## build gateway, taskd and taskctl under build/release/bin
	@:

$(B)/bin/gateway: $(B)/gateway/main.o $(call lib,gateway) $(call lib,gateway/socketio) $(call lib,gateway/engineio) $(COMMON)
	$(call say,LD,$@)
	$(Q)mkdir -p $(@D) && $(CC) $(FLAGS) -o $@ $^ $(LIBS)

$(B)/bin/taskd: $(B)/taskd/main.o $(call lib,taskd) $(COMMON)
	$(call say,LD,$@)
	$(Q)mkdir -p $(@D) && $(CC) $(FLAGS) -o $@ $^ $(LIBS) $(LIBS_TASKD)

$(B)/bin/taskctl: $(B)/taskd/ctl/main.o $(call lib,taskd/ctl) $(call lib,taskd/ctl/cli) $(COMMON)
	$(call say,LD,$@)
	$(Q)mkdir -p $(@D) && $(CC) $(FLAGS) -o $@ $^ $(LIBS)

define room
$(call lib,$(1)): $(call objs,$(1)) $(if $(filter common,$(1)),$$(LLHTTP_OBJS))
	$(Q)mkdir -p $$(@D) && rm -f $$@ && ar rcs $$@ $$^
endef
$(foreach r,$(ROOMS),$(eval $(call room,$(r))))

$(B)/%.o: %.c
	$(call say,CC,$<)
	$(Q)mkdir -p $(@D) && $(CC) $(FLAGS) $(PKG_CFLAGS) $(LLHTTP_CFLAGS) -DTASKWIRE_VERSION='"$(VERSION)"' -MMD -MP -c -o $@ $<

$(B)/llhttp/%.o: $(LLHTTP_SRC)/%.c
	$(Q)mkdir -p $(@D) && $(CC) -O2 -g $(if $(SAN),-fsanitize=$(SAN)) -fno-omit-frame-pointer $(LLHTTP_CFLAGS) -c -o $@ $<

-include $(shell find $(B) -name '*.d' 2>/dev/null)

# --- what others need from proto/: TypeScript types, JSON Schemas, tables ---
$(B)/bin/protogen: $(patsubst %.c,$(B)/%.o,$(sort $(wildcard proto/gen/*.c))) $(COMMON)
	$(call say,LD,$@)
	$(Q)mkdir -p $(@D) && $(CC) $(FLAGS) -o $@ $^ $(LIBS)

proto-out: $(B)/proto-out/.done         ## print TypeScript types and JSON Schemas from proto/
$(B)/proto-out/.done: $(B)/bin/protogen
	$(Q)rm -rf $(@D) && mkdir -p $(@D) && $< $(@D) && touch $@

# --- man pages, printed by taskctl from its table of commands ---
man: $(B)/man/.done                     ## taskctl's man pages under build/release/man/man1
$(B)/man/.done: $(B)/bin/taskctl
	$(Q)rm -rf $(@D) && mkdir -p $(@D) && $< man $(@D)/man1 && touch $@

# --- the page: built once, whatever the variant, and put beside each gateway ---
WEB_FILES    = $(shell find gateway/web/src gateway/web/public -type f) \
               $(addprefix gateway/web/,index.html package.json package-lock.json tsconfig.json tsconfig.worker.json vite.config.ts)
web: $(B)/web/.done                     ## check and build the page, and put it beside the gateway
$(B)/web/.done: build/web/.done
	$(Q)rm -rf $(@D) && mkdir -p $(@D) && cp -r build/web/dist/. $(@D)/ && touch $@

build/web/.done: $(WEB_FILES) build/web/proto/events.ts
	$(call say,VITE,gateway/web)
	$(Q)flock build/web/lock sh -c '{ cmp -s gateway/web/package-lock.json gateway/web/node_modules/.taskwire-stamp || deploy/deps.sh; } && \
		cd gateway/web && node_modules/.bin/tsc --noEmit && node_modules/.bin/tsc --noEmit -p tsconfig.worker.json && \
		node_modules/.bin/vite build --logLevel warn'
	$(Q)touch $@

embed: build/web/.done                  ## the page's hooks for other React applications: build/web/embed
	$(Q)rm -rf build/web/embed && cd gateway/web && node_modules/.bin/tsc -p tsconfig.embed.json && \
		node_modules/.bin/vite build -c embed.config.ts --logLevel warn

# Every variant prints the same types: only what is new is new.
build/web/proto/events.ts: $(B)/proto-out/.done
	$(Q)mkdir -p $(@D) && { cmp -s $(<D)/events.ts $@ || cp $(<D)/events.ts $@; }

# --- tests ---
UNIT_TESTS   = $(patsubst tests/%.c,$(B)/tests/%,$(sort $(shell find tests/unit -name '*_test.c' 2>/dev/null)))
ALL_LIBS     = $(call lib,gateway) $(call lib,gateway/socketio) $(call lib,gateway/engineio) \
               $(call lib,taskd/ctl) $(call lib,taskd/ctl/cli) $(call lib,taskd) $(COMMON)

unit: $(UNIT_TESTS)
$(B)/tests/unit/%: $(B)/tests/unit/%.o $(ALL_LIBS)
	$(Q)mkdir -p $(@D) && $(CC) $(FLAGS) -o $@ $^ $(LIBS) $(LIBS_TASKD) -lcmocka

# One suite for every kind of store; tests/suites/store.mjs says over what it runs.
stores: $(B)/tests/integration/store_suite
$(B)/tests/integration/store_suite: $(patsubst %.c,$(B)/%.o,$(sort $(wildcard tests/integration/store/*.c))) \
                                    $(call lib,taskd) $(COMMON)
	$(call say,LD,$@)
	$(Q)mkdir -p $(@D) && $(CC) $(FLAGS) -o $@ $^ $(LIBS) $(LIBS_TASKD) -lcmocka

# taskd with the places where a crash test may kill it (taskd/fault.h), in a folder of its own.
faults:
	$(Q)$(MAKE) --no-print-directory SAN=$(SAN) CC=$(CC) FAULTS=1 $(B)-faults/bin/taskd

# A fuzzer's file twice: with libFuzzer for `make fuzz`, with a small main that replays its
# corpus for `make test`, so that every old finding stays found.
FUZZERS      = $(patsubst tests/fuzz/fuzz_%.c,%,$(sort $(wildcard tests/fuzz/fuzz_*.c)))
replays: $(FUZZERS:%=$(B)/tests/fuzz/replay_%)
$(B)/tests/fuzz/replay_%: $(B)/tests/fuzz/fuzz_%.o $(B)/tests/fuzz/replay.o $(ALL_LIBS)
	$(Q)mkdir -p $(@D) && $(CC) $(FLAGS) -o $@ $^ $(LIBS) $(LIBS_TASKD)
fuzzers: $(FUZZERS:%=$(B)/tests/fuzz/fuzz_%)
$(B)/tests/fuzz/fuzz_%: $(B)/tests/fuzz/fuzz_%.o $(ALL_LIBS)
	$(Q)mkdir -p $(@D) && $(CC) $(FLAGS) -fsanitize=fuzzer -o $@ $^ $(LIBS) $(LIBS_TASKD)

FUZZ_SECONDS ?= 60
FUZZ_RUNS    ?= -1
fuzz: deps                              ## each decoder under libFuzzer for FUZZ_SECONDS or FUZZ_RUNS
	$(Q)$(MAKE) --no-print-directory -j$(JOBS) CC=clang SAN=address,undefined FUZZ=1 fuzzers
	$(Q)FUZZ_SECONDS=$(FUZZ_SECONDS) FUZZ_RUNS=$(FUZZ_RUNS) tests/fuzz/run.sh build/address-undefined-clang-fuzz/tests/fuzz $(FUZZERS)

# --- the echo application: our two protocol libraries under the public suites ---
$(B)/bin/echo: $(patsubst %.c,$(B)/%.o,$(sort $(wildcard tests/conformance/echo/*.c))) \
               $(call lib,gateway/socketio) $(call lib,gateway/engineio) $(COMMON)
	$(call say,LD,$@)
	$(Q)mkdir -p $(@D) && $(CC) $(FLAGS) -o $@ $^ $(LIBS)

# --- a supervisor as small as it can be, for tests of how services are started and stopped ---
$(B)/bin/supervise: $(B)/tests/integration/supervise/supervise.o
	$(call say,LD,$@)
	$(Q)mkdir -p $(@D) && $(CC) $(FLAGS) -o $@ $^

# --- the simulation: the services' own objects, in a modelled world and virtual time ---
SIM_OBJS     = $(patsubst %.c,$(B)/%.o,$(sort $(wildcard tests/sim/*.c)))
SIM_WRAPS    = -Wl,--wrap=clock_wall_us,--wrap=clock_wall_ms,--wrap=crypto_random
SIM_SEEDS   ?= 10000
$(B)/bin/sim: $(SIM_OBJS) $(call lib,gateway) $(call lib,taskd) $(COMMON)
	$(call say,LD,$@)
	$(Q)mkdir -p $(@D) && $(CC) $(FLAGS) $(SIM_WRAPS) -o $@ $^ $(LIBS)

sim: $(B)/bin/sim                       ## SIM_SEEDS seeded histories of all services, checked for C1 to C3
	$(Q)$< --count $(SIM_SEEDS)

mutants: $(B)/bin/sim                   ## break promises on purpose: the simulation must find each
	$(Q)B="$(B)" CC="$(CC)" FLAGS="$(FLAGS) $(PKG_CFLAGS)" LINK="$(SIM_WRAPS)" LIBS="$(LIBS)" \
		ARCHIVES="$(call lib,gateway) $(call lib,taskd) $(COMMON)" tests/sim/mutants.sh

# --- chaos: a proxy whose connections can hang ---
$(B)/bin/pipes: $(B)/tests/chaos/pipes.o
	$(call say,LD,$@)
	$(Q)mkdir -p $(@D) && $(CC) $(FLAGS) -o $@ $^

# --- benches: programs of their own, measured and never asserted ---
bench-things: all $(B)/bin/load $(B)/bin/floor $(B)/bin/store_bench $(B)/bin/bare_sqlite $(B)/bin/bare_mongo
$(B)/bin/load $(B)/bin/floor: $(B)/bin/%: $(B)/tests/bench/%.o
	$(call say,LD,$@)
	$(Q)mkdir -p $(@D) && $(CC) $(FLAGS) -o $@ $^

$(B)/bin/store_bench: $(B)/tests/bench/store_bench.o $(B)/tests/bench/store_fill.o $(call lib,taskd) $(COMMON)
	$(call say,LD,$@)
	$(Q)mkdir -p $(@D) && $(CC) $(FLAGS) -o $@ $^ $(LIBS) $(LIBS_TASKD)

$(B)/bin/bare_sqlite $(B)/bin/bare_mongo: $(B)/bin/%: $(B)/tests/bench/%.o
	$(call say,LD,$@)
	$(Q)mkdir -p $(@D) && $(CC) $(FLAGS) -o $@ $^ $(LIBS_TASKD) -lpthread

bench: deps                             ## fan-out, memory per connection, transitions, timelines: tables with ratios
	$(Q)cd tests/bench && { test -d node_modules || npm install --no-package-lock --no-audit --no-fund --loglevel=error; }
	$(Q)$(SUB) bench-things
	$(Q)for b in $(or $(BENCHES),fanout idle slow transitions timeline); do TASKWIRE_BUILD=$(CURDIR)/$(B) node tests/bench/$$b.mjs || exit 1; done

# What is installed decides what is built, so building starts after installing, in a make of its own.
JOBS        ?= $(shell nproc 2>/dev/null || echo 2)
SUB          = $(MAKE) --no-print-directory -j$(JOBS) SAN=$(SAN) CC=$(CC)
TEST_THINGS  = all unit replays stores faults $(B)/bin/echo $(B)/bin/sim $(B)/bin/supervise $(B)/bin/pipes

test: deps                              ## every suite: unit, integration, with real servers and clients
	$(Q)$(SUB) $(TEST_THINGS)
	$(Q)B=$(B) SAN=$(SAN) node tests/run.mjs $(SUITES)

conformance: deps                       ## real clients and the reference server against ours
	$(Q)$(SUB) all $(B)/bin/echo
	$(Q)B=$(B) SAN=$(SAN) node tests/run.mjs conformance

chaos: deps                             ## 500 clients while gateways, taskds and Redis are killed: ten minutes
	$(Q)$(SUB) all $(B)/bin/pipes
	$(Q)B=$(B) SAN=$(SAN) TASKWIRE_CHAOS=full node tests/run.mjs chaos

# An older version is built from the history, in a folder of its own.
OLD         ?= $(shell git rev-list -n 1 --skip 20 HEAD 2>/dev/null)
rolling: deps                           ## upgrade from the commit OLD under 2,000 clients, both versions side by side
	$(Q)$(SUB) all
	$(Q)test -d build/old/$(OLD) || { mkdir -p build/old/$(OLD) && git archive $(OLD) | tar -x -C build/old/$(OLD); }
	$(Q)$(MAKE) --no-print-directory -j$(JOBS) -C build/old/$(OLD) VERSION=$(OLD) build/release/bin/gateway build/release/bin/taskd
	$(Q)TASKWIRE_BUILD=$(CURDIR)/$(B) TASKWIRE_OLD_BUILD=$(CURDIR)/build/old/$(OLD)/build/release \
		TASKWIRE_CHAOS=full node --test tests/chaos/rolling.test.mjs

asan: deps                              ## the unit and integration suites under ASan and UBSan
	$(Q)$(MAKE) --no-print-directory SAN=address,undefined SUITES="$(or $(SUITES),unit fuzz sim integration)" test

screenshots: deps                       ## pictures of the page under build/screenshots
	$(Q)$(SUB) all
	$(Q)TASKWIRE_BUILD=$(CURDIR)/$(B) node tests/browser/screenshots.mjs

deps:                                   ## install what is missing (Debian packages, npm modules)
	$(Q)deploy/deps.sh

deb: deps                               ## a Debian package of it all: build/release/taskwire.deb
	$(Q)$(SUB) all man
	$(Q)deploy/debian/build.sh $(B) "$(VERSION)" $(B)/taskwire.deb && echo "  DEB   $(B)/taskwire.deb"

run: deps                               ## Redis, taskd, gateway and simulator on loopback; Ctrl-C stops all
	$(Q)$(SUB) all
	$(Q)B=$(B) PORT=$(PORT) RUN_DIR=$(RUN_DIR) STORE=$(STORE) exec deploy/run.sh

lint: deps                              ## doors, arrows, sizes, banned calls, format
	$(Q)tests/lint.sh

clean:                                  ## remove build/
	$(Q)rm -rf build

help:                                   ## this list
	@sed -n 's/^\([a-z-]*\):[^#]*## \(.*\)/  make \1\t\2/p' $(MAKEFILE_LIST) | expand -t 20
	@echo "  settings: PORT=3000 RUN_DIR=build/run STORE=sqlite|mongo CC=clang SAN=address,undefined V=1"

.PHONY: all web embed man unit replays faults sim mutants chaos rolling fuzzers fuzz bench bench-things test conformance asan deps deb run lint clean help proto-out

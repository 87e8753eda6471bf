# make               programs into build/bin, shell completions into build/completions
# make check         installs what is missing, runs every test, ends with "N passed, N failed"
# make check-san     unit and program tests under AddressSanitizer and UBSan
# make check-valgrind  what hostile peers do, to a gateway under valgrind
# make fuzz          each parser fuzzed for FUZZ_SECONDS
# make lint          layers, format, static analysis, scripts, manual pages
# make demo          all of it at work, on this machine
# make soak          events that must not be lost, for SOAK_SECONDS by the chance of SOAK_SEED; then
#                    ten minutes of clients that come and go
# make bench         speed; make bench-peers runs the same load against other servers, and make
#                    bench-scaling measures what collab-scaling(7) reckons with
# make deps          installs what make needs (Debian)
# make install       below PREFIX, within DESTDIR

VERSION = 0.1.0

PREFIX = /usr/local
CFLAGS = -O2 -g
BUILD = build
# -Werror when set.
WERROR =
# Whole commands shown when set.
V =
FUZZ_SECONDS = 60

PKGS = libwebsockets hiredis libcjson libjwt libuv openssl msgpack zlib
# What comes without a file for pkg-config.
HEADERS = http_parser.h uthash.h
# As system headers: our warnings are for our code.
PKG_CFLAGS := $(patsubst -I%,-isystem %,$(shell pkg-config --cflags $(PKGS) 2>/dev/null))
LIBS := $(shell pkg-config --libs $(PKGS) 2>/dev/null) -lhttp_parser -lm

WARNINGS = -Wall -Wextra -Wpedantic -Wshadow -Wstrict-prototypes -Wmissing-prototypes \
	-Wconversion -Wno-sign-conversion -Wvla -Wformat=2
FLAGS = -std=gnu11 -D_GNU_SOURCE -DCOLLAB_VERSION=\"$(VERSION)\" -Ilib $(PKG_CFLAGS) $(CPPFLAGS)
COMPILE = $(CC) $(FLAGS) $(WARNINGS) $(if $(WERROR),-Werror) $(CFLAGS) -MMD -MP
LINK = $(CC) $(CFLAGS) $(LDFLAGS) -Wl,--as-needed

SANITIZE = -O1 -g -fno-omit-frame-pointer -fsanitize=address,undefined -fno-sanitize-recover=all
SAN = BUILD=$(BUILD)/san CFLAGS='$(SANITIZE)'
# Without warnings: gcc's are those that we follow.
FUZZ = BUILD=$(BUILD)/fuzz CC=clang CFLAGS='$(SANITIZE) -fsanitize=fuzzer-no-link -w'

# As many jobs as there are processors, unless told otherwise.
SUBMAKE = @+$(MAKE) --no-print-directory $(if $(filter -j%,$(MAKEFLAGS)),,-j$(shell nproc)) \
	$(if $(V),,-s)
SAY = @printf '%8s  %s\n'
Q = $(if $(V),,@)

objects = $(patsubst %.c,$(BUILD)/obj/%.o,$(wildcard $(1)))

LIB = $(BUILD)/libcollab.a
GATEWAY = $(call objects,cmd/collabd/*.c)
# All of the gateway but its main(), for test_gw_* and fuzz_gw_*.
STAGES = $(filter-out %/main.o,$(GATEWAY))
PROGRAMS = $(patsubst cmd/%.c,$(BUILD)/bin/%,$(wildcard cmd/collab-*.c)) \
	$(if $(GATEWAY),$(BUILD)/bin/collabd)
UNIT_TESTS = $(patsubst tests/unit/%.c,$(BUILD)/unit/%,$(wildcard tests/unit/test_*.c))
FUZZERS = $(patsubst tests/fuzz/%.c,$(BUILD)/bin/%,$(wildcard tests/fuzz/fuzz_*.c))
# Servers that tests of clients talk to, made of the gateway's stages.
ECHOES = $(patsubst tests/echo/%.c,$(BUILD)/echo/%,$(wildcard tests/echo/*.c))
BENCHES = $(patsubst tests/bench/%.c,$(BUILD)/bench/%,$(wildcard tests/bench/*.c))
NAMES = $(notdir $(PROGRAMS))
COMPLETIONS = $(NAMES:%=$(BUILD)/completions/bash/%) $(NAMES:%=$(BUILD)/completions/zsh/_%) \
	$(NAMES:%=$(BUILD)/completions/fish/%.fish)
LOCKS = $(wildcard tests/clients/package-lock.json)

all: programs $(COMPLETIONS)
programs: $(PROGRAMS)
unit-tests: $(UNIT_TESTS)
fuzzers: $(FUZZERS)
echoes: $(ECHOES)
benches: $(BENCHES)
clients: $(LOCKS:tests/clients/%=tests/clients/node_modules/.%)

$(BUILD)/obj/%.o: %.c Makefile | libraries
	$(SAY) compile $<
	@mkdir -p $(@D)
	$(Q)$(COMPILE) -c -o $@ $<

$(BUILD)/obj/tests/unit/test_gw_%.o $(BUILD)/obj/tests/fuzz/fuzz_gw_%.o \
$(BUILD)/obj/tests/echo/%.o: CPPFLAGS += -Icmd/collabd

$(BUILD)/obj/lib/builtin.o: examples/kanban/catalog.json
$(BUILD)/obj/lib/store_scripts.o: $(wildcard lib/*.lua)

$(LIB): $(call objects,lib/*.c)
	$(SAY) archive $@
	@rm -f $@
	$(Q)$(AR) rcs $@ $^

define link
	$(SAY) link $@
	@mkdir -p $(@D)
	$(Q)$(LINK) -o $@ $^ $(1) $(LIBS)
endef

$(BUILD)/bin/collabd: $(GATEWAY) $(LIB)
	$(link)

$(BUILD)/bin/%: $(BUILD)/obj/cmd/%.o $(LIB)
	$(link)

$(BUILD)/bench/%: $(BUILD)/obj/tests/bench/%.o $(LIB)
	$(link)

$(BUILD)/unit/%: $(BUILD)/obj/tests/unit/%.o $(LIB)
	$(call link,-lcmocka)

$(BUILD)/unit/test_gw_%: $(BUILD)/obj/tests/unit/test_gw_%.o $(STAGES) $(LIB)
	$(call link,-lcmocka)

$(BUILD)/echo/%: $(BUILD)/obj/tests/echo/%.o $(STAGES) $(LIB)
	$(link)

$(BUILD)/bin/fuzz_%: $(BUILD)/obj/tests/fuzz/fuzz_%.o $(LIB)
	$(call link,-fsanitize=fuzzer)

$(BUILD)/bin/fuzz_gw_%: $(BUILD)/obj/tests/fuzz/fuzz_gw_%.o $(STAGES) $(LIB)
	$(call link,-fsanitize=fuzzer)

$(BUILD)/completions/bash/%: $(BUILD)/bin/% $(wildcard completions/*)
	@mkdir -p $(@D)
	@completions/generate bash $< >$@

$(BUILD)/completions/zsh/_%: $(BUILD)/bin/% $(wildcard completions/*)
	@mkdir -p $(@D)
	@completions/generate zsh $< >$@

$(BUILD)/completions/fish/%.fish: $(BUILD)/bin/% $(wildcard completions/*)
	@mkdir -p $(@D)
	@completions/generate fish $< >$@

# Clients of others, from npm; it leaves a copy of the lock file with what it installed.
tests/clients/node_modules/.package-lock.json: tests/clients/package-lock.json
	$(SAY) npm tests/clients
	$(Q)npm ci --prefix tests/clients --no-audit --no-fund --loglevel=error >/dev/null

libraries:
	@pkg-config --exists --print-errors $(PKGS) && \
	    printf '#include <%s>\n' $(HEADERS) | $(CC) $(CPPFLAGS) -E -o /dev/null -xc - || \
	    { echo "libraries are missing: on Debian, 'make deps' installs them" >&2; exit 1; }

deps:
	@tests/deps build

check:
	@tests/deps check
	$(SUBMAKE) all unit-tests echoes clients
	$(SUBMAKE) $(FUZZ) fuzzers
	@BUILD=$(BUILD) tests/run unit fuzz bats

check-san:
	@tests/deps check
	$(SUBMAKE) $(SAN) all unit-tests echoes clients
	@BUILD=$(BUILD)/san tests/run unit bats

check-valgrind:
	@tests/deps check
	$(SUBMAKE) all clients
	@UNDER_VALGRIND=1 ROUNDS=2 PATIENCE_MS=60000 BUILD=$(realpath $(BUILD)) \
	    PATH="$(realpath $(BUILD))/bin:$$PATH" bats tests/hostile.bats

fuzz:
	@tests/deps check
	$(SUBMAKE) $(FUZZ) fuzzers
	@BUILD=$(BUILD) FUZZ_SECONDS=$(FUZZ_SECONDS) tests/run fuzz

lint:
	@tests/deps lint
	@tests/lint/run

# What the compiler is told, for other tools that read C.
flags:
	@echo '$(FLAGS)'

demo:
	@tests/deps demo
	$(SUBMAKE) all
	@BUILD=$(BUILD) examples/demo/run

soak:
	@tests/deps check
	$(SUBMAKE) all clients
	@BUILD=$(realpath $(BUILD)) bats tests/soak
	@BUILD=$(BUILD) tests/soak/ops

bench:
	@tests/deps bench
	$(SUBMAKE) all benches
	@BUILD=$(BUILD) tests/bench/run

bench-scaling:
	@tests/deps bench
	$(SUBMAKE) all
	@BUILD=$(BUILD) tests/bench/scaling

bench-peers:
	@tests/deps peers
	$(SUBMAKE) all benches
	@BUILD=$(BUILD) tests/bench/peers

BIN = $(DESTDIR)$(PREFIX)/bin
SHARE = $(DESTDIR)$(PREFIX)/share

install: all
	install -d $(BIN)
	install $(PROGRAMS) $(BIN)
	for page in man/*.[1-8]; do \
	    install -D -m 644 -t $(SHARE)/man/man$${page##*.} $$page || exit; done
	install -D -m 644 -t $(SHARE)/bash-completion/completions $(BUILD)/completions/bash/*
	install -D -m 644 -t $(SHARE)/zsh/site-functions $(BUILD)/completions/zsh/*
	install -D -m 644 -t $(SHARE)/fish/vendor_completions.d $(BUILD)/completions/fish/*

clean:
	rm -rf $(BUILD)

.PHONY: all programs unit-tests fuzzers echoes benches clients libraries deps check check-san \
	check-valgrind fuzz lint flags demo soak bench bench-peers bench-scaling install clean
.SECONDARY:
.DELETE_ON_ERROR:

-include $(shell find $(BUILD)/obj -name '*.d' 2>/dev/null)

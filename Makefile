# `make demo` and `make test` each do all of their own set-up.
# What set-up fetches for this folder alone lies in target/tools.

CARGO ?= cargo
TOOLS := $(CURDIR)/target/tools
export PATH := $(TOOLS)/bin:$(PATH)
export CARGO_TERM_PROGRESS_WHEN ?= never
# How often `make accuracy` makes each fault by each way in, and how many minutes `make chaos` lasts.
ROUNDS ?= 5
MINUTES ?= 7
# `make counts BLESS=1` writes the figures anew, `TRACE=1` lists where a request allocates.
BLESS ?= 0
TRACE ?= 0

.NOTPARALLEL:
.PHONY: help demo build bench counts accuracy chaos test fmt lint docs deny shape tests doctests setup \
	setup-test setup-bench

help: ## List these targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-9s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

demo: setup ## Watch a proxy name who broke each of its requests
	$(CARGO) run --locked --quiet -- demo

build: setup ## Build the release binary, target/release/whodunit
	$(CARGO) build --locked --release

# As a command of its own: what it says while it runs is seen.
bench: setup-bench ## Measure whodunit beside bare Pingora, nginx, HAProxy, Envoy and Caddy (QUICK=1)
	QUICK=$(QUICK) $(CARGO) bench --locked --bench beside

counts: setup-test ## Count instructions and allocations, part by part, against bench/counts.json
	WHODUNIT_BLESS=$(BLESS) WHODUNIT_TRACE=$(TRACE) $(CARGO) bench --locked \
		--profile counts --bench counts

# Cargo's own runner, so that what is said while it runs is seen.
accuracy: setup-test ## Make every fault by every way in, over and over, and count right verdicts
	WHODUNIT_ACCURACY_ROUNDS=$(ROUNDS) $(CARGO) test --locked --test blackbox \
		accuracy::every_way_in_gets_the_same_verdict -- --exact --nocapture

chaos: setup ## Let a storm come over endpoints, certificates, configuration and binary, under load
	WHODUNIT_CHAOS_SECONDS=$$(($(MINUTES) * 60)) $(CARGO) test --locked --test blackbox \
		chaos::nothing_is_lost_that_could_be_saved_and_the_rest_is_told_rightly -- --exact --nocapture

test: setup-test fmt lint docs deny shape tests doctests counts ## Run every check and every test
	@echo "make test: all passed"

fmt: ## Check the layout of the code
	$(CARGO) fmt --all --check

lint: ## Run clippy, warnings denied
	$(CARGO) clippy --locked --workspace --all-targets -- -D warnings

docs: ## Build the documentation, warnings denied
	RUSTDOCFLAGS="-D warnings" $(CARGO) doc --locked --workspace --no-deps

deny: ## Check licences, sources, bans and security advisories of the dependencies
	.ci/deny

shape: ## Check the edges between the crates and the layout of the folders
	.ci/shape

tests: ## Run the tests
	@if $(CARGO) nextest --version >/dev/null 2>&1; then \
		echo "$(CARGO) nextest run --locked --workspace"; \
		$(CARGO) nextest run --locked --workspace; \
	else \
		echo "$(CARGO) test --locked --workspace (cargo-nextest is not there)"; \
		$(CARGO) test --locked --workspace --lib --bins --tests --examples; \
	fi

doctests: ## Run the examples in the documentation
	$(CARGO) test --locked --workspace --doc --quiet

setup:
	@.ci/setup build

setup-test:
	@.ci/setup test

setup-bench:
	@.ci/setup build
	@.ci/setup bench

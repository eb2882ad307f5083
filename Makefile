# `make run` starts SentiStream with synthetic posts. `make test` runs the checks and tests. Both install missing tools.
SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
# The folder into which rustup installs cargo, for a shell that started before scripts/set-up installed it.
export PATH := $(PATH):$(HOME)/.cargo/bin

DASHBOARD_SOURCES := $(shell find dashboard -type f -not -path '*/node_modules/*' -not -path '*/dist/*' -not -path '*/test-results/*' 2>/dev/null)
# The lock file that npm writes when an install is complete.
NODE_MODULES := dashboard/node_modules/.package-lock.json

.PHONY: help
help: ## Lists the targets.
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):.*## /  make \1\t/' | expand -t 24

.PHONY: run
run: build-tools dashboard/dist ## Builds everything and serves on http://127.0.0.1:8000 with synthetic posts.
	cargo run --release --locked -- serve

.PHONY: build
build: build-tools dashboard/dist ## Builds the release binary, target/release/sentistream, with the dashboard inside.
	cargo build --release --locked

.PHONY: test
test: test-tools check-format ## Runs all checks and tests, with a Redis and a Postgres that it starts itself.
	+$(MAKE) --no-print-directory --jobs=2 check-rust check-dashboard
	+$(MAKE) --no-print-directory test-rust check-docs test-browser

.PHONY: build-tools test-tools
build-tools:
	@scripts/set-up build
test-tools:
	@scripts/set-up test

.PHONY: check-format
check-format:
	cargo fmt --all --check

# clippy-driver lints a crate and compiles it as rustc does. `cargo clippy` would only check the crates, so that all
# dependencies would be compiled a second time for the tests. CLIPPY_ARGS has the format that cargo-clippy passes.
LINTED := RUSTC_WORKSPACE_WRAPPER=clippy-driver CLIPPY_ARGS=-Dwarnings__CLIPPY_HACKERY__ cargo

.PHONY: check-rust
check-rust: dashboard/dist ## Lints and compiles everything that the tests need, and the benchmarks.
	$(LINTED) test --locked --workspace --no-run --lib --bins --tests --benches

# Property tests use the same cases in each run. Another seed or PROPTEST_CASES=5000 gives other cases.
export PROPTEST_RNG_SEED ?= 1

.PHONY: test-rust
test-rust: check-rust ## Runs the Rust tests.
	scripts/with-services env $(LINTED) test --locked --workspace --lib --bins --tests

.PHONY: check-docs
check-docs: check-rust ## Checks the links, settings and commands in the documentation against the debug binary.
	scripts/check-docs

# The long suites compile the tests as `make test` does, and run them against the release binary.
RELEASE_BINARY := $${CARGO_TARGET_DIR:-$(CURDIR)/target}/release/sentistream
SUITE := SENTISTREAM_BIN="$(RELEASE_BINARY)" scripts/with-services env $(LINTED) test --locked --workspace --test it --

.PHONY: abuse
abuse: build check-rust ## Attacks a running server for ten minutes and checks its limits (docs/security.md).
	SENTISTREAM_ABUSE_SECONDS=$${SENTISTREAM_ABUSE_SECONDS:-600} SENTISTREAM_ABUSE_SCALE=$${SENTISTREAM_ABUSE_SCALE:-100} \
	$(SUITE) --nocapture --test-threads=1 abuse::

.PHONY: fuzz
fuzz: check-rust ## Sends random input to every parser and operation (SENTISTREAM_FUZZ_CASES=1000000, SENTISTREAM_FUZZ_SECONDS=600).
	SENTISTREAM_FUZZ_CASES=$${SENTISTREAM_FUZZ_CASES:-100000} \
	scripts/with-services env $(LINTED) test --locked --workspace --test it -- fuzz::
	scripts/fuzz $${SENTISTREAM_FUZZ_SECONDS:-60}

.PHONY: check-dashboard
check-dashboard: $(NODE_MODULES) ## Type-checks, lints and tests the dashboard.
	cd dashboard && npm run check && npm run lint && npm test

.PHONY: test-browser
test-browser: check-rust ## Runs the browser tests against the real binary.
	cd dashboard && SENTISTREAM_BIN="$${CARGO_TARGET_DIR:-$(CURDIR)/target}/debug/sentistream" \
	../scripts/with-services npm run e2e -- --project=journeys

.PHONY: chaos
chaos: test-tools build check-rust ## Injects random faults into real processes, with SQLite and with Redis and Postgres (CHAOS_FAULTS=200 CHAOS_SEED=random).
	$(SUITE) many_faults --ignored --nocapture --test-threads=1

.PHONY: soak
soak: test-tools build check-rust ## Processes the posts of eight hours, with SQLite and with Redis and Postgres, and checks that memory, files, tables and latency do not grow (SOAK_POSTS=576000).
	$(SUITE) resource_use_does_not_grow --ignored --nocapture --test-threads=1

.PHONY: bench
bench: ## Runs all benchmarks: inference, alerts, topics, sources, store, stream and the whole pipeline.
	scripts/with-services cargo bench --locked

.PHONY: dist
dist: build ## Packs the release binary, settings, systemd unit, manual and completions into dist/.
	scripts/dist

.PHONY: sbom
sbom: ## Writes the bill of materials of a release into dist/sbom (CycloneDX); installs cargo-cyclonedx if it is missing.
	@cargo cyclonedx --version >/dev/null 2>&1 || cargo install --locked cargo-cyclonedx
	scripts/sbom

.PHONY: image
image: ## Builds the container image, sentistream:latest, with docker or podman.
	$${ENGINE:-docker} build --tag sentistream:latest .

.PHONY: check-deploy
check-deploy: ## Validates manifests, alert rules, dashboards and licences with promtool, kustomize, systemd-analyze and cargo-deny.
	scripts/check-deploy

.PHONY: bench-inference
bench-inference: ## Installs other inference runtimes and compares the engine with them (POSTS=file.ndjson).
	scripts/bench-inference $(if $(POSTS),--posts $(POSTS))

.PHONY: budgets
budgets: build ## Measures the dashboard: size, start, long tasks, memory (BUDGET_SECONDS=600 for ten minutes).
	cd dashboard && SENTISTREAM_BIN="$${CARGO_TARGET_DIR:-$(CURDIR)/target}/release/sentistream" npm run budgets

.PHONY: coverage
coverage: test-tools dashboard/dist ## Prints line coverage of Rust and the dashboard.
	@cargo llvm-cov --version >/dev/null 2>&1 || cargo install --locked cargo-llvm-cov
	scripts/with-services cargo llvm-cov --locked --workspace --lib --bins --tests --summary-only
	cd dashboard && npm run coverage

$(NODE_MODULES): dashboard/package.json dashboard/package-lock.json
	cd dashboard && npm ci --no-audit --no-fund
	@touch $@

dashboard/dist: $(NODE_MODULES) $(DASHBOARD_SOURCES)
	cd dashboard && npm run build
	@touch $@

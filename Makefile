# The front door. Everything behind a target is a command that can be run by hand.
.DEFAULT_GOAL := help
SHELL := /usr/bin/env bash
.SHELLFLAGS := -euo pipefail -c

# What the demo and the tests run; `make install` builds the fast one.
WEIR := target/debug/weir

# The environment that deploy, destroy and ui are about: terraform/NAME.tfvars and sql/environments/NAME.toml.
ENV ?= dev

.PHONY: help
help: ## this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-12s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

.PHONY: demo
demo: build ## the whole path on this machine: events in, alerts out [DATA=file.csv SPEED=3600 PORT=4566 ENGINE=arroyo ARGS=…]
	$(WEIR) demo --stack demo $(if $(DATA),--data "$(DATA)") $(if $(ENGINE),--engine "$(ENGINE)") $(ARGS)

.PHONY: up
up: build ## start the local stack and leave it running
	$(WEIR) up $(ARGS)

.PHONY: down
down: ## end the local stack
	@if [[ -x $(WEIR) ]]; then $(WEIR) down $(ARGS); else echo "nothing was built, so nothing is up"; fi

.PHONY: build
build: ## the weir command, and the Lambdas as the local stack runs them
	@command -v cargo >/dev/null || { echo "error: cargo was not found; hint: install Rust 1.94.1 or newer, https://rustup.rs" >&2; exit 1; }
	cargo build --locked --workspace
	scripts/package-lambda.sh local

.PHONY: install
install: ## the weir command, optimised, into cargo's bin folder
	cargo install --locked --path crates/cli

.PHONY: test
test: ## everything that must hold: format, lints, tests, rules, Terraform, end to end
	scripts/test.sh

.PHONY: test-all
test-all: ## test, and what takes long: optimised builds, long seeds, slow rules, a real Arroyo where there is one
	WEIR_TEST_ALL=1 FUZZ_CASES="$(or $(CASES),20000)" scripts/test.sh
	cargo build --release --locked --workspace
	$(MAKE) --no-print-directory test-arroyo

.PHONY: test-rules
test-rules: ## the rules' own tests
	cargo build --locked --workspace
	$(WEIR) test

.PHONY: package
package: ## the Lambdas as AWS runs them, into dist/: built for either machine on any [ARCH=arm64|x86_64]
	scripts/package-lambda.sh $(or $(ARCH),arm64)

.PHONY: deploy
deploy: ## infrastructure, rules and a probe, on AWS: asks before it changes anything [ENV=dev ARGS='-- -var name_prefix=weir-mine']
	cargo build --locked --workspace
	$(WEIR) deploy --env $(ENV) $(ARGS)

.PHONY: destroy
destroy: ## end all of it, after saying what is lost [ENV=dev]
	cargo build --locked --workspace
	$(WEIR) destroy --all --env $(ENV) $(ARGS)

.PHONY: ui
ui: ## Arroyo's UI on a loopback port, through a tunnel [ENV=dev ARGS='--port 8115']
	cargo build --locked --workspace
	$(WEIR) ui --env $(ENV) $(ARGS)

.PHONY: studio
studio: ## the page on which rules are written and tried [ARGS='--input readings.csv']
	cargo build --locked --workspace
	$(WEIR) studio $(ARGS)

.PHONY: studio-vendor
studio-vendor: ## the page's libraries, made again from their lock file
	scripts/studio-vendor.sh build

.PHONY: nab
nab: ## rules on the Numenta Anomaly Benchmark [NAB_DIR=folder of numenta/NAB ARGS='--rules adaptive,records --out results']
	@[[ -n "$(NAB_DIR)" ]] || { echo "error: NAB_DIR is not set; hint: git clone https://github.com/numenta/NAB, then make nab NAB_DIR=NAB" >&2; exit 2; }
	cargo build --locked --workspace
	target/debug/weir-nab --nab-dir "$(NAB_DIR)" $(ARGS)

.PHONY: detect
detect: ## rules and peers on NAB, on other labelled series and on generated faults [NAB_DIR=… DETECT_DIR=… ARGS='--rules surprise']
	cargo build --release --locked --workspace
	target/release/detect --weir target/release/weir $(if $(NAB_DIR),--nab "$(NAB_DIR)") $(if $(DETECT_DIR),--series "$(DETECT_DIR)") $(ARGS)

.PHONY: test-arroyo
test-arroyo: ## the same programs and the same rules on a real Arroyo, by ARROYO_BIN or PATH
	cargo test --workspace --locked --test arroyo --test arroyo_deploy --test arroyo_tasks --test arroyo_shards --test apply_law -- --nocapture --test-threads=1

.PHONY: fuzz
fuzz: ## the readers of programs and of records, for longer than the tests do [CASES=100000]
	FUZZ_CASES="$(or $(CASES),100000)" cargo test --workspace --locked --test fuzz

.PHONY: bench
bench: ## speed and memory beside DuckDB and DataFusion [PEERS="duckdb flink" ARGS="queries unstructured wide keys start cores alerter"]
	scripts/bench.sh

.PHONY: fmt
fmt: ## format Rust and Terraform
	cargo fmt --all
	terraform fmt -recursive terraform

.PHONY: clean
clean: ## remove what was built and what local stacks left
	-@if [[ -x $(WEIR) ]]; then $(WEIR) down; $(WEIR) down --stack demo; fi
	rm -rf .weir dist
	cargo clean

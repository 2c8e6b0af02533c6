# The commands of this repository; `make help` lists them.
.PHONY: help run test test-all sim bench failover fuzz docs
help: ## this list
	@grep --extended-regexp --no-filename '^[a-z-]+: .*##' $(MAKEFILE_LIST) | sed 's/: .*## /\t/'

run: ## build and start a broker on localhost:9092
	scripts/setup build && cargo build --quiet --release --bin sordini
	exec target/release/sordini

test: ## unit, property and oracle tests, a short fuzz run, real clients; at most 25 minutes on 2 cores
	scripts/setup
	scripts/shards test

test-all: ## what takes longer, in shards; those that passed on this very commit are not run again
	scripts/setup
	scripts/shards all $(SHARDS)

sim: ## clusters in one thread, with faults that a seed decides: SIM='--seeds 100', --seed N --log, --hunt
	cargo run --quiet --package simulation -- $(or $(SIM),--seeds 20)

bench: ## Sordini beside Apache Kafka, on this machine
	scripts/setup && scripts/bench

failover: ## how long clients wait when a broker dies, hangs or is restarted, beside Apache Kafka: two hours or so; OPTIONS="--help"
	scripts/failover $(OPTIONS)

fuzz: ## fuzz the protocol decoder for an hour
	scripts/fuzz

docs: ## the documents that are made from the code, and the documentation of every crate, in target/doc
	UPDATE_DOCS=1 cargo test --quiet --test documents
	cargo doc --workspace --no-deps

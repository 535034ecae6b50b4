# One command a task; each sets up what it needs. The environment is .venv, made from the hashed lock file.
PYTHON ?= python3.11
BIN := .venv/bin
BROKER := $(PYTHON) deploy/kafka/kafka.py
SEEDS ?= 1000
EVENTS ?= 1500000
CUSTOMERS ?= 100000
ROUNDS ?= 3
CONTENDERS ?= all
GROWN ?= 10000,100000,1000000,10000000
RULES ?= 10,100,500,2000

.DEFAULT_GOAL := help
.PHONY: help demo test simulate chaos lint types bench bench-kafka bench-peers bench-growth bench-page kafka-up kafka-down demo-kafka schemas readme lock clean

help: ## what there is
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | awk -F ':.*## ' '{printf "  make %-12s %s\n", $$1, $$2}'

# made once, and again when the lock file or the project's description changes
.venv/ready: requirements.lock pyproject.toml
	@command -v $(PYTHON) >/dev/null || { echo "Python 3.11 is needed as '$(PYTHON)' (or set PYTHON=...)"; exit 1; }
	$(PYTHON) -m venv .venv
	$(BIN)/pip install --quiet --disable-pip-version-check --require-hashes -r requirements.lock
	$(BIN)/pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation -e .
	@touch $@

demo: .venv/ready ## simulate a bank, replay its log, show triggers with their reasons (no broker needed)
	$(BIN)/kairos demo

test: .venv/ready ## everything CI runs: style, types, contracts, laws, scenarios; Kafka and real data where they can be had
	$(MAKE) --no-print-directory lint types
	$(BIN)/python -m pytest -n 2

simulate: .venv/ready ## the delivery under seeded faults: make simulate SEEDS=20000; coverage, planted bugs
	$(BIN)/python -m tests.simulation --seeds $(SEEDS)
	$(BIN)/python -m tests.simulation --bugs

chaos: .venv/ready ## a fleet on a broker of its own: 21 kills, restarts, bounces, zombies; exact or exit code 1 (15 min)
	$(BIN)/python -m tests.chaos --json chaos.json

lint: .venv/ready ## style, import contracts, the default pack
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/lint-imports
	$(BIN)/kairos lint retail_bank

types: .venv/ready ## strict types
	$(BIN)/mypy

bench: .venv/ready ## speed of the engine in replay, as ratios within one run
	$(BIN)/python -m tests.bench.engine

bench-kafka: .venv/ready ## Kairos against Faust as its documentation teaches it, on one broker, in one run
	$(BIN)/python -m tests.bench.kafka

kafka-up: ## a broker on 127.0.0.1:9092 (Java 17 and Maven)
	$(BROKER) start

kafka-down: ## stop it
	$(BROKER) stop

demo-kafka: .venv/ready ## broker, topics, a published log, two workers, triggers
	$(BIN)/python deploy/kafka/demo.py

bench-peers: .venv/ready ## job J by Kairos and by its peers on one broker: EVENTS= CUSTOMERS= ROUNDS= CONTENDERS=
	$(BIN)/python -m tests.bench.jobj.run --events $(EVENTS) --customers $(CUSTOMERS) --rounds $(ROUNDS) --contenders $(CONTENDERS)

bench-growth: .venv/ready ## the engine's cost by customers and by rules: GROWN= RULES=
	$(BIN)/python -m tests.bench.growth --customers $(GROWN) --rules $(RULES)

bench-page: .venv/ready ## docs/speed.md and its charts from what was measured last
	$(BIN)/python -m tests.bench.jobj.page --customers $(CUSTOMERS)

schemas: .venv/ready ## write schemas/ from the types
	$(BIN)/python -m stream.wire.schema schemas

readme: .venv/ready ## write the output that README.md shows anew
	$(BIN)/python -m tests.unit.test_readme

lock: ## pin the dependencies of pyproject.toml again (needs uv)
	uv pip compile pyproject.toml --extra dev --universal --python-version 3.11 --generate-hashes \
	  --no-emit-index-url --no-emit-find-links --no-header -o requirements.lock

clean: ## remove what was made here
	rm -rf .venv .kafka .bench build out .pytest_cache .mypy_cache .ruff_cache .hypothesis .import_linter_cache chaos.json

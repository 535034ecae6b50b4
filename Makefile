# One command a task; each sets up what it needs. The environment is .venv, made from the hashed lock file.
PYTHON ?= python3.11
BIN := .venv/bin
BROKER := $(PYTHON) deploy/kafka/kafka.py
SEEDS ?= 1000
MINUTES ?= 10

EVENTS ?= 1500000
CUSTOMERS ?= 100000
ROUNDS ?= 3
CONTENDERS ?= all
RESTORED ?= 100000,1000000
GROWN ?= 10000,100000,1000000,10000000
RULES ?= 10,100,500,2000

.DEFAULT_GOAL := help
.PHONY: $(shell sed -n 's/^\([a-z-]*\):.*\#\#.*/\1/p' $(firstword $(MAKEFILE_LIST)))

help: ## what there is
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | awk -F ':.*## ' '{printf "  make %-14s %s\n", $$1, $$2}'

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
	$(BIN)/python -m tests.bench.guard

simulate: .venv/ready ## the delivery under seeded faults: make simulate SEEDS=20000; coverage, planted bugs
	$(BIN)/python -m tests.simulation --seeds $(SEEDS)
	$(BIN)/python -m tests.simulation --bugs

simulate-compiled: build/compiled/ready ## the same faults with the compiled core: SEEDS=
	PYTHONPATH=build/compiled:. $(BIN)/python -P -m tests.simulation --seeds $(SEEDS)

chaos: .venv/ready ## a fleet on a broker of its own: 21 kills, restarts, bounces, zombies; exact or exit code 1 (15 min)
	$(BIN)/python -m tests.chaos --json chaos.json

soak: .venv/ready ## one worker at its highest rate, bursts, a slow broker: make soak MINUTES=10 (30 to 50 min); exact and bounded, or exit code 1
	$(BIN)/python -m tests.pressure soak --minutes $(MINUTES) --json soak.json

poison: .venv/ready ## bad input at 1 % and at 100 %, the breaker, all of it sent back (5 min); exact, or exit code 1
	$(BIN)/python -m tests.pressure poison

lint: .venv/ready ## style, import contracts, the default pack
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/lint-imports
	$(BIN)/kairos lint retail_bank

types: .venv/ready ## strict types
	$(BIN)/mypy

bench-engine: .venv/ready ## the engine in replay by stage, as ratios within one run; what one more listening rule costs (10 min)
	$(BIN)/python -m tests.bench.engine

bench-engine-compiled: build/compiled/ready ## the same with the compiled core, where it cannot be told by stage
	PYTHONPATH=build/compiled:. $(BIN)/python -P -m tests.bench.engine

guard: .venv/ready ## what an event costs the engine by stage, in bytecodes, against what was recorded (half a minute)
	$(BIN)/python -m tests.bench.guard

compiled: build/compiled/ready ## the core as machine code in build/compiled, and records in C (needs a C compiler)

build/compiled/ready: .venv/ready $(shell find stream -name '*.py') deploy/compiled.py $(wildcard deploy/native/*)
	$(BIN)/python deploy/compiled.py build/compiled
	@touch $@

test-compiled: build/compiled/ready ## the laws of the engine over the compiled core
	PYTHONPATH=build/compiled:. $(BIN)/python -P -m pytest -n 2 tests/laws tests/properties tests/scenarios tests/unit/test_readme.py

bench-kafka: .venv/ready ## Kairos against Faust as its documentation teaches it, on one broker, in one run
	$(BIN)/python -m tests.bench.kafka

bench-kafka-compiled: build/compiled/ready ## the same with the compiled core, for all contenders
	$(BIN)/python -m tests.bench.kafka --compiled

bench-recovery: .venv/ready ## cold start, a killed worker, memory, at 100,000 and a million customers (6 min, 5 GB, 2 GB of disk)
	$(BIN)/python -m tests.bench.recovery

kafka-up: ## a broker on 127.0.0.1:9092 (Java 17 and Maven)
	$(BROKER) start

kafka-down: ## stop it
	$(BROKER) stop

demo-kafka: .venv/ready ## broker, topics, a published log, two workers, triggers
	$(BIN)/python deploy/kafka/demo.py

bench-peers: build/compiled/ready ## job J by Kairos and by its peers on one broker: EVENTS= CUSTOMERS= ROUNDS= CONTENDERS=
	$(BIN)/python -m tests.bench.jobj.run --events $(EVENTS) --customers $(CUSTOMERS) --rounds $(ROUNDS) --contenders $(CONTENDERS)

bench: bench-peers ## short for bench-peers

bench-restore: build/compiled/ready ## job J started cold and killed, Kairos and Kafka Streams (half an hour, 5 GB): RESTORED= CONTENDERS=
	$(BIN)/python -m tests.bench.jobj.restore --customers $(RESTORED) --contenders $(CONTENDERS)

bench-growth: build/compiled/ready ## the compiled engine's cost by customers and by rules: GROWN= RULES=
	PYTHONPATH=build/compiled:. $(BIN)/python -P -m tests.bench.growth --customers $(GROWN) --rules $(RULES)

bench-page: .venv/ready ## docs/speed.md and its charts from what was measured last
	$(BIN)/python -m tests.bench.jobj.page --customers $(CUSTOMERS)

schemas: .venv/ready ## write schemas/ from the types
	$(BIN)/python -m stream.wire.schema schemas

freeze: .venv/ready ## keep what this version publishes (schemas, records), for the tests of all later ones
	$(BIN)/python -m tests.contract.freeze

readme: .venv/ready ## write the output that README.md shows anew, and the code that docs/campaign-engines.md shows
	$(BIN)/python -m tests.unit.test_readme
	$(BIN)/python -m tests.unit.test_reference_consumer

lock: ## pin the dependencies of pyproject.toml again (needs uv)
	uv pip compile pyproject.toml --extra dev --universal --python-version 3.11 --generate-hashes \
	  --no-emit-index-url --no-emit-find-links --no-header -o requirements.lock

clean: ## remove what was made here
	rm -rf .venv .kafka .bench build out .pytest_cache .mypy_cache .ruff_cache .hypothesis .import_linter_cache chaos.json soak.json

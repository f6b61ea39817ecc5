# Everything a newcomer needs. Only Python 3.11 or newer, with venv and pip, must be there.
PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
PORT ?= 8080

.DEFAULT_GOAL := help
.PHONY: help demo install setup system test check bench faults drill docs lock clean

help: ## What can be made
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):.*## (.*)/\1\t\2/' | expand -t 12

demo: install ## Set everything up and run the demo fleet, the scheduler and the site on http://127.0.0.1:8080
	@$(BIN)/scorecard demo --port $(PORT)

install: $(VENV)/.installed ## The command, in a virtual environment of its own

setup: $(VENV)/.tested system ## What the tests need: Python packages, and Debian's where apt and root are there

test: setup ## The whole suite
	@$(BIN)/pytest -q -n 3 --dist loadfile --no-loadscope-reorder -m "not faults"

check: $(VENV)/.tested ## Style, types, architecture, drift
	@$(BIN)/ruff format --check -q .
	@$(BIN)/ruff check -q .
	@$(BIN)/mypy
	@$(BIN)/lint-imports
	@$(BIN)/python -m tests.drift

bench: setup ## Speed and memory, as ratios within one run
	@$(BIN)/python -m tests.bench

faults: setup ## Kill, fill, drop, delay: the long half of the tests
	@$(BIN)/pytest -q -m faults

drill: install ## Back our own store up, restore it elsewhere, compare, write the report: build/drill/report.json
	@mkdir -p build/drill && rm -f build/drill/store.backup build/drill/store.backup.sha256
	@$(BIN)/scorecard db backup $(if $(CONFIG),--config $(CONFIG)) build/drill/store.backup
	@$(BIN)/scorecard db drill $(if $(CONFIG),--config $(CONFIG)) build/drill/store.backup $(if $(DRILL_SPEC),--spec $(DRILL_SPEC)) -o table -o json=build/drill/report.json

docs: $(VENV)/.tested ## The documentation as HTML, in build/docs
	@$(BIN)/sphinx-build -q -W -b html docs build/docs

lock: $(VENV)/.tested ## Lock the requirements again, hashes and all, without the address of an index
	@$(BIN)/uv pip compile -q --universal --generate-hashes --no-emit-index-url --no-header --python-version 3.11 \
		--extra postgres --group pyproject.toml:build pyproject.toml -o requirements/run.txt
	@$(BIN)/uv pip compile -q --universal --generate-hashes --no-emit-index-url --no-header --python-version 3.11 \
		--extra postgres --group pyproject.toml:dev pyproject.toml -o requirements/dev.txt

clean: ## Remove what was made
	rm -rf $(VENV) .mypy_cache .ruff_cache .import_linter_cache .hypothesis build dist

system:
	@sh tests/system-packages.sh

$(VENV)/bin/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "Python 3.11 or newer is needed: make PYTHON=python3.12 …" >&2; exit 1; }
	@$(PYTHON) -m venv $(VENV)

$(VENV)/.installed: $(VENV)/bin/python requirements/run.txt pyproject.toml
	@echo "Installing, about half a minute …" >&2
	@$(BIN)/python -m pip install -q --disable-pip-version-check --require-hashes --only-binary :all: -r requirements/run.txt
	@$(BIN)/python -m pip install -q --disable-pip-version-check --no-deps --no-build-isolation -e .
	@touch $@

$(VENV)/.tested: $(VENV)/.installed requirements/dev.txt
	@echo "Installing what the tests need …" >&2
	@$(BIN)/python -m pip install -q --disable-pip-version-check --require-hashes --only-binary :all: -r requirements/dev.txt
	@touch $@

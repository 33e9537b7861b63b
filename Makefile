# make demo: set up, search, report and export the best network · make test: set up and test · make check: lint and types
SHELL := /bin/bash
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready

.PHONY: demo test check bench fuzz setup clean

demo: setup
	$(BIN)/unas-hil search configs/digits_f746.toml --name demo --resume
	$(BIN)/unas-hil report demo
	rm -rf build/demo
	$(BIN)/unas-hil export demo --best --to build/demo

test: setup
	$(BIN)/python -m pytest -n 2

check: setup
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	git ls-files 'firmware_templates/*.c' 'firmware_templates/*.h' 'firmware_templates/*.cc' \
	    'unas/*.c' 'unas/*.h' 'tests/*.c' 'tests/*.cc' \
	  | xargs $(BIN)/clang-format --dry-run --Werror

bench: setup
	for script in benchmarks/*.py; do echo "== $$script"; $(BIN)/python $$script || exit 1; done

fuzz: setup
	$(BIN)/python -m tests.firmware.fuzz 2500000

setup: $(READY)

$(READY): pyproject.toml requirements.lock tools/setup
	PYTHON=$(PYTHON) VENV=$(VENV) tools/setup
	touch $(READY)

clean:
	rm -rf $(VENV) build dist

# make demo    watch query strategies choose real images for a CNN (about two minutes)
# make test    run all tests
# make lint    style, docstrings and types
# make doctest run the examples in the docstrings
# make matrix  the modAL tests on 0.4.1 and 0.4.2.1, with skactive's mends and without
# make wheel   build the wheel, and import it elsewhere with its data
# Each creates .venv and installs what it needs, if that is not there yet.

PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
OUT ?= skactive-demo

.PHONY: demo test lint doctest matrix wheel
.DELETE_ON_ERROR:

demo: $(VENV)/.installed
	$(BIN)/skactive demo --out $(OUT)

test: $(VENV)/.installed-test
	$(BIN)/python -m pytest

lint: $(VENV)/.installed-dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

doctest: $(VENV)/.installed-test
	$(BIN)/python -m pytest --doctest-modules skactive

matrix: $(VENV)/.installed-test
	$(BIN)/python tests/modal_matrix.py

wheel: $(VENV)/.installed-dev
	rm -rf dist
	$(BIN)/python -m build --wheel --outdir dist . > /dev/null
	$(BIN)/python tests/check_wheel.py dist/*.whl

$(VENV)/bin/python:
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --upgrade pip

$(VENV)/.installed: $(VENV)/bin/python pyproject.toml
	@echo "Installing skactive and torch into $(VENV) (about 5.5 GB, a few minutes the first time)"
	$(BIN)/python -m pip install --quiet -e .
	@touch $@

$(VENV)/.installed-%: $(VENV)/.installed
	$(BIN)/python -m pip install --quiet -e ".[$*]"
	@touch $@

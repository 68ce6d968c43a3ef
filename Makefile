# Two commands do everything on a machine with Python 3.11 or newer: `make demo` and `make test`.
PYTHON ?= python3
VENV ?= .venv
BIN = $(VENV)/bin

.PHONY: demo test test-long test-ray clean

demo: $(VENV)/.installed
	$(BIN)/earmark demo

test: $(VENV)/.installed-dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/hadolint Dockerfile
	$(BIN)/pytest -n auto --dist loadfile

# Minutes to an hour of crashes, damage and hostile files; a small share of them is in `make test`.
test-long: $(VENV)/.installed-dev
	$(BIN)/pytest -n auto -m long

# Scans on a Ray cluster of two nodes, started here; Ray is large, so it is installed for these alone.
test-ray: $(VENV)/.installed-dev
	$(BIN)/python -m pip install --quiet --editable '.[ray]'
	$(BIN)/pytest -m ray

$(VENV)/bin/python:
	$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Earmark needs Python 3.11 or newer: make PYTHON=python3.12 demo")'
	$(PYTHON) -m venv $(VENV)

$(VENV)/.installed: pyproject.toml $(VENV)/bin/python
	$(BIN)/python -m pip install --quiet --editable .
	touch $@

$(VENV)/.installed-dev: pyproject.toml $(VENV)/bin/python
	$(BIN)/python -m pip install --quiet --editable '.[dev]'
	touch $@ $(VENV)/.installed

clean:
	rm -rf $(VENV) dist

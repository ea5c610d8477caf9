# Everything a fresh checkout needs, with nothing but Python 3.11 or newer and pip.
#   make demo    three regions on this machine, real Postgres, a partition and its healing
#   make test    lint, types and the whole test suite
#   make lint    ruff and mypy alone
#   make protos  regenerate the wire stubs
#   make clean   remove the virtual environment and every cache; never a ring's data in .atoll

# The first Python that runs, is new enough and can make virtual environments; `make PYTHON=...` names another one.
FITS := import sys, venv, ensurepip; sys.exit(sys.version_info < (3, 11))
ifndef PYTHON
PYTHON := $(shell for name in python3 python3.14 python3.13 python3.12 python3.11 python; do \
  if $$name -c '$(FITS)' 2>/dev/null; then echo $$name; break; fi; done)
endif
VENV := .venv
BIN := $(VENV)/bin
# No configuration of the user's environment may bend a test run.
CLEAN_ENVIRONMENT := env -u PYTHONPATH -u PYTHONHOME

.DEFAULT_GOAL := help
.PHONY: help demo test lint protos clean

help:
	@sed -n 's/^#   //p' Makefile

demo: $(VENV)/.demo
	$(CLEAN_ENVIRONMENT) $(BIN)/atoll demo

test: lint
	$(CLEAN_ENVIRONMENT) $(BIN)/python -m pytest

lint: $(VENV)/.dev
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy

protos: $(VENV)/.dev
	$(BIN)/python proto/generate.py

clean:
	rm -rf $(VENV) .nox build dist .mypy_cache .ruff_cache .pytest_cache .hypothesis
	find engine tests benchmarks proto -type d -name __pycache__ -prune -exec rm -rf {} + 2>/dev/null || true

# Dependency groups (PEP 735) need pip 25.1.
$(VENV)/.pip:
	@$(or $(PYTHON),false) -c '$(FITS)' || { echo 'make: no Python 3.11 or newer with venv and ensurepip was found:' \
	  'install one (Debian: python3 python3-venv) or name one with `make PYTHON=/path/to/python`' >&2; exit 2; }
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --upgrade 'pip>=25.1'
	@touch $@

$(VENV)/.demo: $(VENV)/.pip pyproject.toml
	$(BIN)/python -m pip install --quiet --editable '.[embedded,demo]'
	@touch $@

$(VENV)/.dev: $(VENV)/.pip pyproject.toml
	$(BIN)/python -m pip install --quiet --editable '.[embedded,demo]' --group dev
	@touch $@

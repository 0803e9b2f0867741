# make demo    see it work: two cameras of real footage, a development broker, the pipeline
# make test    everything that is checked: style, types, imports, then all tests against the built wheel
# Everything lands in .venv and is kept; a second run installs only what changed.

SHELL := /bin/sh
.DEFAULT_GOAL := help
.PHONY: help demo test lint bench soak servers dev clean
.SUFFIXES:
.DELETE_ON_ERROR:

PYTHON ?= python3
VENV := .venv
TESTS ?= tests
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check --quiet
SOURCES := $(shell find streamproc pipelines -type f ! -path '*/__pycache__/*' 2>/dev/null) README.md LICENSE
# Tests run in a folder from which the source tree cannot be imported, so that they test the wheel.
RUN := build/run
PYTEST := cd $(RUN) && ../../$(BIN)/python -P -m pytest -c ../../pyproject.toml --rootdir ../..

help:
	@echo 'make demo    two looping cameras, a development broker, the pipeline; DEMO_VIDEO=FILE, DEMO_MINUTES=N'
	@echo 'make test    style, types, imports, and all tests against the built wheel; TESTS=, PYTEST_ARGS='
	@echo 'make lint    style, types and imports only'
	@echo 'make bench   measurements, printed and kept as text in tests/benchmarks'
	@echo 'make soak    the tests that take minutes'
	@echo 'make servers real language-model servers for them (vLLM and llama.cpp on the CPU, 7 GB), in SERVERS='
	@echo 'make dev     the environment with the source tree itself installed, for work on it'
	@echo 'make clean   remove the environment and what was built; models and footage stay cached'

demo: $(VENV)/.package-demo
	@exec $(BIN)/streamproc demo $(if $(DEMO_VIDEO),--video '$(DEMO_VIDEO)') $(if $(DEMO_MINUTES),--minutes $(DEMO_MINUTES))

test: lint | $(RUN)
	@echo '==> tests, against the installed wheel'
	@$(PYTEST) -m 'not slow and not gpu' --cov=streamproc --cov-config=../../pyproject.toml --cov-report=term \
		$(PYTEST_ARGS) ../../$(TESTS)

lint: $(VENV)/.package-dev
	@echo '==> style'
	@$(BIN)/ruff check streamproc tests
	@$(BIN)/ruff format --check --quiet streamproc tests
	@echo '==> types'
	@$(BIN)/mypy
	@echo '==> imports'
	@$(BIN)/lint-imports

# anomalib needs an environment of its own, which its benchmark tells how to make; the gate's need UCSD Ped2.
bench: $(VENV)/.package-dev
	@for bench in $(filter-out tests/benchmarks/anomalib_beside.py tests/benchmarks/gate_%.py,$(wildcard tests/benchmarks/*.py)); do \
		echo "==> $$bench"; \
		$(BIN)/python -P $$bench > "$${bench%.py}.txt.new" || { rm -f "$${bench%.py}.txt.new"; exit 1; }; \
		mv "$${bench%.py}.txt.new" "$${bench%.py}.txt"; cat "$${bench%.py}.txt"; \
	done

soak: $(VENV)/.package-dev | $(RUN)
	@$(PYTEST) -m slow --timeout 3600 $(PYTEST_ARGS) ../../$(TESTS)

dev: $(VENV)/.deps-dev
	@echo '==> installing the source tree itself'
	@$(PIP) install --no-deps --editable .
	@rm -f $(VENV)/.package-demo $(VENV)/.package-dev

$(VENV)/bin/python:
	@command -v $(PYTHON) >/dev/null || { echo 'streamproc needs Python 3.11 or newer; there is no $(PYTHON).'; exit 1; }
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { \
		echo "streamproc needs Python 3.11 or newer; $(PYTHON) is $$($(PYTHON) -V). Say which: make PYTHON=python3.12 ..."; exit 1; }
	@echo '==> making the environment in $(VENV)'
	@$(PYTHON) -m venv $(VENV) || { rm -rf $(VENV); \
		echo 'The venv module of $(PYTHON) does not work; on Debian and Ubuntu it is in the package python3-venv.'; exit 1; }

# What streamproc depends on: a matter of minutes, and of pyproject.toml alone.
$(VENV)/.deps-demo: pyproject.toml | $(VENV)/bin/python
	@echo '==> installing streamproc and what the demo needs (a few minutes the first time)'
	@$(PIP) install '.[demo]'
	@touch $@

$(VENV)/.deps-dev: pyproject.toml | $(VENV)/bin/python
	@echo '==> installing streamproc and what its tests need (a few minutes the first time)'
	@$(PIP) install '.[demo,dev]'
	@touch $@

# streamproc itself: built as a wheel and installed, seconds.
$(VENV)/.package-%: $(VENV)/.deps-% $(SOURCES)
	@echo '==> building and installing the wheel'
	@rm -rf dist && $(PIP) wheel --no-deps --wheel-dir dist .
	@$(PIP) install --no-deps --force-reinstall dist/*.whl
	@touch $@

.PRECIOUS: $(VENV)/.deps-demo $(VENV)/.deps-dev

$(RUN):
	@mkdir -p $@

# In environments of their own: nothing of them is needed or wanted in .venv.
SERVERS ?= $(HOME)/.cache/streamproc/servers

servers:
	@$(PYTHON) tests/integration/servers/prepare.py '$(SERVERS)'

clean:
	rm -rf $(VENV) build dist .mypy_cache .ruff_cache .pytest_cache .import_linter_cache .coverage .coverage.*

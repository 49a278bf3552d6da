# One line each; CI and people call the same ones.
PYTHON ?= python3
BIN := .venv/bin
SHELL := /bin/bash

.PHONY: install demo test check bench lock
install: .venv/.installed
.venv/.installed: requirements-dev.txt pyproject.toml
	@$(PYTHON) local/install.py
demo: install ; @$(BIN)/python -m local.demo
test: install ; @$(BIN)/pytest
check: install ; @$(BIN)/python -m local.check
bench: install ; @$(BIN)/pip install -q --disable-pip-version-check --require-hashes -r requirements-bench.txt && $(BIN)/python -m bench
lock: install ; @$(BIN)/python -m local.lock

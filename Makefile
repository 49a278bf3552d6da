# One line each; CI and people call the same ones.
PYTHON ?= python3
BIN := .venv/bin
SHELL := /bin/bash

.PHONY: install demo drill test check scan bundle bench lock
install: .venv/.installed
.venv/.installed: requirements-dev.txt pyproject.toml
	@$(PYTHON) local/install.py
demo: install ; @$(BIN)/python -m local.demo
drill: install ; @$(BIN)/python -m local.drills $(NAME)
test: install ; @$(BIN)/pytest -n 2 --dist worksteal
check: install ; @$(BIN)/python -m local.check
scan: .cache/infra/.installed ; @cd infra/terraform && ../../.cache/infra/bin/checkov --config-file .checkov.yaml
.cache/infra/.installed: requirements-infra.txt
	@$(PYTHON) -m venv .cache/infra && .cache/infra/bin/pip install -q --disable-pip-version-check --require-hashes -r $< && touch $@
bundle: install ; @$(BIN)/python -m local.bundle
bench: install ; @$(BIN)/pip install -q --disable-pip-version-check --require-hashes -r requirements-bench.txt && $(BIN)/python -m bench
lock: install ; @$(BIN)/python -m local.lock

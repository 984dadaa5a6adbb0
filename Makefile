# Thin names for commands; each can be run by hand.
BIN := .venv/bin
LAUNCHERS := $(wildcard packaging/launchers/*)
SHELL_SCRIPTS := $(shell git -c safe.directory='*' grep --untracked -lE '^\#!/bin/(ba)?sh' -- ':!*.md')

.PHONY: help check lint format rules types layers scripts fix docs test build

help:
	@echo 'make check   lint, unit and property tests: before every commit (under 60 s)'
	@echo 'make lint    format, rules, types, import layers, shell scripts'
	@echo 'make fix     let ruff format and mend what it can'
	@echo 'make docs    what is made from the code: references, man page, completion'
	@echo 'make test    everything, as root (tests/run)'
	@echo 'make build   the Debian packages, into dist/'

check: lint
	$(BIN)/python -m pytest -q -p no:cacheprovider tests/unit tests/property

lint: format rules types layers scripts

format: $(BIN)/ruff
	$(BIN)/ruff format --check . $(LAUNCHERS)

rules: $(BIN)/ruff
	$(BIN)/ruff check . $(LAUNCHERS)

types: $(BIN)/ruff
	$(BIN)/mypy

layers: $(BIN)/ruff
	$(BIN)/lint-imports

scripts:
	shellcheck $(SHELL_SCRIPTS)

fix: $(BIN)/ruff
	$(BIN)/ruff format . $(LAUNCHERS)
	$(BIN)/ruff check --fix . $(LAUNCHERS)

docs: $(BIN)/ruff
	$(BIN)/python -m docs.generate
	$(BIN)/python -m opmas.cli.documents

test:
	tests/run

build:
	packaging/build

$(BIN)/ruff:
	tests/run --prepare

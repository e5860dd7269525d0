# `make demo` and `make test` set everything up by themselves: Python 3.11 or newer, git and make are enough.
PYTHON ?= $(shell for p in python3.13 python3.12 python3.11 python3; do \
	$$p -c 'import sys, venv, ensurepip; sys.exit(sys.version_info < (3, 11))' >/dev/null 2>&1 && { command -v $$p; break; }; done)
VENV := .venv
RUN := $(VENV)/bin
ARGS ?=

.PHONY: dev demo test check lint docs mutation oracle bench lock sbom audit clean

$(VENV)/bin/python:
	@test -n "$(PYTHON)" || { echo "sanfen needs Python 3.11 or newer with venv: install it (Debian: apt install python3 python3-venv), or run make PYTHON=/path/to/python3" >&2; exit 2; }
	@$(PYTHON) -m venv $(VENV) && $(RUN)/python -m pip install --quiet --disable-pip-version-check --upgrade 'pip>=25.1' \
		|| { rm -rf $(VENV); echo "no .venv could be made with $(PYTHON): it needs venv and pip (Debian: apt install python3-venv) and a package index" >&2; exit 2; }

$(VENV)/.run: pyproject.toml | $(VENV)/bin/python
	@echo "setting up .venv (once)"
	@$(RUN)/python -m pip install --quiet --disable-pip-version-check --editable .
	@touch $@

$(VENV)/.dev: pyproject.toml | $(VENV)/bin/python
	@echo "setting up .venv with the test tools (once)"
	@$(RUN)/python -m pip install --quiet --disable-pip-version-check --editable . --group dev --group judges
	@touch $@ $(VENV)/.run

dev: $(VENV)/.dev  ## everything for development

demo: $(VENV)/.run  ## a living shop: make demo ARGS="--speed 20"
	@exec $(RUN)/sanfen demo $(ARGS)

test: $(VENV)/.dev  ## all tests
	$(RUN)/python -Im pytest -q -n 2 $(ARGS)

lint: $(VENV)/.dev
	$(RUN)/ruff format --check .
	$(RUN)/ruff check .
	$(RUN)/mypy
	$(RUN)/lint-imports

check: lint  ## before a commit
	$(RUN)/python -Im pytest -q -x -n 2

docs: $(VENV)/.dev  ## the tests that keep the documents true
	$(RUN)/python -Im pytest -q tests/test_docs.py tests/store/test_cookbook.py

mutation: $(VENV)/.dev  ## every line of the core changed a little: do the tests notice? (half an hour)
	@$(RUN)/python -m pip install --quiet --disable-pip-version-check 'cosmic-ray>=8.7'
	$(RUN)/python tests/mutation.py $(ARGS)

oracle: $(VENV)/.dev  ## the core against the second scorer, 10,000 conversations for every rule
	SANFEN_ORACLE=10000 $(RUN)/python -Im pytest -q -n 2 --timeout 1800 tests/properties/test_oracle.py

bench: $(VENV)/.dev  ## ratios against a floor or a peer in the same run
	@for one in benchmarks/*.py; do echo "== $$one"; $(RUN)/python $$one || exit 1; done

include tests/faults/long.mk tests/crash/long.mk tests/bots/bots.mk tests/e2e/matrix/long.mk docs/site.mk tests/browser/browser.mk tests/judges/judges.mk

$(VENV)/.supply: pyproject.toml | $(VENV)/bin/python
	@$(RUN)/python -m pip install --quiet --disable-pip-version-check --group supply
	@touch $@

lock: $(VENV)/.supply  ## requirements.lock: every dependency by version and hash; where they came from is not kept
	$(RUN)/pip-compile --quiet --generate-hashes --strip-extras --allow-unsafe --no-header --no-annotate --upgrade \
		--output-file requirements.lock pyproject.toml
	sed -i '/^--/d; /^#/d; /^$$/d' requirements.lock

sbom: $(VENV)/.supply  ## what is inside, as CycloneDX
	@mkdir -p build
	$(RUN)/cyclonedx-py requirements requirements.lock --pyproject pyproject.toml --of JSON -o build/sanfen.cdx.json

audit: $(VENV)/.supply  ## known holes of the dependencies (needs the network), and of our own code
	$(RUN)/bandit --quiet --recursive --configfile pyproject.toml plugin adapters config
	$(RUN)/pip-audit --strict --require-hashes --disable-pip --requirement requirements.lock

clean:
	rm -rf $(VENV) build dist .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache .coverage htmlcov

# Everything runs in .venv, from the lock files with hashes. `make demo` and `make test` need nothing but Python 3.11+.

PYTHON ?= python3
BIN := .venv/bin
ENV := PIP_DISABLE_PIP_VERSION_CHECK=1

.PHONY: install testing demo test test-long bench lint format lock clean

install: .venv/run.stamp

testing: .venv/test.stamp

demo: .venv/run.stamp
	@SETTLE_SETUP_SECONDS=$$(cat .venv/setup-seconds 2>/dev/null); export SETTLE_SETUP_SECONDS; \
		rm -f .venv/setup-seconds; $(BIN)/settle demo $(ARGS)

test: .venv/test.stamp
	@$(BIN)/python -m service.browser_setup
	@$(MAKE) --no-print-directory lint
	$(BIN)/pytest -n auto --dist loadfile

test-long: .venv/test.stamp
	$(BIN)/pytest -m long --timeout 14400
	HYPOTHESIS_PROFILE=long $(BIN)/pytest tests/agents tests/evaluators tests/billing --timeout 3600

lint: .venv/test.stamp
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

format: .venv/test.stamp
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

bench: .venv/test.stamp
	$(BIN)/python -m benchmarks

.venv/run.stamp: requirements.lock pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Settle needs Python 3.11 or newer: make PYTHON=python3.11")'
	@echo "Installing the locked dependencies into .venv (once) ..."
	@set -e; started=$$(date +%s); export $(ENV); \
		test -x $(BIN)/python || $(PYTHON) -m venv .venv; \
		$(BIN)/python -m pip install --quiet --require-hashes -r requirements.lock; \
		$(BIN)/python -m pip install --quiet --no-deps --no-build-isolation --editable .; \
		echo $$(( $$(date +%s) - started )) > .venv/setup-seconds
	@touch $@

.venv/test.stamp: requirements-test.lock .venv/run.stamp
	@$(ENV) $(BIN)/python -m pip install --quiet --require-hashes -r requirements-test.lock
	@touch $@

# Needs uv. Resolves for every platform; the lock files name no hosts.
lock:
	uv pip compile --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-header --quiet \
		--group build pyproject.toml -o requirements.lock
	uv pip compile --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-header --quiet \
		--group build --group test -c requirements.lock pyproject.toml -o requirements-test.lock

clean:
	rm -rf .venv .settle dist .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache

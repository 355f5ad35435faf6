# `make run` and `make test` are all that a newcomer needs; both install what they use.

PYTHON ?= python3
BIN := .venv/bin

.PHONY: run test check bench clean
.DELETE_ON_ERROR:

run: .venv/installed ## everything on http://127.0.0.1:8000 (PORT)
	@exec $(BIN)/python manage.py run

test: check ## checks, then all tests
	$(BIN)/python -m pytest -n auto $(PYTEST_ARGS)

check: .venv/installed-dev ## format, lint, types, configuration
	$(BIN)/ruff format --check
	$(BIN)/ruff check
	$(BIN)/mypy moca triggers executions
	$(BIN)/python manage.py check --fail-level WARNING
	$(BIN)/python manage.py makemigrations --check --dry-run

bench: .venv/installed-dev ## figures: speed, memory, calls
	$(BIN)/python -m benchmarks

.venv/installed: pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 13))' \
		|| { echo "Python 3.11 to 3.13 is needed: make PYTHON=python3.12 run"; exit 1; }
	@test -x $(BIN)/python || $(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable .
	@touch $@

.venv/installed-dev: .venv/installed
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable '.[dev]'
	@touch $@

clean: ## remove the virtual environment and caches, not the data in var/
	rm -rf .venv build *.egg-info .mypy_cache .pytest_cache .ruff_cache .hypothesis

# `make run` and `make test` install what they need. `make package` builds the Lambda functions.

PYTHON ?= python3
BIN := .venv/bin

# The tests' databases: sqlite, dynamodb (DynamoDB Local, needs Java) or moto (without Java).
DATABASES := $(or $(DATABASE),$(if $(CI),sqlite dynamodb,sqlite))
# moto does not isolate transactions, and copies the whole table for each, so run few tests on it.
TESTS_moto := tests/unit/moca tests/unit/triggers tests/integration/api \
	-k 'not AtOnce and not fuzz and not thousand'
# The factor for the number of examples of property tests.
export TEST_EXAMPLES = $(or $(EXAMPLES),1)
# Let the processes of the tests share compiled modules.
unexport PYTHONDONTWRITEBYTECODE

# The environment that Zappa packs: the functions' dependencies and Zappa itself. Because of its
# name, Zappa skips it when it searches the sources for WebSocket handlers.
LAMBDA := build/venv
ARCHITECTURE := $(subst arm64,aarch64,$(shell uname -m))

.PHONY: run test test-deployment test-contract test-next-django check client-models docs release bench package clean
.DELETE_ON_ERROR:

ifneq ($(filter-out sqlite dynamodb moto,$(DATABASE)),)
$(error DATABASE is $(DATABASE): set it to sqlite or dynamodb, or to moto for tests)
endif
ifeq ($(DATABASE),dynamodb)
run: export DATABASE_URL = dynamodb-local://moca-triggers
endif
run: .venv/installed ## everything on http://127.0.0.1:8000 (PORT); DATABASE=dynamodb for DynamoDB Local
	@exec $(BIN)/python manage.py run

test: check $(DATABASES:%=test-%) $(if $(CI),test-deployment test-contract) ## checks, then all tests; DATABASE=dynamodb or moto for one database, EXAMPLES=10 for more examples

# CI runs all passes at once, which can hold up a test that measures time. Therefore CI runs the
# tests that failed once more, one by one. The pass fails at the first that fails again.
define PYTEST
	$(BIN)/python -m pytest -o cache_dir=.pytest_cache/$(1) $(2) $(PYTEST_ARGS) $(if $(CI),\
		|| $(BIN)/python -m pytest -o cache_dir=.pytest_cache/$(1) $(2) $(PYTEST_ARGS) \
			-n 0 --last-failed --last-failed-no-failures=none --maxfail=1)
endef

test-%: .venv/installed-dev
	$(call PYTEST,$*,-n auto --dist worksteal --database=$* \
		--ignore=tests/deployment --ignore=tests/contract $(TESTS_$*))

test-deployment: .venv/installed-dev package ## the deployment, against emulators of AWS
	$(call PYTEST,deployment,-n 2 --dist loadfile tests/deployment)

test-contract: .venv/installed-dev ## against agents built with the published SDKs; installs them
	$(call PYTEST,contract,-n 0 tests/contract)

check: .venv/installed-dev ## format, lint, types, configuration
	$(BIN)/ruff format --check
	$(BIN)/ruff check
	$(BIN)/mypy moca agents alerts events triggers executions console infra moca_client
	$(BIN)/python manage.py check --fail-level WARNING
	$(BIN)/python manage.py makemigrations --check --dry-run

client-models: .venv/installed-dev ## the client's types, from the API's description
	DJANGO_SETTINGS_MODULE=moca.settings $(BIN)/python -m moca_client.generate_models

docs: .venv/installed-dev ## the documentation as a site, build/site/index.html; a broken link fails
	$(BIN)/python -m sphinx --fail-on-warning --keep-going --quiet -c docs/site -d build/site-cache . build/site
	@cp build/site/README.html build/site/index.html

test-next-django: ## a fast part of the tests on Django's next release, in a virtual environment of its own
	PYTHON=$(PYTHON) .ci/next-django

release: .venv/installed-dev ## VERSION=1.2.3: check, test, tag, and build the files below build/release
	.ci/release check '$(VERSION)'
	$(MAKE) test
	.ci/release tag '$(VERSION)'
	rm -rf build/release && mkdir -p build/release
	git archive --prefix=moca-triggers-$(VERSION)/ --output=build/release/moca-triggers-$(VERSION).tar.gz v$(VERSION)
	$(BIN)/python -m pip wheel --quiet --disable-pip-version-check --no-deps --wheel-dir build/release ./moca_client
	@ls build/release

bench: .venv/installed-dev ## figures: speed, memory, calls
	$(BIN)/python -m benchmarks

PYTHON_FITS = $(PYTHON) -c 'import sys; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 14))' \
	|| { echo "Python 3.11 to 3.14 is needed: make PYTHON=python3.12 $@"; exit 1; }

define INSTALL
	@$(PYTHON_FITS)
	@test -x $(BIN)/python || $(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable '.$(1)' --editable ./moca_client
endef

.venv/installed: pyproject.toml moca_client/pyproject.toml
	$(call INSTALL,[scheduler])
	@touch $@

.venv/installed-dev: pyproject.toml moca_client/pyproject.toml
	$(call INSTALL,[dev])
	@touch .venv/installed $@

package: build/web.zip build/handler.zip ## the zips that `zappa deploy` uploads

build/%.zip: $(LAMBDA)/installed FORCE
	VIRTUAL_ENV=$(CURDIR)/$(LAMBDA) $(LAMBDA)/bin/zappa package $* --output $(CURDIR)/$@

build/handler.zip: | build/web.zip

# pip compiles nothing, since its bytecode would be stale in a zip; infra/prebuild.py compiles it.
# Packages with C modules are replaced by wheels that run on all of Lambda's systems.
$(LAMBDA)/installed: pyproject.toml
	@$(PYTHON_FITS)
	rm -rf build
	$(PYTHON) -m venv $(LAMBDA)
	$(LAMBDA)/bin/python -m pip install --quiet --disable-pip-version-check --no-compile '.[deploy]'
	$(LAMBDA)/bin/python -m pip freeze | grep -iE '^(cffi|cryptography|pyyaml|rpds[-_]py)==' >$(LAMBDA)/compiled.txt
	$(LAMBDA)/bin/python -m pip install --quiet --disable-pip-version-check --no-compile --no-deps --upgrade \
		--platform manylinux2014_$(ARCHITECTURE) --only-binary :all: \
		--target $$(echo $(LAMBDA)/lib/python*/site-packages) --requirement $(LAMBDA)/compiled.txt
	@touch $@

FORCE:

clean: ## remove the virtual environment and caches, not the data in var/
	rm -rf .venv build *.egg-info .mypy_cache .pytest_cache .ruff_cache .hypothesis

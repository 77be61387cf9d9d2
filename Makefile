# Everything runs in .venv, which `make requirements` makes from a plain Python 3.11 or newer; only
# the emulator of AWS has an environment of its own.

.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
.PHONY: help requirements run quality test test-aws test-faults bench soak package deploy lock clean

BIN := .venv/bin
READY := .venv/.ready
# What runs the Lambdas in the tests: on the Python that infra/template.yaml names, where there is one.
EMULATOR := .venv-aws
RUNTIME := $(shell sed -n 's/^ *Runtime: *//p' infra/template.yaml | head -1)
# Another Python can be named: make requirements PYTHON=/opt/python/bin/python3
PYTHON ?=
LOCK := $(BIN)/uv pip compile --quiet --generate-hashes --no-strip-extras --universal --python-version 3.11 --no-header

help: ## Show this
	@sed -n 's/^\([a-z-]*\):.*## \(.*\)/  make \1|\2/p' $(MAKEFILE_LIST) | awk -F'|' '{printf "%-20s %s\n", $$1, $$2}'

requirements: $(READY) ## Make .venv and install what is locked in requirements/ (again only when that changes)

$(READY): requirements/dev.txt pyproject.toml
	@set -eu; \
	new_enough='import sys; sys.exit(sys.version_info < (3, 11))'; \
	if ! $(BIN)/python -c "$$new_enough" 2>/dev/null; then \
		for python in $(or $(PYTHON),python3.11 python3.12 python3.13 python3.14 python3 python); do \
			if "$$python" -c "$$new_enough" 2>/dev/null; then found=$$python; break; fi; \
		done; \
		if [ -z "$${found:-}" ]; then \
			echo "No Python 3.11 or newer found. Install one, or name it: make requirements PYTHON=/path/to/python3" >&2; \
			exit 1; \
		fi; \
		"$$found" -m venv --clear .venv || { \
			echo "$$found cannot make a virtual environment: install its venv module (Debian: python3-venv)." >&2; \
			exit 1; \
		}; \
	fi
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements/dev.txt
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation -e .
	@touch $@

run: $(READY) ## Run Spigot before the Jenkins at TARGET_URL, or before a practice Jenkins if that is not set
	$(BIN)/spigot serve $(if $(TARGET_URL),,--practice)

quality: $(READY) ## Check style, form and types
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

# A worker that has nothing left to do takes tests from another: some take a thousand times as long.
PYTEST := $(BIN)/python -m pytest --dist worksteal
# A test waits for its gateway for much of its time; each of these makes a stack of its own.
WORKERS := 4
AWS_WORKERS := 3

test: $(READY) ## Run the tests in parallel, with coverage
	$(PYTEST) -n $(WORKERS) -m "not aws and not chaos" --cov --cov-report term

test-aws: $(READY) $(EMULATOR)/.ready ## Run those that deploy to an emulator of AWS
	$(PYTEST) -n $(AWS_WORKERS) -m aws

test-faults: $(READY) ## Run those that kill, cut the power, let everything go wrong, or break a gateway on purpose
	$(PYTEST) -n $(WORKERS) -m chaos

bench: $(READY) ## Measure speed beside the alternatives (10 minutes; BENCH_SECONDS=1 for a trial of one)
	$(BIN)/python -m bench $(if $(BENCH_SECONDS),--seconds $(BENCH_SECONDS)) $(if $(BENCH_OUT),--out $(BENCH_OUT))

soak: $(READY) ## Kill, starve and cut off a gateway for SOAK_MINUTES (5), and check all that it promised
	PYTHONPATH=tests$(if $(PYTHONPATH),:$(PYTHONPATH)) $(BIN)/python -m faults.soak --minutes $(or $(SOAK_MINUTES),5) \
		$(if $(SOAK_SEED),--seed $(SOAK_SEED)) $(SOAK_OPTIONS)

$(EMULATOR)/.ready: requirements/aws-emulator.txt infra/template.yaml | $(READY)
	@set -eu; \
	for python in $(RUNTIME) "$$(pyenv prefix $(RUNTIME:python%=%) 2>/dev/null || true)/bin/$(RUNTIME)" $(BIN)/python; do \
		if "$$python" -c 'import venv' 2>/dev/null; then break; fi; \
	done; \
	"$$python" -m venv --clear $(EMULATOR)
	$(EMULATOR)/bin/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements/aws-emulator.txt
	@touch $@

package: $(READY) ## Pack the Lambdas: dist/process_webhooks.zip and dist/send_from_queue.zip
	$(BIN)/python utils/package.py

deploy: package ## Deploy to AWS; needs TARGET_URL and SPIGOT_S3_BUCKET, takes ARGS such as --create-bucket
	$(BIN)/python utils/deploy.py $(ARGS)

lock: $(READY) ## Write requirements/ anew from pyproject.toml; UPGRADE=--upgrade takes newer versions
	$(LOCK) $(UPGRADE) --output-file requirements/run.txt pyproject.toml
	$(LOCK) $(UPGRADE) --extra dev --output-file requirements/dev.txt pyproject.toml
	$(LOCK) $(UPGRADE) --output-file requirements/aws-emulator.txt requirements/aws-emulator.in

clean: ## Remove caches, reports and built packages; never ./spigot-data, which holds webhooks, nor .venv and .venv-aws
	rm -rf dist htmlcov .coverage .coverage.* .mypy_cache .pytest_cache .ruff_cache .hypothesis
	find . \( -name '.venv*' -o -name spigot-data \) -prune -o -type d -name __pycache__ -prune -exec rm -rf {} +

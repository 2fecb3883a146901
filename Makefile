# `make appendix` and `make test` set everything up on a machine with Python 3.11 or later and pip.
PYTHON ?= python3
PARAMS ?= params/upr-2021.yml
NOTEBOOK ?= notebooks
LAB_FLAGS ?=
VENV := .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check --quiet

.PHONY: appendix test lab suggest bench clean lock
appendix: $(VENV)/core ## run the consultation of PARAMS and print the path of its appendix
	@$(BIN)/upr run $(PARAMS)

test: $(VENV)/test ## style, types, tests
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/pytest -n 2

lab: $(VENV)/lab ## JupyterLab on the notebooks
	$(BIN)/jupyter lab $(LAB_FLAGS) $(NOTEBOOK)

suggest: $(VENV)/suggest ## what `upr codes suggest` and `discover` need

bench: $(VENV)/test $(VENV)/bench ## measure, side by side
	for script in benchmarks/*.py; do $(BIN)/python $$script || exit 1; done

clean: ## remove what was generated; releases are kept
	rm -rf outputs $(VENV) .pytest_cache .mypy_cache .ruff_cache .hypothesis

lock: ## compile the locks again (needs uv)
	for extra in "" test lab suggest bench; do \
	  uv pip compile --quiet --universal --generate-hashes --no-header --no-annotate \
	    --python-version 3.11 pyproject.toml --extra build $${extra:+--extra $$extra} \
	    $${extra:+--constraints requirements.lock} --output-file requirements$${extra:+-$$extra}.lock; \
	done

# Each stamp is a file in the environment, newer than what it was installed from.
$(VENV)/bin/python:
	@echo "Setting up $(VENV) (once, some minutes)" >&2
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' \
	  || { echo "Python 3.11 or later is needed: make PYTHON=python3.12 $(MAKECMDGOALS)" >&2; exit 2; }
	@$(PYTHON) -m venv $(VENV)

$(VENV)/core: requirements.lock pyproject.toml | $(VENV)/bin/python
	@$(PIP) install --require-hashes -r requirements.lock
	@$(PIP) install --no-deps --no-build-isolation --editable .
	@touch $@

$(VENV)/test: requirements-test.lock $(VENV)/core
	@$(PIP) install --require-hashes -r requirements-test.lock
	@touch $@

$(VENV)/lab: requirements-lab.lock $(VENV)/core
	@$(PIP) install --require-hashes -r requirements-lab.lock
	@touch $@

$(VENV)/suggest: requirements-suggest.lock $(VENV)/core
	@$(PIP) install --require-hashes -r requirements-suggest.lock
	@touch $@

$(VENV)/bench: requirements-bench.lock $(VENV)/core
	@$(PIP) install --require-hashes -r requirements-bench.lock
	@touch $@

# make demo | test | check | bench. Needs GNU make and Python 3.11 to 3.13; name another one with PYTHON=python3.12.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
CORE := $(VENV)/core.stamp
EXTRAS := $(VENV)/extras.stamp
DEV := $(VENV)/dev.stamp

.PHONY: demo test check bench

demo: $(EXTRAS)
	$(BIN)/huiyi demo

test: $(DEV)
	$(BIN)/python -m pytest --numprocesses=2 --dist=loadfile

check: $(DEV)
	$(BIN)/ruff format --check
	$(BIN)/ruff check
	$(BIN)/mypy
	$(BIN)/lint-imports

bench: $(DEV)
	@for script in $(filter-out %/__init__.py %/applying.py %/harness.py %/table.py,$(wildcard benchmarks/*.py)); do \
		echo "$$script"; $(BIN)/python "$$script" || failed="$$failed $$script"; \
	done; \
	[ -z "$$failed" ] || { echo "did not run to the end:$$failed"; exit 1; }

# What huiyi needs to run. The environment is made anew when pyproject.toml changes, so nothing old stays in it.
$(CORE): pyproject.toml
	@$(PYTHON) -c 'import sys; (3, 11) <= sys.version_info[:2] <= (3, 13) or sys.exit("huiyi needs Python 3.11, 3.12 or 3.13, but $(PYTHON) is %d.%d. Name another one: make PYTHON=python3.12" % sys.version_info[:2])'
	$(PYTHON) -m venv --clear $(VENV)
	$(BIN)/python -m pip install --quiet --upgrade "pip>=25.1"
	$(BIN)/python -m pip install --quiet --editable .
	@touch $@

# What it needs to read messages in pictures, to hear them in recordings, and to know facts and rules.
$(EXTRAS): $(CORE)
	$(BIN)/python -m pip install --quiet --editable ".[audio,image,reason]"
	@touch $@

# What developing it needs on top.
$(DEV): $(CORE)
	$(BIN)/python -m pip install --quiet --editable ".[audio,cause,explain,image,reason,tables,tune]" --group dev
	@touch $@

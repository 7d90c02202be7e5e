# Two commands, each from a bare clone with nothing but Python, pip and make:
#   make demo   the whole pipeline on rendered streets
#   make test   the tests, a process on each core
# `make test-slow` runs the tests that `make test` leaves out, and laws on more examples; `make lint` checks style, types
# and security, `make audit` asks for known weaknesses of the installed packages, `make docs` builds the site, `make
# clean` removes what these made.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
# Of the tests: one a core; PROCESSES=0 runs them in one, for a debugger.
PROCESSES ?= logical
# Compiled sources are kept whatever the environment says: the tests start dozens of processes.
PYTEST := env -u PYTHONDONTWRITEBYTECODE $(BIN)/python -m pytest -n $(PROCESSES) --maxprocesses 8 --dist worksteal

.PHONY: demo test test-slow lint audit docs clean

$(VENV)/.installed: pyproject.toml constraints.txt
	$(PYTHON) -c 'import sys; v = sys.version_info[:2]; sys.exit(0 if (3, 11) <= v < (3, 14) else "Python 3.11 to 3.13 is needed, this is %d.%d; call make PYTHON=python3.12" % v)'
	$(PYTHON) -m venv $(VENV) || { $(PYTHON) -m venv --without-pip $(VENV) && $(PYTHON) -m pip --python $(BIN)/python install --quiet pip; }
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[dev]'
	touch $@

demo: $(VENV)/.installed
	$(BIN)/python scripts/demo.py

test: $(VENV)/.installed
	$(PYTEST)

test-slow: $(VENV)/.installed
	$(PYTEST) -m "slow or hypothesis" --hypothesis-profile=thorough

lint: $(VENV)/.installed
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/bandit -q -c pyproject.toml -r oodretrieval scripts configuration.py

audit: $(VENV)/.installed
	$(BIN)/python .ci/audit.py

docs: $(VENV)/.installed
	$(BIN)/python -m sphinx -b html -W --keep-going -q docs docs/_build/html

clean:
	rm -rf $(VENV) demo docs/_build docs/api docs/settings .pytest_cache .mypy_cache .ruff_cache *.egg-info

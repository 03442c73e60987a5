# make env | demo | test | test-all | chaos | audit | lint | site | clean. Needs Python 3.11, 3.12 or 3.13
# and the package registry.
# PYTHON=/path/to/python3.11 chooses the interpreter, ARGS="-k media" goes to pytest.

VENV := .venv
BIN := $(VENV)/bin
ARGS ?=
# Test modules side by side: many tests wait for Ray to start. JOBS=0 runs them one by one.
JOBS ?= 2

# The stamp's name holds a checksum of what was installed: with nothing changed, env does nothing.
STAMP := $(VENV)/.installed-$(shell cat pyproject.toml constraints.txt | cksum | tr ' ' '-')

# Threads of the numeric libraries; the jobs spread work over processes instead.
export OMP_NUM_THREADS ?= 1

.PHONY: env demo test test-all chaos audit lint site clean

env: $(STAMP)

$(STAMP):
	@for python in $${PYTHON:-python3.11 python3.12 python3.13 python3}; do \
	    if "$$python" -c 'import sys; sys.exit(sys.version_info[:2] not in ((3, 11), (3, 12), (3, 13)))' \
	        2>/dev/null; then \
	        echo "environment: $$("$$python" --version) into $(VENV) (about 7 GB)"; \
	        exec "$$python" -m venv $(VENV); \
	    fi; \
	done; \
	echo "error: needs Python 3.11, 3.12 or 3.13: install one, or make env PYTHON=/path/to/python3.11" >&2; \
	exit 1
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check \
	    -c constraints.txt -e '.[dev]'
	@rm -f $(VENV)/.installed-*
	@touch $@

demo: env
	@PATH="$(CURDIR)/$(BIN):$$PATH" bash examples/demo.sh out/demo

# every promise of the README once
test: env
	@$(BIN)/python -m pytest -n $(JOBS) --dist loadfile -m "not slow" $(ARGS)

# the slow ones too: many kills, all recipes, whole corpora
test-all: env
	@$(BIN)/python -m pytest -n $(JOBS) --dist loadfile $(ARGS)

# every fault that a cluster knows, many times: hours; goes on where it stopped.
# ARGS="--only mutation --count 1000"
chaos: env
	@$(BIN)/python -m chaos --out out/chaos $(ARGS)

# known vulnerabilities of what is pinned; asks the service of pip-audit on the web
audit: env
	@$(BIN)/python -m venv $(VENV)/audit
	@$(VENV)/audit/bin/pip install --quiet --disable-pip-version-check pip-audit
	@$(VENV)/audit/bin/pip-audit --strict --no-deps --disable-pip -r constraints.txt

lint: env
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/mypy

# the documents as a site, in out/site: a warning is an error
site: env
	@$(BIN)/python -m docs.build

clean:
	rm -rf $(VENV) out build dist *.egg-info .pytest_cache .ruff_cache .mypy_cache .cache
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

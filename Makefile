# run, test, check, bench, lock: one word each. Needs Python 3.11 or later, and make.
PYTHON ?= python3
PORT ?= 8000
VENV := .venv
BIN := $(VENV)/bin
# The lock is whole, so nothing is resolved. Compiling is left to `compileall`, which uses every core.
PIP_WORDS := --quiet --disable-pip-version-check --no-compile

.PHONY: run test check bench bench-growth bench-soak bench-smoke lock clean

run: $(VENV)/.runtime
	@$(BIN)/lastro dev --port $(PORT)

test: $(VENV)/.dev
	$(BIN)/coverage run -m pytest
	$(BIN)/coverage report --include='*/lastro/ledger/*,*/lastro/pix/*,*/lastro/auth/*,*/lastro/idempotency.py' --fail-under=95

check: $(VENV)/.dev
	$(BIN)/ruff format --check
	$(BIN)/ruff check
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(MAKE) test
	$(MAKE) bench-smoke

# The table, then growth to ten million payments (40 GB of disk for a while), then memory; all into bench/RESULTS.md.
bench: $(VENV)/.dev
	$(BIN)/python -m bench
	$(MAKE) bench-growth bench-soak

bench-growth: $(VENV)/.dev
	$(BIN)/python -m bench --growth

bench-soak: $(VENV)/.dev
	$(BIN)/python -m bench --soak 10

# A few minutes: fails when the books do not balance, or a payment is less than 5 times as fast as the ORM peer's.
bench-smoke: $(VENV)/.dev
	$(BIN)/python -m bench --smoke --out .lastro/bench-smoke

# Every version and hash is pinned; no registry is named, so pip uses the one that this machine is set up for.
$(VENV)/.runtime: requirements/runtime.txt pyproject.toml
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install $(PIP_WORDS) --require-hashes --no-deps -r requirements/runtime.txt
	$(BIN)/python -m pip install $(PIP_WORDS) --no-deps --no-build-isolation --editable .
	@$(BIN)/python -m compileall -q -j 0 $(VENV)/lib src || true
	@touch $@

$(VENV)/.dev: requirements/dev.txt $(VENV)/.runtime
	$(BIN)/python -m pip install $(PIP_WORDS) --require-hashes --no-deps -r requirements/dev.txt
	@touch $@

lock:
	$(BIN)/python -m pip install --quiet uv
	cd requirements && for set in runtime dev; do \
	  ../$(BIN)/uv pip compile --quiet --universal --generate-hashes --no-emit-index-url --no-emit-find-links \
	    --no-header --python-version 3.11 $$set.in -o $$set.txt; done

clean:
	rm -rf $(VENV) .lastro .mypy_cache .ruff_cache .pytest_cache .import_linter_cache .coverage

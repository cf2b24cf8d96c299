# Every target builds what it needs from a fresh clone with Python 3.11 to 3.13.
# `make help` lists the targets.

PYTHON ?= python3
BIN := .venv/bin
READY := .venv/.ready
DATA_ROOT ?= ../shared/data/DAVIS
CAMVID_ROOT ?= ../shared/data/CamVid
MARKERS ?= not slow
INPUTS ?= 100000
BUDGET_S ?= 1200
SEEDS ?= 3

.DEFAULT_GOAL := help
.PHONY: help setup search davis bundles record-search bench-search chaos fuzz test lint types tests format lock clean

help: ## list the targets
	@grep -E '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):.*## /  make \1\t/' | expand -t 22

setup: $(READY) ## build .venv from requirements.lock

$(READY): requirements.lock pyproject.toml
	@$(PYTHON) -c 'import sys; v = sys.version_info; sys.exit(0 if (3, 11) <= v < (3, 14) else \
	  f"$(PYTHON) is Python {v.major}.{v.minor}; allowed: 3.11 to 3.13. Use make PYTHON=python3.12.")'
	@echo "setup 1/3: creating .venv with $$($(PYTHON) --version)"
	@$(PYTHON) -m venv .venv
	@echo "setup 2/3: installing $$(grep -c '==' requirements.lock) locked packages: some minutes, 3 GB on disk," \
	  "TensorFlow the largest"
	@$(BIN)/python -m pip install --disable-pip-version-check --require-hashes -r requirements.lock
	@echo "setup 3/3: installing jejunet-nas from this folder"
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation -e .
	@touch $(READY)
	@echo "setup: done, $$(du -sh .venv | cut -f1) in .venv. Next: source .venv/bin/activate; jejunet-nas --help"

search: $(READY) ## search the quickstart study and write its report (2 to 5 minutes)
	$(BIN)/jejunet-nas search quickstart
	$(BIN)/jejunet-nas report quickstart

davis: $(READY) ## search DAVIS for a Pixel 2, and compare with the 2018 design (2 hours; DATA_ROOT= the DAVIS folder)
	$(BIN)/jejunet-nas search davis_pixel2 --data-root $(DATA_ROOT) --time-budget 90m
	$(BIN)/jejunet-nas search davis_seed_baseline --data-root $(DATA_ROOT)
	$(BIN)/jejunet-nas report davis_pixel2 --baseline davis_seed_baseline --data-root $(DATA_ROOT)

bundles: $(READY) ## train and export the networks of the two bundles (20 minutes; DATA_ROOT=, CAMVID_ROOT=)
	$(BIN)/jejunet-nas search camvid_long --data-root $(CAMVID_ROOT)
	$(BIN)/jejunet-nas report camvid_long
	rm -f reports/camvid_pixel2/bundle.zip
	$(BIN)/jejunet-nas export camvid_long --out reports/camvid_pixel2/bundle.zip
	$(BIN)/jejunet-nas search davis_long --data-root $(DATA_ROOT)
	$(BIN)/jejunet-nas report davis_long
	rm -f reports/davis_pixel2/bundle.zip
	$(BIN)/jejunet-nas export davis_long --out reports/davis_pixel2/bundle.zip

record-search: $(READY) ## train all networks of a small space twice, for replays of samplers (1 hour; resumes)
	$(BIN)/python -m tests.benchmarks.record_search --data-root $(DATA_ROOT)
	$(BIN)/python -m tests.benchmarks.replay

bench-search: $(READY) ## compare the search with plain Optuna (a night; BUDGET_S= seconds a run, SEEDS=; resumes)
	$(BIN)/python -m tests.benchmarks.bench_search --data-root $(DATA_ROOT) --budget-s $(BUDGET_S) --seeds $(SEEDS)

test: lint types tests ## lint, check types, run all tests but the slowest, 10 minutes (MARKERS= for all)

lint: $(READY) ## check rules and format with ruff
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types: $(READY) ## check the package with mypy --strict
	$(BIN)/mypy

tests: $(READY) ## run the tests with pytest
	$(BIN)/pytest -n auto --dist loadfile -m "$(MARKERS)"

chaos: $(READY) ## kill workers and searches at random moments, and count what is lost (10 minutes)
	$(BIN)/python -m tests.benchmarks.chaos

fuzz: $(READY) ## give 100,000 damaged inputs to every parser (INPUTS=1000 for fewer)
	$(BIN)/python -m tests.fuzz --inputs $(INPUTS)

format: $(READY) ## format the code and fix what ruff can fix
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

lock: ## resolve requirements.lock again (needs uv)
	uv pip compile --quiet --universal --python-version 3.11 --extra dev --generate-hashes \
	  --no-emit-index-url --no-annotate --no-header pyproject.toml -o requirements.lock

clean: ## remove .venv and caches; keep studies and reports
	rm -rf .venv .mypy_cache .pytest_cache .ruff_cache .hypothesis *.egg-info

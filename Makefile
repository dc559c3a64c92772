# `make demo` and `make test` need nothing but make and Python 3.11 or later.
PYTHON ?= python3
BIN := .venv/bin

.PHONY: help demo test lint unit bench clean

help:
	@echo "make demo    a collector, a FastAPI backend and some traffic, until Ctrl-C"
	@echo "make test    linters, types and all tests"
	@echo "make bench   the benchmarks, as ratios (takes minutes)"
	@echo "make clean   remove the virtual environment and caches"

demo:
	@$(PYTHON) bootstrap.py demo
	@$(BIN)/forecourt demo

test: lint unit

lint:
	@$(PYTHON) bootstrap.py dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

unit:
	@$(PYTHON) bootstrap.py dev
	@: started programs read what the first of them has compiled
	PYTHONDONTWRITEBYTECODE= $(BIN)/python -m pytest -n 3 --cov --cov-report=term

bench:
	@$(PYTHON) bootstrap.py dev
	$(BIN)/python benchmarks/ingest.py
	$(BIN)/python benchmarks/overhead.py
	$(BIN)/python benchmarks/judging.py
	$(BIN)/python benchmarks/telling.py
	$(BIN)/python benchmarks/asking.py
	$(BIN)/python benchmarks/baselines.py
	$(BIN)/python benchmarks/anomaly.py --synthetic
	$(BIN)/python benchmarks/attacks.py
	$(BIN)/python benchmarks/dashboard.py
	$(BIN)/python benchmarks/forwarding.py

clean:
	rm -rf .venv .mypy_cache .ruff_cache .pytest_cache .hypothesis .coverage* build *.egg-info

# SPDX-License-Identifier: MIT
# The front door: `make demo` sets everything up and runs the smoke matrix, `make test` tests it.
PYTHON ?= python3
CORES ?= all
BIN := .venv/bin
SNAKEMAKE := $(BIN)/snakemake --cores $(CORES)
SOURCES := src tests bench

.PHONY: demo setup provision test lint bench docs relock lock-python clean

demo: setup
	@echo "== demo: guest, schedulers, 17 runs, simulations, verdicts (usually 20 minutes on 2 cores without KVM)"
	$(SNAKEMAKE)
	@echo "== open results/report/index.html"

setup: .venv/ready

.venv/ready: envs/python.lock envs/host.packages envs/host.sh pyproject.toml
	@echo "== Debian packages (usually 20 s, nothing to do when they are there)"
	sh envs/host.sh
	@echo "== virtual environment .venv (usually 60 s)"
	$(PYTHON) -m venv --clear .venv
	$(BIN)/pip install --quiet --require-hashes -r envs/python.lock
	$(BIN)/pip install --quiet --no-deps --editable .
	@touch $@

provision: setup
	@echo "== guest kernel, image, schedulers and the probe (usually 8 minutes on 2 cores)"
	$(SNAKEMAKE) provision

test: setup lint provision
	@echo "== Debian packages that only tests need (usually 30 s, nothing to do when they are there)"
	sh envs/host.sh test.packages
	@echo "== tests, with real virtual machines (usually 30 minutes on 2 cores)"
	$(BIN)/pytest --numprocesses 2 -m "not vm and not workflow"
	$(BIN)/pytest -m "vm or workflow"

lint: setup
	$(BIN)/ruff check $(SOURCES)
	$(BIN)/ruff format --check $(SOURCES)
	$(BIN)/mypy
	PATH="$(CURDIR)/$(BIN):$$PATH" snakefmt --check workflow
	$(BIN)/snakemake --lint

# Pages of docs/ in site/; a dead link fails. No date of building is in them.
docs: setup
	SOURCE_DATE_EPOCH=0 $(BIN)/mkdocs build --strict --quiet
	@echo "== open site/index.html"

bench: setup
	for file in bench/bench_*.py; do $(BIN)/python $$file || exit 1; done

# Take what the mirror has now as what is meant.
relock: provision
	for lock in resources/kernel/*/lock.txt; do \
		cp $$lock envs/$$(basename $$(dirname $$lock)).lock; done
	cp resources/guest/lock.txt envs/guest.lock
	cp resources/buildroot/lock.txt envs/buildroot.lock
	for lock in resources/*/crate/*.lock.txt; do \
		cp $$lock envs/$$(basename $$lock .lock.txt).lock; done

lock-python:
	uv pip compile pyproject.toml --extra dev --universal --python-version 3.11 \
		--generate-hashes --quiet --no-header --output-file envs/python.lock

clean:
	rm -rf results/runs results/report results/*.json logs .snakemake

# Two commands on a fresh machine: `make run` and `make test`.
.DEFAULT_GOAL := help
.PHONY: help run test check-long check-loops check-postgresql check-mutants bench lint catalogues documents docs lock sbom release clean

PYTHON ?= $(shell for p in python3 python3.14 python3.13 python3.12 python3.11; do \
	command -v $$p >/dev/null && $$p -c 'import sys, venv, ensurepip; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && { echo $$p; break; }; done)
VENV := .venv
BIN := $(VENV)/bin
PORT ?= 8501

help:
	@echo "make run         environment, demo centre into an empty store, the app on http://127.0.0.1:$(PORT)"
	@echo "make test        every test, in a real browser too"
	@echo "make check-long  mutants, long kill and fuzz loops, the tests on PostgreSQL, a Spark cluster"
	@echo "make bench       measurements, printed"
	@echo "make lint        the linter, the formatter, and the product's lines by room"
	@echo "make catalogues  refresh the French and English catalogues from the code"
	@echo "make documents   refresh the generated parts of docs/"
	@echo "make docs        the documents as a site, in build/site/"
	@echo "make lock        refresh the lock files from requirements.txt, requirements-postgresql.txt and requirements-sources.txt"
	@echo "make sbom        write sbom.cdx.json, the CycloneDX list of what is shipped"
	@echo "make release     the committed files as an archive in build/release/, with the list and checksums"

$(VENV)/.made: requirements.lock
	@test -n "$(PYTHON)" || { echo "Python 3.11 or newer, with venv, is needed (Debian: apt install python3 python3-venv)."; exit 1; }
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements.lock
	@touch $@

$(VENV)/.made-dev: requirements-dev.txt $(VENV)/.made
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -r requirements-dev.txt
	@touch $@

$(VENV)/.made-cluster: requirements-cluster.txt $(VENV)/.made-dev
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -r requirements-cluster.txt
	@touch $@

run: $(VENV)/.made
	@$(BIN)/python -m qa_core init
	@$(BIN)/python -m qa_core demo --if-empty
	@$(BIN)/streamlit run app.py --server.port $(PORT)

# Where it is set, each of the processes that tests start would compile the program anew.
test: export PYTHONDONTWRITEBYTECODE =
test: $(VENV)/.made-dev
	@$(BIN)/python tests/e2e/chromium.py || true
	$(BIN)/python -m pytest -m "not long" -rs -n auto --dist loadfile --no-loadscope-reorder

# Its parts are described in CONTRIBUTING.md. LONG_SEEDS: percentage of the seeds of the loops.
check-long: export PYTHONDONTWRITEBYTECODE =
check-long: check-loops check-postgresql check-mutants

check-loops: $(VENV)/.made-cluster
	$(BIN)/python -m pytest -m long -rs -n auto --dist loadfile --no-loadscope-reorder

check-postgresql: $(VENV)/.made-cluster
	QA_TEST_RECORDS=postgresql $(BIN)/python -m pytest -m "not long and not browser" -rs -n auto --dist loadfile --no-loadscope-reorder

check-mutants: $(VENV)/.made-cluster
	$(BIN)/python tests/tools/mutate_access.py

bench: $(VENV)/.made-dev
	@for file in tests/bench/bench_*.py; do $(BIN)/python $$file || exit 1; done

lint: $(VENV)/.made-dev
	$(BIN)/ruff check . && $(BIN)/ruff format --check .
	@$(BIN)/python tests/tools/count_lines.py

catalogues: $(VENV)/.made
	$(BIN)/python tests/tools/catalogues.py

documents: $(VENV)/.made-dev
	$(BIN)/python tests/tools/documents.py

build/docs-env/.made: requirements-docs.txt
	@test -x build/docs-env/bin/python || $(PYTHON) -m venv build/docs-env
	build/docs-env/bin/python -m pip install --quiet --disable-pip-version-check -r requirements-docs.txt
	@touch $@

docs: build/docs-env/.made
	build/docs-env/bin/sphinx-build -c docs -W --keep-going --quiet . build/site
	@echo "build/site/docs/index.html"

lock: $(VENV)/.made
	$(BIN)/python -m pip install --quiet --disable-pip-version-check 'uv~=0.13.9'
	$(BIN)/uv pip compile requirements.txt --universal --generate-hashes --python-version 3.11 --upgrade --quiet \
		--custom-compile-command "make lock" --output-file requirements.lock
	$(BIN)/uv pip compile requirements-postgresql.txt --constraint requirements.txt --universal --generate-hashes \
		--python-version 3.11 --upgrade --quiet --custom-compile-command "make lock" --output-file requirements-postgresql.lock
	$(BIN)/uv pip compile requirements-sources.txt --constraint requirements.txt --universal --generate-hashes \
		--python-version 3.11 --upgrade --quiet --custom-compile-command "make lock" --output-file requirements-sources.lock

sbom: $(VENV)/.made
	$(BIN)/python -m pip install --quiet --disable-pip-version-check 'cyclonedx-bom~=7.5.0'
	$(BIN)/cyclonedx-py requirements requirements.lock --pyproject pyproject.toml --output-reproducible --output-file sbom.cdx.json

release: NAME = ecoute-$(shell sed -n 's/^version = "\(.*\)"/\1/p' pyproject.toml)
release: sbom
	@mkdir -p build/release
	git archive --prefix=$(NAME)/ --output=build/release/$(NAME).tar.gz HEAD
	cp sbom.cdx.json build/release/$(NAME).cdx.json
	cd build/release && sha256sum $(NAME).tar.gz $(NAME).cdx.json > SHA256SUMS

clean:
	rm -rf $(VENV) build .pytest_cache .hypothesis

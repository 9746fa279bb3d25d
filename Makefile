# `make` alone lists the targets.
.DEFAULT_GOAL := help
BIN := .venv/bin

help: ## list the targets
	@grep -hE '^[a-z0-9-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 15

# After a failure of pip: say so if it is the network, which pip itself does at length.
unreachable = { $(1)/pip --disable-pip-version-check --retries 0 --timeout 10 index versions pip > /dev/null 2>&1 || echo "make: pip cannot reach its package index, so nothing was installed; connect to the network, or name an index that can be reached, as PIP_INDEX_URL (or a proxy, as HTTPS_PROXY), and run the same command again" >&2; exit 1; }

setup: .venv/installed ## make the virtual environment from requirements.lock

.venv/installed: pyproject.toml requirements.lock hatch_build.py
	@python3 -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Callhouse needs Python 3.11 or newer, found " + sys.version.split()[0])'
	@python3 -m venv .venv
	@$(BIN)/pip --disable-pip-version-check install -q --require-hashes -r requirements.lock || $(call unreachable,$(BIN))
	@$(BIN)/pip --disable-pip-version-check install -q --no-deps --no-build-isolation -e . && touch $@

.venv-dbt/installed: tests/dbt-requirements.lock
	@python3 -m venv .venv-dbt
	@.venv-dbt/bin/pip --disable-pip-version-check install -q --require-hashes -r tests/dbt-requirements.lock || $(call unreachable,.venv-dbt/bin)
	@touch $@

.venv-openapi/installed: tests/openapi-requirements.lock
	@python3 -m venv .venv-openapi
	@.venv-openapi/bin/pip --disable-pip-version-check install -q --require-hashes -r tests/openapi-requirements.lock || $(call unreachable,.venv-openapi/bin)
	@touch $@

.venv-clients/installed: tests/clients-requirements.lock
	@python3 -m venv .venv-clients
	@.venv-clients/bin/pip --disable-pip-version-check install -q --require-hashes -r tests/clients-requirements.lock || $(call unreachable,.venv-clients/bin)
	@touch $@

.node-clients/installed: tests/node/package-lock.json
	@command -v npm > /dev/null || { echo "make: npm is missing, so the vendors' clients for Node were not installed; install Node.js and run the same command again" >&2; exit 1; }
	@mkdir -p .node-clients && cp tests/node/package.json tests/node/package-lock.json .node-clients
	@npm ci --prefix .node-clients --silent --no-audit --no-fund && touch $@

.venv-focus/installed: tests/focus-requirements.lock
	@python3 -m venv .venv-focus
	@.venv-focus/bin/pip --disable-pip-version-check install -q --require-hashes -r tests/focus-requirements.lock || $(call unreachable,.venv-focus/bin)
	@touch $@

.venv-duckdb1/installed: pyproject.toml requirements.lock tests/duckdb1-requirements.lock
	@python3 -m venv .venv-duckdb1
	@.venv-duckdb1/bin/pip --disable-pip-version-check install -q --require-hashes -r requirements.lock || $(call unreachable,.venv-duckdb1/bin)
	@.venv-duckdb1/bin/pip --disable-pip-version-check install -q --require-hashes -r tests/duckdb1-requirements.lock || $(call unreachable,.venv-duckdb1/bin)
	@.venv-duckdb1/bin/pip --disable-pip-version-check install -q --no-deps --no-build-isolation -e . && touch $@

.venv-lake/installed: pyproject.toml requirements.lock tests/scale/lake-requirements.lock
	@python3 -m venv .venv-lake
	@.venv-lake/bin/pip --disable-pip-version-check install -q --require-hashes -r requirements.lock || $(call unreachable,.venv-lake/bin)
	@.venv-lake/bin/pip --disable-pip-version-check install -q --require-hashes -r tests/scale/lake-requirements.lock || $(call unreachable,.venv-lake/bin)
	@.venv-lake/bin/pip --disable-pip-version-check install -q --no-deps --no-build-isolation -e . && touch $@

.venv-spark/installed: pyproject.toml requirements.lock tests/scale/spark-requirements.lock
	@python3 -m venv .venv-spark
	@.venv-spark/bin/pip --disable-pip-version-check install -q --require-hashes -r requirements.lock || $(call unreachable,.venv-spark/bin)
	@.venv-spark/bin/pip --disable-pip-version-check install -q --require-hashes -r tests/scale/spark-requirements.lock || $(call unreachable,.venv-spark/bin)
	@.venv-spark/bin/pip --disable-pip-version-check install -q --no-deps --no-build-isolation -e . && touch $@

.venv-bench-singer/installed: tests/bench/singer-requirements.lock
	@python3 -m venv .venv-bench-singer
	@.venv-bench-singer/bin/pip --disable-pip-version-check install -q --require-hashes -r tests/bench/singer-requirements.lock || $(call unreachable,.venv-bench-singer/bin)
	@touch $@

.venv-bench-airbyte/installed: tests/bench/airbyte-requirements.lock
	@python3 -m venv .venv-bench-airbyte
	@.venv-bench-airbyte/bin/pip --disable-pip-version-check install -q --require-hashes -r tests/bench/airbyte-requirements.lock || $(call unreachable,.venv-bench-airbyte/bin)
	@touch $@

.venv-dagster/installed: pyproject.toml tests/scale/dagster-requirements.lock
	@python3 -m venv .venv-dagster
	@.venv-dagster/bin/pip --disable-pip-version-check install -q --require-hashes -r tests/scale/dagster-requirements.lock || $(call unreachable,.venv-dagster/bin)
	@$(BIN)/pip --disable-pip-version-check --python .venv-dagster/bin/python install -q --no-deps --no-build-isolation -e . && touch $@

.venv-sbom/installed: tests/sbom-requirements.lock
	@python3 -m venv .venv-sbom
	@.venv-sbom/bin/pip --disable-pip-version-check install -q --require-hashes -r tests/sbom-requirements.lock || $(call unreachable,.venv-sbom/bin)
	@touch $@

run: setup ## load what is missing, build, publish (nothing configured: the sandbox vendors)
	@$(BIN)/callhouse run --sandbox-if-unconfigured $(ARGS)

check: setup ## format, lint, types, import contracts, SQL, security, secrets
	$(BIN)/ruff format --check . && $(BIN)/ruff check . && $(BIN)/mypy && $(BIN)/lint-imports && $(BIN)/sqlfluff lint -q transforms pipelines/config pipelines/sources/queries pipelines/warehouse/queries pipelines/warehouse/migrations pipelines/report/queries && $(BIN)/bandit -q -ll -r pipelines transforms && git ls-files -z | xargs -0 $(BIN)/detect-secrets-hook --exclude-files "lock(\.txt|\.json)?$$" --exclude-lines canary

dbt: .venv-dbt/installed ## make dbt's own environment, for those of soak-tests that build the export

openapi: .venv-openapi/installed ## make the mock server's own environment, for the test of our requests to Zoom

focus: .venv-focus/installed ## make the environment of the FOCUS validator, for one of soak-tests (Python 3.11, 3.12)

clients: .venv-clients/installed ## make the environment of the vendors' own clients, which read the sandbox

test: check clients ## what CI runs: check, then all tests but the long ones of soak-tests
	$(BIN)/pytest $(ARGS)

test-clients: setup clients .node-clients/installed ## the vendors' own clients, for Python and for Node, against the sandbox
	$(BIN)/pytest -n 0 -m "soak or not soak" tests/sandbox/test_vendor_clients.py $(ARGS)

test-report: setup ## the report in a browser; needs Chromium (apt-get install chromium), without which `make test` leaves these tests out
	CALLHOUSE_BROWSER=required $(BIN)/pytest -n 0 tests/report $(ARGS)

test-duckdb1: .venv-duckdb1/installed dbt clients ## all tests under DuckDB 1.5, the oldest that Callhouse runs with
	.venv-duckdb1/bin/pytest $(ARGS)

test-dagster: setup .venv-dagster/installed ## the assets for Dagster, in an environment of their own
	.venv-dagster/bin/pytest -n 0 -m "soak or not soak" tests/scale/test_dagster.py $(ARGS)

test-scale: .venv-lake/installed test-spark ## the warehouse as a lake, with real servers of Postgres and S3 on this machine (apt-get install postgresql), and test-spark
	.venv-lake/bin/pytest -n 0 tests/scale $(ARGS)

test-spark: .venv-spark/installed ## builds in shards on a Spark of this machine, with two workers (needs Java 17: apt-get install openjdk-17-jre-headless)
	.venv-spark/bin/pytest -n 0 tests/scale/test_spark.py $(ARGS)

sbom: .venv-sbom/installed ## list all locked packages as sbom.json, in the form of CycloneDX
	@.venv-sbom/bin/cyclonedx-py requirements --output-reproducible -o sbom.json requirements.lock

soak: setup ## runs with kills and faults, compared with the truth (ARGS: --seeds 1-100 --nights 30 --minutes 60, --kill-points, --system-calls)
	PYTHONPATH=tests $(BIN)/python -m harness $(ARGS)

soak-tests: setup dbt openapi clients .node-clients/installed ## the tests that take longer, forty invented histories, every planted bug
	CALLHOUSE_HISTORIES=40 $(BIN)/pytest -m "soak or history" $(ARGS)

mutants: setup ## wrong edits of SQL and Python, a sample: which does no test notice?
	$(BIN)/python tests/mutants/measure.py $(ARGS)

docs: setup ## write the schema page, the page of metrics, and the page of vendors, from the code
	@$(BIN)/python -m pipelines.commands.write_docs

bench: setup ## measure load, build and memory beside the limit and other tools, into docs/performance.md (Linux; ARGS: --only NAME, --again)
	-@$(MAKE) -s .venv-bench-singer/installed .venv-bench-airbyte/installed
	PYTHONPATH=tests $(BIN)/python -m bench $(ARGS)

bench-huge: setup ## the same with 10 M calls in the warehouse, which takes hours and 100 GB
	PYTHONPATH=tests $(BIN)/python -m bench --huge $(ARGS)

screenshots: setup ## pictures of the report for docs/images, of sandbox calls; needs Chromium
	@$(BIN)/python tests/report/screenshots.py docs/images

site: setup ## write the pages of docs/ as a site, into site/
	@$(BIN)/mkdocs build --strict -q -f .mkdocs.yml

COMPILE := $(BIN)/uv pip compile -q --generate-hashes --universal --python-version 3.11 --no-header --no-annotate --no-emit-index-url --no-emit-find-links --upgrade

lock: setup ## resolve all lock files again, ours from pyproject.toml
	$(COMPILE) pyproject.toml --extra dev -o requirements.lock
	$(COMPILE) --no-strip-extras tests/dbt-requirements.in -o tests/dbt-requirements.lock
	$(COMPILE) tests/openapi-requirements.in -o tests/openapi-requirements.lock
	$(COMPILE) tests/clients-requirements.in -o tests/clients-requirements.lock
	$(COMPILE) tests/focus-requirements.in -o tests/focus-requirements.lock
	$(COMPILE) tests/duckdb1-requirements.in -o tests/duckdb1-requirements.lock
	$(COMPILE) pyproject.toml --extra dagster tests/scale/dagster-requirements.in -o tests/scale/dagster-requirements.lock
	$(COMPILE) --no-strip-extras tests/scale/lake-requirements.in -o tests/scale/lake-requirements.lock
	$(COMPILE) tests/scale/spark-requirements.in -o tests/scale/spark-requirements.lock
	$(COMPILE) tests/sbom-requirements.in -o tests/sbom-requirements.lock
	$(COMPILE) tests/bench/singer-requirements.in -o tests/bench/singer-requirements.lock
	$(COMPILE) --no-strip-extras tests/bench/airbyte-requirements.in -o tests/bench/airbyte-requirements.lock

clean: ## delete the warehouse (not the virtual environment)
	rm -rf warehouse

.PHONY: help setup run check dbt openapi focus clients test test-clients test-report test-duckdb1 test-dagster test-scale test-spark sbom soak soak-tests mutants docs site bench bench-huge screenshots lock clean

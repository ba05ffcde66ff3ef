# A target calls `kit` with the variables of the command line as they are: make cv comp=toxic only=boost is
# kit cv comp=toxic only=boost. kit checks them, so a variable that it does not know is refused.
PY := .venv/bin/python
given := $(sort $(foreach v,$(filter-out PY,$(.VARIABLES)),$(if $(filter command,$(firstword $(origin $v))),$v)))
words = $(foreach v,$(given),'$v=$(subst ','\'',$($v))')
# $(call knows,args): targets that are not kit's refuse other variables themselves
knows = $(foreach v,$(filter-out $1,$(given)),$(error make $@ has no variable '$v='; there $(if $1,is: $1=,are none)))

.DEFAULT_GOAL := help
commands := cv blend tune compare ablate lb curve leaks drift report track show options
.PHONY: help $(commands) test check soak bench lock clean

help: ## print this list
	@awk -F ':.*## ' '/^[a-z]+:.*## / {printf "  make %-8s %s\n", $$1, $$2}' $(MAKEFILE_LIST)
	@echo; echo '  settings: only="nbsvm boost" folds=0,1 set="minilm.epochs=2 minilm.lr=5e-5" preset=full seed=1 sample=2000'
	@echo '            on=processes:2 threads=1 debug=1; environment: KIT_DATA KIT_RUNS KIT_CACHE KIT_WEIGHTS KIT_REPORT=no'

.venv/ready: requirements.lock pyproject.toml
	@echo "making .venv (some minutes, about 6 GB; once)"
	python3 -c 'import sys; sys.exit("kit needs Python 3.11 or newer, this is " + sys.version.split()[0]) if sys.version_info < (3, 11) else None'
	python3 -m venv .venv
	$(PY) -m pip install --quiet --no-deps -r requirements.lock
	$(PY) -m pip install --quiet --no-deps --no-build-isolation --editable .
	@touch $@

cv: ## comp=toxic: fit what is missing, blend, write submission.csv
blend: ## comp=toxic: blend what is in the bank, without fitting
tune: ## comp=toxic member=boost trials=50: search a member's settings, write them as preset=tuned
compare: ## comp=toxic a="minilm" b="minilm minilm.stage.epochs=2" seeds=3: is one really better?
ablate: ## comp=toxic member=minilm hours=2: what each technique gives; arms="FGM,EMA" seeds=2 pass=off
lb: ## comp=toxic add=0.98721 note="…": leaderboard scores beside CV
curve: ## comp=toxic member=linear over=rows: score against rows, folds or seeds; points=500,1000,2000
leaks: ## comp=toxic: what tells the target in train and will not in test
drift: ## comp=toxic: does test differ from train, in what, and which train rows are like test
report: ## comp=toxic: write report.html of what is in the bank
track: ## comp=toxic to=mlflow: show the run there, or in to=tensorboard
show: ## comp=toxic: members × folds, weights, time; images=1: contact sheets of pictures
options: ## comp=toxic find=lr: settings with their values and meanings; changed=1 for those that are not the defaults

$(commands): .venv/ready
	@$(PY) -m kit $@ $(words)

# all tests: a worker a core, four at most, each takes a file at a time. A selection is run at once in one process
test: .venv/ready ## run all tests (args="-k bank" for some)
	$(call knows,args)@$(PY) -m pytest $(or $(args),-n logical --maxprocesses 4 --dist loadfile --no-loadscope-reorder)

check: .venv/ready ## lint, format and types
	$(call knows)@$(PY) -m ruff check . && $(PY) -m ruff format --check . && $(PY) -m mypy

soak: .venv/ready ## hours=2: random damage, kills and full disks until the time is up; seed=7 drills="bits kills"
	$(call knows,hours seed drills)@$(PY) -m tests.helpers.soak $(foreach n,hours seed drills,$(if $($n),--$n $($n)))

bench: .venv/ready ## name=linear_speed: run one of benchmarks/
	$(call knows,name args)@$(PY) benchmarks/$(name).py $(args)

clean: ## remove .venv and caches; keeps data/ and runs/
	$(call knows)rm -rf .venv .pytest_cache .mypy_cache .ruff_cache .hypothesis *.egg-info

lock: .venv/ready ## write requirements.lock from pyproject.toml, with the newest versions
	$(call knows)$(PY) -m pip install --quiet uv
	.venv/bin/uv pip compile --universal --python-version 3.11 --no-header --no-annotate --quiet --extra ray --extra offline --extra text --extra augment --extra images --extra labels --extra files --extra sklearn --extra tables --extra trees --extra tabicl --extra postgres --extra mlflow --extra tensorboard --extra dev --no-emit-package sentence-transformers --no-emit-package nvidia-nccl-cu12 pyproject.toml --upgrade -o requirements.lock

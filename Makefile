# Each target is one line that calls `python -m kit …`; the same commands work without make.
PY := .venv/bin/python
common = $(if $(set),--set "$(set)") $(if $(preset),--preset $(preset)) $(if $(seed),--seed $(seed)) $(if $(sample),--sample $(sample)) $(if $(debug),--debug)
chosen = $(if $(only),--only "$(only)")
where  = $(if $(folds),--folds $(folds)) $(if $(on),--on $(on)) $(if $(threads),--threads $(threads))

.DEFAULT_GOAL := help
.PHONY: help cv blend tune compare ablate lb curve report track show options test check bench lock clean

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

cv: .venv/ready ## comp=toxic: fit what is missing, blend, write submission.csv
	@$(PY) -m kit cv $(comp) $(chosen) $(where) $(if $(tuned),--tuned $(tuned)) $(common)

blend: .venv/ready ## comp=toxic: blend again what is in the bank
	@$(PY) -m kit blend $(comp) $(chosen) $(if $(tuned),--tuned $(tuned)) $(common)

tune: .venv/ready ## comp=toxic member=boost trials=50: search a member's settings, write them as preset=tuned
	@$(PY) -m kit tune $(comp) $(member) $(where) $(common) $(foreach knob,trials hours workers storage pruner rescore holdout,$(if $($(knob)),--$(knob) "$($(knob))"))

compare: .venv/ready ## comp=toxic a="minilm" b="minilm minilm.stage.epochs=2" seeds=3: is one really better?
	@$(PY) -m kit compare $(comp) --a "$(a)" --b "$(b)" $(if $(seeds),--seeds $(seeds)) $(where) $(common)

ablate: .venv/ready ## comp=toxic member=minilm hours=2: what each technique gives; arms="FGM,EMA" seeds=2 pass=off
	@$(PY) -m kit ablate $(comp) $(member) $(foreach knob,pass arms seeds hours,$(if $($(knob)),--$(knob) "$($(knob))")) $(where) $(common)

lb: .venv/ready ## comp=toxic add=0.98721 note="…": leaderboard scores beside CV
	@$(PY) -m kit lb $(comp) $(foreach knob,add note cv,$(if $($(knob)),--$(knob) "$($(knob))")) $(if $(set),--set "$(set)") $(if $(preset),--preset $(preset)) $(if $(seed),--seed $(seed)) $(if $(debug),--debug)

curve: .venv/ready ## comp=toxic member=linear over=rows: score against rows, folds or seeds; points=500,1000,2000
	@$(PY) -m kit curve $(comp) $(member) $(foreach knob,over points,$(if $($(knob)),--$(knob) $($(knob)))) $(where) $(common)

report: .venv/ready ## comp=toxic: write report.html anew
	@$(PY) -m kit report $(comp) $(chosen) $(common)

track: .venv/ready ## comp=toxic to=mlflow|tensorboard: show the run there
	@$(PY) -m kit track $(comp) --to "$(to)" $(chosen) $(common)

show: .venv/ready ## comp=toxic: members × folds, weights, time
	@$(PY) -m kit show $(comp) $(chosen) $(common)

options: .venv/ready ## comp=toxic: every knob with type, value, range and meaning
	@$(PY) -m kit options $(comp) $(if $(set),--set "$(set)") $(if $(preset),--preset $(preset))

test: .venv/ready ## run all tests (args="-k bank" for some)
	@$(PY) -m pytest $(args)

check: .venv/ready ## lint, format and types
	@$(PY) -m ruff check . && $(PY) -m ruff format --check . && $(PY) -m mypy

bench: .venv/ready ## name=linear_speed: run one of benchmarks/
	@$(PY) benchmarks/$(name).py $(args)

clean: ## remove .venv and caches; keeps data/ and runs/
	rm -rf .venv .pytest_cache .mypy_cache .ruff_cache .hypothesis *.egg-info

lock: .venv/ready ## write requirements.lock anew from pyproject.toml
	$(PY) -m pip install --quiet uv
	.venv/bin/uv pip compile --universal --python-version 3.11 --no-header --no-annotate --quiet --extra ray --extra offline --extra text --extra augment --extra postgres --extra mlflow --extra tensorboard --extra dev --no-emit-package sentence-transformers pyproject.toml --upgrade -o requirements.lock

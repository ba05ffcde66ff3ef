# Each target is one line that calls `python -m kit …`; the same commands work without make.
PY := .venv/bin/python
common = $(if $(set),--set "$(set)") $(if $(preset),--preset $(preset)) $(if $(seed),--seed $(seed)) $(if $(sample),--sample $(sample)) $(if $(debug),--debug)
chosen = $(if $(only),--only "$(only)")
where  = $(if $(folds),--folds $(folds)) $(if $(on),--on $(on)) $(if $(threads),--threads $(threads))

.DEFAULT_GOAL := help
.PHONY: help cv blend show options test check bench lock clean

help: ## print this list
	@awk -F ':.*## ' '/^[a-z]+:.*## / {printf "  make %-8s %s\n", $$1, $$2}' $(MAKEFILE_LIST)
	@echo; echo '  settings: only="nbsvm boost" folds=0,1 set="minilm.epochs=2 minilm.lr=5e-5" preset=full seed=1 sample=2000'
	@echo '            on=processes:2 threads=1 debug=1; environment: KIT_DATA KIT_RUNS KIT_CACHE KIT_WEIGHTS'

.venv/ready: requirements.lock pyproject.toml
	@echo "making .venv (some minutes, about 6 GB; once)"
	python3 -c 'import sys; sys.exit("kit needs Python 3.11 or newer, this is " + sys.version.split()[0]) if sys.version_info < (3, 11) else None'
	python3 -m venv .venv
	$(PY) -m pip install --quiet --no-deps -r requirements.lock
	$(PY) -m pip install --quiet --no-deps --no-build-isolation --editable .
	@touch $@

cv: .venv/ready ## comp=toxic: fit what is missing, blend, write submission.csv
	@$(PY) -m kit cv $(comp) $(chosen) $(where) $(common)

blend: .venv/ready ## comp=toxic: blend again what is in the bank
	@$(PY) -m kit blend $(comp) $(chosen) $(common)

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

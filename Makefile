# make demo    watch query strategies choose real images for a CNN (two to three minutes)
# make label   a page for labelling the images in FOLDER, "photos" by default; a network learns meanwhile
# make quick   style, types, and the tests of what changed since the last commit: half a minute
#              at most; ROOM=gradients or ROOM=strategies/_badge for those of a room or a file
# make test    run all tests but the slowest; those of the page need chromium (apt-get install chromium)
# make slow    run the slowest: scripts, pages of the docs, killed processes, clusters, all of torchvision
# make lint    style, docstrings and types
# make doctest run the examples in the docstrings
# make study   the committed experiment: all strategies, two pools, five seeds (an hour, two cores)
# make study-smoke  the same at a small scale, a minute or two
# make docs    the site, in docs/_build/html; gallery and notebooks compute less than they could
# make docs-full   the same with both as readers should see them, four to ten minutes
# make gpu-tiny    what is prepared for a GPU, on the CPU at small sizes: a minute
# make matrix  the modAL tests on 0.4.1 and 0.4.2.1, with skactive's mends and without
# make oldest  the core tests on the oldest versions that pyproject.toml allows, torch and Python too
# make other   the core tests on another Python, 3.13 or OTHER=3.12
# make wheel   build the wheel, and import it elsewhere with its data
# make release what a release needs besides the gate: benchmark results of every strategy
# Each creates .venv and installs what it needs, if that is not there yet.

PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
OUT ?= skactive-demo
# Tests are shared out among processes, of one torch thread each.
SHARED := -n auto --maxprocesses 4 --dist worksteal

.PHONY: gpu-tiny demo label quick test slow lint doctest docs docs-full study study-smoke matrix oldest other wheel release
.DELETE_ON_ERROR:

demo: $(VENV)/.installed
	$(BIN)/skactive demo --out $(OUT)

FOLDER ?= photos
label: $(VENV)/.installed-label
	$(BIN)/skactive label "$(FOLDER)"

quick: $(VENV)/.installed-dev
	$(BIN)/python -m tests.quick $(ROOM)

test: $(VENV)/.installed-test
	$(BIN)/python -m pytest $(SHARED) -m "not slow"

slow: $(VENV)/.installed-test
	$(BIN)/python -m pytest $(SHARED) -m slow

lint: $(VENV)/.installed-dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

doctest: $(VENV)/.installed-test
	$(BIN)/python -m pytest $(SHARED) --doctest-modules skactive

STUDY ?= out/study
study: $(VENV)/.installed-stats
	$(BIN)/skactive run benchmarks/study/balanced.toml --out $(STUDY)/balanced
	$(BIN)/skactive run benchmarks/study/imbalanced.toml --out $(STUDY)/imbalanced
	$(BIN)/skactive report $(STUDY)/balanced $(STUDY)/imbalanced --output $(STUDY)/report.html
	$(BIN)/python benchmarks/study/tables.py $(STUDY)/balanced $(STUDY)/imbalanced > $(STUDY)/tables.md

gpu-tiny: $(VENV)/.installed-test
	PYTHON=$(BIN)/python bash benchmarks/gpu/run.sh . --tiny --until 1200 --out $(STUDY)/gpu

study-smoke: $(VENV)/.installed-stats
	$(BIN)/skactive run benchmarks/study/smoke.toml --out $(STUDY)/smoke
	$(BIN)/skactive report $(STUDY)/smoke

# Warnings are errors. External links are not followed; all others are checked.
SPHINX := $(BIN)/python -m sphinx -W --keep-going -q -b html
docs: $(VENV)/.installed-docs
	SKACTIVE_SMOKE=1 $(SPHINX) docs docs/_build/html
	$(BIN)/python docs/check_site.py docs/_build/html

docs-full: $(VENV)/.installed-docs
	rm -rf docs/_build docs/auto_examples docs/api docs/notebooks/*.ipynb
	$(SPHINX) docs docs/_build/html
	$(BIN)/python docs/check_site.py docs/_build/html

matrix: $(VENV)/.installed-test
	$(BIN)/python tests/modal_matrix.py

# Other Pythons: pythonX.Y where that runs, else pyenv's; each in an environment of its own.
SAY := -c "import sys; print(sys.executable)" 2> /dev/null
python = $(or $(shell python$(1) $(SAY) || "$$(pyenv prefix $(1) 2> /dev/null)/bin/python" $(SAY)), \
	$(error Python $(1) is neither on the PATH as python$(1) nor known to pyenv))
VERSIONS := import sys; from importlib.metadata import version; \
	print("Python", sys.version.split()[0], *(f"{name} {version(name)}" for name in \
	"torch torchvision scikit-learn skorch numpy pandas scipy modAL-python".split()))

# All that pyproject.toml allows at its oldest. These releases warn of each other.
OLDEST_PYTHON ?= $(call python,3.10)
OLDEST := torch==2.5.1 torchvision==0.20.1 scikit-learn==1.6.0 skorch==1.2.0 numpy==1.26.4 \
	pandas==2.2.0 scipy==1.11.4 matplotlib==3.8.0 joblib==1.4.2 pillow==10.4.0 \
	tqdm==4.66.0 threadpoolctl==3.1.0 tomli==2.0.0 cloudpickle==3.0.0
CORE := tests/fisher tests/gradients tests/estimators tests/selection tests/test_batches.py \
	tests/test_common.py tests/test_device.py tests/test_modal.py tests/test_picks.py \
	tests/test_scoring.py
oldest: .venv-oldest/.installed
	.venv-oldest/bin/python -c '$(VERSIONS)'
	.venv-oldest/bin/python -m pytest $(SHARED) -q -m "not slow" -W ignore::DeprecationWarning \
		-W "ignore:Passing a non-Collection" -W "ignore:torch.meshgrid" $(CORE) tests/strategies

.venv-oldest/.installed: pyproject.toml
	$(OLDEST_PYTHON) -m venv .venv-oldest
	.venv-oldest/bin/python -m pip install --quiet $(OLDEST) -e ".[test]"
	@touch $@

# Another Python, with what pip picks for it.
OTHER ?= 3.13
other: .venv-$(OTHER)/.installed
	.venv-$(OTHER)/bin/python -c '$(VERSIONS)'
	.venv-$(OTHER)/bin/python -m pytest $(SHARED) -q -m "not slow" $(CORE)

.venv-$(OTHER)/.installed: pyproject.toml
	$(call python,$(OTHER)) -m venv .venv-$(OTHER)
	.venv-$(OTHER)/bin/python -m pip install --quiet -e ".[test]"
	@touch $@

wheel: $(VENV)/.installed-dev
	rm -rf dist
	$(BIN)/python -m build --wheel --outdir dist . > /dev/null
	$(BIN)/python tests/check_wheel.py dist/*.whl

release: $(VENV)/.installed
	$(BIN)/python -m benchmarks --check

$(VENV)/bin/python:
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --upgrade pip

$(VENV)/.installed: $(VENV)/bin/python pyproject.toml
	@echo "Installing skactive and torch into $(VENV) (about 5.5 GB, a few minutes the first time)"
	$(BIN)/python -m pip install --quiet -e .
	@touch $@

$(VENV)/.installed-%: $(VENV)/.installed
	$(BIN)/python -m pip install --quiet -e ".[$*]"
	@touch $@

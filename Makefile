## make demo   the whole way of one case, on the synthetic patient or on CASE=folder
## make test   all tests
## make bench  speed against the peers
## make deep-study  SELECTION on phantoms in full: what is planted is learned, what is permuted is not
## make ready  whether the extension is ready for Slicer's Extensions Index
## make lock   compute the locked versions anew (needs uv)

PYTHON ?= python3
VENV   ?= .venv
BIN    := $(VENV)/bin
PIP     = $(BIN)/python -m pip install --quiet --disable-pip-version-check

DEMO     ?= demo
CASE     ?=
PACKAGES ?= radscore-tace-ct haic-mri-clinical albi child-pugh bclc

.DEFAULT_GOAL := help
.PHONY: help demo test check oracle torch bench deep-study ready lock clean

help:
	@sed -n 's/^## //p' $(MAKEFILE_LIST)

# A stamp for each set of dependencies: it is made anew when its lock file changes.
$(VENV)/.run: requirements/run.txt requirements/shap.txt pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Python 3.11 or newer is needed: make PYTHON=python3.12 ...")'
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	@echo "Installing the packages of requirements/run.txt into $(VENV) (some minutes the first time)"
	@$(PIP) --only-binary :all: --require-hashes --no-deps -r requirements/run.txt
	@$(PIP) --only-binary :all: --require-hashes --no-deps --upgrade --target $(VENV)/share/hccoutcome/shap \
	    -r requirements/shap.txt
	@$(PIP) --no-deps --editable .
	@touch $@

$(VENV)/.test: $(VENV)/.run requirements/test.txt
	@echo "Installing the packages of requirements/test.txt into $(VENV)"
	@$(PIP) --only-binary :all: --require-hashes --no-deps -r requirements/test.txt
	@touch $@

# The synthetic patient is left as it is where it is there already.
demo: $(VENV)/.run
	@$(if $(CASE),,$(BIN)/hcc phantom "$(DEMO)/case")
	$(BIN)/hcc analyse --case "$(or $(CASE),$(DEMO)/case)" --package $(PACKAGES) --out "$(DEMO)/result"

test: check
	PATH="$(abspath $(BIN)):$$PATH" $(BIN)/python -m pytest

check: $(VENV)/.test
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy

# PyRadiomics, the oracle of the tests, has no wheel: it is built where a compiler is at hand, and where none is, the
# tests compare with the stored oracle values.
oracle: $(VENV)/.test
	$(PIP) 'setuptools<80' wheel versioneer && $(PIP) --no-build-isolation pyradiomics==3.0.1

# PyTorch and MONAI are needed by the deep systems and by the GPU path of the feature maps; their tests run on the CPU.
# pyproject.toml names the version of PyTorch exactly: a range would bring gigabytes of another build.
torch: $(VENV)/.test
	$(PIP) --editable '.[deep]'

bench: $(VENV)/.test
	$(BIN)/python Testing/Benchmarks

# Needs PyTorch (make torch); some minutes of two cores, 500 MB.
STUDY ?= build/deep-study
deep-study: $(VENV)/.test
	$(BIN)/python Testing/Studies/deep_study.py "$(STUDY)"

ready: $(VENV)/.test
	$(BIN)/python Testing/CMake/readiness.py

# shap wants a package from PyPI that is called slicer as 3D Slicer's own is: it is left out of the environment, and locked
# by itself for the private folder that explanations use.
LOCK = uv pip compile --universal --python-version 3.11 --only-binary :all: --generate-hashes --no-emit-index-url \
    --custom-compile-command 'make lock'

lock:
	$(LOCK) pyproject.toml requirements/explain.in --extra host --extra learn --no-emit-package slicer \
	    --output-file requirements/run.txt
	$(LOCK) pyproject.toml requirements/explain.in --extra host --extra learn --extra cluster --extra test \
	    --constraints requirements/run.txt --no-emit-package slicer --output-file requirements/test.txt
	echo 'slicer==0.0.8' | $(LOCK) - --output-file requirements/shap.txt

clean:
	rm -rf $(VENV) $(DEMO) build

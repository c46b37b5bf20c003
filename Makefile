## make demo   the whole way of one case, on the synthetic patient or on CASE=folder
## make test   all tests
## make bench  speed against the peers
## make lock   compute the locked versions anew (needs uv)

PYTHON ?= python3
VENV   ?= .venv
BIN    := $(VENV)/bin
PIP     = $(BIN)/python -m pip install --quiet --disable-pip-version-check

DEMO     ?= demo
CASE     ?=
PACKAGES ?= radscore-tace-ct haic-mri-clinical albi child-pugh bclc

.DEFAULT_GOAL := help
.PHONY: help demo test check oracle torch bench lock clean

help:
	@sed -n 's/^## //p' $(MAKEFILE_LIST)

# A stamp for each set of dependencies: it is made anew when its lock file changes.
$(VENV)/.run: requirements/run.txt pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Python 3.11 or newer is needed: make PYTHON=python3.12 ...")'
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	@echo "Installing the packages of requirements/run.txt into $(VENV) (some minutes the first time)"
	@$(PIP) --only-binary :all: --require-hashes -r requirements/run.txt
	@$(PIP) --no-deps --editable .
	@touch $@

$(VENV)/.test: $(VENV)/.run requirements/test.txt
	@echo "Installing the packages of requirements/test.txt into $(VENV)"
	@$(PIP) --only-binary :all: --require-hashes -r requirements/test.txt
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

# PyTorch is needed by the GPU path of the feature maps alone; its tests run on the CPU. pyproject.toml names the
# version exactly: a range would bring gigabytes of another build.
torch: $(VENV)/.test
	$(PIP) --editable '.[gpu]'

bench: $(VENV)/.test
	$(BIN)/python Testing/Benchmarks

lock:
	uv pip compile pyproject.toml --extra host --universal --python-version 3.11 --only-binary :all: \
	    --generate-hashes --no-emit-index-url --custom-compile-command 'make lock' --output-file requirements/run.txt
	uv pip compile pyproject.toml --extra host --extra cluster --extra test --constraints requirements/run.txt \
	    --universal --python-version 3.11 --only-binary :all: \
	    --generate-hashes --no-emit-index-url --custom-compile-command 'make lock' --output-file requirements/test.txt

clean:
	rm -rf $(VENV) $(DEMO) build

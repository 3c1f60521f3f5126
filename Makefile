# Either of `make demo` and `make test` is the only command to type: each makes the virtual
# environment and installs what it needs, as requirements/ locks it. LLM=0 leaves the language
# model out; TORCH_INDEX= (empty) takes PyTorch's build for GPUs.

PYTHON ?= python3
VENV   ?= .venv
LLM    ?= 1
BIN    := $(VENV)/bin
# Test processes: two more than cores, since tests of the running system wait about half of the time.
JOBS   ?= $(shell $(PYTHON) -c 'import os; print(2 + (os.cpu_count() or 1))')

# PyTorch without CUDA, where its index answers; otherwise pip's default build.
TORCH_INDEX ?= https://download.pytorch.org/whl/cpu

WITH_LLM   := $(if $(filter-out 0,$(LLM)),--llm --torch-index "$(TORCH_INDEX)")
STAMP_DEMO := $(VENV)/.demo-llm$(LLM)
STAMP_TEST := $(VENV)/.test-llm$(LLM)
LOCK       := pyproject.toml requirements/install.py $(wildcard requirements/*.txt)

# Of `make faults`; another seed makes other people, faults and moments.
ROUNDS       ?= 5
SEED         ?= $(shell date +%s)
AWAY_MINUTES ?= 10
# Of `make fuzz`.
MESSAGES     ?= 10000000
# Of `make digests`: each with what requirements/run.txt locks.
PYTHONS      ?= $(BIN)/python

# Tests and demo start dozens of processes: with this set, each would compile every module anew.
unexport PYTHONDONTWRITEBYTECODE

.PHONY: demo test test-fast faults fuzz check digests wheel test-compiled format screenshots lock upgrade clean

demo: $(STAMP_DEMO) ## everything on one machine, with simulated patients
	@VIGIL_LLM=$(LLM) $(BIN)/vigil demo $(ARGS)

test: $(STAMP_TEST) ## all tests
	@$(BIN)/pytest -n $(JOBS) --dist loadgroup $(ARGS)

test-fast: $(STAMP_TEST) ## unit tests but the slow ones: no broker, no database, no browser
	@$(BIN)/pytest -n auto -m "not slow" tests/unit $(ARGS)

faults: $(STAMP_TEST) ## the long run of fault tests (docs/faults.md)
	@VIGIL_TEST_FAULT_ROUNDS=$(ROUNDS) VIGIL_TEST_FAULT_SEED=$(SEED) \
	  VIGIL_TEST_FAULT_AWAY_MINUTES=$(AWAY_MINUTES) $(BIN)/pytest -s tests/faults/test_long.py $(ARGS)

fuzz: $(STAMP_TEST) ## MESSAGES that nobody of ours wrote, on every topic of each broker
	@VIGIL_TEST_FUZZ_MESSAGES=$(MESSAGES) VIGIL_TEST_FAULT_SEED=$(SEED) \
	  $(BIN)/pytest -s tests/faults/test_fuzz.py $(ARGS)

check: $(STAMP_TEST) ## what pre-commit runs: format, lint, types, allowed imports
	@$(BIN)/ruff format --check .
	@$(BIN)/ruff check .
	@$(BIN)/mypy
	@$(BIN)/lint-imports

digests: $(STAMP_TEST) ## record what detection gives, with each of PYTHONS (docs/determinism.md)
	@for python in $(PYTHONS); do $$python -m tests.support.digests --write || exit 1; done

wheel: $(STAMP_TEST) ## a wheel whose detection is compiled, in dist/ (docs/compiled.md); needs a C compiler
	@$(BIN)/python -m tests.support.compiled_wheel dist

test-compiled: wheel ## the detectors' tests on that wheel
	@rm -rf dist/unpacked && $(BIN)/python -m zipfile -e dist/vigil-*-cp*.whl dist/unpacked
	@PYTHONPATH=dist/unpacked:. $(BIN)/pytest -o pythonpath= -n $(JOBS) tests/unit/detectors $(ARGS)

format: $(STAMP_TEST) ## fix what a machine can fix
	@$(BIN)/ruff check --fix .
	@$(BIN)/ruff format .

screenshots: $(STAMP_TEST) ## draw docs/images anew from the running system
	@$(BIN)/python -m docs.screenshots

lock: $(STAMP_TEST) ## lock what pyproject.toml asks for now; what is locked and fits stays
	@$(BIN)/python requirements/lock.py

upgrade: $(STAMP_TEST) ## lock the newest of everything that the ranges allow, and run everything on it
	@$(BIN)/python requirements/lock.py --upgrade
	@$(MAKE) check
	@$(MAKE) test

$(BIN)/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
	  { echo "Vigil needs Python 3.11 or newer; name it: make $(MAKECMDGOALS) PYTHON=python3.11"; exit 1; }
	@$(PYTHON) -m venv $(VENV)

$(STAMP_DEMO): $(LOCK) | $(BIN)/python
	@echo "installing Vigil into $(VENV) (once)"
	@$(BIN)/python requirements/install.py run $(WITH_LLM)
	@if [ "$(LLM)" != 0 ]; then $(BIN)/vigil explain install-model; fi
	@touch $@

$(STAMP_TEST): $(LOCK) | $(BIN)/python
	@echo "installing Vigil and its test tools into $(VENV) (once)"
	@$(BIN)/python requirements/install.py test $(WITH_LLM)
	@if [ "$(LLM)" != 0 ]; then $(BIN)/vigil explain install-model; fi
	@touch $@

clean: ## remove what was installed and what the demo kept
	rm -rf $(VENV) .vigil .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache

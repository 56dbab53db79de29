# Every target does its own set-up; the second time it costs a fraction of a second.
#   make run     execute examples/notebooks/analysis.ipynb in a sandbox, into executed/
#   make lab     JupyterLab on the example notebooks, with "Sandboxed Python" in the launcher
#   make test    tests of kernels and their wall, as root also as another user; make test-more has the rest
#   make lint    style and types          make clean    undo it all

.DEFAULT_GOAL := run
.PHONY: run lab test test-more lint clean system environment engines

PYTHON ?= python3
BIN := .venv/bin
NOTEBOOK ?= examples/notebooks/analysis.ipynb
PYTEST_OPTIONS ?= --numprocesses=4 --dist=loadfile --no-loadscope-reorder
LAB_OPTIONS ?=

run: system .venv/ready-examples
	@mkdir -p executed
	$(BIN)/sandbox-kernel run --engine bubblewrap $(NOTEBOOK) executed/$(notdir $(NOTEBOOK))

lab: system .venv/ready-lab
	$(BIN)/jupyter lab --notebook-dir=examples/notebooks $(if $(filter 0,$(shell id -u)),--allow-root) $(LAB_OPTIONS)

# Four workers on two cores: a test waits for a third of its time, for a kernel's end or for a deadline.
test: system .venv/ready-dev
	@.ci/need chromium
	$(BIN)/python -m tests -m "not more" $(PYTEST_OPTIONS)

test-more: system .venv/ready-dev engines
	@.ci/need chromium
	$(BIN)/python -m tests -m more $(PYTEST_OPTIONS)

# Without the container engines, where they may not be installed, the tests of them are skipped.
engines: .venv/ready-dev
	-@.ci/need dockerd podman runc runsc mmdebstrap
	@$(BIN)/python -m tests.daemons

environment: .venv/ready-dev

lint: .venv/ready-dev
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy

clean:
	rm -rf .venv executed dist build .mypy_cache .ruff_cache .pytest_cache

system:
	@.ci/need bwrap

# Kernelspecs are copied at installation, so an edited one makes the environment stale.
.venv/ready-%: pyproject.toml sandbox_kernel/__init__.py .ci/environment $(wildcard kernelspecs/*/*)
	@[ -e $@ ] || echo "This takes about a minute the first time."
	@.ci/environment "$(PYTHON)" $*
	@touch $@

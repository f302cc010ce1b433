# `make infperf` and `make test` work from a bare clone: they make .venv and install what they need.
PYTHON ?= python3
VENV ?= .venv
RUN := $(VENV)/bin/python -m
PIP := $(RUN) pip install --quiet --disable-pip-version-check --constraint constraints.txt

.PHONY: infperf test test-faults lint bench clean

infperf: $(VENV)/suites.installed  ## measure and gate the reference suites
	$(RUN) pytest --infperf suites $(ARGS)

# The longest files first, so that neither of two workers waits for the other at the end.
test: $(VENV)/dev.installed  ## run the tests of the plugin, two files at a time
	$(RUN) pytest -n 2 --dist loadfile --no-loadscope-reorder tests/suites tests/backends tests $(ARGS)

# As root on Linux: small disks are mounted.
test-faults: $(VENV)/dev.installed  ## bring faults about in every stage of a run, 20 minutes
	$(RUN) pytest -n 2 tests/faults/every_cell.py $(ARGS)

lint: $(VENV)/dev.installed  ## style and types
	$(RUN) ruff check .
	$(RUN) ruff format --check .
	$(RUN) mypy

bench: $(VENV)/suites.installed  ## measure the plugin itself: overhead, false verdicts, power
	$(RUN) bench $(ARGS)

clean:
	rm -rf $(VENV) .infperf_cache

$(VENV)/bin/python:
	$(PYTHON) -m venv $(VENV)

# PyTorch is asked for by its exact version and first: a range may bring its CUDA build along.
$(VENV)/torch.installed: constraints.txt | $(VENV)/bin/python
	$(PIP) $$(grep '^torch==' constraints.txt)
	touch $@

$(VENV)/%.installed: pyproject.toml $(VENV)/torch.installed
	$(PIP) --editable '.[$*]'
	touch $@

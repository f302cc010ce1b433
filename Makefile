# Every target works in a bare clone: it creates .venv and installs the requirements.
PYTHON ?= python3
VENV ?= .venv
PLUGINS_VENV ?= $(VENV)-plugins
TRANSFORMERS5_VENV ?= $(VENV)-transformers5
S3_VENV ?= $(VENV)-s3
LOWEST_VENV ?= $(VENV)-lowest
SMOKE_VENV ?= $(VENV)-smoke
RUN := $(VENV)/bin/python -m
PIP := $(RUN) pip install --quiet --disable-pip-version-check --constraint constraints.txt

.PHONY: infperf studies test test-models test-servers test-plugins test-transformers5 test-s3 test-lowest \
	test-faults lint docs pictures dist smoke bench clean

infperf: $(VENV)/suites.installed  ## measure and gate the translation study: table and page, 4 minutes
	$(RUN) pytest --infperf suites/translation -k "not input_lengths" \
		--infperf-html infperf.html $(ARGS)

SUITES ?= suites

studies: $(VENV)/suites.installed  ## measure and gate all reference suites
	$(RUN) pytest --infperf $(SUITES) $(ARGS)

# The longest files run first, so that neither of the two workers waits at the end.
# `make test-models` and `make test-servers` run what is left out here.
test: $(VENV)/dev.installed  ## run the tests of the plugin, two files at a time
	$(RUN) pytest -n 2 --dist loadfile --no-loadscope-reorder \
		$(addprefix --ignore=,$(MODELS_OF_USERS) $(SERVERS)) tests/suites tests/backends tests $(ARGS)

# Whole projects with models and data of their own, and shipped suites with planted mistakes.
MODELS_OF_USERS := tests/examples tests/plugin/test_own_models.py \
	$(addprefix tests/suites/test_planted_,generation.py mistakes.py)

test-models: $(VENV)/dev.installed  ## run examples/, other projects with models of their own, planted mistakes
	$(RUN) pytest -n 2 $(MODELS_OF_USERS) $(ARGS)

# Servers, load generators, deployments and clusters.
SERVERS := $(addprefix tests/,serving explore study fleet cli/test_load.py) \
	$(addprefix tests/plugin/test_,endpoints.py loads.py)

test-servers: $(VENV)/dev.installed  ## run the tests that start servers or clusters
	$(RUN) pytest -n 2 --dist loadfile $(SERVERS) $(ARGS)

# The tests that show whether plugins of pytest disturb each other; they need no runtime.
BESIDE_PLUGINS := $(addprefix tests/plugin/test_,other_plugins.py benchmark_plugin.py choosing.py \
	outputs.py switched_off.py terminal_output.py trouble.py xdist.py) tests/session

test-plugins: $(PLUGINS_VENV)/installed  ## run tests of the plugin among other plugins of pytest
	$(PLUGINS_VENV)/bin/python -m pytest -n 2 --dist loadfile \
		-o asyncio_default_fixture_loop_scope=function $(BESIDE_PLUGINS) $(ARGS)

# Without optimum-onnx, which needs transformers below 4.58. Endpoints need no model.
test-transformers5: $(TRANSFORMERS5_VENV)/installed  ## run the tests of models on transformers 5
	$(TRANSFORMERS5_VENV)/bin/python -m pytest -n 2 --dist loadfile \
		--ignore-glob="tests/backends/test_endpoint*.py" \
		tests/suites/test_shipped_models.py tests/backends tests/tasks \
		tests/plugin/test_own_models.py $(ARGS)

test-s3: $(S3_VENV)/installed  ## run the tests of histories in S3, against a local server
	$(S3_VENV)/bin/python -m pytest tests/history/test_transfer.py $(ARGS)

# The tests of the core that need no runtime and no extra.
NEED_THE_CORE_ONLY := $(addprefix tests/,stats thresholds gates suite session repository \
	plugin/test_choosing.py plugin/test_gates.py plugin/test_xdist.py)

test-lowest: $(LOWEST_VENV)/installed  ## run the tests of the core on the lowest versions allowed
	$(LOWEST_VENV)/bin/python -m pytest -n 2 --dist loadfile $(NEED_THE_CORE_ONLY) \
		--ignore=tests/stats/test_changepoints.py $(ARGS)

# On Linux; as root also with full disks, for which small ones are mounted.
test-faults: $(VENV)/dev.installed  ## bring faults about in every stage of a run, 10 minutes
	$(RUN) pytest -n 2 tests/faults/every_cell.py $(ARGS)

lint: $(VENV)/dev.installed  ## check style and types
	$(RUN) ruff check .
	$(RUN) ruff format --check .
	$(RUN) mypy

docs: $(VENV)/docs.installed  ## build the documentation into site/, without network
	NO_MKDOCS_2_WARNING=1 $(RUN) mkdocs build --strict --quiet
	$(RUN) docs.offline site

pictures: $(VENV)/dev.installed  ## write the documentation's pictures and the tutorial's outputs
	$(RUN) docs.pictures $(ARGS)

bench: $(VENV)/suites.installed  ## measure the plugin itself: overhead, false verdicts, power
	$(RUN) bench $(ARGS)

dist: $(VENV)/dev.installed  ## build the sdist and the wheel in dist/, and check them
	rm -rf dist
	$(RUN) build
	$(RUN) twine check --strict dist/*

# In a folder outside of the checkout, so that nothing but the wheel is imported.
smoke: $(SMOKE_VENV)/installed  ## install the wheel alone and run a suite that needs no runtime
	folder=$$(mktemp -d) && cp -R examples/function/. $$folder && cd $$folder && \
		$(abspath $(SMOKE_VENV))/bin/python -m pytest --infperf $(ARGS) && rm -rf $$folder

clean:
	rm -rf $(VENV) $(PLUGINS_VENV) $(TRANSFORMERS5_VENV) $(S3_VENV) $(LOWEST_VENV) $(SMOKE_VENV) \
		.infperf_cache dist site

$(VENV)/bin/python:
	$(PYTHON) -m venv $(VENV)

# PyTorch is installed first and by its exact version: a range may select a CUDA build.
$(VENV)/torch.installed: constraints.txt | $(VENV)/bin/python
	$(PIP) $$(grep '^torch==' constraints.txt)
	touch $@

$(VENV)/%.installed: pyproject.toml $(VENV)/torch.installed
	$(PIP) --editable '.[$*]'
	touch $@

# The site needs no runtime.
$(VENV)/docs.installed: pyproject.toml constraints.txt | $(VENV)/bin/python
	$(PIP) --editable '.[docs]'
	touch $@

$(PLUGINS_VENV)/installed: pyproject.toml constraints.txt
	$(PYTHON) -m venv $(PLUGINS_VENV)
	$(PLUGINS_VENV)/bin/python -m pip install --quiet --disable-pip-version-check \
		--constraint constraints.txt --editable '.[plugins]'
	touch $@

$(LOWEST_VENV)/installed: pyproject.toml constraints-lowest.txt
	$(PYTHON) -m venv $(LOWEST_VENV)
	$(LOWEST_VENV)/bin/python -m pip install --quiet --disable-pip-version-check \
		--constraint constraints-lowest.txt --editable '.[lowest]'
	touch $@

$(SMOKE_VENV)/installed: pyproject.toml constraints.txt $(shell find pytest_infperf -name '*.py')
	$(PYTHON) -m venv $(SMOKE_VENV)
	$(SMOKE_VENV)/bin/python -m pip install --quiet --disable-pip-version-check \
		--constraint constraints.txt --force-reinstall .
	touch $@

# datasets of the constraints needs a huggingface_hub that transformers 5 does not take.
$(TRANSFORMERS5_VENV)/installed: pyproject.toml constraints.txt
	$(PYTHON) -m venv $(TRANSFORMERS5_VENV)
	grep -Ev '^(transformers|optimum|optimum-onnx|datasets)==' constraints.txt > $(TRANSFORMERS5_VENV)/constraints.txt
	$(TRANSFORMERS5_VENV)/bin/python -m pip install --quiet --disable-pip-version-check \
		$$(grep '^torch==' constraints.txt)
	$(TRANSFORMERS5_VENV)/bin/python -m pip install --quiet --disable-pip-version-check \
		--constraint $(TRANSFORMERS5_VENV)/constraints.txt --editable '.[transformers5]'
	touch $@

# s3fs needs an older botocore than the constraints have.
$(S3_VENV)/installed: pyproject.toml constraints.txt
	$(PYTHON) -m venv $(S3_VENV)
	grep -Ev '^(boto3|botocore|s3transfer|fsspec)==' constraints.txt > $(S3_VENV)/constraints.txt
	$(S3_VENV)/bin/python -m pip install --quiet --disable-pip-version-check \
		--constraint $(S3_VENV)/constraints.txt --editable '.[s3-tests]'
	touch $@

# FinanceHub: every command of a developer's day. `make` alone prints this list.
SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
.DEFAULT_GOAL := help
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
UV := $(BIN)/uv
# The interpreter of the venv decides, never a Python that uv would download.
export UV_PYTHON_DOWNLOADS := never
DISTRIBUTIONS := shared cli services/high-priority services/medium-priority services/low-priority services/scheduler services/simulator
# Each has a requirements file and a Dockerfile.
IMAGES := high-priority medium-priority low-priority scheduler simulator
ARGS ?=
ONLY ?=

.PHONY: help
help: ## Print every target with what it does
	@awk -F ':.*## ' '/^[a-z][a-z0-9-]*:.*## / {printf "  make %-12s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

.PHONY: install
install: $(VENV)/.installed ## Set up .venv with every distribution and tool (done by the other targets when needed)

$(UV):
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "make: $(PYTHON) is older than Python 3.11; set PYTHON=<path of a newer one>" >&2; exit 2; }
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check 'uv>=0.9'

$(VENV)/.installed: requirements/dev.txt $(DISTRIBUTIONS:%=%/pyproject.toml) | $(UV)
	$(UV) pip sync --quiet --python $(BIN)/python --require-hashes requirements/dev.txt
	$(UV) pip install --quiet --python $(BIN)/python --no-deps --no-build-isolation $(DISTRIBUTIONS:%=--editable %)
	@touch $@

.PHONY: run
run: install ## Start everything on this machine: Redis, simulator, scheduler, three tiers (UPSTREAM=live for real providers)
	@$(BIN)/python deploy/local/run.py

.PHONY: monitoring
monitoring: install ## Start a Prometheus with the alerts for `make run` (PROMETHEUS_PORT, HTTP_PORT)
	@PYTHONPATH=deploy/local $(BIN)/python -m monitoring

.PHONY: check
check: install ## Lint (ruff), types (mypy strict), layers (import-linter)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

.PHONY: format
format: install ## Format the code and mend what ruff can mend
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

PROVIDE_BINARIES = PYTHONPATH=tests $(BIN)/python -m support.binaries

.PHONY: binaries
binaries: install ## Build the Kubernetes API server that the operator's tests use, once a version (5 minutes; needs Go)
	@$(PROVIDE_BINARIES) control-plane

# Six at once on any machine: most of these tests wait for real processes, not for the processor. One that is done
# takes over from one that is not, for the slow tests lie side by side.
.PHONY: test
test: install ## Run the tests; a part with ARGS=tests/unit/shared
	@# what cannot be had is named here, and the tests that need it skip (where CI is set they fail)
	@$(if $(ARGS),,$(PROVIDE_BINARIES) control-plane || true)
	$(BIN)/pytest $(or $(ARGS),--numprocesses 6 --dist worksteal)

BUILDER = $(or $(shell docker version >/dev/null 2>&1 && echo docker build),$(shell command -v buildah >/dev/null && echo buildah build --format docker),$(error no Docker engine answers and there is no buildah: start Docker, set DOCKER_HOST, or install buildah))
VERSION := $(shell sed -n 's/^version = "\(.*\)"/\1/p' pyproject.toml)
TAG ?= $(VERSION)
IMAGE_PREFIX ?= financehub
BASE_IMAGE ?= python:3.11-slim-bookworm

.PHONY: images $(IMAGES:%=image-%)
images: $(IMAGES:%=image-%) ## Build the images with docker or buildah (TAG, IMAGE_PREFIX, BASE_IMAGE, ARGS="--network host")

$(IMAGES:%=image-%): image-%:
	$(BUILDER) --tag $(IMAGE_PREFIX)/$*:$(TAG) --build-arg BASE_IMAGE=$(BASE_IMAGE) --build-arg VERSION=$(VERSION) \
	  --file services/$*/Dockerfile $(ARGS) .

E2E = PYTHONPATH=tests $(BIN)/python -m e2e

.PHONY: cluster
cluster: install ## Start a cluster for the end-to-end tests: kind, or a node of our own (root, Go; 15 minutes the first time)
	@$(PROVIDE_BINARIES) $$($(E2E) programs)
	@$(E2E) cluster

.PHONY: cluster-down
cluster-down: install ## End that cluster and remove all it had
	@$(E2E) down

.PHONY: e2e
e2e: cluster ## Build the images and run the end-to-end tests in the cluster (E2E_KUBECONFIG: in yours); a part with ARGS=…
	@$(E2E) test $(ARGS)

.PHONY: test-docker
test-docker: install ## Run the integration tests with Redis in a container of the Docker engine; a part with ARGS=…
	@PYTHONPATH=tests $(BIN)/python -m e2e.images in $(BIN)/pytest $(or $(ARGS),tests/integration --numprocesses 6 --dist worksteal)

.PHONY: test-monitoring
test-monitoring: install ## Test the rules with promtool, and on a fleet with faults that a real Prometheus watches (4 minutes)
	$(BIN)/pytest $(or $(ARGS),tests/prometheus --numprocesses 3)

.PHONY: smoke
smoke: install ## Start `make run` on its default ports, look at everything, stop it
	$(BIN)/pytest tests/smoke

$(VENV)-bench/.installed: requirements/bench.txt $(DISTRIBUTIONS:%=%/pyproject.toml) | $(UV)
	$(UV) venv --quiet --allow-existing --python $(BIN)/python $(VENV)-bench
	$(UV) pip sync --quiet --python $(VENV)-bench/bin/python --require-hashes requirements/bench.txt
	$(UV) pip install --quiet --python $(VENV)-bench/bin/python --no-deps --no-build-isolation $(DISTRIBUTIONS:%=--editable %)
	@touch $@

.PHONY: bench
bench: install $(VENV)-bench/.installed ## Measure speed and memory beside the peers; one with ONLY=name
	PYTHONPATH=tests $(VENV)-bench/bin/python -m bench --only '$(ONLY)'

.PHONY: lock
lock: $(UV) ## Resolve the workspace and export the hashed requirement files
	$(UV) lock --quiet
	$(UV) export --quiet --frozen --no-emit-workspace --no-header --group dev --format requirements.txt --output-file requirements/dev.txt
	$(UV) export --quiet --frozen --no-emit-workspace --no-header --group bench --format requirements.txt --output-file requirements/bench.txt
	$(UV) export --quiet --frozen --no-emit-workspace --no-header --only-group build --format requirements.txt --output-file requirements/build.txt
	@for image in $(IMAGES); do \
	  $(UV) export --quiet --frozen --no-emit-workspace --no-header --no-dev --package financehub-$$image --format requirements.txt --output-file requirements/$$image.txt; \
	done

.PHONY: calendars
calendars: install ## Write the exchange calendars of the scheduler anew, last year to five years on
	$(BIN)/python services/scheduler/tools/make_calendars.py

.PHONY: manifests
manifests: install ## Write the Kubernetes manifests that are made from the models
	$(BIN)/python services/scheduler/tools/make_manifests.py

.PHONY: dashboards
dashboards: install ## Write the Grafana dashboards into the chart, from deploy/dashboards
	PYTHONPATH=deploy $(BIN)/python -m dashboards

.PHONY: clean
clean: $(if $(wildcard .data/node .data/docker .data/kind.kubeconfig),cluster-down) ## Remove the venv, caches and local data
	rm -rf $(VENV) .venv-bench .data build .mypy_cache .pytest_cache .ruff_cache .import_linter_cache .hypothesis

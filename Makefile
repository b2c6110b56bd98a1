# The commands for developing FinanceHub. `make` without a target lists them.
SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
.DEFAULT_GOAL := help
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
UV := $(BIN)/uv
# uv uses the interpreter of the venv and never downloads another Python.
export UV_PYTHON_DOWNLOADS := never
# Without cached bytecode, each of the many processes of a test run compiles all its modules again.
unexport PYTHONDONTWRITEBYTECODE
DISTRIBUTIONS := shared cli services/high-priority services/medium-priority services/low-priority services/scheduler services/simulator services/web
# Each is a folder of services/, a stage of deploy/docker/Dockerfile and a file of requirements/.
IMAGES := high-priority medium-priority low-priority scheduler simulator web
ARGS ?=
ONLY ?=
PLOT ?=

.PHONY: help
help: ## List all targets with their descriptions
	@awk -F ':.*## ' '/^[a-z][a-z0-9-]*:.*## / {printf "  make %-15s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

.PHONY: install
install: $(VENV)/.installed ## Set up .venv with all distributions and tools (other targets do it when needed)

$(UV):
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "make: $(PYTHON) is older than Python 3.11; set PYTHON=<path of a newer one>" >&2; exit 2; }
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check 'uv>=0.9'

# This also removes our own distributions, so it runs only for new requirements.
$(VENV)/.synced: requirements/dev.txt | $(UV)
	$(UV) pip sync --quiet --python $(BIN)/python --require-hashes requirements/dev.txt
	@touch $@

# The root pyproject.toml contains the version, which the metadata of each distribution repeats. Without --reinstall, uv
# takes the metadata from its cache as long as the pyproject.toml of the distribution is the same.
$(VENV)/.installed: $(VENV)/.synced pyproject.toml $(DISTRIBUTIONS:%=%/pyproject.toml) | $(UV)
	$(UV) pip install --quiet --python $(BIN)/python --reinstall --no-deps --no-build-isolation $(DISTRIBUTIONS:%=--editable %)
	@touch $@

.PHONY: run
run: install ## Start the console, Redis, the simulator, the scheduler and the three tiers on this machine (UPSTREAM=live for real providers)
	@$(BIN)/python deploy/local/run.py

.PHONY: monitoring
monitoring: install ## Start a Prometheus with the alerts that scrapes the processes of `make run` (PROMETHEUS_PORT, HTTP_PORT)
	@PYTHONPATH=deploy/local $(BIN)/python -m monitoring

.PHONY: check
check: install ## Check style (ruff), types (mypy strict) and layers (import-linter)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

.PHONY: format
format: install ## Format the code and fix what ruff can fix
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

TEST_PATH := tests:tools/test-cluster
PROVIDE_BINARIES = PYTHONPATH=$(TEST_PATH) $(BIN)/python -m test_cluster.binaries

.PHONY: binaries
binaries: install ## Build the API server and Helm for the tests, once per version (6 minutes; needs Go)
	@$(PROVIDE_BINARIES) tests

# Six processes on any machine, because most of these tests wait for real processes and not for the CPU. A process that
# has finished takes over tests from the others, because slow tests are next to each other.
PARALLEL := --numprocesses 6 --dist worksteal

.PHONY: test
test: install ## Run all tests without those of faults and releases (a part: ARGS=tests/unit/shared)
	@# This prints what cannot be built. The tests that need it are skipped, or fail if CI is set.
	@$(if $(ARGS),,$(PROVIDE_BINARIES) tests || true)
	$(BIN)/pytest $(or $(ARGS),$(PARALLEL) -m "not faults and not release")

.PHONY: test-faults
test-faults: install ## Kill, hang, fill and cut off real servers and processes under load (a part: ARGS=…; 12 minutes)
	@$(if $(ARGS),,$(PROVIDE_BINARIES) tests || true)
	$(if $(ARGS),$(BIN)/pytest $(ARGS),$(BIN)/pytest $(PARALLEL) -m "faults and not alone" && $(BIN)/pytest -m alone -s)

MINUTES ?= 5
SOAK = PYTHONPATH=$(TEST_PATH) $(BIN)/python -m soak --minutes $(MINUTES) $(if $(RATE),--rate $(RATE)) $(if $(PLOT),--plot)
.PHONY: soak
# Its samples come from /proc of the machine, and some of its faults hit the servers of the node.
soak: export E2E_TARGET := node
soak: cluster-programs ## Load and faults in the cluster of the tests, and whether anything grows or is lost (root; MINUTES=60 RATE=8 PLOT=1; 12 minutes)
	@$(SOAK) $(ARGS)

.PHONY: history
history: install ## Check histories of the message path under faults (root; MINUTES=30; a planted bug in each: ARGS=--planted; 5 minutes)
	PYTHONPATH=$(TEST_PATH) $(BIN)/python -m history --minutes $(MINUTES) $(ARGS)

.PHONY: test-simulation
test-simulation: install ## Drive schedulers through a thousand simulated scenarios of faults (ARGS='--first 5000 --seeds 100000'; 3 minutes)
	@PYTHONPATH=$(TEST_PATH) $(BIN)/python -m simulation $(ARGS)

.PHONY: test-release
test-release: install ## Test a release built from the commit (needs .git and the package index; a part: ARGS=…)
	$(BIN)/pytest $(or $(ARGS),tests/integration/release $(PARALLEL) -m release)

.PHONY: test-dramatiq
test-dramatiq: install ## Run dramatiq's own tests, from its source distribution, with our broker (2 minutes; needs the package index once)
	@PYTHONPATH=$(TEST_PATH) $(BIN)/python -m dramatiq_suite $(ARGS)

RELEASING = PYTHONPATH=tools/release:$(TEST_PATH) $(BIN)/python -m releasing
VERSION := $(shell sed -n 's/^version = "\(.*\)"/\1/p' pyproject.toml)

.PHONY: version
version: ## Print the version of this checkout
	@echo $(VERSION)

.PHONY: bump
bump: install ## Change the version everywhere: TO=1.2.3
	@$(RELEASING) bump "$(TO)"
	@$(MAKE) --no-print-directory manifests openapi

.PHONY: notice
notice: install ## Generate NOTICE, the licenses of what the images contain, from requirements/ and the reviewed table
	@$(RELEASING) notice

.PHONY: wheels
wheels: install ## Ask the package index whether each distribution of the images can be installed on ARCH (arm64)
	@$(RELEASING) wheels $(or $(ARCH),arm64)

.PHONY: release
release: install ## Build a release from the commit into build/release (SBOM=no works without a container engine)
	@$(RELEASING) build build/release $(if $(filter no,$(SBOM)),without-sboms)

BUILDER = $(or $(shell docker version >/dev/null 2>&1 && echo docker build),$(shell command -v buildah >/dev/null && echo buildah build --format docker),$(error no Docker engine answers and buildah is not installed; start Docker, set DOCKER_HOST, or install buildah))
TAG ?= $(VERSION)
IMAGE_PREFIX ?= financehub
BASE_IMAGE ?= python:3.11-slim-bookworm

.PHONY: images $(IMAGES:%=image-%)
images: $(IMAGES:%=image-%) ## Build the images with docker or buildah (TAG, IMAGE_PREFIX, BASE_IMAGE, PLATFORM=linux/arm64, ARGS="--network host")

$(IMAGES:%=image-%): image-%:
	$(BUILDER) --tag $(IMAGE_PREFIX)/$*:$(TAG) --build-arg BASE_IMAGE=$(BASE_IMAGE) --build-arg VERSION=$(VERSION) \
	  --build-arg SERVICE=$* --file deploy/docker/Dockerfile $(if $(PLATFORM),--platform $(PLATFORM)) $(ARGS) .

E2E = PYTHONPATH=$(TEST_PATH) $(BIN)/python -m e2e

.PHONY: cluster-programs
cluster-programs: install ## Build the programs of `make cluster`, once per version (25 minutes; needs Go)
	@$(PROVIDE_BINARIES) $$($(E2E) programs)

.PHONY: cluster-up
cluster-up: cluster-programs
	@$(E2E) up

.PHONY: cluster
cluster: cluster-up ## Start a cluster for trials and the end-to-end tests: kind, or a node that the tests build (root)
	@$(E2E) first-steps

.PHONY: cluster-images
cluster-images: cluster-up ## Build the images and load them into that cluster (2 minutes)
	@$(E2E) images

.PHONY: cluster-shell
cluster-shell: install ## Open a shell in which kubectl and helm use that cluster
	@$(E2E) shell

.PHONY: cluster-down
cluster-down: install ## Stop that cluster and remove everything it created
	@$(E2E) down

.PHONY: e2e
e2e: cluster-up ## Build the images and run the end-to-end tests in the cluster, or in yours (E2E_KUBECONFIG); a part: ARGS=…
	@$(E2E) test $(ARGS)

.PHONY: test-docker
test-docker: install ## Run the integration tests that share a Redis, with this Redis in a Docker container (a part: ARGS=…)
	@# Fault tests need servers that they can kill, so most of them start their own, and a container changes nothing.
	@PYTHONPATH=$(TEST_PATH) $(BIN)/python -m test_cluster.images in $(BIN)/pytest $(or $(ARGS),tests/integration $(PARALLEL) -m "shared_redis and not faults")

.PHONY: test-monitoring
test-monitoring: install ## Test the rules with promtool, and with a real Prometheus and injected faults (4 minutes)
	$(BIN)/pytest $(or $(ARGS),tests/prometheus --numprocesses 3)

.PHONY: test-browser
test-browser: install ## Look at every page of the console with Debian's chromium (a part: ARGS=tests/browser/test_chart.py)
	$(BIN)/pytest $(or $(ARGS),tests/browser)

.PHONY: smoke
smoke: install ## Start `make run` on its default ports, check every endpoint, stop it
	$(BIN)/pytest tests/smoke

$(VENV)-bench/.installed: requirements/bench.txt pyproject.toml $(DISTRIBUTIONS:%=%/pyproject.toml) | $(UV)
	$(UV) venv --quiet --allow-existing --python $(BIN)/python $(VENV)-bench
	$(UV) pip sync --quiet --python $(VENV)-bench/bin/python --require-hashes requirements/bench.txt
	$(UV) pip install --quiet --python $(VENV)-bench/bin/python --reinstall --no-deps --no-build-isolation $(DISTRIBUTIONS:%=--editable %)
	@touch $@

.PHONY: bench
bench: install $(VENV)-bench/.installed ## Measure speed and memory and compare them with similar libraries (one benchmark: ONLY=name; cost curves: ONLY=scale PLOT=1)
	PYTHONPATH=$(TEST_PATH) $(VENV)-bench/bin/python -m bench --only '$(ONLY)' $(if $(PLOT),--plot)

.PHONY: lock
lock: $(UV) ## Resolve the dependencies of the workspace and export the hashed requirements files
	$(UV) lock --quiet
	$(UV) export --quiet --frozen --no-emit-workspace --no-header --group dev --format requirements.txt --output-file requirements/dev.txt
	$(UV) export --quiet --frozen --no-emit-workspace --no-header --group bench --format requirements.txt --output-file requirements/bench.txt
	$(UV) export --quiet --frozen --no-emit-workspace --no-header --only-group build --format requirements.txt --output-file requirements/build.txt
	@for image in $(IMAGES); do \
	  $(UV) export --quiet --frozen --no-emit-workspace --no-header --no-dev --package financehub-$$image --format requirements.txt --output-file requirements/$$image.txt; \
	done

.PHONY: calendars
calendars: install ## Update the scheduler's exchange calendars, from last year to five years ahead
	$(BIN)/python services/scheduler/tools/make_calendars.py

.PHONY: vendor
vendor: install ## Download the JavaScript libraries of the console with npm, and check their hashes
	$(BIN)/python services/web/tools/vendor.py

.PHONY: manifests
manifests: install ## Generate the Kubernetes manifests and the chart's generated files from the models
	$(BIN)/python services/scheduler/tools/make_manifests.py
	PYTHONPATH=deploy $(BIN)/python -m chart

.PHONY: chart
chart: install ## Generate the schema, the formats and the README's table of the chart's values from deploy/chart and values.yaml
	PYTHONPATH=deploy $(BIN)/python -m chart

CONSOLE ?= http://localhost:8000
.PHONY: screenshots
screenshots: install ## Take the pictures in docs/images from a running `make run` with Debian's chromium (CONSOLE=its URL)
	$(BIN)/python services/web/tools/make_screenshots.py $(CONSOLE)

.PHONY: openapi
openapi: install ## Generate docs/openapi.json, the description of the read API, from the models
	$(BIN)/python services/web/tools/make_openapi.py

.PHONY: dashboards
dashboards: install ## Generate the chart's Grafana dashboards from deploy/dashboards
	PYTHONPATH=deploy $(BIN)/python -m dashboards

.PHONY: clean
clean: $(if $(wildcard .data/node .data/docker .data/kind.kubeconfig),cluster-down) ## Stop the test cluster and remove the venv, caches and local data
	rm -rf $(VENV) .venv-bench .data build .mypy_cache .pytest_cache .ruff_cache .import_linter_cache .hypothesis

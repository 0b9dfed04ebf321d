# Two commands for a newcomer: `make run` and `make test`. Each sets up .venv when it is missing.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
EMOJI := configs/data/emoji_weekly
FLINK_JAR := deploy/flink/target/job-server.jar
SPARK_JAR := deploy/spark/target/job-server.jar
PRISM := .engines/prism
export PIP_DISABLE_PIP_VERSION_CHECK := 1

.PHONY: run test test-quick test-flink test-spark test-prism test-deploy emulator mutants lint format types bench schema lock image-lock clean

run: $(VENV)/ready $(EMOJI)/.made  ## Release two recipes: real bike trips, made-up emoji events
	$(BIN)/dp-release plan configs/bike_stations.yaml
	@echo
	$(BIN)/dp-release run configs/bike_stations.yaml
	$(BIN)/dp-release run configs/emoji_weekly.yaml
	@echo "The tables are in published/. Look at configs/*.yaml for what was asked."

test: $(VENV)/ready  ## All tests but the mutants
	$(BIN)/python -m pytest -n 2 --ignore tests/mutants

test-quick: $(VENV)/ready  ## Without slow and statistical tests
	$(BIN)/python -m pytest -m "not slow and not statistical and not runner"

test-flink: $(VENV)/ready  ## The emoji release on Flink, embedded and on a cluster that loses a machine
	@if command -v java >/dev/null && command -v mvn >/dev/null; then \
	  $(MAKE) $(FLINK_JAR) && \
	  DP_RELEASE_FLINK_JAR=$(FLINK_JAR) $(BIN)/python -m pytest -k flink tests/cluster; \
	else echo "test-flink is skipped: it needs Java 17 and Maven"; fi

test-spark: $(VENV)/ready  ## The emoji release on Spark
	@if command -v java >/dev/null && command -v mvn >/dev/null; then \
	  $(MAKE) $(SPARK_JAR) && \
	  DP_RELEASE_SPARK_JAR=$(SPARK_JAR) $(BIN)/python -m pytest -k spark tests/cluster; \
	else echo "test-spark is skipped: it needs Java 17 and Maven"; fi

test-prism: $(VENV)/ready  ## The emoji release on Prism
	@if command -v go >/dev/null; then \
	  $(MAKE) $(PRISM) && DP_RELEASE_PRISM=$(PRISM) $(BIN)/python -m pytest -k prism tests/cluster; \
	else echo "test-prism is skipped: it needs Go"; fi

emulator: $(BIN)/fake-gcs-server  ## Build the emulator of Google Cloud Storage for tests marked gcs; needs Go

mutants: $(VENV)/ready  ## Plant each bug of the catalogue and see that the tests find it
	$(BIN)/python -m pytest -n 2 tests/mutants

lint: $(VENV)/ready types  ## Style and types
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types: $(VENV)/ready
	$(BIN)/mypy

format: $(VENV)/ready
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

bench: $(VENV)/ready  ## Compare speed and errors with PipelineDP; ARGS=--large adds 100M rows
	$(BIN)/python tests/bench/compare.py $(ARGS)
	$(BIN)/python tests/bench/utility.py

schema: $(VENV)/ready  ## Write configs/release.schema.json
	$(BIN)/python -m pipelines.spec.schema

lock:  ## Pin all dependencies again, with uv
	uv pip compile pyproject.toml --extra dev --universal --generate-hashes --no-header \
	  --quiet --output-file requirements.lock

image-lock:  ## Pin what is in the images, at the versions that are tested
	uv pip compile pyproject.toml deploy/image/build-requirements.in --extra gcp --python-version 3.11 \
	  --python-platform x86_64-manylinux_2_28 --generate-hashes --no-header --no-annotate --quiet \
	  --constraint requirements.lock --output-file deploy/image/requirements.lock

test-deploy:  ## Files of deploy/, with Dataflow's translation, in an environment with the cloud's packages
	$(PYTHON) -m venv .venv-cloud
	.venv-cloud/bin/python -m pip install --quiet --editable '.[cloud]'
	.venv-cloud/bin/python -m pytest -n 2 tests/deploy

clean:  ## Remove all that was made but releases, and the ledger that knows what they spent
	rm -rf $(VENV) .venv-cloud $(EMOJI) deploy/*/target .engines .bench .mypy_cache .pytest_cache .ruff_cache .hypothesis

$(VENV)/ready: requirements.lock pyproject.toml
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --no-deps --require-hashes --requirement requirements.lock
	$(BIN)/python -m pip install --quiet --no-deps --no-build-isolation --editable .
	touch $@

$(BIN)/fake-gcs-server: | $(VENV)/ready
	GOBIN=$(CURDIR)/$(BIN) go install github.com/fsouza/fake-gcs-server@v1.56.1

$(PRISM): requirements.lock | $(VENV)/ready
	GOBIN=$(CURDIR)/$(@D) go install \
	  github.com/apache/beam/sdks/v2/go/cmd/prism@v$(shell $(BIN)/python -c "import importlib.metadata as m; print(m.version('apache-beam'))")
	touch $@

deploy/%/target/job-server.jar: deploy/%/pom.xml
	mvn --quiet --batch-mode --file $< clean package

$(EMOJI)/.made: pipelines/synthetic.py pipelines/emoji_catalogue.py | $(VENV)/ready
	$(BIN)/python -m pipelines.synthetic --rows 3_000_000 --units 300_000 --seed 7 --out $(EMOJI)
	touch $@

# Two commands do everything on a fresh machine: `make demo` and `make test`. The rest is for working on the project.
# PYTHON=COMMAND chooses the Python that .venv is made of.
PYTHON ?=
VENV := .venv
BIN := $(VENV)/bin
LOCKS := docker/build-requirements.txt docker/training/requirements.txt docker/serving/requirements.txt requirements.txt

PRESET ?= preset-mountain-car-continuous-clipped-ppo
ENGINE ?= auto
SEED ?=

.PHONY: demo test mutation bench bench-scale bench-serving bench-serving-attacks images lint clean

demo: $(VENV)/ready  ## train, evaluate, export, serve and predict (PRESET=..., ENGINE=docker or process, SEED=...)
	$(BIN)/python scripts/demo.py --preset $(PRESET) --engine $(ENGINE) $(if $(SEED),--seed $(SEED))

# What builds the images and moves their tags comes before all that runs them, beside what needs none. What measures a
# server runs alone. Tests wait much of their time: hence three processes on two cores.
MOVING := tests/aws/test_push_images.py tests/aws/test_codebuild.py
MEASURING := $(addprefix tests/serving/,attacks/test_attack_drivers.py test_closed_loop.py test_faults.py test_invocations.py test_logs.py)
SIDE_BY_SIDE := --numprocesses 3 --dist loadscope --no-loadscope-reorder

test: $(VENV)/tested  ## all tests, or PYTEST_ARGS; those of containers too where a Docker engine answers
ifdef PYTEST_ARGS
	$(BIN)/python -m pytest $(if $(filter tests/unit,$(PYTEST_ARGS)),$(SIDE_BY_SIDE)) $(PYTEST_ARGS)
else
	$(BIN)/python -m pytest $(SIDE_BY_SIDE) $(MOVING) tests/process tests/browser tests/unit
	$(BIN)/python -m pytest $(MEASURING)
	$(BIN)/python -m pytest $(SIDE_BY_SIDE) tests/sdk tests/container tests/docs tests/serving tests/aws $(addprefix --ignore ,$(MOVING) $(MEASURING))
endif

mutation: $(VENV)/tested $(VENV)-mutation/ready  ## small faults in the code, shown to the tests that run their lines: an hour
	$(VENV)-mutation/bin/python benchmarks/mutation/run.py $(MUTATION_ARGS)

bench: $(VENV)/ready  ## benchmarks/ against its peers, for hours; QUICK=1 for 5 minutes, BENCH_ARGS=--reuse to go on
	$(BIN)/python benchmarks/bench.py $(if $(QUICK),--quick) $(BENCH_ARGS)

bench-scale: $(VENV)/ready  ## slow environments in processes, ranks and containers, and a cost model; ten minutes
	$(BIN)/python benchmarks/bench_scale.py $(BENCH_ARGS)

bench-serving: $(VENV)/ready  ## the serving image beside its peers; needs a Docker engine, wrk and Java
	$(BIN)/python benchmarks/serving.py $(BENCH_ARGS)

bench-serving-attacks: $(VENV)/ready  ## tests/serving/attacks at the serving image and at uvicorn; needs a Docker engine and wrk
	$(BIN)/python benchmarks/serving_attacks.py $(BENCH_ARGS)

images: $(VENV)/ready  ## build mountain-car-training and mountain-car-serving
	$(BIN)/python scripts/build_images.py

lint: $(VENV)/tested
	$(BIN)/ruff check . && $(BIN)/ruff format --check . && $(BIN)/mypy
	PYTHONPATH=container_src:scripts $(BIN)/lint-imports

clean:  ## remove the environments; runs/ is yours and stays
	rm -rf $(VENV) $(VENV)-mutation $(VENV)-sdk-* .mutation

$(VENV)/ready: $(LOCKS) scripts/make_venv.sh scripts/install_packages.sh
	scripts/make_venv.sh $(VENV) $(PYTHON)
	touch $@

$(VENV)/tested: $(VENV)/ready requirements-test.txt
	scripts/install_packages.sh $(VENV) --only-binary :all: --requirement requirements-test.txt
	-$(BIN)/python -W ignore -m compileall -qq -j 0 -x '/tests?/' $(VENV)/lib  # tests start scripts and jobs by the thousand
	touch $@

$(VENV)-mutation/ready: benchmarks/mutation/requirements.txt
	python3.11 -m venv --clear $(VENV)-mutation
	scripts/install_packages.sh $(VENV)-mutation --requirement $<
	touch $@

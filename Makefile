# make setup   builds .venv from the pins in pyproject.toml, nothing else
# make demo    a turning and a moving person from a photograph: make demo PHOTO=me.jpg for yours
# make app     the web page on this machine
# make test    all tests
PYTHON := $(shell command -v python3.11 || command -v python3)
PHOTO ?= examples/darknet_person.jpg
MOTION ?= walk
OUT ?= out/$(basename $(notdir $(PHOTO)))
SHERF := .venv/bin/sherf

.PHONY: setup demo app test lint format benchmark libraries browser clean

setup: libraries .venv/.core

demo: setup
	$(SHERF) render "$(PHOTO)" --path turntable --frames 60 --size 512 --out "$(OUT)/turntable"
	$(SHERF) animate "$(OUT)/turntable/avatar.safetensors" --motion $(MOTION) --in-place --path orbit --size 512 --out "$(OUT)/$(MOTION)"
	@echo "turntable: $(OUT)/turntable/video.mp4"
	@echo "animation: $(OUT)/$(MOTION)/video.mp4"

app: setup .venv/.app
	$(SHERF) app

test: libraries browser .venv/.dev
	OMP_NUM_THREADS=1 .venv/bin/python -m pytest -n 2 --dist loadfile

lint: .venv/.dev
	.venv/bin/ruff check . && .venv/bin/ruff format --check .

format: .venv/.dev
	.venv/bin/ruff format . && .venv/bin/ruff check --fix .

benchmark: .venv/.dev
	.venv/bin/python benchmarks/speed.py

.venv/.core: pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info[:2] != (3, 11))' \
		|| { echo "Python 3.11 is needed; found: $$($(PYTHON) --version 2>&1). Set PYTHON=/path/to/python3.11"; exit 1; }
	$(PYTHON) -m venv .venv
	.venv/bin/python -m pip install --quiet --editable .
	touch $@

.venv/.app: .venv/.core
	.venv/bin/python -m pip install --quiet --editable '.[app]'
	touch $@

.venv/.dev: .venv/.core
	.venv/bin/python -m pip install --quiet --editable '.[dev,smpl,train,app]'
	touch $@

# Open3D and OpenCV load these from the system. As root on Debian they are installed; others are told the line to run.
libraries:
	@remedy="$$($(PYTHON) -c 'from sherf.doctor import *; m = missing_libraries(); print(library_remedy(m) if m else "")')"; \
	if [ -n "$$remedy" ]; then \
		if [ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null; then \
			apt-get update -qq && $$remedy -qq; \
		else \
			echo "system libraries are missing; install them and run make again:"; echo "    $$remedy"; exit 1; \
		fi; \
	fi

# For the tests of the page; without one they are skipped.
browser:
	@if ! command -v chromium >/dev/null && [ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null; then \
		apt-get update -qq && apt-get install -y -qq --no-install-recommends chromium >/dev/null || echo "no chromium: the page is not tested in a browser"; \
	fi

clean:
	rm -rf .venv build dist *.egg-info out

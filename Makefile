# `make help` lists the targets. PYTHON chooses the interpreter.
PYTHON ?= python3
ASAN_LIBS = $(shell gcc -print-file-name=libasan.so) $(shell gcc -print-file-name=libubsan.so)

help:  ## show this list
	@grep -E '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 14

build:  ## compile the extensions in place
	$(PYTHON) setup.py -q build_ext -i

test: build  ## run the suite on the checkout
	PYTHONPATH=. $(PYTHON) -m pytest tests

attacks: build  ## every attack, the slow ones too, by the bounds of a quiet machine
	FASTFLV_ATTACKS=1 PYTHONPATH=. $(PYTHON) -m pytest -m "slow or not slow" tests/attacks

lint:  ## ruff, mypy, cython-lint
	ruff check . && ruff format --check . && mypy && cython-lint fastflv/_ext

bench:  ## hot paths against naive Python
	PYTHONPATH=. $(PYTHON) -m pytest benchmarks/micro --benchmark-only

asan:  ## the suite under the address and undefined-behaviour sanitizers
	FASTFLV_SANITIZE=1 $(PYTHON) setup.py -q build_ext -i -f -b build/asan -t build/asan-temp
	sh tools/with_sanitizers.sh "$(ASAN_LIBS)" $(PYTHON)

fuzz: build  ## one fuzz target: `make fuzz TARGET=hls SECONDS=120`
	$(PYTHON) -m fuzzing $(TARGET) --seconds $(or $(SECONDS),60)

annotate:  ## Cython's HTML reports: yellow in a hot function is a defect
	FASTFLV_ANNOTATE=1 $(PYTHON) setup.py -q build_ext -i -f

dist:  ## sdist, and the wheel from it, checked
	$(PYTHON) -m build && $(PYTHON) tools/check_sdist.py dist/*.tar.gz && $(PYTHON) tools/check_wheel.py dist/*.whl

clean:  ## remove what was built
	rm -rf build dist *.egg-info && find fastflv/_ext -name "*.so" -delete

.PHONY: help build test attacks lint bench asan fuzz annotate dist clean

# `make help` lists the targets. PYTHON chooses the interpreter.
PYTHON ?= python3
# Tests of what threads share: the log, the waker, and the players of sender threads.
THREADED = tests/test_fanout_races.py tests/test_handover_players.py tests/test_ladder.py tests/test_recall.py tests/test_sender.py \
    tests/test_sender_configure.py tests/test_sender_end.py tests/test_sender_lag.py tests/test_sender_passes.py \
    tests/test_threadplayer.py

help:  ## show this list
	@grep -E '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 14

build:  ## compile the extensions in place
	$(PYTHON) setup.py -q build_ext -i

pages:  ## build the root page, the player and the console with npm
	$(PYTHON) tools/pages.py

test: build  ## run the suite on the checkout
	PYTHONPATH=. $(PYTHON) -m pytest tests

attacks: build  ## every attack, the slow ones too, by the bounds of a quiet machine
	FASTFLV_ATTACKS=1 PYTHONPATH=. $(PYTHON) -m pytest -m "slow or not slow" tests/attacks

films: build  ## parts of FLV files from 200 random bytes and times each, a large one too
	PYTHONPATH=. $(PYTHON) -m pytest -s -m slow tests/flows/test_flow_vod_films.py

recordings: build  ## kill 50 servers that record, and repair what they leave
	PYTHONPATH=. $(PYTHON) -m pytest -m slow tests/flows/test_flow_repair.py

cluster: build  ## two origins, three edges, Redis and 600 viewers while each part fails; `REPORT=folder` keeps the table
	FASTFLV_CLUSTER_REPORT=$(REPORT) PYTHONPATH=. $(PYTHON) -m pytest -m slow tests/cluster

lint:  ## ruff, mypy, cython-lint
	ruff check . && ruff format --check . && mypy && cython-lint fastflv/_ext

api-page: build  ## write docs/api.md from the table of the API
	PYTHONPATH=. $(PYTHON) tools/api_page.py > docs/api.md

bench:  ## hot paths against naive Python
	PYTHONPATH=. $(PYTHON) -m pytest benchmarks/micro --benchmark-only

asan:  ## the suite under the address and undefined-behaviour sanitizers; `WORKERS=4` for more than 2 at a time
	sh tools/sanitized.sh address $(PYTHON) -n $(or $(WORKERS),2) --dist loadfile tests

tsan:  ## tests of the log and the sender threads under ThreadSanitizer
	sh tools/sanitized.sh thread $(PYTHON) $(THREADED)

fuzz: build  ## one fuzz target: `make fuzz TARGET=hls SECONDS=120`
	$(PYTHON) -m fuzzing $(TARGET) --seconds $(or $(SECONDS),60)

annotate:  ## Cython's HTML reports: yellow in a hot function is a defect
	FASTFLV_ANNOTATE=1 $(PYTHON) setup.py -q build_ext -i -f

dist:  ## sdist, and the wheel from it, checked
	$(PYTHON) -m build && $(PYTHON) tools/check_sdist.py dist/*.tar.gz && $(PYTHON) tools/check_wheel.py dist/*.whl

clean:  ## remove what was built
	rm -rf build dist *.egg-info fastflv/console console/node_modules && find fastflv/_ext -name "*.so" -delete

.PHONY: help build pages test attacks recordings films cluster lint api-page bench asan tsan fuzz annotate dist clean

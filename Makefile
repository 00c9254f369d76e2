# make run opens the app, make check is for the hand, make test runs everything; each makes .venv first, and a second time finds it ready.
PYTHON ?= python3
BIN := .venv/bin
export PYTHONDONTWRITEBYTECODE= # what is compiled once is kept: every test process and every server would do it again

.PHONY: run check test lint bench bench-guard bench-live bench-pages bench-start zoo faults planted fuzz load screenshots rules clean

run: .venv/.installed
	$(BIN)/streamlit run streamlit_app.py

PYTEST := OMP_NUM_THREADS=1 $(BIN)/python -m pytest --dist loadfile --no-loadscope-reorder
check: lint .venv/.compiled # format, types, imports and the quick tests
	$(PYTEST) -q -n 2 -m "not slow and not browser"

test: .venv/.installed-test .venv/.compiled # in two processes: three would keep each other waiting
	$(PYTEST) -n 2 --hypothesis-profile=ci

lint: .venv/.installed-test
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports

bench: .venv/.installed-bench
	PYTHONPATH=. $(BIN)/python tests/bench/bench_trainer.py
	PYTHONPATH=. $(BIN)/python tests/bench/bench_guard.py
	PYTHONPATH=. $(BIN)/python tests/bench/bench_tables.py
	PYTHONPATH=. $(BIN)/python -m pytest -q -s -W ignore tests/bench/bench_ensemble.py

bench-guard: .venv/.installed # what the guard costs in a training step
	PYTHONPATH=. $(BIN)/python tests/bench/bench_guard.py

bench-pages: .venv/.installed-test
	PYTHONPATH=. $(BIN)/python tests/bench/bench_pages.py

bench-start: .venv/.installed-test .venv/.compiled
	PYTHONPATH=. $(BIN)/python tests/bench/bench_start.py

bench-live: .venv/.installed-test .venv/.compiled # SCENES="replay drag"
	PYTHONPATH=. $(BIN)/python tests/bench/bench_live.py $(SCENES)

faults: .venv/.installed-test # ONLY="killed full_disk"; what there is, and what is done, is in the script
	$(BIN)/python tests/faults/faults.py $(ONLY)

planted: .venv/.installed-test .venv/.compiled # ONLY="surface url"; faults in a copy of the project that the tests have to find
	$(BIN)/python tests/faults/planted.py $(ONLY)

zoo: .venv-zoo/.installed # PACKAGES="timm pyro"; training steps of public packages under the guard, with the table in docs/guard.md
	.venv-zoo/bin/python tests/guard/zoo.py $(PACKAGES)

SECONDS ?= 120
VISITORS ?= 20
SEED ?= 0
fuzz: .venv/.installed-fuzz .venv/.compiled # hostile input, for so many seconds
	$(BIN)/python tests/fuzz/fuzz.py --seconds $(SECONDS) --seed $(SEED)

load: .venv/.installed-test .venv/.compiled # so many visitors for so many seconds, and what they find
	$(BIN)/python tests/load/load.py --seconds $(SECONDS) --visitors $(VISITORS)

screenshots: .venv/.installed-test
	$(BIN)/python docs/screenshots.py
	$(BIN)/python -m linreg figures --out docs/figures --only comparison cause surface sweep --size page --format svg

rules: .venv/.installed # the updates of the optimizers, for the browser
	$(BIN)/python -m linreg.training.javascript > linreg/ui/live/rules.js.new
	mv linreg/ui/live/rules.js.new linreg/ui/live/rules.js

clean:
	rm -rf .venv .venv-zoo .pytest_cache .mypy_cache .ruff_cache .hypothesis

TORCH_CPU := https://download.pytorch.org/whl/cpu
INSTALL := $(BIN)/python -m pip install --disable-pip-version-check -q

.venv/.installed: requirements.txt # on Linux PyPI's torch is the CUDA build, gigabytes that the app does not need
	$(PYTHON) -m venv .venv
	test `uname` != Linux \
	  || $(INSTALL) --no-deps --retries 1 --timeout 5 --index-url $(TORCH_CPU) `grep ^torch== $<` \
	  || echo "The CPU build of PyTorch cannot be reached; taking the CUDA build from PyPI."
	$(INSTALL) -r $<
	touch $@

.venv-zoo/.installed: requirements-zoo.txt
	$(PYTHON) -m venv .venv-zoo
	.venv-zoo/bin/python -m pip install --disable-pip-version-check -q -r requirements-zoo.txt
	touch $@

.venv/.installed-test: .venv/.installed requirements-test.txt
	$(INSTALL) -r requirements-test.txt
	touch $@

.venv/.compiled: .venv/.installed linreg/training/kernels.py linreg/figures/simplify.py # once, or each of the tests' processes and servers would do it at the same time
	$(BIN)/python -c "from linreg.training.ensemble import precompile; list(precompile(3))" & \
	$(BIN)/python -c "from linreg.training.ensemble import precompile; list(precompile(2)); from linreg.figures.simplify import compile_simplify; compile_simplify()" && wait
	$(BIN)/python -W ignore -c "from linreg.ui.live.files import prepare; prepare()"
	touch $@

.venv/.installed-bench: .venv/.installed-test requirements-bench.txt
	$(INSTALL) -r requirements-bench.txt
	touch $@

.venv/.installed-fuzz: .venv/.installed-test requirements-fuzz.txt
	$(INSTALL) -r requirements-fuzz.txt
	touch $@

# make run: the main job on a fresh machine; make test: everything that a change must pass.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
# One more process than cores: many tests wait for a process or a store.
TESTERS ?= $(shell $(PYTHON) -c 'import os; print((os.cpu_count() or 1) + 1)')

.PHONY: run test check coverage format golden test-datasets test-installed test-lowest test-pythons test-cluster clean

$(VENV)/installed: pyproject.toml constraints.txt
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --constraint constraints.txt --editable '.[build,train,test]'
	touch $@

run: $(VENV)/installed
	$(BIN)/auxloom run --out out

test: check

check: $(VENV)/installed
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports --no-cache
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest -n $(TESTERS) --dist loadfile

# The same tests, traced: which lines they run. It takes half as long again.
coverage: $(VENV)/installed
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest -n $(TESTERS) --dist loadfile --cov --cov-report=term

format: $(VENV)/installed
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

golden: $(VENV)/installed
	$(BIN)/python tests/golden/make.py

# The dataset must open in old and new releases of Hugging Face datasets; each gets an environment of its own.
test-datasets: $(VENV)/installed
	$(BIN)/python tests/compatibility/datasets_versions.py 2.14.7 3.6.0 newest

# The wheel, in environments that hold nothing else: without an extra, with `build` alone, with `train` alone.
test-installed: $(VENV)/installed
	$(BIN)/python tests/installed/bare.py

# Both extras with the lowest versions that pyproject.toml allows.
test-lowest: $(VENV)/installed
	$(BIN)/python tests/installed/bare.py lowest

# The wheel without an extra and with `build`, on other interpreters.
PYTHONS ?= python3.12 python3.13
test-pythons: $(VENV)/installed
	for python in $(PYTHONS); do $(BIN)/python tests/installed/bare.py core build --python $$python || exit 1; done

# Builds on Flink, Spark and Dask with an object store, all of them on this machine. It needs Java 17 and, in the
# folder AUXLOOM_JARS, the jars that docs/cluster.md lists; Flink and Spark themselves come from PyPI.
test-cluster: $(VENV)/installed
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest -rs --tb=short -o python_files='on_*.py' tests/cluster $(PYTEST)

clean:
	rm -rf $(VENV) .venv-* out

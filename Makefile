# make run: the main job on a fresh machine; make test: everything that a change must pass.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin

.PHONY: run test check format golden test-datasets clean

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
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest --cov --cov-report=term

format: $(VENV)/installed
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

golden: $(VENV)/installed
	$(BIN)/python tests/golden/make.py

# The dataset must open in old and new releases of Hugging Face datasets; each gets an environment of its own.
test-datasets: $(VENV)/installed
	$(BIN)/python tests/compatibility/datasets_versions.py 2.14.7 3.6.0

clean:
	rm -rf $(VENV) .venv-* out

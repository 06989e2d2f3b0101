# make app    the app on http://127.0.0.1:7860
# make test   every check and test

PYTHON ?= python3
BIN := .venv/bin

.PHONY: app test check docs cards screenshots test-load test-kill test-ray test-export bench clean

app: .venv/app
	$(BIN)/python space_app.py

# A file of tests at a time in each of two processes, with one thread each.
test: check
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest -n 2 --dist loadfile --no-loadscope-reorder

check: .venv/dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

# The documentation site, in site/.
docs: .venv/docs
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --strict

# The cards and the table in README.md, from model_cards/results.json.
cards: .venv/app
	$(BIN)/python scripts/leaderboard.py

# The pictures of the app in docs/.
screenshots: .venv/dev
	$(BIN)/python scripts/screenshots.py

# Figures of this machine, in benchmarks/results; nothing else should run meanwhile.
bench: .venv/dev
	$(BIN)/python benchmarks/bench_patch.py --model unet-mobilenet_v2-rgb
	$(BIN)/python benchmarks/bench_command.py
	$(BIN)/python benchmarks/bench_app.py
	$(BIN)/python benchmarks/bench_training.py
	$(BIN)/python benchmarks/bench_mapping.py

# Slower than the rest, each by itself: clients in a crowd, and training killed again and again.
test-load: .venv/dev
	$(BIN)/python -m pytest -m slow tests/web

test-kill: .venv/dev
	$(BIN)/python -m pytest -m slow tests/training/test_train.py

# Maps of several scenes on Ray whose workers are killed, beside maps made with as many threads as a
# worker has; and every network of the zoo, in every size and as ONNX.
test-ray: .venv/dev
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest -m slow tests/mapping/test_on_ray.py

test-export: .venv/dev
	$(BIN)/python -m pytest -m slow tests/inference/test_export.py tests/models/test_networks.py

.venv/app: requirements.txt pyproject.toml
	test -x $(BIN)/python || $(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --upgrade "pip>=24" "setuptools>=77"
	$(BIN)/python -m pip install --quiet -r requirements.txt
	$(BIN)/python -m pip install --quiet --no-deps --no-build-isolation -e .
	touch $@

.venv/dev: .venv/app requirements-dev.txt
	$(BIN)/python -m pip install --quiet -r requirements-dev.txt
	touch $@

.venv/docs: requirements-docs.txt
	test -x $(BIN)/python || $(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet -r requirements-docs.txt
	touch $@

clean:
	rm -rf .venv site build dist *.egg-info .pytest_cache .mypy_cache .ruff_cache .import_linter_cache

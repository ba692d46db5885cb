# Two commands for a newcomer: `make run` and `make test`. The rest is for developers.
PYTHON ?= python3
VENV   ?= .venv
BIN    := $(VENV)/bin

.PHONY: run test check console peers bench docs lock clean

run: $(VENV)/.run
	@$(BIN)/python -I web/build.py --go-on
	@$(BIN)/python -I -m whimbrel.app.demo var

test: $(VENV)/.test
	@$(BIN)/python -E -s -m tests.run

check: $(VENV)/.test
	@$(BIN)/python -E -s -m tests.run --check-only

# The administration console, if its sources are newer than what was built.
console: $(VENV)/.run
	@$(BIN)/python -I web/build.py

peers:
	@sh tests/peers/schemathesis.sh $(PYTHON)
	@sh tests/peers/mailauth.sh $(PYTHON)
	@sh tests/peers/install.sh

bench: $(VENV)/.test
	@$(BIN)/python -E -s -m bench

docs: $(VENV)/.run
	@$(BIN)/python -I -m whimbrel.app.docs docs/gen

# Hashes only; no registry's address is ever written into the repository.
lock:
	uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-header --no-annotate pyproject.toml -o requirements/run.txt
	uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-header --no-annotate pyproject.toml --group test -o requirements/test.txt
	uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-header --no-annotate --group node -o requirements/node.txt
	uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-header --no-annotate --group fuzz -o requirements/fuzz.txt
	uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-header --no-annotate --group mailauth -o requirements/mailauth.txt

$(VENV)/bin/python:
	@$(PYTHON) -I -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "Whimbrel needs Python 3.11 or newer; try: make PYTHON=python3.13 $(MAKECMDGOALS)"; exit 1; }
	@$(PYTHON) -I -m venv $(VENV)

$(VENV)/.run: requirements/run.txt pyproject.toml | $(VENV)/bin/python
	@echo "Installing what Whimbrel needs into $(VENV) ..."
	@$(BIN)/python -I -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements/run.txt
	@$(BIN)/python -I -c 'import pathlib, sysconfig; pathlib.Path(sysconfig.get_path("purelib"), "whimbrel.pth").write_text(str(pathlib.Path("src").resolve()) + "\n")'
	@printf '#!%s -I\nimport sys\nfrom whimbrel.app.cli import main\nsys.exit(main())\n' "$(abspath $(BIN))/python" > $(BIN)/whimbrel && chmod 755 $(BIN)/whimbrel
	@touch $@

$(VENV)/.test: requirements/test.txt $(VENV)/.run
	@$(BIN)/python -I -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements/test.txt
	@touch $@

clean:
	rm -rf $(VENV) var build dist .mypy_cache .ruff_cache

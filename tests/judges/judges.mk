# The vendors' SDKs of every run are in the group judges; this one is too large for that.
.PHONY: test-judges

$(VENV)/.judges: pyproject.toml | $(VENV)/.dev
	@$(RUN)/python -m pip install --quiet --disable-pip-version-check --group judges-large
	@touch $@

test-judges: $(VENV)/.judges  ## Feishu's SDK between us and a recorder, and the others again (two minutes)
	$(RUN)/python -Im pytest -q -n 0 -o python_files='check_*.py test_*.py' tests/judges $(ARGS)

# Bots of other frameworks, run unmodified behind sanfen: each in an environment of its own.
.PHONY: test-bots

build/bots/.done: tests/bots/bots.mk | $(VENV)/bin/python
	@mkdir -p build/bots
	@$(RUN)/python -m venv build/bots/venv
	@build/bots/venv/bin/python -m pip install --quiet --disable-pip-version-check 'aiogram>=3.31' 'starlette>=1' 'uvicorn>=0.30'
	@if command -v npm >/dev/null; then npm install --silent --no-fund --no-audit --prefix build/bots 'telegraf@^4.16'; fi
	@touch $@

test-bots: $(VENV)/.dev build/bots/.done  ## aiogram (webhook) and Telegraf (Node, polling), unmodified behind us (a minute)
	$(RUN)/python -Im pytest -q tests/e2e/test_telegram.py

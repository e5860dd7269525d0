# The board in Debian's chromium. Playwright's own browsers are not needed.
BROWSER = nice -n 5 $(RUN)/python -Im pytest -q -n 0 --timeout 240 -o python_files='check_*.py' \
	-o asyncio_default_fixture_loop_scope=session -o asyncio_default_test_loop_scope=session

.PHONY: test-browser pictures chromium

$(VENV)/.browser: pyproject.toml | $(VENV)/.dev
	@$(RUN)/python -m pip install --quiet --disable-pip-version-check --group browser
	@touch $@

chromium:  ## Debian's chromium with the fonts it needs (as root), if it is not here
	@test -x /usr/bin/chromium && fc-list | grep -q NotoSansCJK || { apt-get update --quiet && \
		DEBIAN_FRONTEND=noninteractive apt-get install --quiet --yes --no-install-recommends chromium fonts-noto-cjk fonts-noto-color-emoji; }

test-browser: $(VENV)/.browser chromium  ## the board as people use it: feed, clocks, keys, touch, themes, languages (four minutes); then how fast
	$(BROWSER) tests/browser $(ARGS)
	@$(if $(ARGS),true,nice -n 5 $(RUN)/python benchmarks/board.py --messages 100)

pictures: $(VENV)/.browser chromium  ## every screen in both languages, light, dark and on a phone: docs/pictures
	$(RUN)/python tests/browser/pictures.py $(ARGS)

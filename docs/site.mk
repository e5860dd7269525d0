# The site. Each language is the same pages; a message without a translation is shown in English.
SPHINX = $(RUN)/python -Im sphinx --quiet --fail-on-warning --keep-going --conf-dir docs

.PHONY: site translations

$(VENV)/.docs: pyproject.toml | $(VENV)/bin/python
	@$(RUN)/python -m pip install --quiet --disable-pip-version-check --editable . --group docs
	@touch $@

site: $(VENV)/.docs  ## the documentation, in English and Chinese: build/site/index.html
	@$(SPHINX) --builder html . build/site/en
	@$(SPHINX) --builder html --define language=zh_CN . build/site/zh
	@cp docs/templates/start.html build/site/index.html
	@echo "build/site/index.html"

translations: $(VENV)/.docs  ## take new texts into docs/locale, and say how many of each page lack a translation
	@$(SPHINX) --builder gettext . build/gettext
	@rm build/gettext/README*.pot  # each is its own translation
	@$(RUN)/sphinx-intl update --pot-dir build/gettext --locale-dir docs/locale --language zh_CN --line-width 0 --no-obsolete \
		| grep -v '^Not Changed' || true
	@$(RUN)/sphinx-intl stat --locale-dir docs/locale --language zh_CN | sed 's|.*LC_MESSAGES/||' | sort

# The drop-in proof between real servers. heisenbridge and Synapse want different versions of what both use: one environment each.
.PHONY: test-e2e proxies container

proxies:  ## nginx, Caddy, Prometheus' promtool and the shells zsh and fish (as root), which some tests ask, if they are not here
	@mkdir -p build; for one in nginx:nginx caddy:caddy promtool:prometheus zsh:zsh fish:fish; do command -v $${one%%:*} >/dev/null || echo $${one#*:}; done >build/.wanted; \
	test ! -s build/.wanted || { apt-get update -qq && \
		DEBIAN_FRONTEND=noninteractive RUNLEVEL=1 apt-get install -y -qq --no-install-recommends $$(cat build/.wanted); } >/dev/null

$(VENV)/.matrix: tests/e2e/matrix/long.mk | $(VENV)/bin/python
	@command -v /usr/sbin/ngircd >/dev/null || { apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends ngircd; } >/dev/null
	@for one in synapse:matrix-synapse==1.163.2 bridge:heisenbridge==1.15.4; do \
		$(RUN)/python -m venv $(VENV)/$${one%%:*} && $(VENV)/$${one%%:*}/bin/python -m pip install --quiet --disable-pip-version-check "$${one#*:}" || exit 1; done
	@touch $@

test-e2e: $(VENV)/.dev $(VENV)/.matrix  ## a customer on IRC, an agent on Matrix, real servers and a real bridge: only addresses change (two minutes)
	$(RUN)/python -Im pytest -q tests/e2e/matrix $(ARGS)

container: $(VENV)/.dev  ## config/Containerfile, built by buildah on a Debian from debootstrap, and run (as root; some minutes)
	@nice bash tests/e2e/container.sh

# The long forms of tests/faults: one target each. SANFEN_SEED starts all dice; a failure prints its replay.
SANFEN_SEED ?= $(shell date +%s)
FAULTS = SANFEN_SEED=$(SANFEN_SEED) nice -n 10 $(RUN)/python -Im pytest -q -n 0 --timeout 86400 -o faulthandler_timeout=0
.PHONY: fault-matrix test-long test-week soak-year stateful fuzz fuzz-guided fuzz-api disk-damage reload-storm fault-tools

fault-matrix: $(VENV)/.dev  ## every network fault and every fault of ours, 2,000 messages each at 200 a second
	SANFEN_FAULT_MESSAGES=$${SANFEN_FAULT_MESSAGES:-2000} $(FAULTS) -s tests/faults/test_matrix.py $(ARGS)

test-long: $(VENV)/.dev  ## 72 hours of custom in virtual time, with faults, against the second scorer
	SANFEN_SOAK_HOURS=$${SANFEN_SOAK_HOURS:-72} $(FAULTS) -s tests/faults/test_soak.py $(ARGS)

test-week: $(VENV)/.dev  ## a week of escalation in virtual time: rosters, holidays, robots that refuse and mute, faults at 1 % of every call
	SANFEN_WEEK_HOURS=$${SANFEN_WEEK_HOURS:-168} $(FAULTS) -s tests/faults/test_week.py $(ARGS)

soak-year: $(VENV)/.dev  ## the same for a year, a new log every week
	SANFEN_SOAK_HOURS=$${SANFEN_SOAK_HOURS:-8760} SANFEN_SOAK_ROTATE=7 $(FAULTS) -s tests/faults/test_soak.py $(ARGS)

stateful: $(VENV)/.dev  ## 20,000 lives of 50 steps: crash, restart, reorder, duplicate, clock, policy, against the second scorer
	SANFEN_STATEFUL=$${SANFEN_STATEFUL:-20000} $(FAULTS) -s tests/faults/test_stateful.py $(ARGS)

fuzz: $(VENV)/.dev  ## 10,000,000 inputs, grammar first, at every way in from strangers
	SANFEN_FUZZ=$${SANFEN_FUZZ:-10000000} $(FAULTS) -s tests/faults/test_fuzz.py $(ARGS)

fuzz-guided: $(VENV)/.dev  ## inputs chosen by coverage, ten minutes a target; what they find is kept in tests/faults/corpus
	@$(RUN)/python -m pip install --quiet --disable-pip-version-check 'atheris>=3.0'
	for one in ingest signed yaml replay; do nice -n 10 $(RUN)/python tests/faults/fuzz_guided.py $$one $${SECONDS_EACH:-600} || exit 1; done

$(VENV)/.fuzz: pyproject.toml | $(VENV)/.dev
	@$(RUN)/python -m venv $(VENV)/fuzz && $(VENV)/fuzz/bin/python -m pip install --quiet --disable-pip-version-check --upgrade 'pip>=25.1'
	@$(VENV)/fuzz/bin/python -m pip install --quiet --disable-pip-version-check --group fuzz
	@touch $@

fuzz-api: $(VENV)/.fuzz  ## schemathesis over the API's own description: no 5xx, no answer that breaks it (two minutes)
	SANFEN_SEED=$(SANFEN_SEED) nice -n 10 $(RUN)/python tests/faults/fuzz_api.py $(VENV)/fuzz/bin/schemathesis $(or $(ARGS),--max-examples 60)

disk-damage: $(VENV)/.dev  ## the service started on 1,000 damaged logs, and on one cut at every page
	SANFEN_DAMAGE=$${SANFEN_DAMAGE:-1000} $(FAULTS) -s tests/faults/test_disk.py -k damaged $(ARGS)

reload-storm: $(VENV)/.dev  ## 1,000 reloads, three in ten of a bad file, at 200 messages a second
	SANFEN_RELOADS=$${SANFEN_RELOADS:-1000} $(FAULTS) -s tests/faults/test_reload_storm.py $(ARGS)

fault-tools:  ## what some of these tests need beside Python (Debian, as root): without it they are skipped
	apt-get install --yes strace faketime

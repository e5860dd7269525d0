# The long forms of tests/faults: one target each. SANFEN_SEED starts all dice; a failure prints its replay.
SANFEN_SEED ?= $(shell date +%s)
FAULTS = SANFEN_SEED=$(SANFEN_SEED) nice -n 10 $(RUN)/python -Im pytest -q -n 0 --timeout 86400 -o faulthandler_timeout=0
.PHONY: fault-matrix

fault-matrix: $(VENV)/.dev  ## every network fault and every fault of ours, 2,000 messages each at 200 a second
	SANFEN_FAULT_MESSAGES=$${SANFEN_FAULT_MESSAGES:-2000} $(FAULTS) tests/faults/test_matrix.py $(ARGS)

# The long forms of tests/crash: one target each. They stay out of the way of whoever works here meanwhile.
.PHONY: power-loss kill-loop kill-points

power-loss: $(VENV)/.dev  ## a million images of a disk whose power went while the service wrote (half an hour)
	nice -n 10 $(RUN)/python tests/crash/power_loss.py $(ARGS)

kill-loop: $(VENV)/.dev  ## ten thousand kill -9 in the middle of requests (half an hour)
	nice -n 10 $(RUN)/python tests/crash/kill_loop.py $(ARGS)

kill-points: $(VENV)/.dev  ## killed at every write, sync and send of twenty scenarios (half an hour)
	nice -n 10 $(RUN)/python tests/crash/kill_points.py $(ARGS)

.PHONY: planted
planted: $(VENV)/.dev  ## forty planted bugs: does a test notice each? (ten minutes)
	nice -n 10 $(RUN)/python tests/planted/run.py $(ARGS)

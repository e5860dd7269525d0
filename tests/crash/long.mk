# The long forms of tests/crash: one target each. They stay out of the way of whoever works here meanwhile.
.PHONY: power-loss

power-loss: $(VENV)/.dev  ## a million images of a disk whose power went while the service wrote (half an hour)
	nice -n 10 $(RUN)/python tests/crash/power_loss.py $(ARGS)

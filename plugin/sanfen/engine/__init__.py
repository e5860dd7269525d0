"""The live loop around the core: event, journal, machine, one commit, timers."""

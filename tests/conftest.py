"""Settings for all tests."""

from hypothesis import HealthCheck, settings

# Timings are no business of tests: machines are shared. A failure prints the lines that replay it.
settings.register_profile("sanfen", deadline=None, print_blob=True, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("sanfen")

"""Settings for all tests, and the robots whom several areas tell."""

import logging
from collections.abc import AsyncIterator, Iterator
from ssl import PROTOCOL_TLS_SERVER, SSLContext

import pytest
import structlog
import trustme
from hypothesis import HealthCheck, settings
from tests.robots import Robots, open_robots

# Timings are no business of tests: machines are shared. A failure prints the lines that replay it.
settings.register_profile("sanfen", deadline=None, print_blob=True, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("sanfen")


@pytest.fixture(autouse=True)
def log_as_it_was() -> Iterator[None]:
    """What one test sets up for the log, or a command run in this process does, is not the next test's."""
    configured, root = structlog.is_configured(), logging.getLogger()
    was, handlers, level, raising = structlog.get_config(), list(root.handlers), root.level, logging.raiseExceptions
    yield
    structlog.reset_defaults()
    if configured:
        structlog.configure(**was)
    root.handlers[:], logging.raiseExceptions = handlers, raising
    root.setLevel(level)


@pytest.fixture
async def robots() -> AsyncIterator[Robots]:
    """The TLS port's certificate is by nobody the machine trusts."""
    context = SSLContext(PROTOCOL_TLS_SERVER)
    authority = trustme.CA()
    authority.issue_cert("localhost").configure_cert(context)
    async with open_robots(context) as opened:
        opened.authority = authority.cert_pem.bytes()
        yield opened

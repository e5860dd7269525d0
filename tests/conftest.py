"""Settings for all tests, and the robots whom several areas tell."""

from collections.abc import AsyncIterator
from ssl import PROTOCOL_TLS_SERVER, SSLContext

import pytest
import trustme
from hypothesis import HealthCheck, settings
from tests.robots import Robots, open_robots

# Timings are no business of tests: machines are shared. A failure prints the lines that replay it.
settings.register_profile("sanfen", deadline=None, print_blob=True, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("sanfen")


@pytest.fixture
async def robots() -> AsyncIterator[Robots]:
    """The TLS port's certificate is by nobody the machine trusts."""
    context = SSLContext(PROTOCOL_TLS_SERVER)
    authority = trustme.CA()
    authority.issue_cert("localhost").configure_cert(context)
    async with open_robots(context) as opened:
        opened.authority = authority.cert_pem.bytes()
        yield opened

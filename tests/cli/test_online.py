"""``sanfen check --online``: real sockets, real certificates, and not one message."""

import socket
import ssl
import threading
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest
import trustme
from tests.cli.command import Sanfen
from tests.ports import free_port

from sanfen.cli.online import Looked, look
from sanfen.clock import SystemClock
from sanfen.config.load import load


class Service(HTTPServer):
    """Somewhere people are reached. ``seen``: all that was asked of it."""

    def __init__(self, authority: trustme.CA, *, ahead: timedelta = timedelta()) -> None:
        self.seen: list[str] = []
        service = self

        class Handler(BaseHTTPRequestHandler):
            def do_HEAD(self) -> None:
                service.seen.append(self.requestline)
                self.send_response_only(404)
                self.send_header(
                    "Date",
                    format_datetime(datetime.fromtimestamp(SystemClock().now_ms() / 1000, UTC) + ahead, usegmt=True),
                )
                self.end_headers()

            do_POST = do_GET = do_HEAD  # noqa: N815  # names of the library

            def log_message(self, format: str, *args: object) -> None: ...  # noqa: A002  # its name there

        super().__init__(("127.0.0.1", 0), Handler)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        authority.issue_cert("localhost").configure_cert(context)
        self.socket = context.wrap_socket(self.socket, server_side=True)
        self.url = f"https://localhost:{self.server_port}/send?token=very-secret"

    def handle_error(self, request: object, client_address: object) -> None: ...


@pytest.fixture
def authority() -> trustme.CA:
    return trustme.CA()


@pytest.fixture
def trust(authority: trustme.CA) -> ssl.SSLContext:
    context = ssl.create_default_context()
    authority.configure_trust(context)
    return context


@pytest.fixture
def service(authority: trustme.CA) -> Iterator[Service]:
    yield from serving(Service(authority))


@pytest.fixture
def hurried(authority: trustme.CA) -> Iterator[Service]:
    yield from serving(Service(authority, ahead=timedelta(minutes=7)))


def serving(service: Service) -> Iterator[Service]:
    thread = threading.Thread(target=service.serve_forever)
    thread.start()
    yield service
    service.shutdown()
    thread.join()
    service.server_close()


def config(tmp_path: Path, *ways: str, forward: str = "", hooks: str = "127.0.0.1:0") -> Path:
    path = tmp_path / "sanfen.yaml"
    onward = f", from_customer: {{forward: '{forward}'}}" if forward else ""
    path.write_text(
        f"version: 1\nlisten: {{hooks: '{hooks}', board: '127.0.0.1:0'}}\noutbound: {{allow: [localhost]}}\n"
        f"channels:\n  desk: {{signing: none{onward}}}\n"
        "people:\n  lead:\n    via:\n" + "".join(f"      - '{way}'\n" for way in ways),
        encoding="utf-8",
    )
    return path


def looked(path: Path, trust: ssl.SSLContext) -> Looked:
    return look(path, load(path, {}), trust=trust)


def test_whoever_answers_is_asked_for_the_time_and_nothing_else(
    tmp_path: Path, service: Service, trust: ssl.SSLContext
) -> None:
    found = looked(config(tmp_path, f"dingtalk+{service.url}", f"webhook+{service.url}"), trust)

    assert (found.findings, found.reached) == ([], 2)
    assert found.off_ms is not None
    assert service.seen == ["HEAD / HTTP/1.1"] * 2


def test_a_certificate_nobody_trusts(tmp_path: Path, service: Service) -> None:
    found = looked(config(tmp_path, f"webhook+{service.url}"), ssl.create_default_context())

    (one,) = found.findings
    assert (one.code, one.line) == ("C042", 9)
    assert "certificate is not trusted" in one.message
    assert "very-secret" not in one.render()
    assert service.seen == []


def test_a_clock_that_is_off(tmp_path: Path, hurried: Service, trust: ssl.SSLContext) -> None:
    found = looked(config(tmp_path, f"webhook+{hurried.url}"), trust)

    (one,) = found.findings
    assert one.code == "W120"
    assert "behind what localhost says" in one.message


def test_one_service_that_is_off_accuses_nobody(
    tmp_path: Path, hurried: Service, service: Service, trust: ssl.SSLContext
) -> None:
    assert looked(config(tmp_path, f"webhook+{hurried.url}", f"webhook+{service.url}"), trust).findings == []


def test_a_port_nobody_listens_on_and_a_name_nobody_has(tmp_path: Path, sanfen: Sanfen) -> None:
    port = free_port()
    path = config(tmp_path, "webhook+https://nobody.invalid/x", forward=f"http://127.0.0.1:{port}/in")

    done = sanfen("check", path, "--online")

    assert done.code == 1
    assert f"error[C041]: 127.0.0.1:{port}: Connection refused" in done.out
    assert "error[C040]: nobody.invalid: " in done.out


def test_the_workflow_is_connected_to_and_asked_nothing(tmp_path: Path, trust: ssl.SSLContext) -> None:
    with socket.create_server(("127.0.0.1", 0)) as workflow:
        found = looked(config(tmp_path, "console:", forward=f"http://127.0.0.1:{workflow.getsockname()[1]}/in"), trust)
        peer, _ = workflow.accept()
        with peer:
            assert peer.recv(1) == b""

    assert (found.findings, found.reached, found.off_ms) == ([], 1, None)


def test_an_address_to_listen_on_that_is_another_machines(tmp_path: Path, trust: ssl.SSLContext) -> None:
    path = config(tmp_path, "console:", hooks="192.0.2.1:8970")
    path.write_text(
        path.read_text(encoding="utf-8").replace("signing: none", "secret: 0123456789abcdef"), encoding="utf-8"
    )

    assert [one.code for one in looked(path, trust).findings] == ["C043"]


def test_an_address_that_leads_inside_is_not_gone_to(tmp_path: Path, trust: ssl.SSLContext) -> None:
    path = config(tmp_path, "webhook+https://localhost.localdomain/x")
    path.write_text(path.read_text(encoding="utf-8").replace("allow: [localhost]", "allow: []"), encoding="utf-8")

    assert [one.code for one in looked(path, trust).findings] == ["C040"]


def test_a_file_with_mistakes_is_not_looked_at_online(tmp_path: Path, sanfen: Sanfen) -> None:
    path = tmp_path / "sanfen.yaml"
    path.write_text("version: 1\nnonsense: 1\n", encoding="utf-8")

    done = sanfen("check", path, "--online", "--lang", "zh")

    assert done.code == 1
    assert "没有联网检查" in done.err

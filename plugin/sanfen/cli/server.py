"""How the verbs that need a running service find it, ask it, and send to it."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple
from urllib.error import HTTPError, URLError
from urllib.parse import urlencode
from urllib.request import ProxyHandler, Request, build_opener

import click

from sanfen.catalogue import t
from sanfen.cli.options import spoken
from sanfen.config.load import load
from sanfen.config.settings import Settings
from sanfen.errors import ConfigError, InputError, Phrase

if TYPE_CHECKING:
    from http.client import HTTPResponse

__all__ = ["NoServiceError", "Server", "server"]

_USUAL = ("config/sanfen.yaml", "sanfen.yaml", "sanfen-demo/sanfen.yaml")
_ANSWER_S = 10
_SILENT_S = 30  # a feed has a beat now and then
_ANYWHERE = {"0.0.0.0": "127.0.0.1", "::": "[::1]", "": "127.0.0.1"}  # noqa: S104  # how one's own port is reached


class NoServiceError(click.ClickException):
    """Nobody answers where a service should be."""

    exit_code = 3

    def show(self, file: Any = None) -> None:  # noqa: ARG002  # click's signature
        """Say so, as errors of ours are said."""
        click.echo(f"sanfen: {self.message}", err=True)


class Server(NamedTuple):
    """A running service, as its configuration describes it."""

    config: Path
    settings: Settings

    @property
    def board(self) -> str:
        """Where the API is."""
        listen = self.settings.listen
        return f"http://{_ANYWHERE.get(listen.board_host, listen.board_host)}:{listen.board_port}"

    @property
    def hooks(self) -> str:
        """Where messages arrive."""
        listen = self.settings.listen
        return f"http://{_ANYWHERE.get(listen.hooks_host, listen.hooks_host)}:{listen.hooks_port}"

    def ask(self, path: str, *, method: str = "GET", body: Any = None, **query: str) -> Any:
        """The API's answer. Raises NoServiceError, and InputError for what it refuses."""
        data = None if body is None else json.dumps(body).encode()
        with self._open(self.board + _with(path, query), method, data, self._headers()) as answer:
            return json.load(answer)

    def post(self, path: str, body: bytes, headers: dict[str, str]) -> None:
        """Send a message to the port of the channels. Raises NoServiceError, and InputError for what it refuses."""
        with self._open(self.hooks + path, "POST", body, headers) as answer:
            answer.read()

    def lines(self, path: str, **query: str) -> Iterator[str]:
        """The lines of a feed, until it ends. Raises NoServiceError, InputError."""
        with self._open(self.board + _with(path, query), "GET", None, self._headers(), _SILENT_S) as answer:
            for line in answer:
                yield line.decode("utf-8", "replace").rstrip("\r\n")

    def _headers(self) -> dict[str, str]:
        headers = {"Content-Type": "application/json", "Accept-Language": spoken()}
        if self.settings.admin_tokens:
            headers["Authorization"] = f"Bearer {self.settings.admin_tokens[0].reveal()}"
        return headers

    def _open(
        self, address: str, method: str, data: bytes | None, headers: dict[str, str], wait_s: float = _ANSWER_S
    ) -> "HTTPResponse":
        """The answer. Whatever stands in the environment, no proxy is between us and our own port."""
        request = Request(address, data, headers, method=method)  # noqa: S310  # our own port
        try:
            answer: HTTPResponse = build_opener(ProxyHandler({})).open(request, timeout=wait_s)
        except HTTPError as error:
            raise _refusal(error) from None
        except (URLError, OSError) as error:
            reason = getattr(error, "reason", error)
            facts = {"address": address.partition("?")[0], "reason": reason, "config": self.config}
            raise NoServiceError(t("server_silent", spoken(), **facts)) from None
        return answer


def server(config: Path | None) -> Server:
    """The service of a configuration; without one, the first of the usual places whose service answers.

    Raises ConfigError, NoServiceError.
    """
    if config is not None:
        return Server(config, load(config).settings)
    found = [Path(name) for name in _USUAL if Path(name).is_file()]
    for path in found:
        try:
            one = Server(path, load(path).settings)
            one.ask("/healthz")
        except (ConfigError, InputError, NoServiceError):
            continue
        return one
    names = ", ".join(map(str, found)) or t("server_no_file", spoken(), names=", ".join(_USUAL))
    raise NoServiceError(t("server_none", spoken(), names=names))


def _with(path: str, query: dict[str, str]) -> str:
    return path + ("?" + urlencode(query) if query else "")


def _refusal(error: HTTPError) -> InputError:
    try:
        said = json.load(error)
        return InputError(str(said.get("title") or said["reason"]), hint=str(said.get("hint", "")))
    except (ValueError, KeyError, TypeError):
        return InputError(
            Phrase("{url} answered {status}: {reason}", url=error.url, status=error.code, reason=error.reason)
        )

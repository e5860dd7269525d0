"""How the verbs that need a running service find it, ask it, and send to it."""

import json
import os
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.error import HTTPError, URLError
from urllib.parse import urlencode, urlsplit
from urllib.request import HTTPRedirectHandler, OpenerDirector, ProxyHandler, Request, build_opener

import click

from sanfen.catalogue import said, t
from sanfen.cli.options import spoken
from sanfen.config.load import load
from sanfen.config.settings import Settings
from sanfen.errors import ConfigError, InputError, Phrase
from sanfen.outbound import Guard

if TYPE_CHECKING:
    from http.client import HTTPResponse

__all__ = ["Board", "NoServiceError", "Server", "board", "server"]

_USUAL = ("config/sanfen.yaml", "sanfen.yaml", "sanfen-demo/sanfen.yaml")
_ANSWER_S = 10
_ANYWHERE = {"0.0.0.0": "127.0.0.1", "::": "[::1]", "": "127.0.0.1"}  # noqa: S104  # how one's own port is reached


class NoServiceError(click.ClickException):
    """Nobody answers where a service should be."""

    exit_code = 3

    def show(self, file: Any = None) -> None:  # noqa: ARG002  # click's signature
        """Say so, as errors of ours are said."""
        click.echo(f"sanfen: {self.message}", err=True)


class Board:
    """The API of a running service, here or elsewhere. ``told``: what it is known by, for whoever cannot reach it."""

    _silent = "server_elsewhere"

    def __init__(self, address: str, token: str | None, told: str) -> None:
        self.board = address.rstrip("/")
        self._token = token
        self._told = told

    def ask(self, path: str, *, method: str = "GET", body: Any = None, **query: str) -> Any:
        """The API's answer. Raises NoServiceError, and InputError for what it refuses."""
        data = None if body is None else json.dumps(body).encode()
        headers = {"Content-Type": "application/json", "Accept-Language": spoken()}
        if self._token:
            headers["Authorization"] = f"Bearer {self._token}"
        with self._open(self.board + _with(path, query), method, data, headers) as answer:
            try:
                return json.load(answer)
            except ValueError:
                raise InputError(
                    Phrase("{url} does not answer as sanfen does", url=self.board),
                    hint="name the board's address: port 8971",
                ) from None

    def _open(self, address: str, method: str, data: bytes | None, headers: dict[str, str]) -> "HTTPResponse":
        request = Request(address, data, headers, method=method)  # noqa: S310  # checked: http or https
        try:
            answer: HTTPResponse = self._opener().open(request, timeout=_ANSWER_S)
        except HTTPError as error:
            raise _refusal(error) from None
        except (URLError, OSError) as error:
            cause = getattr(error, "reason", error)
            facts = {
                "address": "{0.scheme}://{0.netloc}".format(urlsplit(address)),
                "reason": said(getattr(cause, "strerror", None) or str(cause), spoken()),
                "config": self._told,
            }
            raise NoServiceError(t(self._silent, spoken(), **facts)) from None
        return answer

    def _opener(self) -> OpenerDirector:
        return build_opener(_Stay())


class Server(Board):
    """A running service on this machine, as its configuration describes it."""

    _silent = "server_silent"

    def __init__(self, config: Path, settings: Settings) -> None:
        listen, tokens = settings.listen, settings.admin_tokens
        self.config = config
        self.settings = settings
        self.hooks = f"http://{_ANYWHERE.get(listen.hooks_host, listen.hooks_host)}:{listen.hooks_port}"
        address = f"http://{_ANYWHERE.get(listen.board_host, listen.board_host)}:{listen.board_port}"
        super().__init__(address, tokens[0].reveal() if tokens else None, str(config))

    def post(self, path: str, body: bytes, headers: dict[str, str]) -> None:
        """Send a message to the port of the channels. Raises NoServiceError, and InputError for what it refuses."""
        with self._open(self.hooks + path, "POST", body, headers) as answer:
            answer.read()

    def _opener(self) -> OpenerDirector:
        """Whatever stands in the environment, no proxy is between us and our own port."""
        return build_opener(_Stay(), ProxyHandler({}))


class _Stay(HTTPRedirectHandler):
    """A token goes where it was meant to go, and nowhere else."""

    def redirect_request(self, *_: Any) -> None:
        return None


def board(config: Path | None, url: str | None) -> Board:
    """The service at an address, with the token of SANFEN_TOKEN; without an address, the one on this machine.

    Raises ConfigError, InputError, NoServiceError.
    """
    if url is None:
        return server(config)
    refusal = Guard(private=True).refusal(url)
    if refusal is not None or not url.startswith(("http://", "https://")):
        raise InputError(
            Phrase("{place}: {sentence}", place="--url", sentence=refusal or Phrase("this is no web address")),
            hint="write https://board.example.com, as a browser opens it",
        )
    return Board(url, os.environ.get("SANFEN_TOKEN"), url)


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

"""A vendor's API that remembers what it was asked, and a real service in front of it; for clients that know no event loop."""

import json
import os
import sqlite3
import subprocess
import sys
import threading
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, NamedTuple

from tests.ports import free_port

__all__ = ["Got", "Recorder", "Service", "post"]


class Got(NamedTuple):
    """A request as it came."""

    method: str
    path: str
    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)


class Recorder:
    """Answers by path: the longest part of a path that is known decides."""

    def __init__(self, answers: dict[str, Any]) -> None:
        """``answers``: JSON, a status with JSON, or a function of the request that gives one of these."""
        self.answers = answers
        self.got: list[Got] = []
        recorder = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def _answer(self) -> None:
                body = self.rfile.read(int(self.headers.get("content-length") or 0))
                headers = {name.lower(): value for name, value in self.headers.items()}
                got = Got(self.command, self.path, headers, body)
                recorder.got.append(got)
                status, said = recorder.answer(got)
                raw = json.dumps(said, ensure_ascii=False).encode()
                self.send_response(status)
                self.send_header("content-type", "application/json")
                self.send_header("content-length", str(len(raw)))
                self.end_headers()
                self.wfile.write(raw)

            do_GET = do_POST = do_PUT = _answer  # noqa: N815  # the names http.server asks for

            def log_message(self, *_: Any) -> None:
                """Say nothing."""

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_port}"

    @contextmanager
    def running(self) -> Iterator["Recorder"]:
        thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.05})
        thread.start()
        try:
            yield self
        finally:
            self._server.shutdown()
            thread.join()
            self._server.server_close()

    def answer(self, got: Got) -> tuple[int, Any]:
        known = max((one for one in self.answers if one in got.path), key=len, default="")
        said = self.answers.get(known, {})
        said = said(got) if callable(said) else said
        return said if isinstance(said, tuple) else (200, said)

    def asked(self, part: str) -> list[Got]:
        return [one for one in self.got if part in one.path]


class Service:
    """A real ``sanfen serve`` process. ``channels``: lines of YAML; ``{api}`` is the recorder."""

    def __init__(self, folder: Path, channels: str) -> None:
        self._folder = folder
        self._hooks, self._board = free_port(), free_port()
        self.url = f"http://127.0.0.1:{self._hooks}"
        self._config = folder / "sanfen.yaml"
        self._config.write_text(
            f'version: 1\nlisten: {{hooks: "127.0.0.1:{self._hooks}", board: "127.0.0.1:{self._board}"}}\n'
            f"storage: {folder}/sanfen.db\npolicy: taobao-2022-01\n{channels}",
            encoding="utf-8",
        )

    @contextmanager
    def running(self) -> Iterator["Service"]:
        with (self._folder / "log").open("wb") as log:
            command = [sys.executable, "-Im", "sanfen.cli", "serve", "-c", str(self._config)]
            process = subprocess.Popen(command, env=os.environ | {"LANG": "C.UTF-8"}, stdout=log, stderr=log)
        try:
            until(lambda: process.poll() is not None or ready(f"http://127.0.0.1:{self._board}/readyz"), self.log)
            assert process.poll() is None, self.log()
            yield self
        finally:
            process.terminate()
            process.wait(timeout=30)

    def log(self) -> str:
        return (self._folder / "log").read_text(encoding="utf-8")

    def told(self, channel: str, count: int = 1) -> list[dict[str, Any]]:
        """The messages of a channel, once there are so many."""
        until(lambda: len(self._rows(channel)) >= count, self.log)
        return self._rows(channel)

    def _rows(self, channel: str) -> list[dict[str, Any]]:
        with closing(sqlite3.connect(f"file:{self._folder}/sanfen.db?mode=ro", uri=True)) as connection:
            connection.row_factory = sqlite3.Row
            rows = connection.execute("SELECT * FROM events WHERE channel = ? ORDER BY seq", (channel,))
            return [dict(row) for row in rows]


def post(url: str, body: bytes, headers: dict[str, str]) -> int:
    """The status of a POST."""
    try:
        with urllib.request.urlopen(urllib.request.Request(url, body, headers), timeout=30) as answer:  # noqa: S310
            return int(answer.status)
    except urllib.error.HTTPError as error:
        error.close()
        return error.code


def ready(url: str) -> bool:
    try:
        with urllib.request.urlopen(url, timeout=5) as answer:  # noqa: S310
            return bool(answer.status == 200)
    except OSError:
        return False


def until(holds: Callable[[], Any], says: Callable[[], str]) -> None:
    """Wait until something holds; bounded."""
    pause = threading.Event()
    for _ in range(600):
        if holds():
            return
        pause.wait(0.05)  # bounded
    raise AssertionError(says())

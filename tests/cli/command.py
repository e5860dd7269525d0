"""What calling the command gives."""

import json
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, NamedTuple
from urllib.request import urlopen

from tests.ports import free_port

__all__ = ["Done", "Sanfen", "serving"]


class Done(NamedTuple):
    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        return json.loads(self.out)


Sanfen = Callable[..., Done]


@contextmanager
def serving(config: Path, *options: str) -> Iterator[Path]:
    """The real service on free ports; gives the file that has what it says."""
    board, said = free_port(), config.with_name("said.txt")
    with config.open("a", encoding="utf-8") as file:
        file.write(f"listen: {{hooks: 127.0.0.1:{free_port()}, board: 127.0.0.1:{board}}}\n")
    command = [sys.executable, "-Im", "sanfen.cli", "--lang", "en", "serve", "-c", str(config), *options]
    with said.open("w", encoding="utf-8") as out, subprocess.Popen(command, stderr=out) as process:
        try:
            for _ in range(400):
                with suppress(OSError), urlopen(f"http://127.0.0.1:{board}/readyz", timeout=5):  # ours
                    break
                time.sleep(0.05)  # until it is ready; bounded
            yield said
        finally:
            process.terminate()
            process.wait(timeout=20)

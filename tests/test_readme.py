"""The first ten minutes of both readmes, run as they are written."""

import fcntl
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
FAILS = {"sanfen check config/sanfen.yaml": 1}  # the mistake that is made on purpose
SAYS = {
    "--auto": ("invalid", "无效"),
    "--from agent:小美": ("met", "达标"),
    "explain": ("closes the round", "结束这一轮"),
    "sanfen check": ("error[C013]", "error[C013]"),
    "sanfen test": ("1 passed", "1 通过"),
    "notify": ("told in", "已送达"),
    "--by agent --days 30": ("莉莉", "莉莉"),
}


def commands(name: str, heading: str) -> list[str]:
    text = (ROOT / name).read_text(encoding="utf-8")
    section = text.partition(f"## {heading}\n")[2].partition("\n## ")[0]
    return [line[2:] for block in re.findall(r"```\n(.*?)```", section, re.DOTALL) for line in block.splitlines()]


@contextmanager
def left_running(command: str, folder: Path, ready: str, environment: dict[str, str]) -> Iterator[None]:
    """A command of the first terminal, until it says that it is ready; ended by Ctrl-C."""
    with subprocess.Popen(
        command.split(), cwd=folder, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    ) as process:
        assert process.stdout is not None
        assert any(ready in line for line in iter(process.stdout.readline, ""))
        try:
            yield
        finally:
            process.send_signal(signal.SIGINT)
            process.communicate(timeout=30)


@pytest.fixture
def _alone(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Both languages want the ports that the page names: one after the other, also in several workers."""
    with (tmp_path_factory.getbasetemp().parent / "readme.lock").open("w", encoding="utf-8") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


@pytest.mark.parametrize(
    ("name", "heading", "column"),
    [("README.md", "The first ten minutes", 0), ("README.zh-CN.md", "最初十分钟", 1)],
)
@pytest.mark.timeout(300)
@pytest.mark.usefixtures("_alone")
def test_the_first_ten_minutes(tmp_path: Path, name: str, heading: str, column: int) -> None:
    """Only `make demo` and the activation are not: make calls `sanfen demo`, and this environment is active already."""
    lines = commands(name, heading)
    first, activate, *rest = lines
    second = next(number for number, line in enumerate(rest) if "serve" in line)
    bin_folder = str(Path(sys.executable).parent)
    environment = os.environ | {"PATH": f"{bin_folder}{os.pathsep}{os.environ['PATH']}", "LANG": "C.UTF-8"}
    environment.pop("SANFEN_CONFIG", None)
    folder = tmp_path

    def follow(line: str) -> None:
        nonlocal folder
        if line.startswith("cd "):
            folder /= line[3:]
            return
        done = subprocess.run(
            ["bash", "-c", line], cwd=folder, env=environment, capture_output=True, text=True, check=False
        )
        wanted = [words[column] for part, words in SAYS.items() if part in line]
        told = done.stdout + done.stderr

        assert done.returncode == FAILS.get(line, 0), (line, told)
        assert [words for words in wanted[:1] if words not in told] == [], (line, told)

    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    assert (first, activate) == ("make demo", ". .venv/bin/activate")
    assert re.search(r"^demo:.*\n\t@exec \$\(RUN\)/sanfen demo \$\(ARGS\)$", makefile, re.MULTILINE)
    with left_running("sanfen demo", tmp_path, "sanfen say", environment):
        for line in rest[:second]:
            follow(line)
    with left_running(rest[second], folder, "board ", environment):
        for _ in range(100):
            ready = subprocess.run(
                ["sanfen", "tail", "--for", "1ms"], cwd=folder, env=environment, capture_output=True, check=False
            )
            if ready.returncode == 0:
                break
            time.sleep(0.1)  # until it answers; bounded
        for line in rest[second + 1 :]:
            follow(line)

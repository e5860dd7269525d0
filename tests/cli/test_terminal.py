"""What only a terminal shows: lines that fit, and colour; whoever reads a pipe gets whole lines and none of it."""

import fcntl
import os
import pty
import shutil
import struct
import subprocess
import sys
import termios
import unicodedata
from pathlib import Path

import pytest
from tests.cli.command import Sanfen

COLUMNS = 60
CHAT = """\
policy: taobao-2022-01

2023-01-07
10:10:15 customer A  订单怎么还没有发货呀我已经等了三天了请问什么时候可以发出来
10:18:10 agent 小美  您好您的订单已经安排好了今天下午就会发出请您放心再等一等哦
"""


def on_a_terminal(*arguments: object, **more: str) -> list[str]:
    """The lines a command prints on a terminal of so many columns."""
    ours, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 24, COLUMNS, 0, 0))
    environment = {name: value for name, value in os.environ.items() if name not in ("COLUMNS", "NO_COLOR")}
    command = [sys.executable, "-Im", "sanfen.cli", *map(str, arguments)]
    out = b""
    with subprocess.Popen(command, stdin=theirs, stdout=theirs, stderr=theirs, env=environment | more) as process:
        os.close(theirs)
        try:
            while piece := os.read(ours, 65_536):
                out += piece
        except OSError:
            pass  # Linux says so of a terminal that was closed
    os.close(ours)
    assert process.returncode == 0
    return out.decode().replace("\r", "").splitlines()


def width(line: str) -> int:
    return sum(2 if unicodedata.east_asian_width(char) in "WF" else 1 for char in line)


@pytest.fixture
def log(tmp_path: Path, sanfen: Sanfen) -> Path:
    chat, out = tmp_path / "chat.txt", tmp_path / "scored.db"
    chat.write_text(CHAT, encoding="utf-8")
    assert sanfen("replay", chat, "--out", out).code == 0
    return out


@pytest.mark.parametrize("language", ["en", "zh"])
def test_lines_fit_and_lose_nothing(log: Path, sanfen: Sanfen, language: str) -> None:
    """Folded at the terminal's edge; the same letters as in the pipe, where each thing stays one line."""
    for question in (
        ["explain", log, "A"],
        ["policies", "taobao-2022-01"],
    ):
        shown = on_a_terminal("--lang", language, *question)
        piped = sanfen("--lang", language, *question).out

        assert max(map(width, shown)) <= COLUMNS
        assert "".join("".join(shown).split()) == "".join(piped.split())
        assert len(shown) > len(piped.splitlines())


def test_wide_columns_are_folded_side_by_side() -> None:
    shown = on_a_terminal("policies", "taobao-2022-01", "taobao-2023-05", NO_COLOR="1")

    assert max(map(width, shown)) <= COLUMNS
    assert any(line.startswith(" " * 12) for line in shown)


def test_colour_is_for_terminals_that_want_it(log: Path, sanfen: Sanfen) -> None:
    plain, coloured = (on_a_terminal("rates", log, **more) for more in ({"NO_COLOR": "1"}, {}))

    assert "\x1b" not in "".join(plain)
    assert "\x1b[1m" in "".join(coloured)
    assert "\x1b" not in sanfen("rates", log).out


def completed(shell: str, folder: Path, words: str) -> str:
    """What the shell itself offers after these words, its script where docs/cli.md puts it."""
    names = {"bash": "sanfen", "zsh": "_sanfen", "fish": "sanfen.fish"}
    command = Path(sys.executable).with_name("sanfen")
    made = subprocess.run([command, "completion", shell], capture_output=True, check=True)
    (folder / names[shell]).write_bytes(made.stdout)
    environment = os.environ | {
        "PATH": f"{command.parent}:{os.environ['PATH']}",
        "HOME": str(folder),
        "LANG": "C.UTF-8",
    }
    asks = {
        "bash": ["bash", "-c", BASH, words],
        "fish": ["fish", "-c", f"source sanfen.fish; complete -C '{words}'"],
        "zsh": ["zsh", "-f", "-c", ZPTY, words],
    }
    done = subprocess.run(
        asks[shell], env=environment, cwd=folder, capture_output=True, text=True, check=True, timeout=60
    )
    return done.stdout


BASH = """
. ./sanfen
read -ra COMP_WORDS <<<"$0"
COMP_CWORD=$((${#COMP_WORDS[@]} - 1))
_sanfen_completion sanfen
printf '%s\\n' "${COMPREPLY[@]}"
"""
ZPTY = """
zmodload zsh/zpty
zpty one zsh -f -i
zpty -w one "PS1=; fpath+=($PWD); autoload -Uz compinit; compinit -u; print rea''dy"
while zpty -r one line; do [[ $line == *ready* && $line != *print* ]] && break; done
zpty -w -n one "$0"$'\t\t'
zpty -w one "; print do''ne"
while zpty -r one line; do print -r -- "$line"; [[ $line == *done* && $line != *print* ]] && break; done
"""


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
@pytest.mark.parametrize(
    ("words", "offered"),
    [("sanfen rat", "rates"), ("sanfen rounds --sta", "--status"), ("sanfen rounds --status mi", "missed")],
)
def test_the_shell_itself_completes(tmp_path: Path, shell: str, words: str, offered: str) -> None:
    if shutil.which(shell) is None:
        pytest.skip(f"needs {shell}")

    assert offered in completed(shell, tmp_path, words)

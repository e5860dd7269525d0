"""docs/tutorial.md, command by command, in one shell as its reader has it; only the ports are other ones."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from tests.ports import free_port

TUTORIAL = Path(__file__).parent.parent / "docs" / "tutorial.md"
END = "-- end of the command"


def commands(text: str) -> list[tuple[str, str]]:
    """Each command with what it prints; one that ends in a backslash goes on."""
    found: list[tuple[str, str]] = []
    for block in re.findall(r"```console\n(.*?)```", text, re.DOTALL):
        for line in block.splitlines():
            if line.startswith("$ "):
                found.append((line[2:], ""))
            else:
                command, output = found[-1]
                found[-1] = (command, f"{output}{line}\n")
    return found


def like(expected: str) -> re.Pattern[str]:
    """``…`` stands for anything, as in a doctest."""
    return re.compile(".*".join(re.escape(part) for part in expected.strip().split("…")), re.DOTALL)


def shown(lines: str) -> str:
    """Tables fill their columns; a reader does not count the blanks."""
    return "\n".join(re.sub(r" {2,}", "  ", line).rstrip() for line in lines.strip().splitlines())


def run(shell: subprocess.Popen[str], command: str) -> str:
    assert shell.stdin is not None
    assert shell.stdout is not None
    shell.stdin.write(f"{command}\necho '{END}'\n")
    shell.stdin.flush()
    lines: list[str] = []
    while not lines or not lines[-1].endswith(f"{END}\n"):
        lines.append(shell.stdout.readline())
        assert lines[-1], f"the shell ended: {command}\n{''.join(lines)}"
    return "".join(lines).removesuffix(f"{END}\n")


@pytest.mark.skipif(
    not all(map(shutil.which, ("bash", "curl", "openssl", "od"))), reason="needs bash, curl, openssl, od"
)
def test_the_tutorial_runs_as_written(tmp_path: Path) -> None:
    traffic, board, desk = (str(free_port()) for _ in range(3))
    text = TUTORIAL.read_text(encoding="utf-8").replace("8970", traffic).replace("8971", board).replace("9001", desk)
    environment = {
        "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
        "HOME": str(tmp_path),
        "LANG": "C.UTF-8",
        "PYTHONUNBUFFERED": "1",
        "COLUMNS": "120",
    }
    shell = subprocess.Popen(
        ["bash"], cwd=tmp_path, env=environment, text=True, stdin=-1, stdout=-1, stderr=subprocess.STDOUT
    )
    try:
        for command, expected in commands(text):
            found = re.fullmatch(r"cat (\S+)", command)
            if found and not (tmp_path / found[1]).exists():
                (tmp_path / found[1]).write_text(expected, encoding="utf-8")
                continue
            printed = run(shell, command)
            holds = bool(like(shown(expected)).fullmatch(shown(printed)))
            assert holds, f"$ {command}\n{printed}"
    finally:
        shell.communicate("kill %2 %1 2> /dev/null\n", timeout=20)

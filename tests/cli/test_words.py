"""The command line in two languages: every verb, option and header has Chinese, and nothing of it is stale."""

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import click
import pytest
from tests.cli.command import Sanfen

from sanfen.cli import VERBS, cli
from sanfen.cli.chinese import COLUMNS, OPTIONS
from sanfen.cli.chinese import VERBS as CHINESE

SOURCES = Path(__file__).parent.parent.parent / "plugin" / "sanfen"
HEAVY = ("aiohttp", "apprise", "jinja2", "pydantic", "rich", "sqlite3", "sqlite_utils", "structlog", "yaml")


def commands(command: click.Command, path: str = "") -> Iterator[tuple[str, click.Command]]:
    yield path, command
    names = VERBS if path == "" else getattr(command, "commands", {})
    for name in names:
        assert isinstance(command, click.Group)
        found = command.get_command(click.Context(command), name)
        assert found is not None
        yield from commands(found, f"{path} {name}".strip())


def test_every_verb_and_option_has_chinese_and_no_other_does() -> None:
    found = dict(commands(cli))
    options = [one for command in found.values() for one in command.params if isinstance(one, click.Option)]

    assert set(CHINESE) == set(found)
    assert {one.help for one in options} == set(OPTIONS)


def test_every_header_of_a_table_has_chinese() -> None:
    """Where a column list of a verb stands in the code, its names are known; none is known that stands nowhere."""
    code = "\n".join(path.read_text(encoding="utf-8") for path in SOURCES.rglob("*.py") if path.name != "chinese.py")

    assert not [name for name in COLUMNS if f'"{name}"' not in code and f'"{name}_ms"' not in code]


@pytest.mark.parametrize("verb", ["", *VERBS])
def test_help_is_in_the_language_that_is_asked_for(sanfen: Sanfen, verb: str) -> None:
    """Before the verb, after it, or from the environment."""
    words = verb.split()
    english, before = sanfen(*words, "--help"), sanfen("--lang", "zh", *words, "--help")
    after = sanfen(*words, "--lang", "zh", "--help")
    chinese = re.compile("[\u4e00-\u9fff]{2}")

    assert not chinese.search(english.out.replace("三分", ""))
    assert chinese.search(before.out)
    assert after.out == before.out


def test_the_environment_chooses(sanfen: Sanfen, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LANG", "zh_CN.UTF-8")
    chinese = sanfen("--help").out
    monkeypatch.setenv("LC_ALL", "en_US.UTF-8")

    assert "命令" in chinese
    assert "命令" not in sanfen("--help").out
    assert "命令" in sanfen("--lang", "zh", "--help").out


def test_help_loads_nothing_heavy() -> None:
    """So that it is there at once (benchmarks/start.py says how soon)."""
    command = [sys.executable, "-X", "importtime", "-Im", "sanfen.cli", "--help"]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    loaded = {line.rpartition("|")[2].strip().partition(".")[0] for line in done.stderr.splitlines()}

    assert "click" in loaded
    assert not loaded & set(HEAVY)


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_completion_scripts(sanfen: Sanfen, shell: str) -> None:
    done = sanfen("completion", shell)

    assert done.code == 0
    assert f"_SANFEN_COMPLETE={shell}_complete" in done.out


def test_the_shell_is_told_what_may_follow(tmp_path: Path) -> None:
    """As the script of bash asks; and bash takes the script."""
    script = subprocess.run(
        [sys.executable, "-Im", "sanfen.cli", "completion", "bash"], capture_output=True, check=True
    )
    checked = subprocess.run(["bash", "-n"], input=script.stdout, capture_output=True, check=False)
    found = {}
    for words, at in (
        ("sanfen ra", 1),
        ("sanfen rounds --sta", 2),
        ("sanfen rounds --status m", 3),
        ("sanfen quiet ", 2),
    ):
        asked = {"_SANFEN_COMPLETE": "bash_complete", "COMP_WORDS": words, "COMP_CWORD": str(at)}
        command = [sys.executable, "-Ic", "from sanfen.cli import main; main([])"]
        done = subprocess.run(command, env=os.environ | asked, capture_output=True, text=True, check=True, cwd=tmp_path)
        found[words] = {line.partition(",")[2] for line in done.stdout.splitlines()}

    assert checked.returncode == 0
    assert found == {
        "sanfen ra": {"rates"},
        "sanfen rounds --sta": {"--status"},
        "sanfen rounds --status m": {"met", "missed"},
        "sanfen quiet ": {"add", "list", "end"},
    }

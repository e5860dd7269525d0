"""The command as users call it, and a small chat for it."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.bulk.test_trials import CONFIG
from tests.cli.command import Done, Sanfen, serving

from sanfen.cli import main

CHAT = [
    ("2023-01-07T10:10:15+08:00", "customer", None),
    ("2023-01-07T10:15:20+08:00", "customer", None),
    ("2023-01-07T10:18:10+08:00", "merchant", "human"),
    ("2023-01-07T10:18:30+08:00", "customer", None),
    ("2023-01-07T10:19:00+08:00", "merchant", "human"),
]


@pytest.fixture
def sanfen(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Sanfen:
    """The command in this process."""
    monkeypatch.setenv("LANG", "C.UTF-8")
    monkeypatch.delenv("LC_ALL", raising=False)

    def call(*arguments: object) -> Done:
        with pytest.raises(SystemExit) as end:
            main([str(one) for one in arguments])
        said = capsys.readouterr()
        return Done(int(end.value.code or 0), said.out, said.err)

    return call


@pytest.fixture
def chat(tmp_path: Path) -> Path:
    rows = [
        {"id": str(n), "at": at, "from": who, "customer": "tb_赵1234", "agent": "小美" if mode else None, "mode": mode}
        for n, (at, who, mode) in enumerate(CHAT)
    ]
    path = tmp_path / "chat.jsonl"
    path.write_text("".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows), encoding="utf-8")
    return path


@pytest.fixture
def scored(sanfen: Sanfen, chat: Path) -> Path:
    log = chat.with_name("scored.db")
    assert sanfen("replay", chat, "--out", log, "--policy", "taobao-2022-01", "--policy", "taote-2023").code == 0
    return log


@pytest.fixture
def config(tmp_path: Path) -> Path:
    path = tmp_path / "sanfen.yaml"
    path.write_text(CONFIG, encoding="utf-8")
    return path


@pytest.fixture
def served(config: Path) -> Iterator[Path]:
    """The real service, until the test is over."""
    with serving(config):
        yield config

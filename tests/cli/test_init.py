"""What `sanfen init` writes can be used at once, in both languages and under every policy that can be judged live."""

import io
import json
import stat
from pathlib import Path

import pytest
from tests.cli.command import Sanfen

from sanfen.config import presets
from sanfen.config.jsonschema import config_schema
from sanfen.errors import PolicyError
from sanfen.plugins import Plugins

WRITTEN = (
    "config/sanfen.yaml",
    "config/sanfen.schema.json",
    "config/sanfen.service",
    "secrets/desk",
    "tests/first.txt",
)


@pytest.mark.parametrize("language", ["zh", "en"])
def test_everything_is_written_and_holds(sanfen: Sanfen, tmp_path: Path, language: str) -> None:
    done = sanfen("--lang", language, "init", tmp_path, "--yes")
    config = tmp_path / "config/sanfen.yaml"

    assert done.code == 0
    assert done.out.split() == [str(tmp_path / name) for name in WRITTEN]
    assert stat.S_IMODE((tmp_path / "secrets/desk").stat().st_mode) == 0o600
    assert json.loads((tmp_path / "config/sanfen.schema.json").read_text(encoding="utf-8")) == config_schema()
    assert "ExecStart=" in (tmp_path / "config/sanfen.service").read_text(encoding="utf-8")
    assert len(config.read_text(encoding="utf-8").splitlines()) < 45
    assert sanfen("check", "--strict", config).code == 0
    assert sanfen("test", tmp_path / "tests", "-c", config).out.strip() == "1 passed, 0 failed"


def scoring() -> list[str]:
    out = []
    for name in presets.names():
        try:
            presets.policy(name)
        except PolicyError:
            continue
        out.append(name)
    return out


def test_every_policy_that_scores_replies_can_be_chosen(sanfen: Sanfen, tmp_path: Path) -> None:
    """Ladders fit the deadline, and the test says what this policy makes of the chat."""
    for name in scoring():
        folder = tmp_path / name
        assert sanfen("init", folder, "--yes", "--policy", name).code == 0, name
        assert sanfen("check", folder / "config/sanfen.yaml").code == 0, name
        assert sanfen("test", folder / "tests", "-c", folder / "config/sanfen.yaml").code == 0, name


def test_four_questions_are_answered(sanfen: Sanfen, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A wrong answer is asked again."""
    answers = "generic\ndingtalkk://x\nconsole:\npdd-3m\nAsia/Tokyo\n"
    monkeypatch.setattr("sys.stdin", io.StringIO(answers))
    done = sanfen("init", tmp_path)
    text = (tmp_path / "config/sanfen.yaml").read_text(encoding="utf-8")

    assert (done.code, "did you mean dingtalk" in done.err) == (0, True)
    assert ("policy: pdd-3m" in text, "timezone: Asia/Tokyo" in text) == (True, True)


@pytest.mark.parametrize("name", sorted(Plugins().channels))
def test_every_channel_can_be_chosen_without_a_warning(sanfen: Sanfen, tmp_path: Path, name: str) -> None:
    sanfen("init", tmp_path, "--yes", "--channel", name)

    assert sanfen("check", "--strict", tmp_path / "config/sanfen.yaml").code == 0


def test_a_channels_own_secret_is_not_made_up(sanfen: Sanfen, tmp_path: Path) -> None:
    """What a platform gives is the key as it stands; ours begins with whsec_ and is base64."""
    sanfen("init", tmp_path, "--yes", "--channel", "chatwoot")

    assert "put the channel's own secret into this file" in (tmp_path / "config/sanfen.yaml").read_text(
        encoding="utf-8"
    )
    assert not (tmp_path / "secrets/chatwoot").read_text(encoding="utf-8").startswith("whsec_")


def test_a_robots_address_is_kept_out_of_the_configuration(sanfen: Sanfen, tmp_path: Path) -> None:
    token = "0123456789abcdef" * 4
    sanfen("init", tmp_path, "--yes", "--told", f"dingtalk://{token}")
    checked = sanfen("check", "--strict", tmp_path / "config/sanfen.yaml")

    assert token not in (tmp_path / "config/sanfen.yaml").read_text(encoding="utf-8")
    assert (tmp_path / "secrets/lead").read_text(encoding="utf-8") == f"dingtalk://{token}\n"
    assert ((tmp_path / "secrets/lead").stat().st_mode & 0o777, checked.code) == (0o600, 0)


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ("--policy pdd-3", "no policy is called 'pdd-3'"),
        ("--policy whatsapp-window", "limits sending"),
        ("--tz Asia/Peking", "no zone is called 'Asia/Peking'"),
        ("--told pigeon://x", "no way to reach people"),
        ("--channel qianniu", "qianniu"),
    ],
)
def test_a_wrong_choice_writes_nothing(sanfen: Sanfen, tmp_path: Path, given: str, words: str) -> None:
    done = sanfen("init", tmp_path / "shop", "--yes", *given.split())

    assert (done.code, words in done.err, (tmp_path / "shop").exists()) == (2, True, False)


def test_nothing_is_written_over(sanfen: Sanfen, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.stdin", io.StringIO(""))
    nobody = sanfen("init", tmp_path)
    (tmp_path / "secrets").mkdir()
    (tmp_path / "secrets/desk").write_text("mine", encoding="utf-8")
    refused = sanfen("init", tmp_path, "--yes")

    assert (nobody.code, "--yes takes the defaults" in nobody.err) == (2, True)
    assert (refused.code, "is there already" in refused.err) == (2, True)
    assert [path.name for path in tmp_path.rglob("*") if path.is_file()] == ["desk"]

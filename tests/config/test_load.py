"""A configuration loads, or says everything that is wrong with it: code, sentence, place, mend."""

import json
from fractions import Fraction
from pathlib import Path

import jsonschema
import pytest
import yaml as pyyaml
from hypothesis import given, settings
from hypothesis import strategies as st

from sanfen.config.findings import CODES, Finding, Findings
from sanfen.config.jsonschema import config_schema
from sanfen.config.load import inspect, inspect_rules, load
from sanfen.config.settings import Secret
from sanfen.errors import ConfigError
from sanfen.plugins import Patience

BAD = sorted((Path(__file__).parent / "bad").glob("*.yaml"))
CONFIG = Path(__file__).parent.parent.parent / "config"
SECRETS = ("DESK_SECRET", "DESK_SECRET_OLD", "LEAD_SECRET", "DING_SECRET", "DING_TOKEN", "XIAODUO_TOKEN")
ENVIRONMENT = dict.fromkeys(SECRETS, "a-secret-of-the-test")
ENVIRONMENT["SANFEN_TOKEN"] = "0123456789abcdef" * 4


@pytest.mark.parametrize("path", BAD, ids=lambda path: path.stem)
def test_a_mistake_is_said_in_one_sentence(path: Path) -> None:
    """The first line of each file says what must be found; only findings of that code may come."""
    code, _, sentence = path.read_text(encoding="utf-8").splitlines()[0].removeprefix("# ").partition(" ")
    loaded, findings = inspect(path, {})

    assert (code, sentence) == (findings[0].code, findings[0].message)
    assert {code} == {finding.code for finding in findings}
    assert (loaded is None) == code.startswith("C")
    assert all(finding.line >= 1 and finding.column >= 1 for finding in findings)


def test_every_code_has_a_file() -> None:
    shown = {path.read_text(encoding="utf-8").split()[1] for path in BAD}

    online = {code for code, told in CODES.items() if told.startswith("Only with --online")}

    assert set(CODES) - shown - online == {"C003", "W106"}


def test_all_mistakes_come_in_one_run(tmp_path: Path) -> None:
    path = tmp_path / "sanfen.yaml"
    path.write_text("version: 1\nshop: {nane: x, language: cn}\ntarget: ninety\npolicy: nowhere\n", encoding="utf-8")
    with pytest.raises(ConfigError) as error:
        load(path, {})

    assert str(error.value).count("error[") == 4


def test_a_finding_is_shown_with_its_line_and_a_caret(tmp_path: Path) -> None:
    """The caret stands under the word, also behind Chinese."""
    path = tmp_path / "sanfen.yaml"
    path.write_text("version: 1\nshop: {name: 旗舰店, nane: x}\n", encoding="utf-8")
    _, findings = inspect(path, {})
    shown = Findings(findings).replace(str(path), "sanfen.yaml")

    assert shown == (
        "error[C010]: unknown key 'nane'\n"
        "  --> sanfen.yaml:2:19\n"
        "  |\n"
        "2 | shop: {name: 旗舰店, nane: x}\n"
        "  |                      ^^^^ not a setting here\n"
        "   = help: did you mean name? known here: id, name, timezone, language"
    )


@pytest.mark.parametrize("name", ["missing.yaml", "", "large.yaml", "latin.yaml"])
def test_a_file_that_cannot_be_read(tmp_path: Path, name: str) -> None:
    (tmp_path / "large.yaml").write_bytes(b"#" * 300_000)
    (tmp_path / "latin.yaml").write_bytes(b"version: 1\nstorage: \xe9\n")
    _, findings = inspect(tmp_path / name, {})

    assert ["C003"] == [finding.code for finding in findings]
    assert findings[0].help


def test_the_example_loads_without_a_finding() -> None:
    loaded, findings = inspect(CONFIG / "sanfen.example.yaml", ENVIRONMENT)

    assert (findings, len(loaded.policies if loaded else ())) == ([], 2)


def test_the_example_names_every_key() -> None:
    """Whoever adds a key shows it."""
    text = (CONFIG / "sanfen.example.yaml").read_text(encoding="utf-8")
    schema = config_schema()
    keys = set(schema["properties"]) | {key for one in schema["$defs"].values() for key in one.get("properties", ())}

    assert sorted(key for key in keys if f"{key}:" not in text) == ["based_on"] * (0 if "based_on:" in text else 1)


def test_the_schema_for_editors_is_fresh_and_takes_the_example() -> None:
    written = json.loads((CONFIG / "sanfen.schema.json").read_text(encoding="utf-8"))

    assert written == json.loads(json.dumps(config_schema()))
    text = (CONFIG / "sanfen.example.yaml").read_text(encoding="utf-8")
    example = pyyaml.load(text, Loader=pyyaml.BaseLoader)  # noqa: S506  # it makes texts only
    jsonschema.validate(example, written)


def test_short_keys_of_an_own_policy(tmp_path: Path) -> None:
    path = tmp_path / "sanfen.yaml"
    path.write_text(
        "version: 1\npolicy: ours\npolicies:\n"
        "  ours: {based_on: taobao-2022-01, deadline: 2m, window: 09:00-23:00, target: 95%, midnight: missed}\n",
        encoding="utf-8",
    )
    policy = load(path, {}).policies[0]

    assert (policy.due[0].after_ms, policy.midnight, policy.targets[0].value) == (120_000, "missed", Fraction(95, 100))
    assert policy.hours is not None
    assert (policy.hours.open_min, policy.hours.close_min) == (540, 1380)


def test_a_warning_can_be_silenced_in_its_line(tmp_path: Path) -> None:
    path = tmp_path / "sanfen.yaml"
    path.write_text("version: 1\ntarget: 110%  # sanfen: allow W105\n", encoding="utf-8")

    assert inspect(path, {})[1] == []


def test_secrets_never_show_themselves(tmp_path: Path) -> None:
    path = tmp_path / "sanfen.yaml"
    path.write_text("version: 1\nchannels:\n  desk: {secret: the-very-secret}\n", encoding="utf-8")
    loaded, findings = inspect(path, {})
    assert loaded is not None

    assert "the-very-secret" not in repr(loaded) + Findings(findings)
    assert loaded.settings.channels["desk"].secrets == (Secret("the-very-secret"),)


def test_every_way_of_a_person_is_read(tmp_path: Path) -> None:
    """Each wrong one has its own place and mend; a token that came from the environment is no secret in the file."""
    path = tmp_path / "sanfen.yaml"
    path.write_text(
        "version: 1\npeople:\n  a:\n    via:\n"
        "      - dingtalk://${DING_TOKEN}?at=1\n      - {url: 'lark:', secret: '${DING_SECRET}'}\n      - 'webhook:'\n"
        "      - dingtolk://0123456789\n      - https://example.com/x\n",
        encoding="utf-8",
    )
    _, findings = inspect(path, ENVIRONMENT)

    assert [(finding.line, finding.code) for finding in findings] == [(n, "C012") for n in (6, 7, 8, 9)]
    assert all(finding.help for finding in findings)
    assert findings[2].help.startswith("did you mean dingtalk? write one of ours")


def test_an_unset_variable_is_said_once(tmp_path: Path) -> None:
    path = tmp_path / "sanfen.yaml"
    path.write_text("version: 1\npeople:\n  a: {via: ['dingtalk://${NOBODY}']}\n", encoding="utf-8")

    assert [finding.code for finding in inspect(path, {})[1]] == ["C004"]


def test_a_secret_may_stand_in_a_file_only_we_can_read(tmp_path: Path) -> None:
    """Beside the configuration; a file others can read, or that holds something else, is said and not used."""
    path, secret = tmp_path / "sanfen.yaml", tmp_path / "desk.secret"
    path.write_text("version: 1\nchannels:\n  desk: {secret: '${file:desk.secret}'}\n", encoding="utf-8")
    secret.write_text("the-very-secret\n", encoding="utf-8")

    secret.chmod(0o600)
    assert load(path, {}).settings.channels["desk"].secrets == (Secret("the-very-secret"),)
    for mode in (0o640, 0o604, 0o660, 0o622):
        secret.chmod(mode)
        (found,) = inspect(path, {})[1]
        assert (found.code, found.message) == ("C005", "desk.secret: others on this machine can read it")
        assert found.help == "chmod 600 desk.secret"
    secret.chmod(0o600)
    for content in (b"", b"\n", b"two\nlines", b"\xff\xfe", b"a\0b", b"x" * 5_000):
        secret.write_bytes(content)
        assert [found.code for found in inspect(path, {})[1]] == ["C005"]
    secret.unlink()
    secret.mkdir(mode=0o700)
    assert [found.code for found in inspect(path, {})[1]] == ["C005"]


def test_a_secret_may_have_a_name_and_an_end(tmp_path: Path) -> None:
    path = tmp_path / "sanfen.yaml"
    path.write_text(
        "version: 1\nchannels:\n  desk:\n    secret: ${NEW}\n"
        "    secrets: [{value: '${OLD}', name: old, not_after: 2026-12-01T00:00}]\n",
        encoding="utf-8",
    )
    new, old = load(path, {"NEW": "new-secret", "OLD": "old-secret"}).settings.channels["desk"].secrets

    assert (new.reveal(), new.name, new.not_after_ms) == ("new-secret", "1", None)
    assert (old.reveal(), old.name, old.not_after_ms) == ("old-secret", "old", 1_796_054_400_000)


def test_rules_can_stand_in_a_file_of_their_own(tmp_path: Path) -> None:
    path = tmp_path / "rules.yaml"
    path.write_text("classify:\n  - {name: all, verdict: valid}\n", encoding="utf-8")
    assert [rule.name for rule in inspect_rules(path)] == ["all"]
    path.write_text("rules: []\n", encoding="utf-8")
    with pytest.raises(ConfigError, match="'classify' is missing"):
        inspect_rules(path)


@given(st.text(alphabet=st.characters(codec="utf-8"), max_size=200) | st.sampled_from(["version: 1\n", "shop: "]).flatmap(
    lambda head: st.text(alphabet="[]{}:,-&*!'\"\n ax1%<|>?#", max_size=60).map(lambda tail: head + tail)
))  # fmt: skip
@settings(max_examples=300, deadline=None)
def test_no_text_breaks_the_loader(tmp_path_factory: pytest.TempPathFactory, text: str) -> None:
    """Whatever stands in the file: findings, or a configuration; never another exception."""
    path = tmp_path_factory.mktemp("c") / "c.yaml"
    path.write_text(text, encoding="utf-8", newline="")
    loaded, findings = inspect(path, {})

    assert loaded is not None or any(finding.is_error for finding in findings)
    assert all(isinstance(finding, Finding) for finding in findings)
    Findings(findings)


def test_a_channel_that_gives_up_first_is_found_by_its_adapter(tmp_path: Path) -> None:
    """What an adapter knows of its channel holds where the file says nothing; a stored delivery has no target to wait for."""
    path = tmp_path / "sanfen.yaml"
    for more, codes in (
        (", adapter: x", ["C024", "W112"]),
        (", adapter: x, ack_within: 500ms", ["W112"]),
        (", adapter: x, ack_within: 500ms, delivery: store", []),
        (", adapter: x, deadline: 1m", []),
        (", adapter: y", ["C024"]),
        (", adapter: y, ack_within: 500ms", []),
    ):
        path.write_text(f"version: 1\nchannels:\n  desk: {{signing: none{more}}}\n", encoding="utf-8")
        _, findings = inspect(path, {}, deadlines={"x": Patience(1_000), "y": Patience(1_000, wants_workflow=False)})
        assert [one.code for one in findings if one.code != "W111"] == codes, more


@pytest.mark.parametrize(
    ("adapter", "ways", "wanted"),
    [
        ("telegram", "from_shop: {forward: 'http://127.0.0.1:1'}", False),  # a polling bot: Telegram judges its calls
        ("line", "from_shop: {forward: 'http://127.0.0.1:1'}", False),
        (
            "telegram",
            "from_shop: {forward: 'http://127.0.0.1:1'}, from_customer: {forward: 'http://127.0.0.1:2'}",
            True,
        ),
        ("generic", "from_shop: {forward: 'http://127.0.0.1:1'}", True),
        ("telegram", "timeout: 9s", True),
    ],
)
def test_who_needs_a_secret(tmp_path: Path, adapter: str, ways: str, *, wanted: bool) -> None:
    path = tmp_path / "sanfen.yaml"
    path.write_text(f"version: 1\nchannels:\n  desk: {{adapter: {adapter}, {ways}}}\n", encoding="utf-8")
    _, findings = inspect(path, {})

    assert ["C011"] * wanted == [one.code for one in findings]


def test_an_option_of_an_adapter_is_a_text_or_a_list(tmp_path: Path) -> None:
    path = tmp_path / "sanfen.yaml"
    written = (
        'version: 1\nchannels: {kf: {adapter: wecom_kf, secret: "${S}", options: {corp_id: ww1, accounts: [a, b]}}}\n'
    )
    path.write_text(written, encoding="utf-8")
    settings = load(path, {"S": "a secret long enough"}).settings

    assert dict(settings.channels["kf"].options) == {"corp_id": "ww1", "accounts": ("a", "b")}

"""The shipped policies load, say where they come from, and can be changed."""

import pytest

from sanfen.config import presets
from sanfen.config.frozen import to_policy
from sanfen.config.policies import PolicyModel
from sanfen.errors import InputError, PolicyError, SanfenError


@pytest.mark.parametrize("name", presets.names())
def test_a_preset_names_itself_its_sources_and_how_sure_it_is(name: str) -> None:
    model = presets.model(name)

    assert model.id == name
    assert model.sources
    assert model.status is not None
    assert model.title is not None
    assert model.title.zh


def test_platforms_without_a_response_rule_say_so() -> None:
    for name, words in (("ebay", "has no response rule"), ("whatsapp-window", "limits sending")):
        with pytest.raises(PolicyError, match=words):
            presets.policy(name)


def test_all_rules_are_there() -> None:
    """46 response rules, one limit on sending, one platform without a rule; two of them are not verified."""
    kinds = [presets.model(name).kind for name in presets.names()]

    assert sorted((kinds.count("response"), kinds.count("constraint"), kinds.count("none"))) == [1, 1, 46]
    assert [name for name in presets.names() if presets.unverified(name)] == [
        "pdd-5m-2026-unverified",
        "weixin-shop-unverified",
    ]


@pytest.mark.parametrize("name", ["x" * 300, "x" * 300 + ".yaml"])
def test_a_name_no_file_can_have_is_one_of_no_policy(name: str) -> None:
    with pytest.raises(SanfenError, match="x" * 300):
        presets.policy(name)


def test_an_unknown_name_gets_the_nearest() -> None:
    with pytest.raises(PolicyError, match="no policy is called 'taobao-2022-1'") as error:
        presets.policy("taobao-2022-1")

    assert "taobao-2022-01" in error.value.hint


def test_set_changes_one_key_below_another() -> None:
    tree = presets.tree("taobao-2022-01")
    presets.apply_set(tree, "hours.open", "09:00")
    presets.apply_set(tree, "due", "[{after: 120s}]")
    changed = to_policy(presets.validate(tree, "x"))

    assert changed.hours is not None
    assert (changed.hours.open_min, changed.hours.close_min, changed.due[0].after_ms) == (540, 1440, 120_000)
    assert presets.tree("taobao-2022-01")["hours"]["open"] == "08:00"


@pytest.mark.parametrize("key", ["hourz.open", "", ".", "midnight.x", "hours."])
def test_set_refuses_what_is_no_key(key: str) -> None:
    with pytest.raises(InputError):
        presets.apply_set(presets.tree("taobao-2022-01"), key, "x")


def test_a_week_has_spans_for_each_day() -> None:
    week = {"mon": ["09:00-12:00", "13:00-17:00"], "sat": ["22:00-02:00"]}
    found = presets.policy("taobao-2022-01", overrides={"hours": {"week": week}})

    assert found.hours is not None
    assert found.hours.week == (((540, 720), (780, 1020)), (), (), (), (), ((1320, 120),), ())


@pytest.mark.parametrize(
    ("hours", "words"),
    [
        ({"week": {}}, "no day is open"),
        ({"days": []}, "no day is open"),
        ({"week": {"mon": ["09:00-17:00"]}, "open": "08:00"}, "week stands in place of open, close and days"),
        ({"week": {"mon": ["09:00-17:00", "16:00-18:00"]}}, "mon: spans overlap or are not in order"),
        ({"week": {"mon": ["22:00-06:00", "23:00-23:30"]}}, "mon: spans overlap or are not in order"),
        ({"week": {"mon": ["9-17"]}}, "not a window"),
    ],
)
def test_hours_that_cannot_be(hours: dict[str, object], words: str) -> None:
    with pytest.raises(PolicyError, match=words):
        presets.policy("taobao-2022-01", overrides={"hours": hours})


def test_marks_rise_with_their_bounds() -> None:
    bands = [{"within": "60s", "mark": 100}, {"within": "60s", "mark": 90}]
    with pytest.raises(PolicyError, match="each within must be longer"):
        presets.policy("taobao-2022-01", overrides={"marks": {"bands": bands}})


def test_a_wrong_value_names_its_key() -> None:
    with pytest.raises(PolicyError, match="policy p: midnight"):
        presets.validate({"id": "p", "midnight": "never"}, "p")


def test_the_version_follows_what_can_change_a_score() -> None:
    """Prose and targets do not; anything else does."""
    one = presets.policy("taobao-2023-05")
    prose = presets.policy("taobao-2023-05", overrides={"title": {"en": "x"}, "targets": []})
    other = presets.policy("taobao-2023-05", overrides={"inclusive": "false"})

    assert one.version == prose.version != other.version


def test_every_key_of_the_model_is_read() -> None:
    """A key that changes nothing would be decoration: each one but prose changes the version."""
    prose = {"schema", "id", "based_on", "kind", "title", "status", "sources", "valid", "targets", "constraint"}
    keys = {field.alias or name for name, field in PolicyModel.model_fields.items()} - prose

    assert keys == {
        "tz", "hours", "unit", "judge", "wait_from", "starts", "session", "due", "inclusive", "replies", "bots",
        "empty_replies", "no_reply", "midnight", "transfer", "agent_clock", "away", "exclude", "period", "report", "marks",
    }  # fmt: skip

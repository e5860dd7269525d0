"""The specification: every chat in tests/transcripts, under its policy, has the outcomes it says."""

from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from sanfen.bulk.rescore import Rescore
from sanfen.config import presets
from sanfen.config.frozen import to_policy
from sanfen.core.facts import Round
from sanfen.core.plan import plan_of
from sanfen.core.reasons import Reason
from sanfen.core.score import Outcome, Score
from sanfen.transcript import parse
from sanfen.wire import parse_instant, read_event

FOLDER = Path(__file__).parent.parent / "transcripts"
FILES = sorted(FOLDER.glob("*.txt"))
LONG_AFTER_MS = 4_000_000_000_000


def outcomes(path: Path) -> list[tuple[Round, Score]]:
    """What the machine makes of a transcript, in order of opening."""
    chat = parse(path.read_text(encoding="utf-8"), path.name)
    tree = presets.tree(chat.headers.get("policy", presets.DEFAULT))
    for one in chat.sets:
        key, _, value = one.partition("=")
        presets.apply_set(tree, key, value)
    holidays = frozenset(filter(None, chat.headers.get("holidays", "").split(",")))
    plan = plan_of(to_policy(presets.validate(tree, path.name), holidays=holidays))
    rows: list[tuple[Round, Score]] = []
    rescore = Rescore([plan], on_round=lambda _, one, scored: rows.append((one, scored)))
    zone = ZoneInfo("Asia/Shanghai")
    for _ in rescore.feed(read_event(fields, zone=zone) for _, fields in chat.rows):
        pass
    as_of = chat.headers.get("as-of")
    rescore.finish(parse_instant(as_of, zone) if as_of else LONG_AFTER_MS)
    return sorted(rows, key=lambda row: row[0].opened_ms)


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_transcript(path: Path) -> None:
    expected = [one for one in parse(path.read_text(encoding="utf-8"), path.name).expected if one.outcome != "none"]
    actual = outcomes(path)

    assert [one.outcome for one in expected] == [scored.outcome for _, scored in actual]
    assert [one.reason for one in expected] == [scored.public_reason for _, scored in actual]
    for one, (found, _) in zip(expected, actual, strict=True):
        if one.wait_ms is not None:
            assert one.wait_ms == found.wait_ms


def test_every_transcript_says_what_it_shows_and_where_from() -> None:
    titles = [path.read_text(encoding="utf-8").splitlines()[0] for path in FILES]

    assert all(title.startswith("# ") and title.rstrip().endswith(")") for title in titles)


def test_every_reason_has_a_transcript() -> None:
    """Reasons only other platforms' policies can give are shown by the worked cases of those policies."""
    seen = {scored.reason for path in FILES for _, scored in outcomes(path)}
    elsewhere = {"group_chat", "cn_account", "disabled_account", "no_response_needed", "holiday_mode"}
    verdicts = {r for r in Reason if r.startswith("reply_")} | {"unlisted_bot", "empty_reply", "mode_unknown"}

    assert set(Reason) - seen - verdicts == elsewhere
    assert {scored.outcome for path in FILES for _, scored in outcomes(path)} == set(Outcome)

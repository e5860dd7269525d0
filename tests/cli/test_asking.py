"""What verbs that ask a log say to a question that cannot be answered: each mistake has its own mend."""

from pathlib import Path

import pytest
from tests.cli.command import Sanfen


@pytest.mark.parametrize(
    ("asked", "words"),
    [
        ("rates --agent 小梅", "no round of the log has --agent '小梅': did you mean 小美?"),
        ("rounds --reason nope", "no round of the log has --reason 'nope': "),
        ("rates --score-set live", "no round of the log has --score-set 'live': it holds replay"),
        ("explain nobody", "no round and no customer of this log is called 'nobody'"),
    ],
)
def test_a_name_the_log_does_not_have_is_said(sanfen: Sanfen, scored: Path, asked: str, words: str) -> None:
    """Nothing found is an answer only where each part of the question is there."""
    verb, *given = asked.split()

    assert words in sanfen(verb, scored, *given).err


@pytest.mark.parametrize(
    ("sql", "words"),
    [
        ("SELECT * FROM rates_daly", "did you mean rates_daily? views: rounds, "),
        ("SELECT agnt FROM rounds", "docs/sql-cookbook.md lists the columns of every view"),
        ("DELETE FROM events", "nothing can be changed here"),
    ],
)
def test_a_mistake_in_sql_is_answered_with_its_mend(sanfen: Sanfen, scored: Path, sql: str, words: str) -> None:
    done = sanfen("query", scored, sql)

    assert (done.code, words in done.err) == (2, True)


@pytest.mark.parametrize(
    "asked", ["replay {table} --tz UTC --map-out {there}/map.yaml", "report {log} --out {there}/week.html"]
)
def test_a_file_that_cannot_be_written_is_said(sanfen: Sanfen, scored: Path, tmp_path: Path, asked: str) -> None:
    """A file stands where a folder should."""
    table = tmp_path / "chat.csv"
    table.write_text("时间,发送方,买家\n2026-11-20 10:00:00,买家,A\n", encoding="utf-8")
    verb, *given = asked.format(table=table, log=scored, there=scored).split()
    done = sanfen(verb, *given)

    assert (done.code, "cannot write" in done.err, "unexpected" in done.err) == (2, True, False)


@pytest.mark.parametrize(
    "asked", ["rates --days 99999999", "rounds --limit " + "9" * 20, "report --week 9999-W52", "report --week 0001-W01"]
)
def test_a_number_beyond_all_measure_is_refused(sanfen: Sanfen, scored: Path, asked: str) -> None:
    verb, *given = asked.split()
    done = sanfen(verb, scored, *given)

    assert (done.code, "unexpected" in done.err) == (2, False)

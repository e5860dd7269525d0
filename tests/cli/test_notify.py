"""``sanfen notify`` as a real process, with robots that take and refuse."""

import asyncio
import json
import os
import sys
from contextlib import closing
from pathlib import Path
from sqlite3 import connect
from typing import Any

from tests.robots import Robots

from sanfen.store.migrations import migrate
from sanfen_adapters.notifiers.dingtalk import DingTalk


async def notify(
    folder: Path, ways: list[Any], *arguments: str, storage: str = "none.db", **environment: str
) -> tuple[int, str, str]:
    """Exit code, standard output and standard error. ``ways``: addresses, with their secrets or alone."""
    config = folder / "sanfen.yaml"
    listed = json.dumps([way if isinstance(way, str) else {"url": way[0], "secret": way[1]} for way in ways])
    config.write_text(
        f"version: 1\nshop: {{name: 旗舰店}}\npeople:\n  值班: {{via: {listed}}}\nstorage: {storage}\n",
        encoding="utf-8",
    )
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-Pm", "sanfen.cli", *arguments, "-c", str(config)),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
        env=os.environ | {"LANG": "C.UTF-8", "PYTHONUTF8": "1"} | environment,
    )
    out, err = await process.communicate()
    return process.returncode or 0, out.decode(), err.decode()


async def test_the_first_way_that_works_is_enough(tmp_path: Path, robots: Robots) -> None:
    """Its order, the robot's words, the mend, and no token in what is printed."""
    first, second, third = robots.add("dingtalk", keyword="告警"), robots.add("feishu"), robots.add("wecombot")
    code, out, err = await notify(tmp_path, [first.address, second.address, third.address], "notify", "值班")
    lines = out.splitlines()

    assert code == 0
    assert lines[0] == "值班"
    assert lines[1].startswith("  1. dingtalk+http://…")
    assert "refused in" in lines[1]
    assert "310000 keywords not in content" in lines[1]
    assert lines[2] == "     = help: add the word 三分 to the robot's keywords: every message begins with it"
    assert "0 success" in lines[3]
    assert lines[4].endswith("not tried; --all tries every way")
    assert (first.group, len(second.group), third.asked) == ([], 1, 0)
    assert second.texts() == ["【三分】这是一条测试消息\n有顾客在等时，旗舰店 可以这样提醒你。现在没有人在等。"]
    assert not [robot for robot in (first, second, third) if robot.token in out + err]


async def test_all_tries_every_way(tmp_path: Path, robots: Robots) -> None:
    first, second = robots.add("lark"), robots.add("wecombot")
    code, out, _ = await notify(
        tmp_path, [first.address, second.address], "--lang", "zh", "notify", "值班", "--all", "--json"
    )

    assert code == 0
    assert [(row["result"], row["answer"]) for row in json.loads(out)] == [("told", "0 success"), ("told", "0 ok")]
    assert (len(first.group), len(second.group)) == (1, 1)


async def test_nobody_reached_is_exit_one(tmp_path: Path, robots: Robots) -> None:
    robot = robots.add("dingtalk", secret="SECsigning")
    ways = [(robot.address, "SECanother"), "command:/nowhere/tell", "webhook+http://127.0.0.1:1/x"]
    code, out, err = await notify(tmp_path, ways, "--lang", "zh", "notify", "值班")

    assert code == 1
    assert "被拒绝" in out
    assert "加签密钥（secret: ${NAME}）" in out
    assert out.splitlines()[-1] == "没有联系上 值班"
    assert "SECanother" not in out + err
    assert "Traceback" not in out + err


async def test_a_secret_makes_it_work(tmp_path: Path, robots: Robots) -> None:
    robot = robots.add("feishu", secret="SECsigning")
    code, _, _ = await notify(tmp_path, [(robot.address, "SECsigning")], "notify", "值班")

    assert (code, len(robot.group)) == (0, 1)


async def test_over_tls(tmp_path: Path, robots: Robots) -> None:
    """With a certificate the machine trusts it is told; with one it does not, the mend says so."""
    robot = robots.add("dingtalk")
    trusted = tmp_path / "authority.pem"
    trusted.write_bytes(robots.authority)
    ways = [robots.address(robot, tls=True)]
    code, out, _ = await notify(tmp_path, ways, "notify", "值班")

    assert (code, robot.asked) == (1, 0)
    assert "its certificate is not trusted here" in out
    assert (await notify(tmp_path, ways, "notify", "值班", SSL_CERT_FILE=str(trusted)))[0] == 0
    assert len(robot.group) == 1


async def test_nobody_of_that_name(tmp_path: Path) -> None:
    code, _, err = await notify(tmp_path, ["console:"], "notify", "值斑")

    assert code == 2
    assert "nobody is called '值斑'" in err
    assert "did you mean 值班?" in err


async def test_a_wrong_address_is_a_finding_with_its_line(tmp_path: Path) -> None:
    code, _, err = await notify(tmp_path, ["dingtlk://0123456789abcdef"], "notify", "值班")

    assert code == 2
    assert "error[C012]" in err
    assert "sanfen.yaml:4:" in err
    assert "did you mean dingtalk?" in err


async def test_the_doctor_looks_whether_robots_are_there_and_sends_nothing(tmp_path: Path, robots: Robots) -> None:
    """A robot that takes connections, one nobody vouches for, one that is away; not one message."""
    here, tls = robots.add("dingtalk"), robots.add("feishu")
    ways = [here.address, robots.address(tls, tls=True), "webhook+http://127.0.0.1:1/x", "console:"]
    code, out, err = await notify(tmp_path, ways, "doctor", "--json")
    rows = [row for row in json.loads(out) if row["what"] == "值班"]

    assert (code, [row["state"] for row in rows]) == (1, ["✓", "✕", "✕", "✓"])
    assert "takes connections" in rows[0]["told"]
    assert "certificate" in rows[1]["told"]
    assert "127.0.0.1:1: Connection refused" in rows[2]["told"]
    assert (here.asked, tls.asked) == (0, 0)
    assert not [robot for robot in (here, tls) if robot.token in out + err]


async def test_the_doctor_says_what_became_of_the_last_message(tmp_path: Path, robots: Robots) -> None:
    robot = robots.add("dingtalk")
    with closing(connect(tmp_path / "data.db")) as connection:
        migrate(connection)
        connection.execute(
            "INSERT INTO outbox (id, round, policy, ladder, step, wanted, person, due_ms, created_ms, next_try_ms, facts) "
            "VALUES (1, 'r', 'p', 'l', 0, '值班', '值班', 0, 0, 0, '{}')"
        )
        for number, (result, answer) in enumerate([("told", "0 ok"), ("refused", "310000 keywords not in content")]):
            connection.execute(
                "INSERT INTO attempts (outbox, at_ms, way, result, answer, took_ms) VALUES (1, ?, ?, ?, ?, 0)",
                (number, DingTalk.shown(robot.address), result, answer),
            )
        connection.commit()
    ways = [robot.address]
    _, out, _ = await notify(tmp_path, ways, "doctor", "--json", storage=str(tmp_path / "data.db"))
    (row,) = [row for row in json.loads(out) if row["what"] == "值班"]

    assert row["state"] == "▲"
    assert "; last refused: 310000 keywords not in content" in row["told"]

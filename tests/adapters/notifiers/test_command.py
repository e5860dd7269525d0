"""A program of one's own: real processes, their exit codes, and their end."""

import asyncio
import json
import os
import sys
from pathlib import Path

import pytest

from sanfen.abc import DeliveryError, Notice
from sanfen_adapters.notifiers import command
from sanfen_adapters.notifiers.command import Command


def program(folder: Path, text: str) -> str:
    path = folder / "tell it.py"
    path.write_text(f"import json, os, sys, subprocess, time\n{text}\n", encoding="utf-8")
    return f"command:{sys.executable} '{path}' --to lead"


async def refused(address: str, notice: Notice) -> DeliveryError:
    with pytest.raises(DeliveryError) as caught:
        await Command().notify(notice, address, None)
    return caught.value


async def test_the_notice_stands_on_its_standard_input(tmp_path: Path, notice: Notice) -> None:
    """Arguments are its own, there is no shell, and our environment with the secrets of others stays ours."""
    seen = tmp_path / "seen.json"
    os.environ["OTHER_SECRET"] = "hidden"
    text = (
        f"json.dump([json.load(sys.stdin), sys.argv[1:], dict(os.environ)], open({str(seen)!r}, 'w'));"
        " print('called\\n the lead')"
    )
    answer = await Command().notify(notice, program(tmp_path, text) + " '$(reboot)'", "own secret")
    given, arguments, environment = json.loads(seen.read_text(encoding="utf-8"))

    assert answer == "exit 0: called the lead"
    assert given == json.loads(json.dumps(notice._asdict()))
    assert arguments == ["--to", "lead", "$(reboot)"]
    assert environment["SANFEN_SECRET"] == "own secret"
    assert "OTHER_SECRET" not in environment


@pytest.mark.parametrize(
    ("text", "reason", "retryable", "unknown"),
    [
        ("sys.exit(75)", "exit_75", True, False),
        ("sys.exit(3)", "exit_3", False, False),
        ("sys.exit('no paper')", "exit_1", False, False),
        ("os.kill(os.getpid(), 9)", "killed", True, True),  # who knows what it had done
    ],
)
async def test_the_exit_code_is_the_answer(
    tmp_path: Path, notice: Notice, text: str, reason: str, retryable: bool, unknown: bool
) -> None:
    error = await refused(program(tmp_path, text), notice)

    assert (error.reason, error.retryable, error.unknown) == (reason, retryable, unknown)


async def test_its_words_are_kept(tmp_path: Path, notice: Notice) -> None:
    assert (await refused(program(tmp_path, "sys.exit('no paper')"), notice)).message == "exit 1: no paper"


async def test_it_need_not_read(tmp_path: Path, notice: Notice) -> None:
    long = notice._replace(text="等" * 100_000)

    assert await Command().notify(long, program(tmp_path, "sys.stdin.close()"), None) == "exit 0"


async def test_a_program_that_hangs_is_killed_with_its_children(
    tmp_path: Path, notice: Notice, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(command, "_PATIENCE_S", 1)
    pids = tmp_path / "pids"
    text = (
        "child = subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(60)']);"
        f" open({str(pids)!r}, 'w').write(f'{{os.getpid()}} {{child.pid}}'); time.sleep(60)"
    )
    error = await refused(program(tmp_path, text), notice)

    assert (error.reason, error.retryable, error.unknown) == ("timeout", True, True)
    for pid in pids.read_text(encoding="utf-8").split():
        assert await is_gone(int(pid))


async def test_it_is_killed_when_nobody_waits_any_more(tmp_path: Path, notice: Notice) -> None:
    pids = tmp_path / "pid"
    address = program(tmp_path, f"open({str(pids)!r}, 'w').write(str(os.getpid())); time.sleep(60)")
    task = asyncio.create_task(Command().notify(notice, address, None))
    for _ in range(500):
        if pids.exists() and pids.read_text(encoding="utf-8"):
            break
        await asyncio.sleep(0.02)  # until it runs; bounded
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)

    assert await is_gone(int(pids.read_text(encoding="utf-8")))


async def test_what_goes_on_in_the_background_is_not_waited_for(tmp_path: Path, notice: Notice) -> None:
    text = "subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(3)']); print('started')"

    assert await Command().notify(notice, program(tmp_path, text), None) == "exit 0: started"


async def test_a_program_that_is_not_there(tmp_path: Path, notice: Notice) -> None:
    error = await refused(f"command:{tmp_path}/nothing", notice)

    assert (error.reason, error.retryable, error.unknown) == ("no_program", False, False)


async def is_gone(pid: int) -> bool:
    """Dead, or dead and not yet collected by whoever inherits it."""
    for _ in range(250):
        if state(pid) in ("", "Z"):
            return True
        await asyncio.sleep(0.02)  # until the kernel has ended it; bounded
    return False


def state(pid: int) -> str:
    """The kernel's letter for a process; nothing where there is none."""
    try:
        return Path(f"/proc/{pid}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()[0]
    except (FileNotFoundError, ProcessLookupError):
        return ""

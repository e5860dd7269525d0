"""Faults of our own side: the disk, the database, the people's end, and bugs planted in the running process."""

import contextlib
import shutil
import sqlite3
import subprocess
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from textwrap import dedent

__all__ = ["SABOTAGE", "STRACE", "NoMount", "fill", "injected", "locked", "people", "saboteur", "small_disk"]

STRACE = shutil.which("strace")
SABOTAGE = {
    "adapter": """
        from sanfen_adapters.channels.generic import GenericChannel
        def parse(self, request, direction, received_ms):
            raise ZeroDivisionError("planted")
        GenericChannel.parse = parse
        """,
    "rule": """
        from sanfen.engine import ingest
        def broken(*_args):
            raise ZeroDivisionError("planted")
        ingest.classify = ingest.advance = broken
        """,
    "notifier": """
        from sanfen_adapters.notifiers.webhook import Webhook
        async def notify(self, notice, address, secret):
            raise RuntimeError("planted")
        Webhook.notify = notify
        """,
}
"""Parts that every message passes, each with a bug."""


class NoMount(Exception):  # noqa: N818  # a reason to do without
    """This machine lets us mount nothing."""


def people(ports: dict[str, int], at: str = "1s") -> str:
    """The configuration of somebody behind each port, told of every round that waits."""
    names = "".join(f'  {name}: {{via: ["webhook+http://127.0.0.1:{port}/notice"]}}\n' for name, port in ports.items())
    steps = f"  - name: default\n    steps: [{{at: {at}, notify: [{', '.join(ports)}]}}]\n"
    return f"people:\n{names}escalation:\n{steps}merge: 1s\n"


def saboteur(folder: Path, part: str) -> dict[str, str]:
    """The environment in which a plugin plants its bug in the process."""
    (folder / "saboteur.py").write_text(dedent(SABOTAGE[part]), encoding="utf-8")
    facts = folder / "saboteur-1.dist-info"
    facts.mkdir()
    (facts / "METADATA").write_text("Metadata-Version: 2.1\nName: saboteur\nVersion: 1\n", encoding="utf-8")
    (facts / "entry_points.txt").write_text("[sanfen]\nsaboteur = saboteur\n", encoding="utf-8")
    return {"PYTHONPATH": str(folder)}


@contextmanager
def small_disk(folder: Path, options: str = "size=6m") -> Iterator[Path]:
    """A disk of its own, in memory. Raises NoMount."""
    folder.mkdir()
    made = subprocess.run(["mount", "-t", "tmpfs", "-o", options, "tmpfs", folder], check=False, capture_output=True)
    if made.returncode:
        raise NoMount(made.stderr.decode().strip())
    try:
        yield folder
    finally:
        subprocess.run(["umount", folder], check=True)


def fill(file: Path) -> None:
    """Write until the disk is full."""
    with file.open("wb", buffering=0) as filler, contextlib.suppress(OSError):
        while filler.write(bytes(4096)):
            pass


@contextmanager
def locked(log: Path) -> Iterator[None]:
    """Another program holds the database."""
    with closing(sqlite3.connect(log, isolation_level=None)) as other:
        other.execute("BEGIN EXCLUSIVE")
        yield
        other.execute("ROLLBACK")


def injected(fault: str) -> list[str]:
    """The command under which a system call fails or is slow, such as ``fdatasync:delay_enter=300000``."""
    call = fault.partition(":")[0]
    return [
        str(STRACE),
        "-D",
        "-f",
        "--seccomp-bpf",
        "-qq",
        "-o",
        "/dev/null",
        "-e",
        f"trace={call}",
        "-e",
        f"inject={fault}",
    ]

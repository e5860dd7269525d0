"""The witness of writes and sends (``iolog.c``), compiled once for this machine."""

import ctypes
import hashlib
import os
import shutil
import subprocess
import sys
import tempfile
from functools import lru_cache
from pathlib import Path

import pytest

__all__ = ["BEFORE", "HALF", "arm", "needed", "witness"]

BEFORE, HALF = 0, 1
"""How a program dies at its nth point: before anything of it happened, or in the middle."""

SOURCE = Path(__file__).with_name("iolog.c")


@lru_cache
def witness() -> Path:
    """The shared object. Raises RuntimeError saying what is missing."""
    compiler = shutil.which("gcc")
    if sys.platform != "linux" or compiler is None:
        raise RuntimeError("no gcc on Linux here: what a program writes cannot be witnessed")
    known = hashlib.sha256(SOURCE.read_bytes() + os.uname().machine.encode()).hexdigest()[:16]
    made = Path(tempfile.gettempdir()) / f"sanfen-iolog-{os.getuid()}-{known}.so"
    if not made.exists():
        with tempfile.TemporaryDirectory() as folder:
            fresh = Path(folder) / "iolog.so"
            command = [compiler, "-O2", "-Wall", "-fPIC", "-shared", "-o", str(fresh), str(SOURCE), "-ldl", "-lpthread"]
            done = subprocess.run(command, capture_output=True, text=True, check=False)
            if done.returncode:
                raise RuntimeError(f"iolog.c does not compile here: {done.stderr.strip()[:500]}")
            staged = made.with_suffix(f".{os.getpid()}")
            shutil.copy(fresh, staged)
            staged.replace(made)
    return made


def needed() -> pytest.MarkDecorator:
    """Skips a test, with the reason, where there can be no witness."""
    try:
        witness()
    except RuntimeError as error:
        return pytest.mark.skip(reason=str(error))
    return pytest.mark.filterwarnings()


def arm(folder: Path, trace: Path | None, point: int, how: int) -> None:
    """In a process that was started with the witness: record, and die at a point (0: live)."""
    found = ctypes.CDLL(str(witness()))
    found.iolog_arm(os.fsencode(folder), os.fsencode(trace or ""), ctypes.c_long(point), how)

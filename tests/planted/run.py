"""Planted bugs: each is put into a copy of the tree, and the tests it names must turn red.

    python tests/planted/run.py [--workers 2] [--only WORD]          (make planted)

The named tests are run once as they are first; they must be green. Exit 1 if a bug survives, or if its place in the source is
not found any more: then the source has changed, and the bug is to be planted anew in ``bugs.py``.
"""

import argparse
import os
import shutil
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from queue import SimpleQueue

sys.path.insert(0, str(Path(__file__).parents[2]))

from tests.planted.bugs import BUGS, Bug

__all__ = ["copied", "fits", "noticed"]

ROOT = Path(__file__).parents[2]
SECONDS = 300
GREEN, RED = 0, 1
"""What pytest ends with; anything else means that the tests did not run."""


def copied(folder: Path) -> Path:
    """A copy of the tracked tree, as it stands."""
    names = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, check=True).stdout.decode()
    for name in filter(None, names.split("\0")):
        if (ROOT / name).is_file():
            target = folder / name
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(ROOT / name, target)
    return folder


def fits(bug: Bug) -> bool:
    """Whether its place is in the source, once."""
    path = ROOT / bug.file
    return path.is_file() and path.read_text(encoding="utf-8").count(bug.old) == 1


def noticed(bug: Bug, folder: Path) -> tuple[int, str]:
    """Plant it in a copy, run its tests, take it out again: pytest's exit code and last lines."""
    path = folder / bug.file
    before = path.read_text(encoding="utf-8")
    path.write_text(before.replace(bug.old, bug.new), encoding="utf-8")
    try:
        return tested(bug.tests.split(), folder)
    finally:
        path.write_text(before, encoding="utf-8")


def tested(arguments: list[str], folder: Path) -> tuple[int, str]:
    """Run tests of a copy. One that hangs is red."""
    roots = os.pathsep.join(str(folder / name) for name in (".", "plugin", "adapters", "config"))
    environment = os.environ | {"PYTHONPATH": roots, "PYTHONDONTWRITEBYTECODE": "1"}
    command = [sys.executable, "-m", "pytest", "-q", "-x", "-p", "no:cacheprovider", "-p", "no:xdist", *arguments]
    try:
        done = subprocess.run(
            command, cwd=folder, env=environment, capture_output=True, text=True, timeout=SECONDS, check=False
        )
    except subprocess.TimeoutExpired:
        return RED, "it hangs"
    return done.returncode, done.stdout[-1500:] + done.stderr[-500:]


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--only", default="", help="bugs whose name holds this")
    parser.add_argument("--trust", action="store_true", help="do not run the tests without a bug first")
    asked = parser.parse_args()
    bugs = [bug for bug in BUGS if asked.only in bug.name]
    gone = [bug for bug in bugs if not fits(bug)]
    with tempfile.TemporaryDirectory() as temporary:
        free: SimpleQueue[Path] = SimpleQueue()
        for number in range(asked.workers):
            free.put(copied(Path(temporary) / str(number)))

        def one(bug: Bug) -> tuple[int, str]:
            folder = free.get()
            try:
                return noticed(bug, folder)
            finally:
                free.put(folder)

        with ThreadPoolExecutor(asked.workers) as pool:
            if not asked.trust:
                wanted = sorted({bug.tests for bug in bugs})
                plain = Bug("", "README.md", "\0", "\0", "")
                green = dict(zip(wanted, pool.map(lambda tests: one(plain._replace(tests=tests)), wanted), strict=True))
                for tests, (code, text) in green.items():
                    if code != GREEN:
                        print(f"red without any bug: {tests}\n{text}")
                        return 1
            started, survivors = time.monotonic(), list[Bug]()
            planted = [bug for bug in bugs if bug not in gone]
            for bug, (code, text) in zip(planted, pool.map(one, planted), strict=True):
                print(f"{'noticed ' if code == RED else 'SURVIVED'}  {bug.name}", flush=True)
                if code != RED:
                    survivors.append(bug)
                    print(text if code != GREEN else f"          {bug.file}, by {bug.tests}")
    for bug in gone:
        print(f"NOT FOUND {bug.name}: {bug.file} does not hold its place once; plant it anew")
    print(f"{len(planted) - len(survivors)}/{len(bugs)} planted bugs noticed, {time.monotonic() - started:.0f} s")
    return 1 if survivors or gone else 0


if __name__ == "__main__":
    sys.exit(main())

"""How soon the command line is there: help, a question to a small log, the demo's board; beside an interpreter that imports click.

    python benchmarks/start.py [--repeats 15]

Interleaved, each a process of its own. What counts is the ratio; seconds are those of this machine, now. The goals are help in
0.4 s and a living board in 5 s on an idle machine.
"""

import argparse
import subprocess
import sys
import tempfile
import time
from contextlib import suppress
from pathlib import Path
from statistics import median
from urllib.error import URLError
from urllib.request import urlopen

CHAT = (
    '{"id": "1", "at": "2023-01-07T10:10:15+08:00", "from": "customer", "customer": "A"}\n'
    '{"id": "2", "at": "2023-01-07T10:18:10+08:00", "from": "merchant", "customer": "A", "mode": "human"}\n'
)
SANFEN = ["-Im", "sanfen.cli"]


def seconds(arguments: list[str]) -> float:
    start = time.perf_counter()
    subprocess.run([sys.executable, *arguments], check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    return time.perf_counter() - start


def living_shop(port: int) -> float:
    """Seconds from `sanfen demo` to a board that answers: thirty days are generated and scored in between."""
    with tempfile.TemporaryDirectory() as folder:
        start = time.perf_counter()
        ports = ["--no-browser", "--port", str(port), "--board-port", str(port + 1)]
        with subprocess.Popen(
            [sys.executable, *SANFEN, "demo", *ports], cwd=folder, stdout=subprocess.DEVNULL
        ) as process:
            try:
                while True:
                    with suppress(URLError), urlopen(f"http://127.0.0.1:{port + 1}/") as answer:
                        if answer.status == 200:
                            return time.perf_counter() - start
                    time.sleep(0.02)
            finally:
                process.terminate()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--repeats", type=int, default=15)
    repeats = parser.parse_args().repeats
    with tempfile.TemporaryDirectory() as folder:
        chat, log = Path(folder) / "chat.jsonl", Path(folder) / "scored.db"
        chat.write_text(CHAT, encoding="utf-8")
        seconds([*SANFEN, "replay", str(chat), "--out", str(log)])
        asked = {
            "import click": ["-Ic", "import click"],
            "sanfen --help": [*SANFEN, "--help"],
            "sanfen --lang zh --help": [*SANFEN, "--lang", "zh", "--help"],
            "sanfen rates LOG": [*SANFEN, "rates", str(log)],
        }
        found: dict[str, list[float]] = {name: [] for name in asked}
        for _ in range(repeats):
            for name, arguments in asked.items():
                found[name].append(seconds(arguments))
    found["sanfen demo: a board"] = [living_shop(28_970) for _ in range(3)]
    floor = median(found["import click"])
    for name, times in found.items():
        print(f"{name:<26} median {median(times):.3f} s  least {min(times):.3f} s  ratio {median(times) / floor:.2f}")
    assert median(found["sanfen --help"]) < 2 * floor, "help takes twice as long as importing click"


if __name__ == "__main__":
    main()

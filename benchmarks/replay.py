"""``sanfen replay`` on logs of two sizes: messages a second and peak memory, next to a floor that only reads the JSON.

    python benchmarks/replay.py [--messages 100000]

Each run is a process of its own; the larger log has four times the conversations, so that memory for the file would show.
"""

import argparse
import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path

START = 1_673_053_200_000
FLOOR = """
import json, resource, sys
grouped = {}
for line in open(sys.argv[1], encoding="utf-8"):
    fields = json.loads(line)
    grouped[fields["customer"]] = fields["at"]
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss, file=sys.stderr)
"""
REPLAY = """
import resource, sys
from sanfen.cli import main
try:
    main(["replay", sys.argv[1], "--json"])
finally:
    print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss, file=sys.stderr)
"""


def write(path: Path, count: int) -> None:
    """Each customer asks, is greeted, asks again and is answered; a new one every four seconds."""
    with path.open("w", encoding="utf-8") as out:
        for number in range(count):
            part = number % 4
            fields = {"id": f"e{number}", "at": START + number * 40_000, "customer": f"c{number // 4}", "text": "在吗"}
            fields |= (
                {"from": "customer"}
                if part in (0, 2)
                else {"from": "merchant", "mode": "auto" if part == 1 else "human"}
            )
            out.write(json.dumps(fields, ensure_ascii=False) + "\n")


def run(code: str, path: Path) -> tuple[float, float]:
    """Seconds, and peak memory in MiB."""
    start = time.perf_counter()
    done = subprocess.run([sys.executable, "-Ic", code, str(path)], check=True, capture_output=True, text=True)
    return time.perf_counter() - start, int(done.stderr.split()[-1]) / 1024


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--messages", type=int, default=100_000)
    small = parser.parse_args().messages
    found = {}
    with tempfile.TemporaryDirectory() as folder:
        for count in (small, 4 * small):
            path = Path(folder) / f"{count}.jsonl"
            write(path, count)
            for name, code in (("floor", FLOOR), ("replay", REPLAY)):
                seconds, peak_mib = run(code, path)
                found[f"{name} {count}"] = {"seconds": seconds, "peak_mib": peak_mib}
                print(f"{name:<7} {count:>9,} messages  {count / seconds:>10,.0f}/s  peak {peak_mib:6.1f} MiB")
    print(json.dumps(found))


if __name__ == "__main__":
    main()

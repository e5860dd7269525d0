"""Fuzzing led by coverage: atheris chooses the bytes that the grammar's decisions are taken from.

    python tests/faults/fuzz_guided.py TARGET SECONDS       afterwards the corpus is made small and kept

``make fuzz-guided`` installs atheris and runs every target.
"""

import subprocess
import sys
import tempfile
from pathlib import Path

KEPT = 150
LONGEST = 400
CORPUS = Path(__file__).with_name("corpus")


def child(name: str) -> None:
    """libFuzzer in this process; it never returns."""
    import atheris  # installed by the make target alone

    sys.path.insert(0, str(Path(__file__).parent.parent.parent))
    with atheris.instrument_imports(include=["sanfen", "sanfen_adapters"]):
        from tests.faults import fuzz
    target = fuzz.TARGETS[name]
    atheris.Setup(sys.argv[3:], lambda data: target(fuzz.Bytes(data)))
    atheris.Fuzz()


def main(name: str, seconds: str) -> int:
    CORPUS.mkdir(exist_ok=True)
    file = CORPUS / f"{name}.hex"
    with tempfile.TemporaryDirectory() as made:
        grown, small = Path(made, "grown"), Path(made, "small")
        grown.mkdir()
        small.mkdir()
        for number, line in enumerate(file.read_text(encoding="ascii").splitlines() if file.exists() else []):
            (grown / str(number)).write_bytes(bytes.fromhex(line))
        again = Path(made, "again")  # merging starts itself again, by one name
        again.write_text(
            f'#!/bin/sh\nexec "{sys.executable}" "{__file__}" --child {name} "$0" "$@"\n', encoding="utf-8"
        )
        again.chmod(0o700)
        command = [str(again)]
        options = [
            f"-max_total_time={seconds}",
            f"-max_len={LONGEST}",
            "-timeout=5",
            "-rss_limit_mb=2048",
            "-print_final_stats=1",
        ]
        found = subprocess.run(
            [*command, *options, f"-artifact_prefix={CORPUS}/failed-{name}-", str(grown)], check=False
        )
        if found.returncode:
            return found.returncode
        subprocess.run(
            [*command, "-merge=1", f"-max_len={LONGEST}", str(small), str(grown)], check=True, capture_output=True
        )
        kept = sorted((one.read_bytes() for one in small.iterdir()), key=lambda data: (len(data), data))[:KEPT]
    file.write_text("".join(f"{data.hex()}\n" for data in kept), encoding="ascii")
    return 0


if __name__ == "__main__":
    if sys.argv[1] == "--child":
        child(sys.argv[2])
    sys.exit(main(*sys.argv[1:]))

"""The house keeps its shape: sizes, mirrored tests, clean source roots, no traces of a machine."""

import ast
import re
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
SOURCES = ROOT / "plugin" / "sanfen"
ROOTS = ("plugin", "adapters", "config")

# Modules without a test module of their own, and what tests them.
TESTED_ELSEWHERE = {
    "core/events.py": "plain data, used by every test of the core",
    "core/facts.py": "the machine's memory: tests/properties/test_machine.py",
    "core/plan.py": "tests/core/test_golden.py and the transcripts",
    "core/policy.py": "plain data; config/policies builds it",
    "core/effects.py": "plain data",
    "core/rounds.py": "tests/core/test_transcripts.py, tests/properties/test_machine.py",
    "core/score.py": "tests/core/test_transcripts.py, tests/core/test_golden.py",
    "core/escalation.py": "tests/engine/test_ingest.py, tests/properties/test_machine.py",
    "core/metrics.py": "tests/core/test_golden.py (units, periods, means)",
    "core/drive.py": "tests/properties/test_machine.py",
    "engine/recover.py": "tests/engine/test_ingest.py",
    "store/views.py": "tests/store/test_cookbook.py",
    "errors.py": "raised, and their words compared, in every area's tests",
    "core/reasons.py": "tests/core/test_transcripts.py, tests/test_catalogue.py",
    "config/build.py": "tests/config/test_load.py loads the example whole",
    "config/findings.py": "tests/config/test_load.py, a file for each code",
    "config/policies.py": "tests/config/test_presets.py, and every worked case",
    "config/schema.py": "tests/config/test_load.py, a file for each mistake",
    "config/sense.py": "tests/config/test_load.py, a file for each doubt",
    "config/settings.py": "plain data",
    "store/migrations.py": "tests/store/test_db.py opens, refuses and reads what they make",
    "bulk/columns.py": "tests/bulk/test_sources.py",
    "bulk/replay.py": "tests/cli/test_cli.py: the real verb",
    "bulk/save.py": "tests/cli/test_cli.py asks the log it writes",
    "cli/asking.py": "tests/cli/test_cli.py",
    "cli/check.py": "tests/cli/test_cli.py",
    "cli/explain.py": "tests/cli/test_cli.py",
    "cli/policies.py": "tests/cli/test_cli.py",
    "cli/progress.py": "seen on a terminal only",
    "cli/rates.py": "tests/cli/test_cli.py",
    "cli/replay.py": "tests/cli/test_cli.py",
    "cli/rounds.py": "tests/cli/test_cli.py",
    "cli/story.py": "tests/cli/test_cli.py",
    "cli/tables.py": "tests/cli/test_cli.py",
    "board/reports.py": "tests/board/test_views.py",
    "abc.py": "signatures; tests/contracts hold what they promise",
    "bootstrap.py": "tests/e2e/test_service.py: the real process",
    "demo/day.py": "tests/e2e/test_demo.py: the real command",
    "demo/people.py": "tests/e2e/test_demo.py",
    "demo/show.py": "tests/e2e/test_demo.py",
    "demo/script.py": "words and dice",
    "demo/wire.py": "tests/e2e/test_demo.py: its signatures are verified by the service",
    "demo/clock.py": "tests/e2e/test_demo.py",
    "cli/serve.py": "tests/e2e/test_service.py: the real process",
    "cli/demo.py": "tests/e2e/test_demo.py: the real command",
    "clock.py": "the machine's clock",
    "testing.py": "used by the tests",
    "hookspecs.py": "signatures; tests/adapters finds the adapters through them",
}


def tracked() -> list[Path]:
    out = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, check=False)
    if out.returncode:
        pytest.skip("not a git checkout")
    return [ROOT / name for name in out.stdout.decode().split("\0") if name and (ROOT / name).is_file()]


def code_lines(path: Path) -> int:
    return len(path.read_text(encoding="utf-8").splitlines())


@pytest.mark.parametrize(
    ("pattern", "limit"),
    [
        ("plugin/sanfen/core/*.py", 350),
        ("plugin/sanfen/**/*.py", 450),
        ("adapters/**/*.py", 300),
        ("tests/**/*.py", 450),
        ("docs/*.md", 400),
        ("config/sanfen_presets/*.yaml", 80),
        ("Makefile", 80),
        ("README.md", 150),
        ("ARCHITECTURE.md", 120),
        ("CONTRIBUTING.md", 150),
    ],
)
def test_files_stay_readable(pattern: str, limit: int) -> None:
    long = {str(path.relative_to(ROOT)): code_lines(path) for path in ROOT.glob(pattern) if code_lines(path) > limit}

    assert not long


def test_functions_stay_readable() -> None:
    long = {}
    for root in ROOTS:
        for path in (ROOT / root).rglob("*.py"):
            for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
                if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                    lines = (node.end_lineno or 0) - node.body[0].lineno + 1
                    if lines > 50:
                        long[f"{path.relative_to(ROOT)}:{node.name}"] = lines

    assert not long


def test_every_module_has_its_test() -> None:
    missing = []
    for path in SOURCES.rglob("*.py"):
        name = path.relative_to(SOURCES).as_posix()
        if path.name == "__init__.py" or code_lines(path) < 40 or name in TESTED_ELSEWHERE:
            continue
        if not (ROOT / "tests" / Path(name).parent / f"test_{path.name}").is_file():
            missing.append(name)

    assert not missing


def test_exemptions_are_needed() -> None:
    gone = [name for name in TESTED_ELSEWHERE if not (SOURCES / name).is_file()]

    assert not gone


def test_source_roots_hold_only_their_package() -> None:
    for root in ROOTS:
        extra = [path.name for path in (ROOT / root).iterdir() if path.suffix == ".py"]

        assert not extra, root


def test_no_trace_of_a_machine() -> None:
    """Absolute paths, registries' hosts and download addresses belong to a machine, not to the project."""
    words = [r"(^|[\s\"'=(])/(work|root|home/\w+)/", r"index-url", r"extra-index", "file:" + "///"]
    pattern = re.compile("|".join(words))
    found = []
    for path in tracked():
        if path.suffix in (".png", ".gz", ".db") or path == Path(__file__):
            continue
        for number, line in enumerate(path.read_text(encoding="utf-8", errors="replace").splitlines(), 1):
            if pattern.search(line):
                found.append(f"{path.relative_to(ROOT)}:{number}: {line.strip()[:80]}")

    assert not found

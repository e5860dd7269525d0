"""The house keeps its shape: sizes, mirrored tests, clean source roots, no traces of a machine."""

import ast
import re
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
SOURCES = ROOT / "plugin" / "sanfen"
ROOTS = {"plugin": "sanfen", "adapters": "sanfen_adapters", "config": "sanfen_presets"}

# Files over their limit: how far they may grow, and why they are not split.
LARGER = {
    "README.md": (165, "the first ten minutes stand in it line by line"),
    "README.zh-CN.md": (165, "as its English twin"),
    "plugin/sanfen/config/schema.py": (560, "the shape of the whole file stands in one place, as its reader sees it"),
    "docs/cli.md": (450, "generated: every verb with its options"),
    "plugin/sanfen/core/rounds.py": (330, "every transition of a round stands in one file"),
    "plugin/sanfen/abc.py": (420, "the published surface, in one place"),
    "plugin/sanfen/store/migrations.py": (500, "migrations are only ever added"),
    "plugin/sanfen/engine/ingest.py": (460, "all that a delivery does in its one transaction"),
    "docs/presets.md": (700, "generated: every preset with its sources"),
    "tests/oracle.py": (600, "a whole scorer, written to share nothing with the one it judges"),
}

# Folders with more than twelve modules or documents, and why.
WIDER = {
    "plugin/sanfen": "what several parts speak; nothing here knows a part",
    "plugin/sanfen/cli": "one module for each command",
    "plugin/sanfen/config": "one module for each kind of thing a file says",
    "plugin/sanfen/gateway": "one module for each thing that is done to a request",
    "plugin/sanfen/core": "one module for each word of the rules",
    "plugin/sanfen/store": "one module for each table or file the log is made of",
    "docs/pictures": "every screen of the board as it looks: make pictures",
    "docs": "one page for each question a reader comes with",
    "config/sanfen_presets": "one file for each rule a platform published",
}

# Modules without a test module of their own, and what tests them.
TESTED_ELSEWHERE = {
    "abc.py": "signatures; tests/contracts hold what they promise",
    "board/api/answers.py": "tests/board/api/test_routes.py: every endpoint, by HTTP",
    "board/api/columns.py": "tests/board/api/test_routes.py: every endpoint, by HTTP",
    "board/api/documents.py": "tests/board/api/test_routes.py: every endpoint, by HTTP",
    "board/api/doings.py": "tests/board/api/test_routes.py: every endpoint, by HTTP",
    "board/api/endpoints.py": "tests/board/api/test_routes.py: every endpoint, by HTTP",
    "board/api/questions.py": "tests/board/api/test_routes.py: every endpoint, by HTTP",
    "board/api/service.py": "tests/board/api/test_routes.py: every endpoint, by HTTP",
    "board/api/table.py": "tests/board/api/test_routes.py: every endpoint, by HTTP",
    "board/health.py": "tests/board/test_views.py",
    "board/guard.py": "tests/board/test_access.py, tests/board/test_login.py",
    "board/pages.py": "tests/board/test_acts.py, tests/board/test_views.py",
    "board/api/reports.py": "tests/board/test_views.py",
    "board/screens/agents.py": "tests/board/test_screens.py",
    "board/screens/budget.py": "tests/board/test_screens.py",
    "board/screens/plots.py": "tests/board/test_screens.py, tests/browser/check_plots.py",
    "board/screens/desk.py": "tests/board/test_screens.py",
    "board/screens/escalations.py": "tests/board/test_screens.py",
    "board/screens/hours.py": "tests/board/test_screens.py",
    "board/screens/rounds.py": "tests/board/test_screens.py",
    "board/screens/rules.py": "tests/board/test_screens.py",
    "board/screens/why.py": "tests/board/test_screens.py",
    "board/screens/live.py": "tests/board/test_views.py, tests/board/test_feed.py",
    "board/screens/now.py": "tests/board/test_views.py",
    "bootstrap.py": "tests/e2e/test_service.py: the real process",
    "bulk/columns.py": "tests/bulk/test_sources.py",
    "bulk/maps.py": "tests/cli/test_imports.py",
    "bulk/replay.py": "tests/cli/test_cli.py",
    "bulk/reconcile.py": "tests/cli/test_reconcile.py",
    "bulk/save.py": "tests/cli/test_cli.py",
    "gateway/serving.py": "tests/gateway/test_pulling.py, tests/e2e/test_store_and_forward.py",
    "calls.py": "tests/notify/test_acting.py, tests/gateway/test_pulling.py: real servers",
    "cli/budget.py": "tests/cli/test_questions.py",
    "cli/check.py": "tests/cli/test_cli.py",
    "cli/compare.py": "tests/cli/test_questions.py",
    "cli/demo.py": "tests/e2e/test_demo.py: the real command",
    "cli/explain.py": "tests/cli/test_cli.py, tests/store/test_explanation.py",
    "cli/policies.py": "tests/cli/test_cli.py",
    "cli/progress.py": "tests/cli/test_cli.py",
    "cli/rates.py": "tests/cli/test_cli.py",
    "cli/replay.py": "tests/cli/test_cli.py",
    "cli/figures.py": "tests/cli/test_questions.py",
    "cli/report.py": "tests/cli/test_report.py",
    "report/page.py": "tests/cli/test_report.py: the command, in every form",
    "report/week.py": "tests/cli/test_report.py: against sanfen rates",
    "cli/chinese.py": "tests/cli/test_words.py",
    "cli/dress.py": "tests/cli/test_words.py",
    "cli/doctor.py": "tests/cli/test_running.py",
    "cli/options.py": "tests/cli/test_words.py, tests/cli/test_running.py",
    "cli/say.py": "tests/cli/test_running.py",
    "cli/server.py": "tests/cli/test_running.py",
    "cli/tail.py": "tests/cli/test_running.py",
    "store/happenings.py": "tests/cli/test_running.py: through sanfen tail",
    "bulk/tables.py": "tests/cli/test_imports.py",
    "cli/said.py": "tests/cli/test_adapters.py",
    "cli/scaffold.py": "tests/cli/test_adapters.py: what it writes is imported, and its tests run",
    "cli/rounds.py": "tests/cli/test_cli.py",
    "cli/story.py": "tests/cli/test_cli.py",
    "cli/quiet.py": "tests/cli/test_watch.py",
    "cli/route.py": "tests/cli/test_watch.py",
    "cli/tables.py": "tests/cli/test_cli.py",
    "cli/test.py": "tests/cli/test_watch.py",
    "config/build.py": "tests/config/test_load.py",
    "config/frozen.py": "tests/config/test_presets.py, tests/core/test_golden.py: every preset goes through it",
    "config/policies.py": "tests/config/test_load.py, tests/config/test_presets.py, tests/core/test_transcripts.py",
    "config/safety.py": "tests/config/test_load.py",
    "config/schema.py": "tests/config/test_load.py",
    "config/sense.py": "tests/config/test_load.py",
    "config/settings.py": "plain data; tests/config/test_load.py builds it",
    "core/attribution.py": "tests/store/test_figures.py: the worked cases",
    "core/clocks.py": "tests/properties/test_oracle.py, tests/core/test_golden.py",
    "core/drive.py": "tests/properties/test_machine.py",
    "core/effects.py": "plain data, asserted in tests/properties/test_machine.py",
    "core/events.py": "plain data, used by every test of the core",
    "core/facts.py": "the machine's memory: tests/properties/test_machine.py",
    "core/plan.py": "tests/core/test_golden.py and the transcripts",
    "core/reasons.py": "a list with its sentences; tests/core/test_transcripts.py gives the reasons",
    "core/rounds.py": "tests/core/test_transcripts.py, tests/properties/test_machine.py",
    "core/sessions.py": "tests/store/test_figures.py: the worked cases, the views and random talk",
    "core/units.py": "tests/core/test_metrics.py, tests/properties/test_oracle.py",
    "demo/clock.py": "tests/e2e/test_demo.py",
    "demo/day.py": "tests/e2e/test_demo.py: the real command",
    "demo/people.py": "tests/e2e/test_demo.py",
    "demo/script.py": "words and dice",
    "demo/history.py": "tests/e2e/test_demo.py",
    "demo/wire.py": "tests/e2e/test_demo.py: its signatures are verified by the service",
    "engine/pending.py": "tests/engine/test_ingest.py",
    "engine/recover.py": "tests/engine/test_ingest.py",
    "errors.py": "a tree of names; every area tests the ones it raises",
    "gateway/onward.py": "tests/e2e/test_store_and_forward.py: real processes; its protocol: tests/store/test_onward.py",
    "hookspecs.py": "signatures; tests/adapters finds the adapters through them",
    "process.py": "tests/security/test_service.py: the real process",
    "store/erasure.py": "tests/cli/test_erase.py: the command, on a real file",
    "notify/trial.py": "tests/cli/test_notify.py: the command, to robots",
    "store/listing.py": "tests/board/api/test_routes.py",
    "store/orders.py": "tests/store/test_figures.py, tests/engine/test_strayed.py",
    "store/policies.py": "tests/store/test_units.py, tests/engine/test_ingest.py",
    "store/trouble.py": "tests/store/test_db.py, tests/e2e/test_damage.py",
    "store/wal.py": "tests/store/test_db.py",
    "store/views.py": "tests/store/test_cookbook.py, tests/store/test_figures.py: against core/sessions.py, row by row",
    "scoring.py": "tests/e2e/test_service.py, tests/e2e/test_damage.py: the real process",
    "routing.py": "tests/cli/test_watch.py, tests/board/test_screens.py",
    "testing.py": "used by the tests",
    "talk.py": "tests/test_catalogue.py",
    "sayings/adapters.py": "tests/test_catalogue.py",
    "sayings/configuration.py": "tests/test_catalogue.py",
    "sayings/events.py": "tests/test_catalogue.py",
    "sayings/outside.py": "tests/test_catalogue.py",
    "sayings/questions.py": "tests/test_catalogue.py",
    "sayings/service.py": "tests/test_catalogue.py",
    "sayings/usage.py": "tests/test_catalogue.py",
    "cli/query.py": "tests/cli/test_cli.py, tests/store/test_cookbook.py",
    "wording.py": "tests/test_catalogue.py",
}

# Test modules that are named for what they hold, not for a module.
NOT_MIRRORED = {
    "cli/test_imports.py": "exports of other tools, as a user reads them in",
    "board/test_screens.py": "every screen, of a shop with thirty days behind it",
    "cli/test_cli.py": "the commands as a user types them",
    "cli/test_terminal.py": "what only a terminal shows",
    "cli/test_running.py": "the commands that talk to a running service",
    "cli/test_words.py": "the command line in two languages, its help, its completion",
    "cli/test_watch.py": "the commands that ask of ladders and quiet them",
    "cli/test_questions.py": "the commands that ask a scored log",
    "core/test_golden.py": "worked cases, through the whole core",
    "core/test_transcripts.py": "the specification, through the whole core",
    "gateway/test_patience.py": "workflows slower than the channel waits, through the gateway",
    "engine/test_again.py": "one message seen on two ways, through ingest",
    "engine/test_corrections.py": "late, recalled and re-tagged messages, and a policy that changed, through ingest",
    "core/test_zones.py": "days, in every zone",
    "engine/test_peer_cases.py": "worked cases of other products, through ingest",
    "notify/test_flood.py": "the worker between many rounds and a strict robot",
    "notify/test_peer_notices.py": "other products' cases, played by engine, store and worker",
    "notify/test_costs.py": "engine, store and worker under a policy that counts transfers, and a target",
    "notify/test_records.py": "the worker over a log that does not take its records",
    "engine/test_peer_ladders.py": "what other products say of chains and notices",
    "store/test_cookbook.py": "the queries of docs/sql-cookbook.md",
    "test_docs.py": "the documents",
    "test_readme.py": "the first ten minutes of the readmes, as written",
    "test_tutorial.py": "docs/tutorial.md, command by command",
    "test_layout.py": "the tree itself",
}


def tracked() -> list[Path]:
    out = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, check=False)
    if out.returncode:
        pytest.skip("not a git checkout")
    return [ROOT / name for name in out.stdout.decode().split("\0") if name and (ROOT / name).is_file()]


def code_lines(path: Path) -> int:
    return len(path.read_text(encoding="utf-8").splitlines())


def named(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


@pytest.mark.parametrize(
    ("pattern", "limit"),
    [
        ("plugin/sanfen/core/*.py", 250),
        ("plugin/sanfen/**/*.py", 400),
        ("adapters/**/*.py", 250),
        ("benchmarks/*.py", 400),
        ("tests/**/*.py", 400),
        ("docs/*.md", 300),
        ("config/sanfen_presets/*.yaml", 80),
        ("Makefile", 80),
        ("README*.md", 150),
        ("ARCHITECTURE.md", 120),
        ("CONTRIBUTING.md", 150),
    ],
)
def test_files_stay_readable(pattern: str, limit: int) -> None:
    lines = {named(path): code_lines(path) for path in ROOT.glob(pattern)}
    long = {name: count for name, count in lines.items() if count > max(limit, LARGER.get(name, (0, ""))[0])}

    assert not long


def test_an_adapter_stays_small() -> None:
    """All of one adapter's Python together: what is more belongs in the middleware, or in two adapters."""
    manifests = (ROOT / "adapters").rglob("manifest.toml")
    lines = {named(found.parent): sum(code_lines(path) for path in found.parent.rglob("*.py")) for found in manifests}

    assert lines
    assert not {name: count for name, count in lines.items() if count > 250}


def test_functions_stay_readable() -> None:
    long = {}
    for root in ROOTS:
        for path in (ROOT / root).rglob("*.py"):
            for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
                if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                    lines = (node.end_lineno or 0) - node.body[0].lineno + 1
                    if lines > 50:
                        long[f"{named(path)}:{node.name}"] = lines

    assert not long


def test_folders_stay_readable() -> None:
    """Twelve files in a folder, markers apart; tests and decisions may be many."""
    markers = ("__init__.py", "__main__.py", "py.typed")
    many: dict[str, int] = {}
    for path in tracked():
        folder = named(path.parent)
        if (
            path.name not in markers
            and folder.split("/")[0] in {*ROOTS, "docs"}
            and not folder.startswith(("docs/adr", "docs/locale"))
        ):
            many[folder] = many.get(folder, 0) + 1

    assert not {folder: count for folder, count in many.items() if count > 12 and folder not in WIDER}


def test_every_module_has_its_test() -> None:
    missing = []
    for path in SOURCES.rglob("*.py"):
        name = path.relative_to(SOURCES).as_posix()
        if path.name == "__init__.py" or code_lines(path) < 40 or name in TESTED_ELSEWHERE:
            continue
        if not (ROOT / "tests" / Path(name).parent / f"test_{path.name}").is_file():
            missing.append(name)

    assert not missing


def test_every_test_has_its_module() -> None:
    """In a mirrored area a test module is named for the module it tests, so that one leads to the other."""
    areas = {".", *(path.name for path in SOURCES.iterdir() if path.is_dir())}
    stray = []
    for path in (ROOT / "tests").rglob("test_*.py"):
        name = path.relative_to(ROOT / "tests")
        if name.parent.as_posix() in areas and name.as_posix() not in NOT_MIRRORED:
            module = SOURCES / name.parent / name.name.removeprefix("test_")
            if not module.is_file() and not (module.with_suffix("") / "__init__.py").is_file():
                stray.append(name.as_posix())

    assert not stray


def test_exemptions_are_needed() -> None:
    """Each names something that exists, and what it points to for its tests exists too."""
    gone = [name for name in TESTED_ELSEWHERE if not (SOURCES / name).is_file()]
    gone += [name for name in NOT_MIRRORED if not (ROOT / "tests" / name).is_file()]
    gone += [name for name in (*LARGER, *WIDER) if not (ROOT / name).exists()]
    for reason in TESTED_ELSEWHERE.values():
        gone += [name for name in re.findall(r"tests/[\w/.]*\w", reason) if not (ROOT / name).exists()]

    assert not gone


def test_source_roots_hold_only_their_package() -> None:
    """No ``__init__.py`` and no stray module beside the package; config/ also holds what an operator copies."""
    for root, package in ROOTS.items():
        held = {path.relative_to(ROOT / root).parts for path in tracked() if path.is_relative_to(ROOT / root)}
        copied = (
            (".yaml", ".json", ".service", ".socket", ".conf", "Caddyfile", "Containerfile") if root == "config" else ()
        )
        extra = [
            parts[0] for parts in held if parts[0] != package and not (len(parts) == 1 and parts[0].endswith(copied))
        ]

        assert not extra, root
        assert not list((ROOT / root).glob("*.py")), root


def test_no_trace_of_a_machine() -> None:
    """Absolute paths, registries' hosts and download addresses belong to a machine, not to the project."""
    words = [
        rb"(?<![\w.$}/])/(work|root|home)/\w",
        rb"(?<![\w/])(\.\./)*shared/\w",
        rb"index-url|find-links",
        rb"pythonhosted|pypi\.org|/simple/",
        b"file:" + b"///",
    ]
    pattern = re.compile(b"|".join(words))
    found = []
    for path in tracked():
        if path.suffix == ".png" or path == Path(__file__):
            continue
        for number, line in enumerate(path.read_bytes().splitlines(), 1):
            if pattern.search(line):
                found.append(f"{named(path)}:{number}: {line.strip()[:80]!r}")

    assert not found

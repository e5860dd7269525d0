"""Mutation testing of the core: each line changed a little, one change at a time; the tests must notice.

    python tests/mutation.py [--workers 2] [--only score,days]          (make mutation)

Changes are made by cosmic-ray's operators. Each mutant is tested in a forked process that has the libraries loaded and not
the core; one that uses up its processor time or its memory hangs, which is noticed too. Survivors are compared with ``tests/mutants.txt``, which explains each; one that is not there, or fewer than 95 %
killed, is exit 1. ``--write`` adds new ones there, to be explained.
"""

import argparse
import ast
import compileall
import difflib
import os
import re
import resource
import shutil
import subprocess
import sys
import tempfile
import traceback
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).parent.parent
CORE = "plugin/sanfen/core"
MODULES = ("rounds", "clocks", "score", "days", "policy")
TESTS = ("tests/core/test_score.py", "tests/core/test_escalation.py", "tests/core/test_checks.py")
ZONES = ("America/Sao_Paulo", "Pacific/Apia")
ITS_OWN = {
    "days": (
        "tests/core/test_days.py",
        "tests/core/test_zones.py::test_days_one_can_look_up",
        *(f"tests/core/test_zones.py::test_each_second_counts_once_across_every_change[{zone}]" for zone in ZONES),
    ),
    "policy": ("tests/core/test_policy.py", "tests/config/test_ladders.py"),
}
EXPLAINED = Path(__file__).with_name("mutants.txt")
ENOUGH = 0.95
WORDS = re.compile(r"(<|>|<=|>=) (\"|Sender\.|Mode\.|Outcome\.)")  # words have no order: nobody errs that way
SECONDS, BYTES = 4, 2 << 30  # several times what the tests need


class Mutant(NamedTuple):
    """A change of one module. ``told``: its name in the list, the old and the new line."""

    module: str
    code: str
    told: str


def mutants(module: str) -> Iterator[Mutant]:
    """Every change that changes more than an annotation."""
    from cosmic_ray.ast import ast_nodes, get_ast  # only this target needs it
    from cosmic_ray.mutating import mutate_code
    from cosmic_ray.plugins import get_operator, operator_names

    path = ROOT / CORE / f"{module}.py"
    source = path.read_text(encoding="utf-8")
    plain, seen = bare(source), {source}
    for name in operator_names():
        kind = get_operator(name)
        # Identity for equality, or the other way round, says something of the interpreter, not of the program.
        if kind.arguments() or name.endswith(("_Is", "_IsNot", "_Is_Eq", "_IsNot_NotEq")):
            continue
        operator = kind()
        places = sum(1 for node in ast_nodes(get_ast(source)) for _ in operator.mutation_positions(node))
        for number in range(places):
            code = mutate_code(source, operator, number)
            if code is None or code in seen:
                continue
            seen.add(code)
            told = change(source, code)
            if bare(code) != plain and not WORDS.search(told.partition("  =>  ")[2]):
                yield Mutant(module, code, f"{module}: {told}")


def bare(source: str) -> str:
    """What the program does, without annotations and docstrings; a mutant that is no program is one that dies."""
    try:
        tree = ast.parse(source)
    except SyntaxError:
        return ""
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef):
            node.returns = None
            for argument in (*node.args.args, *node.args.kwonlyargs):
                argument.annotation = None
        if isinstance(node, ast.AnnAssign):
            node.annotation = ast.Constant(value=None)
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant):
            node.value = ast.Constant(value=None)
    return ast.dump(tree)


def change(source: str, code: str) -> str:
    lines = difflib.unified_diff(source.splitlines(), code.splitlines(), n=0, lineterm="")
    shown = [line for line in lines if line[:1] in "+-" and line[:3] not in ("+++", "---")]
    return "  =>  ".join(" ".join(line[1:].split()) for line in shown)


def survives(mutant: Mutant, folder: Path, *, longer: bool) -> bool:
    """Whether the tests pass with the change, in a copy of the tree. Runs in a child of its own."""
    may_take(SECONDS * (25 if longer else 1))
    resource.setrlimit(resource.RLIMIT_AS, (BYTES, BYTES))
    path = folder / CORE / f"{mutant.module}.py"
    path.write_text(mutant.code, encoding="utf-8")
    for cached in (path.parent / "__pycache__").glob(f"{mutant.module}.*"):
        cached.unlink()
    sys.path[:0] = [str(folder), *(str(folder / root) for root in ("plugin", "adapters", "config"))]
    sys.dont_write_bytecode = True
    os.chdir(folder)
    sink = os.open(os.devnull, os.O_WRONLY)
    os.dup2(sink, 1)
    os.dup2(sink, 2)
    import pytest  # loaded already by the parent

    quiet = ("-q", "-x", "-p", "no:cacheprovider", "-p", "no:xdist", "--assert=plain")
    if not passes_at_once():
        return False
    may_take(SECONDS * 25)
    return longer or pytest.main([*quiet, *TESTS, *ITS_OWN.get(mutant.module, ())]) == 0


def may_take(seconds: int) -> None:
    """End the process when it has used so much processor time since it began."""
    resource.setrlimit(resource.RLIMIT_CPU, (seconds, resource.getrlimit(resource.RLIMIT_CPU)[1]))


def passes_at_once() -> bool:
    """The tests that notice most, without what pytest does around them."""
    try:
        from tests.core import test_golden, test_transcripts
        from tests.properties import shops, test_oracle

        for case in test_golden.READY:
            test_golden.test_case(case)
        for name in shops.scoring_names():
            test_oracle.test_the_core_agrees_with_the_rules(name)
            test_oracle.test_the_core_agrees_where_users_bend_a_rule(name)
        for path in test_transcripts.FILES:
            test_transcripts.test_transcript(path)
    except BaseException:  # noqa: BLE001  # whatever it is: noticed
        return False
    return True


def run(found: list[Mutant], workers: int, conversations: int, *, longer: bool) -> list[Mutant]:
    """The mutants that no test notices. ``conversations``: of the second scorer, for each policy."""
    os.environ["SANFEN_ORACLE"] = str(conversations)
    import click  # noqa: F401  # what the children would each load again
    import hypothesis  # noqa: F401
    import pydantic  # noqa: F401
    import pytest  # noqa: F401
    import structlog  # noqa: F401
    import yaml  # noqa: F401

    alive: list[Mutant] = []
    with tempfile.TemporaryDirectory() as temporary:
        free = [copied(Path(temporary) / str(number)) for number in range(workers)]
        running: dict[int, tuple[Mutant, Path]] = {}
        waiting = list(reversed(found))
        while waiting or running:
            while waiting and free:
                mutant, folder = waiting.pop(), free.pop()
                child = os.fork()
                if child == 0:
                    try:
                        os._exit(0 if survives(mutant, folder, longer=longer) else 1)
                    except BaseException:  # noqa: BLE001  # the child must not go on as its parent
                        traceback.print_exc(file=sys.__stderr__)
                        os._exit(2)
                running[child] = (mutant, folder)
            ended, status = os.wait()
            mutant, folder = running.pop(ended)
            shutil.copy(ROOT / CORE / f"{mutant.module}.py", folder / CORE / f"{mutant.module}.py")
            free.append(folder)
            code = os.waitstatus_to_exitcode(status)
            if code == 2:
                raise SystemExit("the tests could not be run")
            if code == 0:
                alive.append(mutant)
                print(f"{'alive' if longer else '?'}  {mutant.told}", flush=True)
    return alive


def copied(folder: Path) -> Path:
    """A copy of the tracked tree, compiled: only the changed module is compiled again and again."""
    names = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, check=True).stdout.decode()
    for name in filter(None, names.split("\0")):
        target = folder / name
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(ROOT / name, target)
    compileall.compile_dir(folder, quiet=2)
    return folder


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--only", default=",".join(MODULES))
    parser.add_argument("--write", action="store_true")
    asked = parser.parse_args()
    found = [mutant for module in asked.only.split(",") for mutant in mutants(module)]
    print(f"{len(found)} mutants", flush=True)
    alive = run(found, asked.workers, 4, longer=False)
    print(f"{len(alive)} to look at longer", flush=True)
    alive = run(alive, asked.workers, 120, longer=True)
    text = EXPLAINED.read_text(encoding="utf-8") if EXPLAINED.exists() else ""
    known = {line for line in text.splitlines() if line and line[:1] not in "# "}
    new = [mutant.told for mutant in alive if mutant.told not in known]
    if asked.write:
        EXPLAINED.write_text(text + "".join(f"{line}\n    not explained yet\n" for line in new), encoding="utf-8")
    killed = 1 - len(alive) / len(found)
    print(f"{len(found)} mutants, {killed:.1%} killed, {len(alive)} alive, {len(new)} of them not in {EXPLAINED.name}")
    return 1 if new or killed < ENOUGH else 0


if __name__ == "__main__":
    sys.exit(main())

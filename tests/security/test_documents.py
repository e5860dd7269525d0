"""The threat model cannot lag: every row names tests, and every test it names exists."""

import ast
import re
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent.parent
ROWS = [
    line
    for line in (ROOT / "THREAT_MODEL.md").read_text(encoding="utf-8").splitlines()
    if re.match(r"\| [STRIDE] \|", line)
]
NAMED = sorted(set(re.findall(r"`(tests/[\w/]+\.py)::(\w+)`", "\n".join(ROWS))))


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.split("|")[2].strip())
def test_every_row_names_a_test(row: str) -> None:
    assert re.search(r"`tests/[\w/]+\.py::test_\w+`", row.split("|")[4])


@pytest.mark.parametrize(("path", "name"), NAMED)
def test_every_test_it_names_exists(path: str, name: str) -> None:
    tree = ast.parse((ROOT / path).read_text(encoding="utf-8"))

    assert name in {node.name for node in tree.body if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)}


def test_every_letter_has_its_rows() -> None:
    assert {row[2] for row in ROWS} == set("STRIDE")


def test_the_example_for_systemd_says_what_the_documents_promise() -> None:
    text = (ROOT / "config" / "sanfen.service").read_text(encoding="utf-8")
    lines = set(text.splitlines())

    assert {"Type=notify", "WatchdogSec=20", "User=sanfen", "UMask=0077", "LimitCORE=0", "NoNewPrivileges=yes"} <= lines
    assert {"ProtectSystem=strict", "ProtectHome=yes", "PrivateDevices=yes", "CapabilityBoundingSet="} <= lines
    assert {"MemoryMax=1G", "LimitNOFILE=8192", "SystemCallFilter=@system-service", "RestrictNamespaces=yes"} <= lines


def test_the_lock_pins_every_dependency_by_hash_and_names_no_address() -> None:
    """`make lock` writes it: whoever installs by it gets these bytes, wherever they come from."""
    text = (ROOT / "requirements.lock").read_text(encoding="utf-8")
    pinned = {m[1].lower().replace("_", "-"): m[2] for m in re.finditer(r"(?m)^([\w.-]+)==([\w.]+) \\$", text)}
    facts = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    floors = dict(re.findall(r"([\w-]+)>=([\d.]+)", "\n".join(facts["project"]["dependencies"])))

    assert not re.search(r"https?://|--index|--find|--extra|file:", text)
    assert all("--hash=sha256:" in block for block in re.split(r"(?m)^(?=[\w.-]+==)", text)[1:])
    for name, floor in floors.items():
        found = pinned[name.lower()]
        assert [int(part) for part in found.split(".")] >= [int(part) for part in floor.split(".")], name


def test_floors_are_above_the_known_holes() -> None:
    """Versions of ours that have advisories against them must not be installable beside us."""
    text = (ROOT / "pyproject.toml").read_text(encoding="utf-8")
    floors = {name: tuple(map(int, version.split("."))) for name, version in re.findall(r'"([\w-]+)>=([\d.]+)', text)}

    assert floors["aiohttp"] >= (3, 14, 3)
    assert floors["sqlite-utils"] >= (4, 2, 1)

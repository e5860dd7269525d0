"""Whoever drops a letter of a key is told the right one, at least four times in five. Every finding itself: test_load.py."""

import re
from pathlib import Path

from sanfen.config.jsonschema import config_schema
from sanfen.config.load import inspect

EXAMPLE = Path(__file__).parents[2] / "config" / "sanfen.example.yaml"
KEY = re.compile(r"(?<![\w.$-])([a-z_]{4,})(?=: )")


def test_a_letter_that_is_missing_is_found(tmp_path: Path) -> None:
    schema, text = config_schema(), EXAMPLE.read_text(encoding="utf-8")
    known = set(schema["properties"]) | {key for one in schema["$defs"].values() for key in one.get("properties", ())}
    environment = dict.fromkeys(re.findall(r"\$\{(\w+)", text), "0123456789abcdef" * 4)
    path, right, asked = tmp_path / "sanfen.yaml", 0, 0
    for found in KEY.finditer(text):
        key, before = found[1], text[text.rfind("\n", 0, found.start()) + 1 : found.start()]
        wrong = key[:2] + key[3:]
        if key not in known or wrong in known or "#" in before:
            continue
        path.write_text(text[: found.start()] + wrong + text[found.end() :], encoding="utf-8")
        _, findings = inspect(path, environment)
        asked += 1
        right += any(f"did you mean {key}?" in str(one.help) for one in findings)

    assert asked > 100
    assert right >= 0.8 * asked

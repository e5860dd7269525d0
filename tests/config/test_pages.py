"""Every code has its page, and its two files are what they say."""

from pathlib import Path

import pytest

from sanfen.config.findings import CODES
from sanfen.config.load import inspect
from sanfen.config.pages import PAGES


def codes(path: Path, text: str) -> set[str]:
    path.write_text(f"version: 1\n{text}", encoding="utf-8")
    return {finding.code for finding in inspect(path, {})[1]}


def test_every_code_has_its_page() -> None:
    assert set(PAGES) == set(CODES)


@pytest.mark.parametrize("code", [code for code, page in PAGES.items() if page.wrong])
def test_the_wrong_file_has_the_finding_and_the_right_one_has_not(tmp_path: Path, code: str) -> None:
    page, path = PAGES[code], tmp_path / "sanfen.yaml"

    assert code in codes(path, page.wrong)
    assert codes(path, page.right) <= {"W111"}
    assert code not in codes(path, page.right)

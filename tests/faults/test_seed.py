"""A failure of this folder can be had again."""

import os
import shutil
import subprocess
import sys
from pathlib import Path


def test_a_failure_prints_its_seed_and_its_command(tmp_path: Path) -> None:
    shutil.copy(Path(__file__).with_name("conftest.py"), tmp_path)
    (tmp_path / "test_it.py").write_text("def test_it(): assert False\n", encoding="utf-8")
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("PYTEST", "SANFEN"))}
    command = [sys.executable, "-Im", "pytest", "-q", "-p", "no:cacheprovider", "test_it.py"]
    run = subprocess.run(
        command, cwd=tmp_path, env=environment | {"SANFEN_SEED": "42"}, capture_output=True, text=True, check=False
    )

    assert "SANFEN_SEED=42 .venv/bin/python -Im pytest test_it.py::test_it" in run.stdout

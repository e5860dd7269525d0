"""The API by its own description: schemathesis reads /openapi.json and asks for what it must not say.

make fuzz-api       (schemathesis lives in a venv of its own: .venv/fuzz)
"""

import os
import subprocess
import sys
import tempfile
import threading
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent.parent.parent))
from tests.faults.doors import Doors
from tests.faults.seed import SEED

TOKEN = "0123456789abcdef" * 4
CONFIG = f"""\
people: {{lead: {{via: ["webhook+http://127.0.0.1:9/nobody"]}}}}
escalation: [{{name: default, steps: [{{at: 90s, notify: [lead]}}]}}]
admin: {{tokens: [{{value: {TOKEN}, name: fuzz}}]}}  # sanfen: allow W110
"""
LONGEST_S = 1800
# Everything but: what the description allows is never refused. It cannot say which policies and people there are.
CHECKS = ["--checks", "all", "--exclude-checks", "positive_data_acceptance"]


def main() -> int:
    doors = Doors(CONFIG)
    threading.Thread(target=doors.loop.run_forever, daemon=True).start()
    tool, *more = str(Path(sys.argv[1]).absolute()), *sys.argv[2:]
    url = f"http://127.0.0.1:{doors.board}/openapi.json"
    command = [
        tool,
        "run",
        url,
        *CHECKS,
        "--header",
        f"Authorization: Bearer {TOKEN}",
        "--seed",
        str(SEED),
        "--no-color",
        *more,
    ]
    environment = os.environ | {"COLUMNS": "160", "SCHEMATHESIS_NO_UPDATE_CHECK": "1"}
    with tempfile.TemporaryDirectory() as folder:  # it leaves a cache where it stands
        return subprocess.run(command, check=False, timeout=LONGEST_S, env=environment, cwd=folder).returncode


if __name__ == "__main__":
    sys.exit(main())

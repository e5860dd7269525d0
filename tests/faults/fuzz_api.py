"""The board's API by its own description: schemathesis reads /openapi.json and asks for what it must not say.

make fuzz-api       (installs schemathesis; says so where there is no description yet)
"""

import subprocess
import sys
import threading
import urllib.error
import urllib.request
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent.parent.parent))
from tests.faults.doors import Doors


def main() -> int:
    doors = Doors()
    threading.Thread(target=doors.loop.run_forever, daemon=True).start()
    url = f"http://127.0.0.1:{doors.board}/openapi.json"
    try:
        with urllib.request.urlopen(url, timeout=10):  # our own port
            pass
    except urllib.error.HTTPError as error:
        print(f"nothing to do: the board answers {error.code} for /openapi.json")  # noqa: T201
        return 0
    tool = str(Path(sys.executable).with_name("schemathesis"))
    command = [tool, "run", url, "--checks", "not_a_server_error", *sys.argv[1:]]
    return subprocess.run(command, check=False).returncode


if __name__ == "__main__":
    sys.exit(main())

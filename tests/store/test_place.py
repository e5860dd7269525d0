"""Where a log may be, and by which library it is written."""

import sys
from pathlib import Path
from types import ModuleType

import pytest
import sqlite_utils.utils

from sanfen.errors import StoreError
from sanfen.store.db import Database
from sanfen.store.place import check_folder, check_libraries

MOUNTS = """\
22 1 0:20 / / rw,relatime shared:1 - ext4 /dev/sda1 rw
30 22 0:40 / /mnt rw - nfs4 server:/export rw
31 22 0:41 / /mnt/local\\040disk rw - xfs /dev/sdb1 rw
32 22 0:42 / /srv rw shared:7 master:1 - {kind} server rw
"""


@pytest.mark.parametrize("kind", ["nfs", "nfs4", "cifs", "smb3", "fuse.sshfs", "9p", "ceph", "glusterfs"])
def test_a_network_file_system_is_refused(tmp_path: Path, kind: str) -> None:
    """Locks do not hold there, and a log with two writers is damaged in silence."""
    mounts = tmp_path / "mountinfo"
    mounts.write_text(MOUNTS.format(kind=kind), encoding="utf-8")

    with pytest.raises(StoreError, match="network file system") as caught:
        check_folder(Path("/srv/data/sanfen.db"), mounts)
    assert caught.value.hint
    with pytest.raises(StoreError):
        check_folder(Path("/mnt/sanfen.db"), mounts)


@pytest.mark.parametrize("folder", ["/var/lib", "/mnt/local disk", "/srvx"])
def test_a_disk_of_this_machine_is_taken(tmp_path: Path, folder: str) -> None:
    mounts = tmp_path / "mountinfo"
    mounts.write_text(MOUNTS.format(kind="nfs") + "broken\n", encoding="utf-8")

    check_folder(Path(folder) / "sanfen.db", mounts)
    check_folder(tmp_path / "sanfen.db", tmp_path / "no such file")


def test_this_machines_own_mounts_are_read(tmp_path: Path) -> None:
    check_folder(tmp_path / "sanfen.db")


@pytest.mark.parametrize("name", ["pysqlite3", "apsw"])
def test_a_second_sqlite_in_the_process_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    """Closing a file with one drops the locks of the other."""
    monkeypatch.setitem(sys.modules, name, ModuleType(name))

    with pytest.raises(StoreError, match=f"a second SQLite library is loaded: {name}"):
        Database.open(tmp_path / "log.db")
    assert not (tmp_path / "log.db").exists()


def test_sqlite_utils_uses_pythons_own(monkeypatch: pytest.MonkeyPatch) -> None:
    """It prefers another one silently where that is installed."""
    check_libraries()
    monkeypatch.setattr(sqlite_utils.utils, "sqlite3", ModuleType("pysqlite3"))

    with pytest.raises(StoreError, match="the one sqlite-utils chose"):
        check_libraries()

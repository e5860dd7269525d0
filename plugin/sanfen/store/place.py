"""Where a log may be, and by which library it is written: what SQLite itself does not look at."""

import sqlite3
import sys
from pathlib import Path

import sqlite_utils.utils
import structlog

from sanfen.errors import Phrase, StoreError

__all__ = ["check_folder", "check_libraries"]

_MOUNTS = Path("/proc/self/mountinfo")
_FAR = frozenset(
    {"9p", "afs", "beegfs", "ceph", "cifs", "coda", "fuse.glusterfs", "fuse.rclone", "fuse.s3fs", "fuse.sshfs", "gfs2",
     "glusterfs", "gpfs", "lustre", "ncpfs", "nfs", "nfs4", "ocfs2", "smb3", "smbfs"}
)  # fmt: skip
_OTHERS = ("pysqlite3", "apsw", "sqlcipher3", "pysqlcipher3")

_log = structlog.get_logger("sanfen.store")


def check_libraries() -> None:
    """Two SQLite libraries in one process drop each other's locks. Raises StoreError."""
    found = [name for name in _OTHERS if name in sys.modules]
    if getattr(sqlite_utils.utils, "sqlite3", None) is not sqlite3:
        found.append("the one sqlite-utils chose")
    if found:
        raise StoreError(
            Phrase("a second SQLite library is loaded: {names}", names=", ".join(found)),
            hint="uninstall pysqlite3-binary, apsw and the like from this environment: one process, one library",
        )


def check_folder(path: Path, mounts: Path = _MOUNTS) -> None:
    """A log needs locks and shared memory that hold: a disk of this machine. Raises StoreError.

    A file that others can read is said: it may be meant, and it holds what customers wrote.
    """
    kind = _file_system(path.parent.resolve(), mounts)
    if kind in _FAR:
        raise StoreError(
            Phrase(
                "{parent} is on a network file system ({kind}), where SQLite's locks do not hold",
                parent=path.parent,
                kind=kind,
            ),
            hint="put storage: on a disk of this machine, and copy it elsewhere with a backup",
        )
    if path.exists() and path.stat().st_mode & 0o077:
        _log.warning("others on this machine can read the log", path=str(path), mend=f"chmod 600 {path}")


def _file_system(folder: Path, mounts: Path) -> str:
    """The type of the mount a folder is on, as the kernel calls it; empty where it does not say."""
    best, kind = -1, ""
    try:
        lines = mounts.read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return ""
    for line in lines:
        left, _, right = line.partition(" - ")
        fields, facts = left.split(" "), right.split(" ")
        if len(fields) < 5:
            continue
        point = Path(fields[4].replace("\\040", " "))
        if folder.is_relative_to(point) and len(point.parts) >= best:
            best, kind = len(point.parts), facts[0]
    return kind

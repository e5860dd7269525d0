"""Files that verbs write where the user says."""

from pathlib import Path

__all__ = ["written"]


def written(path: Path, text: str, *, makes_folders: bool = False, is_secret: bool = False) -> None:
    """Write a file. ``makes_folders``: and those it stands in. ``is_secret``: only its owner may read it. Raises InputError."""
    from sanfen.errors import InputError, Phrase  # noqa: PLC0415  # loaded only for verbs that write

    try:
        if makes_folders:
            path.parent.mkdir(parents=True, exist_ok=True)
        path.touch(mode=0o600 if is_secret else 0o666)
        path.write_text(text, encoding="utf-8")
    except OSError as error:
        raise InputError(
            Phrase("cannot write {path}: {error}", path=path, error=error.strerror),
            hint="name a file in a folder that is there, and yours",
        ) from None

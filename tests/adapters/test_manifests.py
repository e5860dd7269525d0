"""Every adapter is a folder with a manifest that says the truth."""

from pathlib import Path

import pytest

import sanfen_adapters
from sanfen.abc import ChannelAdapter, Notifier
from sanfen_adapters import manifests

ROOT = Path(sanfen_adapters.__file__).parent
FOLDERS = [one for kind in ("channels", "notifiers") for one in sorted((ROOT / kind).glob("*/")) if one.name[0] != "_"]


@pytest.mark.parametrize("folder", FOLDERS, ids=lambda folder: f"{folder.parent.name}/{folder.name}")
def test_a_folder_without_a_manifest_is_forgotten(folder: Path) -> None:
    """It would be shipped and never found."""
    assert (folder / "manifest.toml").is_file()


@pytest.mark.parametrize("kind", ["channels", "notifiers"])
def test_a_manifest_names_its_class(kind: str) -> None:
    base = {"channels": ChannelAdapter, "notifiers": Notifier}[kind]

    for manifest in manifests(kind):
        made = manifest.load()

        assert issubclass(made, base)
        assert made.name == manifest.module.rpartition(".")[2], "the folder is the word in the configuration"
        assert {"en", "zh"} <= set(manifest.facts["title"])


def test_a_kind_without_a_folder_has_none() -> None:
    assert list(manifests("nothing")) == []

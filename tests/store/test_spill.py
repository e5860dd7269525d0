"""Files that survive their process, and are read once they belong to nobody."""

import fcntl
import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from sanfen.errors import StoreError
from sanfen.store import spill as spill_module
from sanfen.store.journal import Delivery, Gap
from sanfen.store.spill import Aside, Damaged, Spill
from sanfen.testing import ask, reply

START = 1_673_056_800_000


def delivery(number: int) -> Delivery:
    return Delivery(START, "desk", "in", "POST", "/in/desk/é", b"\x00\xff", None, number)


def lines(folder: Path) -> list[Path]:
    return sorted(folder.glob("s.*.lines"))


@pytest.fixture
def spill(tmp_path: Path) -> Iterator[Spill]:
    made = Spill(tmp_path / "s", "me")
    yield made
    made.close()


def test_what_went_in_comes_out(spill: Spill, tmp_path: Path) -> None:
    events = (ask(START, text="在吗"), reply(START + 5))
    for number in (1, 2):
        spill.append(delivery(number), events).result(10)

    assert spill.waiting() == 2
    assert list(spill.batches()) == [[Aside(delivery(1), events), Aside(delivery(2), events)]]
    assert lines(tmp_path) == []
    assert spill.waiting() == 0


def test_files_are_for_nobody_else(spill: Spill, tmp_path: Path) -> None:
    spill.append(delivery(1), ()).result(10)

    assert [oct(path.stat().st_mode & 0o777) for path in tmp_path.iterdir()] == ["0o600"] * 2


def test_a_living_process_keeps_its_file(spill: Spill, tmp_path: Path) -> None:
    spill.append(delivery(1), ()).result(10)
    other = Spill(tmp_path / "s", "other")

    assert list(other.batches()) == []
    assert other.orphaned_gaps() == []
    spill.close()
    assert [len(batch) for batch in other.batches()] == [1]
    other.close()


def test_a_file_drained_while_it_is_being_made_is_made_anew(
    spill: Spill, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Between its making and its lock it looks like an orphan's."""
    other = Spill(tmp_path / "s", "other")
    lock = fcntl.flock
    drained: list[list[Aside | Damaged]] = []

    def late(file: int, how: int) -> None:
        if how == fcntl.LOCK_EX and not drained:
            drained.append([])
            drained.extend(other.batches())
        lock(file, how)

    with monkeypatch.context() as patch:
        patch.setattr(fcntl, "flock", late)
        spill.append(delivery(1), ()).result(10)

    assert drained == [[]]
    assert list(spill.batches()) == [[Aside(delivery(1), ())]]
    other.close()


def test_a_ledger_that_has_an_owner_is_not_dropped(spill: Spill, tmp_path: Path) -> None:
    spill.note([Gap("desk", 1, 2, 1, "full")]).result(10)
    (path,) = tmp_path.glob("s.*.gaps")
    other = Spill(tmp_path / "s", "other")
    other.drop(path)
    assert path.exists()
    os.close(spill._ledger or 0)  # as if killed
    spill._ledger = None
    other.drop(path)

    assert not path.exists()
    other.close()


def test_a_batch_not_finished_with_comes_again(spill: Spill) -> None:
    for number in range(150):
        spill.append(delivery(number), ()).result(10)
    first = next(spill.batches())

    assert len(first) == 100
    assert [len(batch) for batch in spill.batches()] == [100, 50]


@pytest.mark.parametrize("cut", [1, 20, 90])
def test_a_line_cut_off_was_never_acknowledged(spill: Spill, tmp_path: Path, cut: int) -> None:
    for number in (1, 2):
        spill.append(delivery(number), ()).result(10)
    spill.close()
    (path,) = lines(tmp_path)
    path.write_bytes(path.read_bytes()[:-cut])

    assert [one for batch in spill.batches() for one in batch] == [Aside(delivery(1), ())]


def test_a_damaged_line_is_counted_and_the_others_are_read(spill: Spill, tmp_path: Path) -> None:
    for number in (1, 2, 3):
        spill.append(delivery(number), ()).result(10)
    spill.close()
    (path,) = lines(tmp_path)
    whole = path.read_bytes().splitlines(keepends=True)
    whole[1] = whole[1].replace(b"desk", b"disk")
    path.write_bytes(b"".join(whole))
    batches = spill.batches()
    (batch,) = [next(batches)]
    marks = [one.mark for one in batch if isinstance(one, Damaged)]

    assert [type(one) for one in batch] == [Aside, Damaged, Aside]
    assert [one.mark for one in next(spill.batches()) if isinstance(one, Damaged)] == marks


def test_a_bound_and_a_folder_that_cannot_be_written(
    spill: Spill, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(spill_module, "MOST_BYTES", 600)
    spill.append(delivery(1), ()).result(10)
    refused = [spill.append(delivery(number), ()).exception(10) for number in range(2, 9)]
    assert isinstance(refused[-1], StoreError)
    assert "full" in str(refused[-1])
    (tmp_path / "file").write_bytes(b"")
    other = Spill(tmp_path / "file" / "s", "me")
    with pytest.raises(StoreError, match="check spill"):
        other.append(delivery(1), ()).result(10)
    with pytest.raises(StoreError):
        other.note([Gap("c", 1, 1, 1, "r")]).result(10)
    other.close()


def test_the_ledger_is_never_longer_and_survives(spill: Spill, tmp_path: Path) -> None:
    """Written in place: a full disk cannot refuse it. Thousands of channels become one sum."""
    gaps = [Gap("desk", 1, 2, 3, "full", 0, 77)]
    spill.note(gaps).result(10)
    (path,) = tmp_path.glob("s.*.gaps")
    size = path.stat().st_size
    many = [Gap(f"channel {number}", number, number, 1, "full", 0, number) for number in range(2000)]
    spill.note(many).result(10)
    assert path.stat().st_size == size
    spill.note(gaps).result(10)
    os.close(spill._ledger or 0)  # as if killed
    spill._ledger = None
    other = Spill(tmp_path / "s", "other")
    ((found, read),) = other.orphaned_gaps()

    assert (found, read) == (path, gaps)
    other.close()


def test_of_two_slots_the_newer_whole_one_counts(spill: Spill, tmp_path: Path) -> None:
    for count in (1, 2):
        spill.note([Gap("desk", 1, 2, count, "full")]).result(10)
    (path,) = tmp_path.glob("s.*.gaps")
    data = bytearray(path.read_bytes())
    data[40] ^= 1  # the second note stands in the first slot
    path.write_bytes(data)
    os.close(spill._ledger or 0)
    spill._ledger = None
    other = Spill(tmp_path / "s", "other")

    assert [gaps for _, gaps in other.orphaned_gaps()] == [[Gap("desk", 1, 2, 1, "full")]]
    other.close()


def test_an_empty_ledger_is_removed_at_the_end(spill: Spill, tmp_path: Path) -> None:
    spill.note([Gap("desk", 1, 2, 1, "full")]).result(10)
    spill.note([]).result(10)
    spill.close()
    spill.close()

    assert list(tmp_path.iterdir()) == []


def test_whoever_has_stopped_waiting_stops_nobody_else(spill: Spill) -> None:
    """The thread outlives a cancelled future, and what it had to write is written."""
    cancelled = spill.append(delivery(1), ())
    cancelled.cancel()
    spill.append(delivery(2), ()).result(10)

    assert spill.waiting() == 2


def test_a_broken_disk_does_not_fill_up_with_names(
    spill: Spill, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What was on disk before the failure is drained all the same."""
    spill.append(delivery(1), ()).result(10)

    def broken(_: int) -> None:
        raise OSError(5, "Input/output error")

    with monkeypatch.context() as patch:
        patch.setattr("sanfen.store.spill.os.fdatasync", broken)
        for number in range(2, 9):
            assert isinstance(spill.append(delivery(number), ()).exception(10), StoreError)
        assert len(lines(tmp_path)) == 1
    spill.append(delivery(9), ()).result(10)

    assert [one.delivery.number for batch in spill.batches() for one in batch if isinstance(one, Aside)] == [1, 9]

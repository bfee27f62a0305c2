"""Archives of arrays: numpy reads them, and they stay on the disk until they are asked for."""

from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest

from trainer.archive import read_archive, write_archive

ARRAYS = {
    "odd": np.arange(7, dtype=np.uint8),
    "keys": np.arange(1000, dtype=np.int64),
    "table": np.arange(60, dtype=np.float32).reshape(3, 20),
    "none": np.empty((0, 4), np.float32),
}


def is_mapped(values: npt.NDArray[np.generic]) -> bool:
    """Tell whether an array lies in a file."""
    return isinstance(values.base, np.memmap)


def equal(found: dict[str, npt.NDArray[np.generic]]) -> bool:
    """Tell whether arrays are those that were written, in name, type and value."""
    same = (
        np.array_equal(found[name], values) and found[name].dtype == values.dtype for name, values in ARRAYS.items()
    )
    return found.keys() == ARRAYS.keys() and all(same)


def test_arrays_are_mapped_and_aligned(tmp_path: Path) -> None:
    """Whatever the lengths of names and arrays before them; torch takes them, and the file stays what it is."""
    path = tmp_path / "known.npz"
    write_archive(path, ARRAYS)
    written, found = path.read_bytes(), read_archive(path)
    assert equal(found)
    assert {name for name, values in found.items() if is_mapped(values)} == {"odd", "keys", "table"}
    assert all(values.ctypes.data % 64 == 0 for values in found.values() if is_mapped(values))
    found["keys"][0] = 5
    assert path.read_bytes() == written


def test_numpy_reads_them_and_the_bytes_are_those_of_the_arrays(tmp_path: Path) -> None:
    """No time of day and no name of the machine stands in them."""
    for name in ("one.npz", "other.npz"):
        write_archive(tmp_path / name, ARRAYS)
    with np.load(tmp_path / "one.npz") as plain:
        assert equal(dict(plain))
    assert (tmp_path / "one.npz").read_bytes() == (tmp_path / "other.npz").read_bytes()


@pytest.mark.parametrize("save", [np.savez, np.savez_compressed])
def test_what_numpy_wrote_is_read(tmp_path: Path, save: type) -> None:
    """As runs of earlier versions have it."""
    save(tmp_path / "known.npz", **ARRAYS)
    assert equal(read_archive(tmp_path / "known.npz"))

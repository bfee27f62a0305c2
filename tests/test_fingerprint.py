"""Checksums of columns: what they tell apart, and what they take."""

import subprocess
import sys
import tracemalloc
import zlib
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from labelers.text.document import FIELD_TYPES
from pipelines.folder.fingerprint import Fingerprint, combine_crc

ROOT = Path(__file__).parents[1]
VALUES = {"string": ["a", None, "b"], "int64": [7, None, -1], "float64": [0.5, None, -0.0], "bool": [True, None, False]}
WITHOUT_PANDAS = """
import sys
class NoPandas:
    @staticmethod
    def find_spec(name, path, target=None):
        if name == "pandas":
            raise ModuleNotFoundError("No module named 'pandas'", name="pandas")
sys.meta_path.insert(0, NoPandas)
import pyarrow as pa
from pipelines.folder.fingerprint import Fingerprint
found = Fingerprint()
found.add(pa.record_batch({"a": pa.array([1, 2], pa.int32()), "b": pa.array([[0.5]] * 2, pa.list_(pa.float32()))}))
print(found.to_json()["columns"]["a"][0], found.to_json()["columns"]["b[]"][0])
"""


def crc_of(array: pa.Array) -> list[int]:
    """Return size and checksum of a column's values."""
    found = Fingerprint()
    found.add(pa.record_batch({"x": array}))
    size, crc = found.to_json()["columns"]["x"]
    return [size, crc]


def test_numbers_need_no_pandas() -> None:
    """Arrow asks pandas for the type of an array's numbers; a user has none."""
    done = subprocess.run([sys.executable, "-c", WITHOUT_PANDAS], check=True, capture_output=True, text=True, cwd=ROOT)
    assert done.stdout.split() == ["8", "8"]


@pytest.mark.parametrize("kind", ["int8", "int16", "int32", "int64", "uint8", "float32", "float64"])
def test_the_checksum_is_that_of_the_numbers_bytes(kind: str) -> None:
    """A null counts as zero, and a part of an array as the array that it is."""
    numbers = np.array([3, 0, 5, 7]).astype(kind)
    whole = pa.array([9, 3, None, 5, 7], pa.from_numpy_dtype(numbers.dtype))
    assert crc_of(whole.slice(1)) == [numbers.nbytes, zlib.crc32(numbers)]


@pytest.mark.parametrize("kind", FIELD_TYPES)
def test_every_type_of_a_kept_field_has_a_checksum(kind: str) -> None:
    """Other values, other checksum."""
    values = VALUES[kind]
    assert crc_of(pa.array(values, FIELD_TYPES[kind])) != crc_of(pa.array(values[::-1], FIELD_TYPES[kind]))


@pytest.mark.parametrize("length", [0, 1, 255, 256, 65_537, 1_000_003])
def test_checksums_of_two_parts_make_that_of_the_whole(length: int) -> None:
    """Whatever the length of the second part."""
    first, second = b"some bytes", bytes(range(256)) * (length // 256) + bytes(length % 256)
    assert combine_crc(zlib.crc32(first), zlib.crc32(second), length) == zlib.crc32(first + second)


def test_merging_many_units_takes_no_memory() -> None:
    """The last of 600 merges holds no more than the 300th did."""
    whole, held = Fingerprint(), []
    tracemalloc.start()
    for unit in range(600):
        columns = {f"c{i}": [(unit * 7919 + i) * 104_729 % 1_000_003, unit * 977 + i] for i in range(4)}
        whole.merge({"rows": 1, "columns": columns})
        held.append(tracemalloc.get_traced_memory()[0])
    tracemalloc.stop()
    assert held[-1] - held[299] < 20_000

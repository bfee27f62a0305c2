"""Repeated records that workers find are those that one process finds, whatever is dealt out to whom."""

import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from small import built, files, write

from pipelines.folder.layout import Folder
from pipelines.input import repeats as input_repeats
from pipelines.input.repeats import KEY, record_keys_name, repeats
from pipelines.large import repeated
from pipelines.large.repeated import SortKeys, find_dropped, merge_dropped, write_lists

NAMES = [f"{i}.jsonl" for i in range(9)]


def look_here(elements: Sequence[Any], work: Any, merge: Callable[[Any], Any], name: str) -> dict[str, Any]:
    """Run a graph as a loop, in another order."""
    del name
    found = merge([merge([work(element)]) for element in reversed(elements)])
    assert found["errors"] == []
    return dict(found)


def leave_keys(folder: Folder, units: Sequence[int], seed: int, values: int) -> dict[str, int]:
    """Write keys of records with so many different texts and ids, and return how many each unit has."""
    random, counts = np.random.default_rng(seed), {}
    for unit, size in enumerate(units):
        keys = np.zeros(size, KEY)
        keys["a"] = random.integers(values, size=size).astype(np.uint64) * np.uint64((2**64 - 1) // values)
        keys["b"], keys["kind"] = keys["a"] ^ np.uint64(5), random.integers(3, size=size)
        keys["unit"], keys["file"] = unit, unit // 2
        keys["place"] = 1000 * unit + np.arange(size) // 3  # text, id and new id of a record
        if size:
            folder.write(record_keys_name("scratch", unit), keys.tobytes())
            counts[str(unit)] = size
    return counts


@given(
    st.lists(st.integers(0, 40), min_size=1, max_size=9).filter(any),
    st.integers(0, 999),
    st.sampled_from([3, 30, 300]),
    st.sampled_from([40, 700, 10**6]),
)
@settings(max_examples=40, deadline=None)
def test_workers_find_what_one_process_finds(
    tmp_path_factory: pytest.TempPathFactory, units: list[int], seed: int, values: int, run_bytes: int
) -> None:
    """Duplicates, repeated ids, renamed ones, and those whose new id is taken; lists and digests are equal."""
    folder = Folder.at(str(tmp_path_factory.mktemp("keys")))
    counts = leave_keys(folder, units, seed, values)
    expected = dict(write_lists(folder, "expected", repeats(folder, "scratch", counts, NAMES)))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(repeated, "RUN_BYTES", run_bytes)
        patch.setattr(repeated, "ranges_for", lambda size: max(1, size // run_bytes))
        found = find_dropped(folder.path, "scratch", counts, NAMES, look_here)
    assert found == expected
    for unit in expected:
        assert folder.read(f"scratch/{int(unit):05d}.json") == folder.read(f"expected/{int(unit):05d}.json")


def test_a_build_with_many_keys_is_the_same(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Through the real graph: texts and ids that repeat within files and across them."""
    for name in "ab":
        lines = [
            {"id": f"r{i % 9}", "text": f"The clerk waited at dusk, as page {i % 7}{name} tells."} for i in range(12)
        ]
        write(tmp_path, "".join(json.dumps(line) + "\n" for line in [*lines, *lines[:3]]), f"{name}.jsonl")
    tables: dict[str, Any] = {"unit": {"bytes": 500}, "dedup": {"documents": True}}
    first = built(tmp_path / "in", tmp_path / "one", **tables)
    assert first.books["records"]["duplicate"] > 0
    monkeypatch.setattr(input_repeats, "_MANY_KEYS", 1)
    monkeypatch.setattr(repeated, "RUN_BYTES", 300)
    monkeypatch.setattr(repeated, "ranges_for", lambda size: 4)
    second = built(tmp_path / "in", tmp_path / "two", **tables)
    assert (second.plan, second.books) == (first.plan, first.books)
    assert files(tmp_path / "two") == files(tmp_path / "one")
    names = sorted(path.name for path in (tmp_path / "one" / "dropped").iterdir())
    assert names == sorted(path.name for path in (tmp_path / "two" / "dropped").iterdir())


def test_what_goes_wrong_on_a_worker_is_told(tmp_path: Path) -> None:
    """As a result, since Beam would wrap what is raised in pages of text."""
    work = SortKeys(str(tmp_path), "scratch", frozenset({0}), 2)
    assert merge_dropped([work((0, 1))])["errors"][0].startswith("FileNotFoundError")
    assert work.refused((0, 1), "no disk") == {"errors": ["no disk"]}
    assert work.places((0, 1)) == []

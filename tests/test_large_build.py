"""A large build: what is done by parts, spans and ranges comes to the bytes of a small one, in bounded memory."""

import json
import shutil
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from small import built, files, text, write

from pipelines.folder.layout import Folder, stats_name, to_json
from pipelines.folder.manifest import PartialSummary, Summary
from pipelines.folder.marks import MarkError, read_mark
from pipelines.large import ending, plan_parts
from pipelines.large.ending import finish_large
from pipelines.large.plan_parts import PlanParts, planned
from pipelines.large.runs import bounds_of, ranges_for, read_range, spans_of, write_run
from pipelines.plans.plan import Plan, stored_digest
from pipelines.recipes.recipe_tables import RunTable
from pipelines.rows.passage_keys import equal_keys
from pipelines.verify import verify

ABOVE = ("README.md", "auxloom.json", "dataset_dict.json", "plan.json", "pool.jsonl")


def run_here(
    elements: Sequence[Any],
    work: Callable[[Any], Any],
    merge: Callable[[Iterable[Any]], Any],
    finish: Callable[[Any], None],
    run: RunTable,
) -> None:
    """Run a graph as a loop."""
    del run
    finish(merge([merge([work(element)]) for element in elements]))


def promised(out: Path) -> dict[str, bytes]:
    """Return all files whose bytes are promised, and those above the shards."""
    return files(out) | {name: (out / name).read_bytes() for name in ABOVE}


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return an input in which passages repeat."""
    return write(tmp_path_factory.mktemp("source"), text(60) + "\xff\n" + text(20) + text(5))


@pytest.fixture(scope="module")
def small(source: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a dataset that was built as small ones are, of several units."""
    out = tmp_path_factory.mktemp("small") / "out"
    assert built(source, out, unit={"bytes": 2000}).complete
    return out


@pytest.fixture
def as_large(monkeypatch: pytest.MonkeyPatch) -> None:
    """Take every build for a large one, of short spans and several ranges."""
    monkeypatch.setattr(plan_parts, "_WHOLE", 1)
    monkeypatch.setattr(ending, "RUN_BYTES", 200)
    monkeypatch.setattr(ending, "ranges_for", lambda keys: 3)


@pytest.mark.usefixtures("as_large")
def test_a_large_build_has_the_bytes_of_a_small_one(
    source: Path, small: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Through the real graph; no worker reads all of plan.json, and nothing is left behind."""
    out, read = tmp_path / "out", Plan.read
    whole: list[str] = []
    monkeypatch.setattr(Plan, "read", lambda folder: whole.append(folder.path) or read(folder))
    report = built(source, out, unit={"bytes": 2000})
    assert report.complete
    assert whole == []
    (line,) = (out / "run.jsonl").read_text().splitlines()
    assert [item["unit"] for item in json.loads(line)["units"]] == list(range(len(read(Folder.at(str(out))).units)))
    found, expected = promised(out), promised(small)
    assert json.loads(found["auxloom.json"])["equal_passages"]["repeats"] > 0
    for name in ("plan.json",):  # they name the paths of their folders
        assert stored_digest(Folder.at(str(out))) == stored_digest(Folder.at(str(small)))
        del found[name], expected[name]
    assert found == expected
    assert verify(out) == []
    assert not list(out.rglob(".tmp-*"))


@pytest.mark.usefixtures("as_large")
def test_what_is_missing_ends_no_large_build(small: Path, tmp_path: Path) -> None:
    """There is no manifest then, and the manifest of all is that of one process."""
    out = Path(shutil.copytree(small, tmp_path / "out"))
    folder, plan = Folder.at(str(out)), Plan.read(Folder.at(str(out)))
    plan = Plan.from_json({**plan.to_json(), "recipe": {**plan.recipe.stored(), "out": str(out)}})
    (out / "auxloom.json").unlink()
    mark = (out / stats_name(2)).rename(out / "mark")
    finish_large(plan, folder, ".tmp-x", run_here, plan.recipe.run)
    assert not (out / "auxloom.json").exists()
    mark.rename(out / stats_name(2))
    (out / stats_name(1)).rename(out / "mark")
    (out / stats_name(1)).write_bytes((out / stats_name(3)).read_bytes())
    finish_large(plan, folder, ".tmp-x", run_here, plan.recipe.run)
    assert not (out / stats_name(1)).exists()  # it does not count, and whoever only lists must not take it for one
    (out / "mark").rename(out / stats_name(1))
    finish_large(plan, folder, ".tmp-x", run_here, plan.recipe.run)
    assert promised(out) == promised(small)


def test_a_host_that_cannot_sum_up_ends_the_build(small: Path) -> None:
    """Its reason is told, and no manifest says that all is well."""

    def refused(elements: Any, work: Any, merge: Any, finish: Any, run: RunTable) -> None:
        del run
        finish(merge([work.refused(element, "node7 does not see it") for element in elements]))

    with pytest.raises(OSError, match="node7 does not see it"):
        finish_large(Plan.read(Folder.at(str(small))), Folder.at(str(small)), ".tmp-x", refused, RunTable())
    assert not list(small.glob(".tmp-*"))


@given(st.lists(st.integers(0, 6), max_size=8), st.integers(0, 999))
@settings(max_examples=40, deadline=None)
def test_sums_of_spans_are_the_sum_of_all(small: Path, sizes: list[int], seed: int) -> None:
    """Counts, checksums of columns in order, errors, held-out bits and the digest over files."""
    random = np.random.default_rng(seed)
    template = json.loads((small / stats_name(0)).read_bytes())
    whole, parts = Summary(), Summary()
    for size in sizes:
        span = PartialSummary()
        for _ in range(size):
            mark = json.loads(json.dumps(template))
            mark["records"]["read"] = int(random.integers(9))
            mark["records"]["rejected"] = {str(random.choice(["empty", "file"])): int(random.integers(1, 5))}
            mark["files"] = {f"train/{random.integers(99)}": {"bytes": 1}}
            mark["errors"] = {"masking": {"row": f"a/{random.integers(99)}", "text": "x"}}
            mark["held_out"] = {"grams": 8, "seen": str(random.choice(["gA==", "AQ==", "/w=="]))}
            columns = mark["splits"]["train"]["columns"]
            mark["splits"]["train"]["columns"] = {
                name: [int(random.integers(99)), int(random.integers(1 << 32))] for name in columns
            }
            whole.add(mark)
            span.add(mark)
        if size:
            parts.merge(json.loads(to_json(span.to_json())))
    folder = Folder.at(str(small))
    plan, equal = Plan.read(folder), {"passages": 0, "repeats": 0}
    if sum(sizes):
        assert parts.manifest(plan, folder, equal) == whole.manifest(plan, folder, equal)


@given(st.lists(st.lists(st.integers(0, 40), max_size=30), min_size=1, max_size=6), st.integers(1, 60))
@settings(max_examples=40, deadline=None)
def test_equal_keys_lie_in_one_range(
    tmp_path_factory: pytest.TempPathFactory, runs: list[list[int]], range_keys: int
) -> None:
    """However many runs and ranges there are; each key is in one of them."""
    folder = Folder.at(str(tmp_path_factory.mktemp("runs")))
    ranges, names = ranges_for(sum(map(len, runs)), range_keys), [str(number) for number in range(len(runs))]
    for name, values in zip(names, runs, strict=True):
        keys = np.array(sorted(value * (2**64 - 1) // 40 for value in values), np.uint64)
        write_run(folder, name, keys.astype("<u8"), keys, bounds_of(ranges))
    counts = Counter(value for values in runs for value in values)
    found: Counter[str] = Counter()
    for number in range(ranges):
        found.update(equal_keys(read_range(folder, names, number, ranges, "<u8")))
    expected = {"passages": sum(n > 1 for n in counts.values()), "repeats": sum(n - 1 for n in counts.values())}
    assert {name: found[name] for name in expected} == expected


@given(st.lists(st.integers(0, 50)), st.integers(1, 60), st.integers(1, 9))
def test_spans_hold_all_units_and_little(sizes: list[int], most: int, units: int) -> None:
    """Each unit is in one span, and no span of several is too large."""
    spans = spans_of(sizes, most, units=units)
    assert [unit for start, stop in spans for unit in range(start, stop)] == list(range(len(sizes)))
    for start, stop in spans:
        assert stop - start == 1 or (sum(sizes[start:stop]) <= most and stop - start <= units)


def test_a_process_keeps_the_plan_of_a_run(small: Path) -> None:
    """Another run in the same process reads it anew, and another plan is refused."""
    folder = Folder.at(str(small))
    digest = stored_digest(folder)
    first = planned(str(small), digest, "a.json")
    assert planned(str(small), digest, "a.json") is first
    assert planned(str(small), digest, "b.json") is not first
    assert not isinstance(first, PlanParts)
    with pytest.raises(OSError, match="another build replaced the plan"):
        planned(str(small), "0" * 32, "a.json")


def test_a_complete_dataset_is_looked_at_without_checksums_of_columns(small: Path, tmp_path: Path) -> None:
    """They are most of a mark; that the mark is whole is seen from its bytes."""
    out = Path(shutil.copytree(small, tmp_path / "out"))
    folder, digest = Folder.at(str(out)), stored_digest(Folder.at(str(small)))
    whole, brief = read_mark(folder, digest, 1), read_mark(folder, digest, 1, brief=True)
    assert {split["columns"].__class__ for split in brief["splits"].values()} == {dict}
    assert not any(split.pop("columns") for split in brief["splits"].values())
    assert all(split.pop("columns") is not None for split in whole["splits"].values())
    assert brief == whole
    path = out / stats_name(1)
    path.write_bytes(path.read_bytes().replace(b'"rows":', b'"rows":1', 1))
    with pytest.raises(MarkError, match="its digest does not match"):
        read_mark(folder, digest, 1, brief=True)

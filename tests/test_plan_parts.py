"""The plan in parts: what a worker reads of it is what stands in plan.json, and no more than it needs."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipelines.folder.layout import PLAN, Folder, shard_name
from pipelines.input.changes import check_inputs
from pipelines.input.records import InputFile, Unit, splits_given, total_bytes
from pipelines.input.splits import Splitter
from pipelines.input.units import make_units
from pipelines.large import plan_parts
from pipelines.large.plan_parts import PlanParts, is_large, write_parts
from pipelines.plans.plan import Plan, plan_bytes, stored_digest
from pipelines.recipes.recipe import make_recipe


def planned(place: Path, sizes: Sequence[int], unit: int = 10, split: str = "") -> tuple[Plan, Folder]:
    """Return a plan of files of some sizes, of which every third unit has repeated records, and its folder."""
    files = [InputFile(f"{i}.txt", str(place / f"{i}.txt"), "txt", size, "", split) for i, size in enumerate(sizes)]
    units = make_units(files, unit)
    pieces: dict[int, list[tuple[int, int, str]]] = {}
    for part in (part for one in units for part in one.ranges):
        pieces.setdefault(part.file, []).append((part.start, part.stop, f"{part.start:032x}"))
    files = [replace(file, pieces=tuple(pieces.get(i, ()))) for i, file in enumerate(files)]
    recipe = make_recipe({"input": {"files": [str(place)]}, "out": str(place / "out")})
    dropped = {str(one.index): f"{one.index:032x}" for one in units[::3]}
    rest = {"classes": {"roles": ("a", "b")}, "moved": {"00": "test"}, "dropped": dropped, "digest": "d" * 32}
    plan = Plan(recipe, tuple(files), tuple(units), ("a.pdf",), {}, {"auxloom": "1"}, **rest)
    folder = Folder.at(str(place / "out"))
    folder.write(PLAN, plan_bytes(plan))
    return plan, folder


@given(st.lists(st.integers(1, 900), min_size=1, max_size=12), st.sampled_from(["", "train", "validation"]))
@settings(max_examples=15, deadline=None)
def test_a_part_has_all_that_a_unit_needs(
    tmp_path_factory: pytest.TempPathFactory, sizes: list[int], split: str
) -> None:
    """Ranges, files with the digests of their pieces, repeated records, and what is known of all files."""
    plan, folder = planned(tmp_path_factory.mktemp("plan"), sizes, split=split)
    write_parts(plan, folder, ".tmp-parts")
    parts = PlanParts(folder, ".tmp-parts")
    for number in range(len(plan.units)):
        found = parts.of(number)
        assert (found.units[number], len(found.units)) == (plan.units[number], len(plan.units))
        for part in plan.units[number].ranges:
            assert found.files[part.file].path == plan.files[part.file].path
        own = [replace(plan.files[part.file], pieces=()) for part in plan.units[number].ranges]
        assert [replace(found.files[part.file], pieces=()) for part in found.units[number].ranges] == own
        ranges = plan.units[number].ranges
        assert list(check_inputs(found.files, ranges)) == list(check_inputs(plan.files, ranges))
        assert all(
            piece in found.files[part.file].pieces
            for part in ranges
            for piece in plan.files[part.file].pieces
            if piece[0] == part.start
        )
        assert (found.dropped or {}).get(str(number)) == (plan.dropped or {}).get(str(number))
    assert (total_bytes(found.files), splits_given(found.files)) == (sum(sizes), splits_given(plan.files))
    assert found.splitter.carved == plan.splitter.carved == Splitter.of(plan.recipe.split, plan.files, {}).carved
    assert replace(found, files=(), units=(), dropped=None) == replace(
        plan, files=(), units=(), dropped=None, skipped=()
    )


def test_a_part_is_small(tmp_path: Path) -> None:
    """Of a long plan a process keeps one block; what it was not asked for it cannot tell."""
    plan, folder = planned(tmp_path, [50_000])
    write_parts(plan, folder, ".tmp-parts")
    parts = PlanParts(folder, ".tmp-parts")
    found = parts.of(4_900)
    assert len(found.units.known) == 64  # type: ignore[attr-defined]
    assert len(found.files[0].pieces) == 65  # with the first, which may be that of the whole file
    for wrong in (lambda: found.units[0], lambda: list(found.units), lambda: list(found.files)):
        with pytest.raises(LookupError, match="are known"):
            wrong()
    assert is_large(plan)
    assert not is_large(replace(plan, units=plan.units[:1000]))


def test_without_its_parts_the_whole_plan_is_read(tmp_path: Path) -> None:
    """Another run of the same plan that ended has removed them; one of another plan is an error."""
    plan, folder = planned(tmp_path, [2_000])
    write_parts(plan, folder, ".tmp-parts")
    parts = PlanParts(folder, ".tmp-parts")
    folder.remove(".tmp-parts")
    assert parts.of(3).units == plan.units
    folder.write(PLAN, plan_bytes(replace(plan, digest="e" * 32)))
    with pytest.raises(OSError, match="another build replaced the plan"):
        parts.of(150)
    with pytest.raises(FileNotFoundError):
        PlanParts(folder, ".tmp-parts")


def test_the_digest_of_a_plan_stands_at_its_beginning(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each unit compares it before its commit: that must not read the plan of all."""
    plan, folder = planned(tmp_path, [400_000])
    assert folder.fs.get_file_info(folder.full(PLAN)).size > 1 << 21
    monkeypatch.setattr(Folder, "read", None)
    assert stored_digest(folder) == plan.digest


def test_shards_are_in_the_order_of_their_units() -> None:
    """Readers sort them by name; up to 99,999 units the names are what they always were."""
    assert shard_name("test", 7, 99_999) == "test/data-00007-of-99999.arrow"
    names = [shard_name("test", unit, 100_001) for unit in (9, 99_999, 100_000)]
    assert names == sorted(names)
    assert len({len(name) for name in names}) == 1


def test_units_and_blocks_of_a_part_agree() -> None:
    """A block begins where its number says."""
    assert plan_parts._name("p", 63) == plan_parts._name("p", 0) != plan_parts._name("p", 64)
    assert Unit.from_json(3, [[1, 2, 4]]).to_json() == [[1, 2, 4]]

"""A finished dataset that was damaged: verify names the file, build makes it again, and every byte is what it was."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from small import built, recipe, rows, text, write

from labelers.task import tasks
from pipelines.build import build
from pipelines.display.show import first_rows
from pipelines.folder.finish import finish
from pipelines.folder.layout import Folder, Pending
from pipelines.folder.marks import seal
from pipelines.plans.plan import Plan
from pipelines.recipes.recipe import RecipeError
from pipelines.verify import verify

TABLES: dict[str, Any] = {"unit": {"bytes": 17_500}}
SHARD = "train/data-00001-of-00003.arrow"


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return texts of three units, with rejects and repeated records."""
    lines = [json.dumps({"id": f"n{i}", "text": line}) for i, line in enumerate(text(300).splitlines())]
    content = "\n".join(["{", *lines, lines[0], "{"]) + "\n"
    return write(tmp_path_factory.mktemp("source"), content, "text.jsonl")


@pytest.fixture(scope="module")
def dataset(source: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a dataset of three units."""
    out = tmp_path_factory.mktemp("whole") / "out"
    assert built(source, out, **TABLES).exit_code == 0
    assert (out / SHARD).exists()
    return out


@pytest.fixture
def out(dataset: Path, tmp_path: Path) -> Path:
    """Return a copy to damage."""
    return Path(shutil.copytree(dataset, tmp_path / "out"))


def content(out: Path) -> dict[str, bytes]:
    """Return the content of all files but the log of runs."""
    found = {path.relative_to(out).as_posix(): path.read_bytes() for path in out.rglob("*") if path.is_file()}
    if found.get("plan.json"):
        plan = json.loads(found["plan.json"])
        plan["recipe"] |= {"out": ""}  # where it was built
        found["plan.json"] = json.dumps(plan).encode()
    return {name: data for name, data in found.items() if name != "run.jsonl"}


def flip(path: Path, place: float = 0.5) -> None:
    """Change one byte of a file in its place."""
    data = bytearray(path.read_bytes())
    data[int(len(data) * place)] ^= 1
    path.write_bytes(bytes(data))


def cut(path: Path) -> None:
    """Keep the first half of a file."""
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


def empty(path: Path) -> None:
    """Leave nothing of a file's content."""
    path.write_bytes(b"")


def other_plan(path: Path) -> None:
    """Turn a commit mark into one of another plan."""
    path.write_text(json.dumps(seal({**json.loads(path.read_bytes()), "plan": "0" * 32})))


def reject(path: Path) -> None:
    """Leave what an older plan may have left."""
    path.write_text(json.dumps({"source": "x", "place": 0, "reason": "empty", "sample": "", "note": ""}) + "\n")


Damage = Callable[[Path], object]
DAMAGES: dict[str, tuple[str, Damage]] = {
    "removed shard": (SHARD, Path.unlink),
    "removed split": ("validation", shutil.rmtree),
    "removed state": ("train/state.json", Path.unlink),
    "removed stats": ("stats/00001.json", Path.unlink),
    "removed keys": ("stats/00001.keys", Path.unlink),
    "removed rejects": ("rejects/00002.jsonl", Path.unlink),
    "removed card": ("README.md", Path.unlink),
    "removed pool": ("pool.jsonl", Path.unlink),
    "removed plan": ("plan.json", Path.unlink),
    "removed lists of repeated records": ("dropped", shutil.rmtree),
    "emptied shard": (SHARD, empty),
    "truncated shard": (SHARD, cut),
    "flipped shard": (SHARD, flip),
    "flipped head of a shard": (SHARD, lambda path: flip(path, 0.01)),
    "emptied stats": ("stats/00001.json", empty),
    "broken stats": ("stats/00001.json", cut),
    "flipped stats": ("stats/00001.json", flip),
    "stats that are a list": ("stats/00001.json", lambda path: path.write_text("[]")),
    "broken pool": ("pool.jsonl", cut),
    "flipped pool": ("pool.jsonl", flip),
    "broken manifest": ("auxloom.json", cut),
    "flipped manifest": ("auxloom.json", flip),
    "emptied manifest": ("auxloom.json", empty),
    "broken plan": ("plan.json", cut),
    "emptied plan": ("plan.json", empty),
    "changed plan": ("plan.json", lambda path: path.write_text(path.read_text().replace('"seed": 0', '"seed": 4'))),
    "broken list of repeated records": ("dropped/00002.json", empty),
    "flipped keys": ("stats/00001.keys", flip),
    "flipped card": ("README.md", flip),
    "emptied rejects": ("rejects/00002.jsonl", empty),
    "broken rejects": ("rejects/00002.jsonl", lambda path: path.write_text("[]\n")),
    "stray shard": ("train/data-00000-of-00009.arrow", lambda path: shutil.copy(path.parents[1] / SHARD, path)),
    "stray stats": ("stats/00009.json", lambda path: shutil.copy(path.parent / "00001.json", path)),
    "stray rejects": ("rejects/00001.jsonl", reject),
    "stats of another plan": ("stats/00001.json", other_plan),
    "stats of another unit": ("stats/00001.json", lambda path: shutil.copy(path.parent / "00002.json", path)),
}
ONLY_CHECK = {
    "flipped shard",
    "flipped head of a shard",
    "flipped keys",
    "flipped card",
    "broken list of repeated records",
}


@pytest.mark.parametrize("kind", DAMAGES)
def test_damage_is_named_and_healed(source: Path, dataset: Path, out: Path, kind: str) -> None:
    """What changes no size is seen by `build --check`; all else by `build`, which says what it made again."""
    name, damage = DAMAGES[kind]
    damage(out / name)
    problems = verify(out)
    assert any(problem.startswith(name) for problem in problems), problems
    assert not any("Traceback" in problem or "\n" in problem for problem in problems)
    if kind in ONLY_CHECK:
        assert built(source, out, **TABLES).already
    report = build(recipe(source, out, **TABLES), check=kind in ONLY_CHECK)
    assert (report.exit_code, report.complete, report.already) == (0, True, False)
    assert any(text.startswith(name) for text in report.remade), report.remade
    assert verify(out) == []
    assert content(out) == content(dataset)
    again = build(recipe(source, out, **TABLES), check=True)
    assert (again.complete, again.already, again.remade) == (True, True, [])


def test_verify_goes_on_behind_what_is_damaged(out: Path) -> None:
    """Each of several broken files has its sentence."""
    names = ["stats/00000.json", SHARD, "validation/data-00002-of-00003.arrow", "README.md", "pool.jsonl"]
    for name in names:
        cut(out / name)
    empty(out / "plan.json")
    problems = verify(out)
    assert any(problem.startswith("plan.json is damaged: run the same build again") for problem in problems)
    for name in names[:3]:
        assert any(problem.startswith(name) for problem in problems), name
    (out / "plan.json").write_bytes(b"{}")
    (out / "auxloom.json").write_bytes(b"{}")
    assert [problem.partition(" ")[0] for problem in verify(out)] == ["plan.json", "auxloom.json"]


@pytest.mark.parametrize("place", range(1, 20, 3))
def test_a_flipped_byte_anywhere_in_a_shard_ends_nothing(out: Path, place: int) -> None:
    """Arrow takes offsets as they are; rows are read only once they are known to be sound."""
    for shard in out.glob("train/*.arrow"):
        flip(shard, place / 20)
    assert len({problem.split()[0].rstrip(":") for problem in verify(out)}) == 3


def test_a_plan_is_made_again_only_for_the_units_that_follow_it(source: Path, out: Path) -> None:
    """With another recipe the error says what to do, and nothing is written."""
    empty(out / "plan.json")
    before = content(out)
    with pytest.raises(
        RecipeError, match=r"plan\.json is missing, and the files beside it were built from another recipe"
    ):
        built(source, out, seed=3, **TABLES)
    assert content(out) == before


def test_a_pool_of_another_text_is_refused(source: Path, out: Path, tmp_path: Path) -> None:
    """The scan must find what it found; of a text of the same size and time, no plan can be made again."""
    other = write(tmp_path, source.read_bytes().replace(b"page", b"leaf"), "text.jsonl")
    stamp(other, source)
    empty(out / "pool.jsonl")
    with pytest.raises(RecipeError, match="the input changed since the plan was made"):
        built(other, out, **TABLES)
    assert (out / "pool.jsonl").read_bytes() == b""
    assert built(source, out, **TABLES).remade == ["pool.jsonl: damaged: it does not match the plan"]
    assert verify(out) == []


def stamp(path: Path, like: Path) -> None:
    """Give a file the time of another."""
    shutil.copystat(like, path)


def test_a_unit_that_cannot_be_made_again_is_not_said_to_be(
    source: Path, out: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The dataset is unfinished, and says so; the next build ends it."""
    (out / SHARD).unlink()
    whole = Pending.write

    def full(self: Pending, data: object) -> int:
        if ".arrow" in self.name:
            raise OSError(28, "No space left on device")
        return whole(self, data)

    with monkeypatch.context() as patch:
        patch.setattr(Pending, "write", full)
        report = built(source, out, **TABLES)
    assert (report.exit_code, report.complete, report.remade) == (1, False, [])
    assert not (out / "auxloom.json").exists()
    cut(out / "stats/00000.json")
    with monkeypatch.context() as patch:
        patch.setattr("pipelines.graph.run_graph", lambda *given: 1 / 0)  # a runner that takes all units with it
        assert built(source, out, **TABLES).remade == []
    assert built(source, out, **TABLES).complete
    assert verify(out) == []


def test_overwrite_builds_all_of_the_same_plan(source: Path, out: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Every unit is made, and the command that would go on does not wipe what is done."""
    before = content(out)
    monkeypatch.setattr("sys.argv", ["auxloom", "build", "a.txt", "--overwrite"])
    report = build(recipe(source, out, **TABLES), overwrite=True)
    assert (report.complete, report.already, report.retry) == (True, False, "auxloom build a.txt")
    line = json.loads((out / "run.jsonl").read_text().splitlines()[-1])
    assert [unit["unit"] for unit in line["units"]] == [0, 1, 2]
    assert content(out) == before


def test_a_late_unit_of_an_older_plan_is_swept_away(source: Path, out: Path, tmp_path: Path) -> None:
    """Its shard, mark and rejects would be read by some readers and not by others."""
    built(source, tmp_path / "other", unit={"bytes": 7_500})
    (out / "auxloom.json").unlink()
    for name in ("stats/00005.json", "stats/00005.keys", "train/data-00005-of-00007.arrow"):
        shutil.copy(tmp_path / "other" / name, out / name)
    reject(out / "rejects/00005.jsonl")
    number = len(rows(out, "train"))
    finish(Plan.read(Folder.at(str(out))), str(out))
    assert len(rows(out, "train")) < number
    assert verify(out) == []


def test_looking_at_a_dataset_lists_folders_and_asks_for_no_file(
    source: Path, out: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The calls of the file system grow with the units by one: the reading of the mark."""
    calls: list[str] = []
    read = Folder.read

    def counted(self: Folder, name: str) -> bytes:
        calls.append(name)
        return read(self, name)

    monkeypatch.setattr(Folder, "read", counted)
    kind = Folder.kind
    monkeypatch.setattr(Folder, "kind", lambda self, name="": calls.append(name) or kind(self, name))
    assert built(source, out, **TABLES).already
    folders = {"stats", "rejects", "train", "validation", "test"}
    of_units = [name for name in calls if "/" in name and name.partition("/")[0] in folders]
    assert of_units == [f"stats/{unit:05d}.json" for unit in range(3)]


@pytest.mark.parametrize(
    "tables",
    [
        {"split": {"test": 0}},
        {"split": {"test": 0, "validation": 0}},
        {"split": {"test": 0.001}},
        {"input": {"files": [], "train": "train", "test": "test"}},
    ],
)
def test_a_split_without_rows_is_no_damage(tmp_path: Path, tables: dict[str, Any]) -> None:
    """Shares of 0, a small text and given splits build, verify and are complete."""
    source = write(tmp_path, text(120))
    if "input" in tables:
        paths = {
            name: [str(write(tmp_path, text(90, start), f"{name}.txt"))] for name, start in (("train", 0), ("test", 99))
        }
        tables = {"input": {"files": [], **paths}}
    out, unit = tmp_path / "out", {"bytes": 3000}
    report = built(source, out, unit=unit, **tables)
    assert (report.exit_code, report.complete) == (0, True)
    assert verify(out) == []
    assert built(source, out, unit=unit, **tables).already


def test_an_empty_shard_of_a_split_with_rows_is_missed(tmp_path: Path) -> None:
    """Readers want a shard of every unit, also of one without a row of the split."""
    source, out = write(tmp_path, text(120)), tmp_path / "out"
    built(source, out, unit={"bytes": 1000})
    sizes = {path: pa.ipc.open_stream(path.read_bytes()).read_all().num_rows for path in out.glob("validation/*.arrow")}
    path = next(path for path, number in sorted(sizes.items()) if not number)
    path.unlink()
    assert any(problem == f"validation/{path.name} is missing" for problem in verify(out))
    assert built(source, out, unit={"bytes": 1000}).remade == [f"validation/{path.name}: missing"]
    assert verify(out) == []


def test_files_are_on_the_disk_before_the_mark_says_so(
    source: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each file is synced before it gets its name, the folders before the mark, the mark's own at the end."""
    events: list[str] = []
    monkeypatch.setattr("labelers.stores.drafts.sync", lambda path: events.append(Path(path).name[:5]))
    commit = Pending.commit
    monkeypatch.setattr(Pending, "commit", lambda self: events.append(f"> {self.name}") or commit(self))
    built(source, tmp_path / "out")
    mark = events.index("> stats/00000.json")
    shards = events.index("> train/data-00000-of-00001.arrow")
    assert events[shards - 6 : shards] == [".tmp-"] * 6  # three shards, keys, rejects, mark
    assert sorted(events[mark - 4 : mark]) == ["rejec", "test", "train", "valid"]
    assert events[mark + 1] == "stats"
    assert events[-2:] == ["> run.jsonl", "out"]


@pytest.mark.parametrize("damage", [empty, cut])
def test_whoever_reads_a_damaged_shard_names_it(out: Path, damage: Damage) -> None:
    """Rows are shown, and tasks listed, of whole files only; pyarrow's words alone would tell nobody where to look."""
    damage(out / "train/data-00000-of-00003.arrow")
    with pytest.raises(ValueError, match=r"train/data-00000-of-00003\.arrow is damaged .*auxloom verify"):
        first_rows(out, 2000)
    empty(out / "test/data-00000-of-00003.arrow")
    with pytest.raises(ValueError, match=r"test/data-00000-of-00003\.arrow is damaged"):
        tasks(out)

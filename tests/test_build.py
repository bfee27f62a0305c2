"""The build: the same bytes however it runs, the books, and what it does when something goes wrong."""

import io
import json
import os
import re
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pyarrow.fs as pafs
import pytest
from rich.console import Console
from small import TOYS, built, files, manifest, recipe, rows, text, write

from labelers.edits import Edits
from pipelines.build import build, merge_reports
from pipelines.folder.books import balance
from pipelines.folder.layout import Pending
from pipelines.plans.planning import draft
from pipelines.recipes.recipe import RecipeError
from pipelines.verify import verify

UNIT = {"bytes": 14_000}
ROOT = Path(__file__).parents[1]


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a text of some 900 rows with a line that is rejected."""
    return write(tmp_path_factory.mktemp("source"), text(400).encode() + b"\xff\xfe\n" + text(500, 400).encode())


@pytest.fixture(scope="module")
def reference(source: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a dataset built in one process."""
    out = tmp_path_factory.mktemp("reference") / "out"
    assert built(source, out, unit=UNIT).exit_code == 0
    return out


def test_a_build_writes_a_sound_dataset(reference: Path) -> None:
    """A finished dataset has rows in all splits, adds up, and leaves no temporary file."""
    assert verify(reference) == []
    assert {split: bool(rows(reference, split)) for split in ("train", "validation", "test")} == {
        "train": True,
        "validation": True,
        "test": True,
    }
    assert list(reference.rglob(".tmp-*")) == []
    assert (reference / "rejects").exists()


@pytest.mark.parametrize("batch", [3, 100_000])
def test_the_processing_batch_changes_no_byte(source: Path, reference: Path, tmp_path: Path, batch: int) -> None:
    """Rows are labelled in batches of any size, and written in batches of 1,024."""
    small = tmp_path / "out"
    built(source, small, unit=UNIT, run={"batch": batch})
    assert files(small) == files(reference)


def test_two_workers_write_the_same_bytes_without_a_word(source: Path, reference: Path, tmp_path: Path) -> None:
    """Two processes share the units; standard error stays empty, and a module of the user's own is found.

    The folder that the command runs in holds a package with the name of ours: it must not be taken for it.
    """
    (tmp_path / "pipelines").mkdir()
    (tmp_path / "pipelines" / "__init__.py").write_text("raise ImportError('the wrong one')")
    (tmp_path / "mylab.py").write_text("from toy_labelers import Stutter as Mine, Beheading as Other\n")
    names = ["mylab:Mine", "mylab:Other", "masking"]
    code = (
        f"import sys; sys.path[:0] = [{str(ROOT)!r}]\n"
        "from pipelines.build import build\nfrom pipelines.recipes.recipe import make_recipe\n"
        f"data = dict(out='out', unit={UNIT}, run=dict(workers=2), input=dict(files=[{str(source)!r}]))\n"
        f"sys.exit(build(make_recipe(data | {{'with': {names!r}}})).exit_code)\n"
    )
    environment = {**os.environ, "PYTHONPATH": f"{ROOT}:{ROOT / 'tests'}"}
    command = [sys.executable, "-P", "-c", code]
    done = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    made = files(tmp_path / "out")
    assert {n: b for n, b in made.items() if n.endswith(".arrow")} == {
        n: b for n, b in files(reference).items() if n.endswith(".arrow")
    }
    (line,) = (tmp_path / "out" / "run.jsonl").read_text().splitlines()
    assert len({unit["process"] for unit in json.loads(line)["units"]}) == 2


def test_other_units_hold_the_same_rows(source: Path, reference: Path, tmp_path: Path) -> None:
    """The size of units decides where a row lies, never which rows there are, nor their order or digest."""
    built(source, tmp_path / "out", unit={"bytes": 100_000})
    for split in ("train", "validation", "test"):
        assert rows(tmp_path / "out", split) == rows(reference, split)
    assert manifest(tmp_path / "out")["rows_blake2b"] == manifest(reference)["rows_blake2b"]
    assert manifest(tmp_path / "out")["units"] != manifest(reference)["units"]


def test_no_path_and_no_time_reaches_a_byte(source: Path, reference: Path, tmp_path: Path) -> None:
    """The same text in another folder, written later, gives the same files, plan digest included."""
    moved = write(tmp_path, source.read_bytes())
    built(moved, tmp_path / "out", unit=UNIT)
    assert files(tmp_path / "out") == files(reference)


@pytest.mark.parametrize("views", ["separate", "woven"])
def test_a_woven_view_holds_all_edits(source: Path, tmp_path: Path, views: str) -> None:
    """Separate views hold one labeler's edits each; the woven one those of both, where they do not collide."""
    built(source, tmp_path / "out", views=views, unit=UNIT)
    found = rows(tmp_path / "out", "train")
    assert ("woven" in found[0]) == (views == "woven")
    both = 0
    for row in found:
        source_tokens = row["tokens"]
        for name in ("woven",) if views == "woven" else ("stutter", "beheading"):
            view, origin = row[name]["tokens"], row[name]["origin"]
            kept = [(token, place) for token, place in zip(view, origin, strict=True) if place >= 0]
            assert [token for token, _ in kept] == [source_tokens[place] for _, place in kept]
            both += len(view) == len(source_tokens) and view != source_tokens
    assert (both > 0) == (views == "woven")
    assert verify(tmp_path / "out") == []


def test_a_lost_edit_is_counted_and_its_row_abstains(source: Path, tmp_path: Path) -> None:
    """Where two labelers want the same place, the first in `with` has it; the other's row says conflict."""
    report = built(source, tmp_path / "out", views="woven", unit=UNIT)
    lost = report.books["conflicts"]["beheading"]
    conflicts = sum(row["beheading"]["status"] == 3 for split in report.splits for row in rows(tmp_path / "out", split))
    assert lost == conflicts > 0
    assert report.books["conflicts"]["stutter"] == 0


def test_the_books_add_up(reference: Path, source: Path) -> None:
    """Read = used + rejected + duplicate; cut = written; written = labelled + abstained; labels as in the rows."""
    books = manifest(reference)
    assert list(balance(books)) == []
    assert books["records"] == {"read": 901, "used": 900, "rejected": {"undecodable": 1}, "duplicate": 0}
    train = rows(reference, "train")
    book = books["splits"]["train"]
    assert book["rows"] == len(train)
    assert book["labelers"]["stutter"]["abstained"].get("short", 0) == sum(
        row["stutter"]["status"] == 2 for row in train
    )
    tags = Counter(tag for row in train for tag in row["stutter"]["tags"])
    assert book["tasks"]["stutter.tags"] == {"O": tags[0], "R": tags[1]}
    upper = Counter(row["beheading"]["upper"] for row in train)
    assert book["tasks"]["beheading.upper"] == {"lower": upper[0], "upper": upper[1]}
    hidden = sum(
        draw < 256 * 0.15 and not never
        for row in train
        for draw, never in zip(row["masking"]["draw"], row["masking"]["never"], strict=True)
    )
    assert book["tasks"]["masking.word"] == {"labels": hidden}


def test_copies_are_independent_and_stay_together(source: Path, tmp_path: Path) -> None:
    """Each passage stands K times, with the copy in its id, in one split, differently corrupted."""
    report = built(source, tmp_path / "out", copies=3, unit=UNIT)
    assert report.books["passages"]["written"] == 3 * report.books["passages"]["cut"]
    train = rows(tmp_path / "out", "train")
    assert [row["id"].partition("#")[2] for row in train[:4]] == ["", "1", "2", ""]
    assert {row["id"].partition("#")[0] for row in train[:3]} == {train[0]["id"]}
    changed = [len({str(row["stutter"]["origin"]) for row in train[i : i + 3]}) for i in range(0, 300, 3)]
    assert max(changed) == 3


def test_a_raising_labeler_fails_its_unit_alone(tmp_path: Path) -> None:
    """Unit, labeler and document are named; the others are done, there is no manifest, and a mended text goes on."""
    lines = text(1500).splitlines()
    lines[700] = "Then BOOM it went, they say."
    source = write(tmp_path, "\n".join(lines))
    tables = {"with": ["toy_labelers:Fragile", *TOYS], "unit": {"bytes": 20_000}}
    report = built(source, tmp_path / "out", **tables)
    offset = len("\n".join(lines[:700]).encode()) + 1
    units = len(json.loads((tmp_path / "out" / "plan.json").read_bytes())["units"])
    assert report.exit_code == 1
    (failure,) = report.failures
    assert f"document 'text.txt:{offset}'" in failure
    assert "labeler 'fragile'" in failure
    assert "KeyError" in failure
    assert len(list((tmp_path / "out" / "stats").glob("*.json"))) == units - 1
    assert not (tmp_path / "out" / "auxloom.json").exists()
    assert list((tmp_path / "out").rglob(".tmp-*")) == []
    assert len(verify(tmp_path / "out")) == 1
    console = Console(width=200, file=io.StringIO())
    report.print(console)
    assert "the dataset is incomplete; to make the missing units, run: " in console.file.getvalue()


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("Nope", "Beam has no runner of that name; give one of local, dask, "),
        ("dusk", "cannot use runner 'dusk' (did you mean 'dask'?): "),
        ("apache_beam.runners.Nope", "has no attribute 'Nope'"),
        ("nowhere.Runner", "No module named 'nowhere'"),
    ],
)
def test_a_runner_that_is_not_there_is_an_error_in_the_recipe(
    source: Path, tmp_path: Path, name: str, reason: str
) -> None:
    """It is no failed unit, and no command is offered that would fail again."""
    with pytest.raises(RecipeError, match=re.escape(reason)):
        built(source, tmp_path / "out", unit=UNIT, run={"runner": name})


@pytest.mark.parametrize("runner", ["local", "DirectRunner"])
def test_an_option_that_beam_does_not_know_is_an_error(source: Path, tmp_path: Path, runner: str) -> None:
    """With the nearest name; so is a value of another type."""
    run = {"runner": runner, "beam": {"direct_num_worker": 1}}
    with pytest.raises(RecipeError, match=r"no option 'direct_num_worker' \(did you mean 'direct_num_workers'\?\)"):
        built(source, tmp_path / "out", unit=UNIT, run=run)
    with pytest.raises(RecipeError, match="invalid int value: 'many'"):
        built(source, tmp_path / "out", unit=UNIT, run={"runner": runner, "beam": {"direct_num_workers": "many"}})


def test_a_runner_that_fails_leaves_what_is_done(source: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A worker that is killed takes the runner with it; the report says so, and the next build goes on."""

    def fail(*given: object) -> None:
        raise RuntimeError("Channel closed prematurely.")

    built(source, tmp_path / "out", unit=UNIT)
    (tmp_path / "out" / "auxloom.json").unlink()
    (tmp_path / "out" / "stats" / "00001.json").unlink()
    with monkeypatch.context() as patch:
        patch.setattr("pipelines.graph.run_graph", fail)
        report = built(source, tmp_path / "out", unit=UNIT)
    assert report.exit_code == 1
    assert "the runner: RuntimeError: Channel closed prematurely." in report.failures[0]
    assert built(source, tmp_path / "out", unit=UNIT).exit_code == 0


def test_a_column_of_another_type_than_declared_is_an_error(tmp_path: Path) -> None:
    """The error names labeler, column, what was made and what was declared."""
    source = write(tmp_path, "It was WRONG, they say.\n")
    report = built(source, tmp_path / "out", **{"with": ["toy_labelers:Fragile"]})
    assert "column 'turns' is int32 [1], but declared as int64 [1]" in report.failures[0]


def test_a_view_that_tells_the_answer_stops_its_unit(tmp_path: Path) -> None:
    """The leak check names row and labeler."""
    source = write(tmp_path, text(10))
    report = built(
        source, tmp_path / "out", labelers={"beheading": {"shown": True}}, **{"with": ["toy_labelers:Beheading"]}
    )
    assert "shows what a task must predict, or a copy of it" in report.failures[0]
    assert "text.txt:0/0" in report.failures[0]


def test_no_space_left_leaves_nothing_half_written(
    source: Path, reference: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A full disk fails the units that it meets; when there is space again, the same build ends it."""
    out, written = tmp_path / "out", Counter[str]()
    whole = Pending.write

    def write_until_full(self: Pending, data: object) -> int:
        written["bytes"] += memoryview(data).nbytes
        if ".arrow" in self.name and written["bytes"] > 1_000_000:
            raise OSError(28, "No space left on device")
        return whole(self, data)

    monkeypatch.setattr(Pending, "write", write_until_full)
    report = built(source, out, unit=UNIT)
    assert report.exit_code == 1
    assert any("No space left on device" in failure for failure in report.failures)
    assert list(out.rglob(".tmp-*")) == []
    monkeypatch.undo()
    assert built(source, out, unit=UNIT).exit_code == 0
    assert files(out) == files(reference)


def test_too_many_rejects_make_the_exit_code_1(tmp_path: Path) -> None:
    """Eleven bad lines of fifty are too many; the dataset is whole, and a second look says the same."""
    source = write(tmp_path, b"\xff\n" * 11 + text(40).encode())
    for _ in range(2):
        report = built(source, tmp_path / "out")
        assert report.exit_code == 1
        assert any("max_reject_rate" in warning for warning in report.warnings)
    assert verify(tmp_path / "out") == []
    assert built(source, tmp_path / "out", max_reject_rate=0.5).exit_code == 0


def test_a_file_that_is_not_what_its_name_says_is_one_reject(tmp_path: Path) -> None:
    """It makes the exit code non-zero, and the rest is built."""
    write(tmp_path, b"this is no gzip", "bad.jsonl.gz")
    write(tmp_path, text(50), "good.txt")
    report = built(tmp_path / "in", tmp_path / "out")
    assert report.exit_code == 1
    assert report.books["records"]["rejected"]["file"] == 1
    assert sum(report.splits.values()) > 0


def test_progress_counts_units_that_are_done(source: Path, tmp_path: Path) -> None:
    """The first call and the last tell the truth: nothing, and all."""
    calls: list[tuple[float, float, str]] = []
    build(recipe(source, tmp_path / "out", unit=UNIT), progress=lambda *call: calls.append(call))
    total = source.stat().st_size / 1e6
    assert calls[0][0] == 0
    assert calls[-1][0] == pytest.approx(total)
    assert calls[-1][1] == pytest.approx(total)


def test_small_held_out_sets_are_warned_of(tmp_path: Path) -> None:
    """A split under half of its share and a task with few held-out labels are named."""
    report = built(write(tmp_path, text(60)), tmp_path / "out")
    assert report.exit_code == 0
    assert any("the validation split has" in warning for warning in report.warnings)
    (few,) = [warning for warning in report.warnings if warning.startswith("fewer than 200 held-out labels")]
    assert "beheading.upper (" in few


def test_reports_merge_in_any_order() -> None:
    """A runner may merge partial results of any shape."""
    parts = [[{"unit": 2}], [{"unit": 0}, {"unit": 3}], [{"unit": 1}]]
    merged = merge_reports(parts)
    assert merged == merge_reports([merge_reports(parts[1:]), parts[0]])
    assert [report["unit"] for report in merged] == [0, 1, 2, 3]


def test_an_output_folder_that_holds_something_else_is_refused(tmp_path: Path) -> None:
    """Nothing of it is touched, with --overwrite either."""
    source, out = write(tmp_path, text(5)), tmp_path / "out"
    out.mkdir()
    (out / "thesis.doc").write_text("years of work")
    for overwrite in (False, True):
        with pytest.raises(RecipeError, match=r"contains other files .thesis\.doc"):
            build(recipe(source, out), overwrite=overwrite)
    assert [path.name for path in out.iterdir()] == ["thesis.doc"]


def test_an_output_folder_inside_the_input_is_refused(tmp_path: Path) -> None:
    """The next build would read it."""
    source = write(tmp_path, text(5))
    with pytest.raises(RecipeError, match="lies inside the input"):
        built(source.parent, source.parent / "out")
    assert not (source.parent / "out").exists()


@pytest.mark.parametrize(
    ("pattern", "out", "inside"),
    [
        ("*", "out", True),
        ("*/b", "in/b/out", True),
        ("**/*.jsonl", "in/b/out", True),
        ("*/*/pool.jsonl", "in/out", True),
        ("in/b/**", "in/b/out", True),
        ("*/*.txt", "in/out", False),
        ("in/*.txt", "out", False),
        ("in/b/**", "in/out", False),
        ("**/*.txt", "out", False),
    ],
)
def test_an_output_folder_that_a_glob_would_read_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, pattern: str, out: str, *, inside: bool
) -> None:
    """Before there is anything in it, so that the same command can be given again; what no glob reads is none."""
    for name in ("a.txt", "b/a.txt", "b/pool.jsonl", "b/c/pool.jsonl"):
        write(tmp_path, '{"text": "A word."}\n', name)
    monkeypatch.chdir(tmp_path)
    if inside:
        with pytest.raises(RecipeError, match=f"the output folder {out} lies inside the input {re.escape(pattern)}"):
            draft(recipe(Path(pattern), Path(out)))
    else:
        assert draft(recipe(Path(pattern), Path(out))).files


def test_another_plan_needs_overwrite(tmp_path: Path) -> None:
    """The error names what differs; --overwrite replaces the dataset and all that was in it."""
    source, out = write(tmp_path, text(50)), tmp_path / "out"
    built(source, out, unit={"bytes": 1000})
    with pytest.raises(RecipeError, match=r"seed was 0, now 7.*--overwrite"):
        built(source, out, seed=7, unit={"bytes": 1000})
    report = build(recipe(source, out, seed=7), overwrite=True)
    assert report.exit_code == 0
    assert verify(out) == []
    assert len(list((out / "stats").glob("*.json"))) == 1


def test_what_changes_no_byte_is_no_other_plan(tmp_path: Path) -> None:
    """Settings of the trainer and of the run belong to no plan: the dataset is complete."""
    source, out = write(tmp_path, text(50)), tmp_path / "out"
    built(source, out)
    report = built(source, out, train={"size": "tiny"}, run={"batch": 3})
    assert report.complete
    assert report.exit_code == 0


def test_an_input_that_changed_since_the_plan_is_refused(tmp_path: Path) -> None:
    """A file of other words or another size cannot be mixed with what was made of the old one."""
    source, out = write(tmp_path, text(50)), tmp_path / "out"
    built(source, out)
    source.write_text(text(50).replace("page", "leaf"))
    os.utime(source, (1, 1))
    with pytest.raises(
        RecipeError, match=r"a different plan: the input file text\.txt changed since the plan was made"
    ):
        built(source, out)
    source.write_text(text(60))
    with pytest.raises(RecipeError, match=r"a different plan: the input changed since the plan was made: text\.txt"):
        built(source, out)


def test_an_input_that_changes_while_it_is_read_fails_its_unit(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A worker looks before and after it reads."""
    source, out = write(tmp_path, text(50)), tmp_path / "out"
    take = Edits.take

    def change(self: Edits, edits: object) -> Edits:
        source.write_text(text(50).replace("page", "leaf"))
        os.utime(source, (1, 1))
        return take(self, edits)

    monkeypatch.setattr(Edits, "take", change)
    report = built(source, out)
    assert "text.txt changed since the plan was made" in report.failures[0]
    assert not list(out.glob("*/data-*"))


def test_a_dataset_may_lie_in_any_file_system(tmp_path: Path) -> None:
    """Paths and URIs name the same folder."""
    source = write(tmp_path, text(30))
    uri = pafs.LocalFileSystem().normalize_path(str(tmp_path / "out"))
    built(source, Path(uri))
    assert verify(f"file://{uri}") == []

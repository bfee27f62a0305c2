"""verify --rebuild: units that are made again, what differs in them, and what cannot be made again."""

import json
import shutil
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from small import built, files, text, write
from typer.testing import CliRunner

from pipelines.cli import app
from pipelines.folder.layout import Folder, to_json
from pipelines.folder.marks import seal
from pipelines.plans import plan_changes
from pipelines.plans.plan import Plan
from pipelines.rebuild import rebuild


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder with an input of five units, a reject in one of them, and the dataset."""
    folder = tmp_path_factory.mktemp("rebuild")
    source = write(folder, text(350).encode() + b"\xff\n" + text(350, 350).encode())
    assert built(source, folder / "out", unit={"bytes": 20_000}).exit_code == 0
    return folder


@pytest.fixture
def dataset(whole: Path, tmp_path: Path) -> Path:
    """Return a copy of the dataset that a test may change."""
    return Path(shutil.copytree(whole / "out", tmp_path / "out"))


def run(*arguments: str) -> tuple[int, str]:
    """Run `auxloom verify`, and return exit code and output."""
    done = CliRunner().invoke(app, ["verify", *arguments])
    if done.exception is not None and not isinstance(done.exception, SystemExit):
        raise done.exception
    return done.exit_code, done.output


def test_units_are_made_again_with_the_same_bytes(dataset: Path) -> None:
    """All of them, or so many, drawn by a seed that is told; nothing is written into the dataset."""
    before = files(dataset)
    found = rebuild(str(dataset), None, 5)
    assert (found.units, found.notes, found.problems) == ((0, 1, 2, 3, 4), (), ())
    drawn = {seed: rebuild(str(dataset), 1, seed).units for seed in (1, 2, 3)}
    assert all(len(units) == 1 for units in drawn.values())
    assert len(set(drawn.values())) > 1
    assert rebuild(str(dataset), 1, 1).units == drawn[1]
    assert files(dataset) == before


def test_a_split_without_rows_is_not_missed(tmp_path: Path) -> None:
    """A build removes its empty shards at the end."""
    assert built(write(tmp_path, text(40)), tmp_path / "out", split={"test": 0, "validation": 0.2}).exit_code == 0
    assert not (tmp_path / "out/test").exists()
    assert rebuild(str(tmp_path / "out"), None, 1).problems == ()


def test_the_command_tells_units_and_seed(dataset: Path) -> None:
    """So that a night's sample can be made once more."""
    code, output = run(str(dataset), "--rebuild", "2", "--seed", "7")
    units = ", ".join(map(str, rebuild(str(dataset), 2, 7).units))
    assert code == 0
    assert output.splitlines()[-1] == f"rebuilt units {units} (seed 7): identical bytes"
    code, output = run(str(dataset), "--rebuild", "all", "--json")
    assert code == 0
    told = json.loads(output)["rebuilt"]
    assert told["units"] == [0, 1, 2, 3, 4]
    assert isinstance(told["seed"], int)


@pytest.mark.parametrize("given", ["0", "-1", "many", "1.5"])
def test_a_number_of_units_that_is_none_is_refused(dataset: Path, given: str) -> None:
    """The message says what may be given."""
    with pytest.raises(ValueError, match="give a number of units or all"):
        run(str(dataset), "--rebuild", given)


def test_a_seed_without_rebuild_is_refused(dataset: Path) -> None:
    """It would be ignored."""
    with pytest.raises(ValueError, match="--seed selects the units of --rebuild"):
        run(str(dataset), "--seed", "3")


def change(path: Path, row: int, column: str, key: str | None, value: Any) -> None:
    """Write a shard again with one value changed."""
    table = pa.ipc.open_stream(path.read_bytes()).read_all()
    rows = table.to_pylist()
    if key is None:
        rows[row][column] = value
    else:
        rows[row][column][key] = value
    with pa.ipc.new_stream(path, table.schema) as stream:
        stream.write_table(pa.Table.from_pylist(rows, table.schema), max_chunksize=1024)


def test_the_first_row_and_column_that_differ_are_named(dataset: Path) -> None:
    """With the row's id and both values, down to the leaf of a struct, and from where two lists differ."""
    shard = next(dataset.glob("train/data-00001-*"))
    name = f"train/{shard.name}"
    table = pa.ipc.open_stream(shard.read_bytes()).read_all()
    row = table.to_pylist()[5]
    tokens = [*row["tokens"][:2], "changed", *row["tokens"][3:]]
    change(shard, 9, "beheading", "upper", 0)
    change(shard, 5, "tokens", None, tokens)
    (problem,) = rebuild(str(dataset), None, 0).problems
    assert problem.startswith(f'{name}: row 5 ({row["id"]!r}), column tokens: from index 2 ["changed"')
    change(shard, 5, "tokens", None, row["tokens"])
    (problem,) = rebuild(str(dataset), None, 0).problems
    assert problem.startswith(f"{name}: row 9 (")
    assert problem.endswith("column beheading.upper: 0 stored, 1 rebuilt")


def test_other_differences_are_named(dataset: Path) -> None:
    """Missing rows, another schema, rejects, keys, counts, files that are missing or cannot be read."""
    shards = sorted(dataset.glob("train/data-*"))
    table = pa.ipc.open_stream(shards[0].read_bytes()).read_all()
    with pa.ipc.new_stream(shards[0], table.schema) as stream:
        stream.write_table(table.slice(0, 10))
    with pa.ipc.new_stream(shards[1], table.schema.remove_metadata()) as stream:
        stream.write_table(table.replace_schema_metadata())
    shards[2].write_bytes(b"no stream")
    shards[3].unlink()
    (dataset / "stats/00004.keys").write_bytes(b"12345678")
    (reject,) = (dataset / "rejects").iterdir()
    reject.write_text(reject.read_text().replace("undecodable", "unknown"))
    problems = {text.partition(":")[0]: text for text in rebuild(str(dataset), None, 0).problems}
    rows = table.num_rows
    assert f"it has at least 10 rows, the rebuilt one at least {rows}" in problems[f"train/{shards[0].name}"]
    assert "its schema differs" in problems[f"train/{shards[1].name}"]
    assert "cannot be read" in problems[f"train/{shards[2].name} cannot be read"]
    assert f"train/{shards[3].name} is missing" in problems
    assert "the keys of its passages differ" in problems["stats/00004.keys"]
    assert 'line 1, key reason: "unknown" stored, "undecodable" rebuilt' in problems[f"rejects/{reject.name}"]


def test_counts_that_do_not_follow_from_the_rows_are_named(dataset: Path) -> None:
    """Where all other files of a unit are the same."""
    path = dataset / "stats/00003.json"
    mark = json.loads(path.read_bytes())
    mark["passages"]["cut"] += 1
    path.write_bytes(to_json(seal(mark)))
    (problem,) = rebuild(str(dataset), None, 0).problems
    assert problem.startswith("stats/00003.json: line 1, key ")


def test_a_problem_makes_the_exit_code_1(dataset: Path) -> None:
    """A shard that was changed together with its counts is found by making it again alone."""
    change(next(dataset.glob("train/data-00001-*")), 0, "beheading", "upper", 0)
    assert run(str(dataset), "--rebuild", "all")[0] == 1


@pytest.mark.parametrize(("gone", "words"), [(True, "is missing from"), (False, "changed since the dataset was built")])
def test_an_input_that_is_not_what_it_was_is_said(whole: Path, tmp_path: Path, words: str, *, gone: bool) -> None:
    """No unit can be made again then, which is no finding about the dataset: the command ends with exit code 2."""
    source = tmp_path / "text.txt"
    shutil.copy(whole / "in" / "text.txt", source)
    assert built(source, tmp_path / "out", unit={"bytes": 20_000}).exit_code == 0
    if gone:
        source.unlink()
    else:
        source.write_text(text(100))
    with pytest.raises(OSError, match=words):
        run(str(tmp_path / "out"), "--rebuild", "1")


def test_a_resource_that_is_not_what_it_was_is_said(tmp_path: Path) -> None:
    """A dictionary counts as input."""
    source = write(tmp_path, text(20))
    names = write(tmp_path, "C1\tlamp\tlantern\n", "names.tsv")
    tables = {"with": ["paraphrase"], "labelers": {"paraphrase": {"dictionary": str(names)}}}
    assert built(source, tmp_path / "out", **tables).exit_code == 0
    assert rebuild(str(tmp_path / "out"), None, 0).problems == ()
    names.write_text("C1\tlamp\tcandle\n")
    with pytest.raises(OSError, match="the file that labeler 'paraphrase' reads as dictionary has changed"):
        rebuild(str(tmp_path / "out"), None, 0)


def test_other_versions_are_noted(dataset: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """They may explain a difference, and are no problem where no byte differs."""
    installed = {**Plan.read(Folder.at(str(dataset))).versions, "spacy": "3.99"}
    monkeypatch.setattr(plan_changes, "installed_versions", lambda: installed)
    found = rebuild(str(dataset), 1, 0)
    assert found.problems == ()
    (note,) = found.notes
    assert note.startswith("it was built with spacy 3.")


def test_a_unit_that_fails_is_a_problem(tmp_path: Path) -> None:
    """Whether its process dies or something raises; the other units are made again all the same."""
    marker = tmp_path / "mark"
    source = write(tmp_path, text(100) + "Then BOOM it went, as page 100 tells.\n" + text(100, 101))
    marker.touch()
    tables = {"with": ["toy_labelers:Suicidal"], "labelers": {"suicidal": {"marker": str(marker)}}}
    assert built(source, tmp_path / "out", unit={"bytes": 5_000}, **tables).exit_code == 0
    marker.unlink()
    (problem,) = rebuild(str(tmp_path / "out"), None, 0).problems
    assert problem.startswith("unit 2 could not be rebuilt: its child process was ended by signal 9")
    assert rebuild(str(tmp_path / "out"), None, 0).problems == ()


def test_a_dataset_without_a_finished_unit_is_an_error(dataset: Path) -> None:
    """There is nothing to compare with."""
    shutil.rmtree(dataset / "stats")
    with pytest.raises(ValueError, match="no finished unit to rebuild; run the build first"):
        rebuild(str(dataset), 1, 0)

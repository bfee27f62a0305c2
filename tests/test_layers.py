"""Layers: further labels for the rows of a dataset, which stays as it is."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from command import run
from corpus import DIALOGUES, TEXTS
from small import built, files, rows, text, write

from labelers.finding import names
from pipelines.layers.label import label
from pipelines.rebuild import rebuild
from pipelines.recipes.recipe import RecipeError
from pipelines.verify import verify

ROOT = Path(__file__).parents[1]
TABLES: dict[str, Any] = {"unit": {"bytes": 20_000}, "split": {"validation": 0.2, "test": 0.2}}
FIRST = "toy_labelers:Stutter"


@pytest.fixture(scope="module")
def mixed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return texts and dialogues with a kept field."""
    lines = [{"text": f"{first} {second}", "source": "prose"} for first in TEXTS for second in TEXTS[:3]]
    lines += [
        {"turns": [{"role": role, "text": said} for role, said in turns] * (1 + i), "source": "talk"}
        for i in range(8)
        for turns in DIALOGUES
    ]
    content = "".join(json.dumps(line) + "\n" for line in lines)
    return write(tmp_path_factory.mktemp("mixed"), content, "mixed.jsonl")


def made(source: Path, out: Path, *labelers: str, **tables: Any) -> Path:
    """Build with some labelers, copies and a kept field, and return the folder."""
    assert not built(source, out, **KEPT | {"with": list(labelers)} | tables).exit_code
    return out


KEPT: dict[str, Any] = {**TABLES, "copies": 2, "input": {"keep": {"source": "string"}}}


def column(dataset: Path, name: str) -> dict[str, bytes]:
    """Return a column of each shard as bytes."""
    found = {}
    for path in sorted(dataset.glob("*/data-*.arrow")):
        table = pa.ipc.open_stream(path.read_bytes()).read_all()
        sink = pa.BufferOutputStream()
        with pa.ipc.new_stream(sink, pa.schema([table.schema.field(name)])) as stream:
            stream.write_table(table.select([name]).combine_chunks())
        found[path.relative_to(dataset).as_posix()] = sink.getvalue().to_pybytes()
    return found


@pytest.fixture(scope="module")
def base(mixed: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a dataset with one labeler."""
    return made(mixed, tmp_path_factory.mktemp("base") / "base", FIRST)


@pytest.mark.parametrize("name", [*names(), "toy_labelers:Beheading", "toy_labelers:Origin", "toy_labelers:Counting"])
def test_a_layer_is_the_column_that_the_dataset_would_have_had(
    mixed: Path, base: Path, tmp_path: Path, name: str
) -> None:
    """Byte for byte, with dialogues, copies and a kept field; ids are those of the base, and all adds up."""
    out = Path(shutil.copytree(base, tmp_path / "out"))
    both = made(mixed, tmp_path / "both", FIRST, name)
    assert label(str(out), [name]).complete
    short = name.rpartition(":")[2].lower()
    layer = out / "layers" / short
    assert column(layer, short) == column(both, short)
    assert column(layer, "id") == column(out, "id")
    assert verify(out) == []
    marks = [json.loads((path / "stats/00001.json").read_bytes())["splits"]["train"] for path in (both, layer)]
    own = [{key: value for key, value in mark["columns"].items() if key.startswith(short)} for mark in marks]
    assert own[0] == own[1] != {}
    assert marks[0]["labelers"][short] == marks[1]["labelers"][short]


def test_a_layer_on_a_woven_base_has_views_of_its_own(mixed: Path, tmp_path: Path) -> None:
    """As a build with separate views would have made them."""
    out = made(mixed, tmp_path / "woven", FIRST, "paraphrase", views="woven")
    both = made(mixed, tmp_path / "both", FIRST, "disfluency")
    label(str(out), ["disfluency"], name="talk")
    assert column(out / "layers/talk", "disfluency") == column(both, "disfluency")
    assert verify(out) == []


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a text of three units."""
    return write(tmp_path_factory.mktemp("source"), text(350))


@pytest.fixture(scope="module")
def plain(source: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a dataset without a layer."""
    out = tmp_path_factory.mktemp("plain") / "out"
    built(source, out, **TABLES, **{"with": [FIRST]})
    return out


@pytest.fixture
def out(plain: Path, tmp_path: Path) -> Path:
    """Return a copy of it."""
    return Path(shutil.copytree(plain, tmp_path / "out"))


def test_the_base_is_not_touched_and_workers_change_no_byte(out: Path, tmp_path: Path) -> None:
    """Two processes or one, in one folder or another; made again, there is nothing to do."""
    before = {path: path.stat().st_mtime_ns for path in out.rglob("*") if path.is_file()}
    other = Path(shutil.copytree(out, tmp_path / "other"))
    assert label(str(out), ["masking"]).tasks["masking.word"]
    assert label(str(other), ["masking"], run={"workers": 2}).complete
    assert {path: path.stat().st_mtime_ns for path in before} == before
    for name in ("auxloom.json", "dataset_dict.json", "README.md"):
        assert (out / "layers/masking" / name).read_bytes() == (other / "layers/masking" / name).read_bytes()
    assert files(out / "layers/masking") == files(other / "layers/masking")
    assert label(str(out), ["masking"]).already


def test_a_killed_layer_is_ended_with_the_same_bytes(plain: Path, out: Path, tmp_path: Path) -> None:
    """Kill -9 before the plan, between the shards of a unit, before a commit mark, and before the manifest."""
    points = ["0", "1", "3", "5", "9", "17"]
    label(str(out), ["masking"])
    environment = {**os.environ, "PYTHONPATH": f"{ROOT}:{ROOT / 'tests'}"}
    command = [sys.executable, ROOT / "tests" / "kill_points.py", plain, tmp_path, *points]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert done.stderr == ""
    lines = [[int(value) for value in line.split()] for line in done.stdout.splitlines()]
    assert [(line[0], line[1], line[4]) for line in lines] == [(int(point), -9, 0) for point in points]
    for point in points:
        layer = tmp_path / point / "layers/masking"
        assert files(layer) == files(out / "layers/masking"), point
        assert (layer / "auxloom.json").read_bytes() == (out / "layers/masking/auxloom.json").read_bytes()
        assert verify(tmp_path / point) == []


def test_damage_of_a_layer_and_of_its_base_is_named_and_healed(source: Path, out: Path) -> None:
    """A build that repairs the base leaves its layers alone."""
    label(str(out), ["masking"])
    before = files(out / "layers/masking")
    next((out / "layers/masking/train").glob("*.arrow")).unlink()
    assert verify(out)[0] == "layers/masking: train/data-00000-of-00003.arrow is missing"
    assert label(str(out), ["masking"]).remade == ["train/data-00000-of-00003.arrow: missing"]
    (out / "pool.jsonl").unlink()
    (out / "plan.json").unlink()
    assert built(source, out, **TABLES, **{"with": [FIRST]}).complete
    next((out / "train").glob("*.arrow")).unlink()
    assert built(source, out, **TABLES, **{"with": [FIRST]}).complete
    assert files(out / "layers/masking") == before
    assert verify(out) == []


def test_a_base_with_layers_is_not_replaced_by_the_way(source: Path, out: Path) -> None:
    """Nor by a build that finds nothing but layers."""
    label(str(out), ["masking"])
    other = {**TABLES, "with": [FIRST], "seed": 3}
    with pytest.raises(RecipeError, match=r"has layers \(masking\), which --overwrite would remove; add --drop-layers"):
        built_over(source, out, other)
    with pytest.raises(RecipeError, match="built from a different plan: seed was 0, now 3"):
        built(source, out, **other)
    kept = Path(shutil.copytree(out, out.parent / "kept"))
    for path in kept.iterdir():
        if path.name != "layers":
            shutil.rmtree(path) if path.is_dir() else path.unlink()
    (kept / "pool.jsonl").touch()
    with pytest.raises(RecipeError, match=r"contains other files \(layers\)"):
        built(source, kept, **other)
    shutil.copytree(out / "train", kept / "train")
    shutil.copy(out / "auxloom.json", kept)
    (kept / "auxloom.json").write_bytes(b"{}")
    with pytest.raises(RecipeError, match=r"plan\.json is missing, and the files beside it were built from another"):
        built(source, kept, **other)
    assert built_over(source, out, other, drop_layers=True).complete
    assert not (out / "layers").exists()


def built_over(source: Path, out: Path, tables: dict[str, Any], **more: Any) -> Any:
    """Build with --overwrite."""
    from small import recipe

    from pipelines.build import build

    return build(recipe(source, out, **tables), overwrite=True, **more)


def test_another_plan_is_refused_or_replaces_the_layer(out: Path) -> None:
    """Options, seeds and labelers make another layer; runs do not."""
    label(str(out), ["masking"])
    with pytest.raises(RecipeError, match=r"contains a layer built from a different plan: .* Give another --name"):
        label(str(out), ["masking"], overrides=["labelers.masking.rate=0.3"])
    with pytest.raises(RecipeError, match="seed was 0, now 5"):
        label(str(out), ["masking"], seed=5)
    before = files(out / "layers/masking")
    assert label(str(out), ["masking"], seed=5, overwrite=True).complete
    assert files(out / "layers/masking") != before
    assert "5" in str(json.loads((out / "layers/masking/plan.json").read_bytes())["recipe"]["seed"])


@pytest.mark.parametrize(
    ("given", "told"),
    [
        ({"with_": []}, "give at least one labeler"),
        ({"with_": ["masking"], "name": "a/b"}, "a layer cannot be named 'a/b'"),
        ({"with_": [FIRST]}, "the dataset in .*out already has a column 'stutter'; it needs no second one"),
        ({"with_": ["masking"], "name": "more"}, "its layer masking in .*out already has a column 'masking'"),
        ({"with_": ["maskin"]}, "no labeler 'maskin'"),
        (
            {"with_": ["toy_labelers:Origin"]},
            "'origin' needs classes of the field 'source', which the rows of .* do not",
        ),
        (
            {"with_": ["paraphrase"], "overrides": ["text.newline=break"]},
            "a layer uses the text of its base; it can only set",
        ),
        ({"with_": ["paraphrase"], "overrides": ["labelers.masking.rate=1"]}, r"\[labelers.masking\] has options"),
    ],
)
def test_a_layer_that_cannot_be_is_refused(out: Path, given: dict[str, Any], told: str) -> None:
    """Before a file of it is written."""
    label(str(out), ["masking"])
    with pytest.raises(ValueError, match=told):
        label(str(out), **given)
    assert [path.name for path in (out / "layers").iterdir()] == ["masking"]


def test_only_a_finished_dataset_has_layers(out: Path, tmp_path: Path) -> None:
    """Not a folder of something else, nor a layer; and units of a layer are not made of text."""
    label(str(out), ["masking"])
    with pytest.raises(RecipeError, match=r"is a layer; give the dataset that it belongs to, .*out"):
        label(str(out / "layers/masking"), ["paraphrase"])
    with pytest.raises(ValueError, match="is a layer, whose rows come from its base"):
        rebuild(str(out / "layers/masking"), 1, 0)
    with pytest.raises(FileNotFoundError, match=r"is not a dataset \(it has no plan\.json\)"):
        label(str(tmp_path / "nothing"), ["masking"])
    (out / "auxloom.json").unlink()
    with pytest.raises(RecipeError, match=r"is unfinished \(it has no auxloom\.json\); run the same `auxloom build`"):
        label(str(out), ["paraphrase"])


def test_a_base_that_was_built_anew_fails_the_layer(source: Path, out: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its rows are others; what is made is not kept."""
    from pipelines.rows.rows_source import RowsSource

    with pytest.raises(OSError, match="was rebuilt from another plan"):
        RowsSource(str(out), "0" * 32)


def test_verify_tells_a_layer_of_another_dataset(source: Path, out: Path, tmp_path: Path) -> None:
    """By its rows, or where these have the same ids, by what the layer says."""
    label(str(out), ["masking"])
    other = tmp_path / "other"
    built(source, other, **TABLES, **{"with": [FIRST], "seed": 1})
    shutil.copytree(out / "layers", other / "layers")
    problems = verify(other)
    assert problems == [f"layers/masking: it belongs to another dataset than {other}"]
    shutil.rmtree(other)
    built(write(tmp_path, text(350, 1)), other, **TABLES, **{"with": [FIRST]})
    shutil.copytree(out / "layers", other / "layers")
    assert any(" in the base" in problem for problem in verify(other))


def test_rows_are_shown_with_their_layers(
    out: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """All, some or none of them; an unfinished one is told with the command that finishes it."""
    assert run(monkeypatch, "label", out, "--with", "masking", "--with", "paraphrase", "--name", "more") == 0
    assert "masking: 350 rows = 350 labelled" in capsys.readouterr().out
    assert run(monkeypatch, "show", out, "-n", 2, "--json") == 0
    shown = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [row["masking"] for row in shown] == [row["masking"] for row in rows(out / "layers/more", "train")[:2]]
    assert run(monkeypatch, "show", out, "-n", 1, "--where", "masking.segment") == 0
    assert "masking" in capsys.readouterr().out
    assert run(monkeypatch, "show", out, "-n", 1, "--no-layers") == 0
    assert "masking" not in capsys.readouterr().out
    assert run(monkeypatch, "show", out, "--layers", "mor") == 2
    assert "has no layer 'mor' (did you mean 'more'?); it has more" in capsys.readouterr().err
    assert run(monkeypatch, "show", out, "--layers", "more", "--no-layers") == 2
    capsys.readouterr()
    (out / "layers/more/auxloom.json").unlink()
    assert run(monkeypatch, "show", out) == 2
    command = f"auxloom label {out} --with masking --with paraphrase --name more"
    assert f"the layer more of {out} is unfinished; finish it: {command}, or leave it out" in " ".join(
        capsys.readouterr().err.split()
    )
    assert run(monkeypatch, "label", out, "--with", "masking", "--with", "paraphrase", "--name", "more", "--json") == 0
    assert json.loads(capsys.readouterr().out)["complete"]


def test_a_layer_of_other_rows_is_not_shown(out: Path, tmp_path: Path) -> None:
    """The shard is named."""
    from pipelines.display.show import first_rows

    other = tmp_path / "other"
    built(write(tmp_path, text(350, 1)), other, **TABLES, **{"with": ["masking"]})
    with pytest.raises(ValueError, match=r"train/data-00000-of-00003\.arrow and .* have different rows"):
        first_rows(out, 1000, layers=[other])

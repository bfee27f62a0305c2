"""Labels that people made elsewhere, joined to the rows of a dataset."""

import json
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from command import run
from small import built, rows, write

from pipelines.layers.join import join
from pipelines.layers.merge import merge
from pipelines.recipes.recipe import RecipeError
from pipelines.verify import verify

TOKENS = ["Ann", "went", "to", "Rome", "on", "page"]
TAGS = ["B-who", "O", "O", "B-where", "O", "O", "O", "O"]
NER: dict[str, Any] = {"ner": {"kind": "token", "column": "tags"}}


def lines(count: int, *, own: bool, start: int = 0, parts: int = 1, tags: Sequence[str] = TAGS) -> str:
    """Return so many records of tokens and tags, no two the same; of several parts they are cut."""
    found = []
    for i in range(start, start + count):
        record: dict[str, Any] = {"tokens": [*TOKENS, str(i), "."] * parts, "tags": [*tags] * parts}
        found.append(json.dumps(record | ({"id": f"d{i}"} if own else {})) + "\n")
    return "".join(found)


def base(folder: Path, content: str, **tables: Any) -> Path:
    """Build a dataset without tags of some records."""
    source = write(folder, content, "base.jsonl")
    assert not built(source, folder / "out", **{"with": ["masking"], "unit": {"bytes": 4000}, **tables}).exit_code
    return folder / "out"


def joined(out: Path, content: str, **more: Any) -> Any:
    """Join records."""
    more.setdefault("labels", NER)
    return join(str(out), [str(write(out.parent, content, "other.jsonl"))], **more)


def tags(out: Path) -> dict[str, list[int]]:
    """Return the tags of each row of the layer."""
    found = {}
    for split in ("train", "validation", "test"):
        ids = [row["id"] for row in rows(out, split)]
        layer = rows(out / "layers/ner", split)
        assert [row["id"] for row in layer] == ids
        found |= {row["id"]: row["ner"]["tags"] for row in layer}
    return found


CLASSES = ["O", "B-where", "B-who", "I-where", "I-who"]
WANTED = [2, 0, 0, 1, 0, 0, 0, 0]


@pytest.mark.parametrize("on", [None, "id", "tokens"])
def test_records_with_ids_are_joined_in_any_order(tmp_path: Path, on: Any) -> None:
    """Cut as those of the dataset are; what is nowhere else has no labels, and is named."""
    out = base(tmp_path, lines(60, own=True, parts=20))
    content = "".join(reversed(lines(50, own=True, parts=20).splitlines(keepends=True))) + lines(1, own=True, start=90)
    if on == "tokens":
        content = content.replace('"id"', '"name"')
    done = joined(out, content, on=on)
    assert (done.on, done.report.complete) == (on or "id", True)
    assert verify(out) == []
    found = tags(out)
    assert {name for name, values in found.items() if not values} == {
        f"d{i}/{k}" for i in range(50, 60) for k in (0, 1)
    }
    assert all(values == WANTED * (len(values) // 8) for values in found.values())
    text = " ".join(done.lines())
    assert "20 rows of the base match no annotated row and stay unlabelled (d5" in text
    assert "1 annotated rows are not in the base (" in text
    plan = json.loads((out / "layers/ner/plan.json").read_bytes())
    assert plan["labels"]["ner"] == {"classes": ["O", "B-where", "I-where", "B-who", "I-who"], "scheme": "bio"} or (
        plan["labels"]["ner"]["scheme"] == "bio"
    )
    assert [path.name for path in (out / "layers").iterdir()] == ["ner"]
    assert joined(out, content, on=on).report.already


@pytest.mark.parametrize("own", [True, False])
def test_records_without_ids_are_joined_by_order(tmp_path: Path, *, own: bool) -> None:
    """Ids of one of the two do not count; copies have no labels of their own."""
    out = base(tmp_path, lines(60, own=False), copies=2)
    done = joined(out, lines(60, own=own))
    assert done.on == "order"
    found = tags(out)
    assert sum(not values for values in found.values()) == 60 == sum("#1" in name for name in found)
    report = json.loads((out / "layers/ner/auxloom.json").read_bytes())
    abstained = [split["labelers"]["ner"]["abstained"] for split in report["splits"].values()]
    assert {key for book in abstained for key in book} == {"copy"}
    assert verify(out) == []


def test_files_of_splits_are_joined_in_the_order_of_the_splits(tmp_path: Path) -> None:
    """Whatever they are called; with the tokens compared, in another order they are refused."""
    names = [str(write(tmp_path, lines(30, own=own, start=k), f"{k}.jsonl")) for k, own in ((50, True), (10, True))]
    inputs = {"files": [], "train": names[0], "test": names[1]}
    out = tmp_path / "out"
    built(Path(names[0]), out, **{"with": ["masking"], "input": inputs})
    with pytest.raises(
        RecipeError,
        match=r"have different tokens: from token 6 '50 .' in the dataset, '10 .' in the annotations; --on tokens",
    ):
        join(str(out), names[::-1], on="order", labels=NER)
    assert not (out / "layers").exists()
    assert join(str(out), names, on="order", labels=NER).compared.matched == 60


@pytest.mark.parametrize(
    ("content", "more", "told"),
    [
        (
            lines(50, own=False),
            {},
            r"out has 60 rows and .*other\.jsonl has 50; matching by order requires the same number; join with",
        ),
        (
            lines(60, own=False, start=1),
            {},
            r"row 'base\.jsonl:0/0' and annotated row 'other\.jsonl:0/0' have different",
        ),
        (lines(60, own=True), {"on": "id"}, r"no row of .*out matches a row of .*other\.jsonl by id"),
        (lines(60, own=False), {"labels": {}}, "no labels are declared; give --label NAME=KIND"),
        (lines(60, own=False), {"labels": {"masking": {"column": "tags"}}}, "already has a column 'masking'; rename"),
        (lines(60, own=False), {"name": "a,b"}, "a layer cannot be named 'a,b'"),
    ],
)
def test_what_does_not_fit_is_refused(tmp_path: Path, content: str, more: dict[str, Any], told: str) -> None:
    """With the first difference; nothing is left behind."""
    out = base(tmp_path, lines(60, own=False))
    with pytest.raises(ValueError, match=told):
        joined(out, content, **more)
    assert not (out / "layers").exists()


def test_a_difference_behind_the_first_records_is_shown(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where the numbers of rows differ, and where they do not."""
    monkeypatch.setattr("pipelines.layers.annotated_files._LOOKED_AT", 5)
    out = base(tmp_path, lines(60, own=False))
    with pytest.raises(
        RecipeError, match=r"requires the same number \(the first row that differs is 'base\.jsonl:.*/0': from"
    ):
        joined(out, lines(10, own=False) + lines(49, own=False, start=11))
    with pytest.raises(
        RecipeError, match=r"have different tokens: from token 6 '10 \.' in the dataset, '11 \.' in the annotations"
    ):
        joined(out, lines(10, own=False) + lines(50, own=False, start=11))


def test_an_order_that_nobody_knows_is_refused(tmp_path: Path) -> None:
    """Ids of their own hide the places of records that were divided by chance."""
    out = base(tmp_path, lines(60, own=True))
    with pytest.raises(RecipeError, match=r"the order of the input of .*out is not known"):
        joined(out, lines(60, own=True), on="order")


def test_of_repeated_rows_the_first_holds(tmp_path: Path) -> None:
    """They are counted and named."""
    out = base(tmp_path, lines(60, own=False))
    other = lines(60, own=False) + lines(2, own=False, tags=["O"] * 8)
    done = joined(out, other, on="tokens")
    assert "2 annotated rows are duplicates; the labels of the first are used (other.jsonl:" in " ".join(done.lines())
    assert {tuple(values) for values in tags(out).values()} == {tuple(WANTED)}


def test_a_bad_label_of_an_annotated_row_is_booked(tmp_path: Path) -> None:
    """Its row has no label, and says why."""
    out = base(tmp_path, lines(60, own=False))
    bad = lines(60, own=False).replace('"B-who"', '"B-who", "O"', 1)
    done = joined(out, bad)
    assert done.report.books["labels"]["ner"] == {"read": 60, "used": 59, "rejected": {"wrong_length": 1}}


def test_a_layer_with_rejected_labels_is_whole(tmp_path: Path) -> None:
    """Each has a line in the rejects, as its books say."""
    out = base(tmp_path, lines(40, own=True))
    joined(out, lines(2, own=True, tags=["I-who", *TAGS[1:]]) + lines(38, own=True, start=2))
    texts = [path.read_text() for path in (out / "layers/ner/rejects").iterdir()]
    found = [json.loads(line) for text in texts for line in text.splitlines()]
    assert sorted((item["sample"], item["task"], item["reason"]) for item in found) == [
        ("d0/0", "ner", "bad_scheme"),
        ("d1/0", "ner", "bad_scheme"),
    ]
    assert verify(str(out)) == []
    merge(str(out), str(tmp_path / "whole"))
    assert verify(str(tmp_path / "whole")) == []


def test_a_base_that_lacks_a_shard_is_refused(tmp_path: Path) -> None:
    """Before anything is matched, by whatever."""
    out = base(tmp_path, lines(40, own=True))
    next(iter(sorted(out.glob("train/*.arrow")))).unlink()
    for on in ("id", "tokens"):
        with pytest.raises(ValueError, match=r"unit 0 of .* is unfinished or damaged; `auxloom verify` lists"):
            joined(out, lines(40, own=True), on=on)


def test_the_labels_of_another_dataset_are_joined(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """All, or those that are named; what has none is refused, as is one that is unfinished."""
    out = base(tmp_path, lines(60, own=True))
    gold = tmp_path / "gold"
    source = write(tmp_path, lines(60, own=True), "gold.jsonl")
    built(source, gold, **{"with": [], "labels": {**NER, "more": {"column": "tags"}}})
    done = join(str(out), [str(gold)], labels={"ner": {}})
    assert (done.on, done.compared.matched) == ("id", 60)
    assert {tuple(values) for values in tags(out).values()} == {tuple(WANTED)}
    with pytest.raises(RecipeError, match="has no human labels 'none'; it has more, ner"):
        join(str(out), [str(gold)], labels={"none": {}})
    (gold / "auxloom.json").unlink()
    with pytest.raises(RecipeError, match="is unfinished"):
        join(str(out), [str(gold)])
    shutil.rmtree(gold)
    assert verify(out) == []
    next((out / "layers/ner/train").glob("*.arrow")).unlink()
    assert run(monkeypatch, "show", out, "-n", 40) == 2  # and verify tells which
    assert verify(out)[0].startswith("layers/ner: train/data-00000")


def test_the_command_joins_files_recipes_and_datasets(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """And says what came of it."""
    out = base(tmp_path, lines(60, own=True))
    other = write(tmp_path, lines(50, own=True), "other.jsonl")
    assert run(monkeypatch, "join", out, other, "--label", "ner=token:tags") == 0
    told = capsys.readouterr().out
    assert "joined by id: 50 rows matched" in told
    assert "ner: 60 rows = 50 labelled + abstained (10 unlabelled)" in told
    assert "label ner: 50 rows read = 50 used" in told
    recipe = tmp_path / "gold.toml"
    recipe.write_text(f'with = []\n[input]\ntrain = "{other}"\n[labels.gold]\ncolumn = "tags"\n')
    assert run(monkeypatch, "join", out, recipe, "--json") == 0
    assert json.loads(capsys.readouterr().out)["joined"]["matched"] == 50
    assert run(monkeypatch, "join", out, recipe, "--label", "x=token") == 2
    assert "is a recipe, which lists its files and labels; do not give other files" in capsys.readouterr().err
    built(other, tmp_path / "gold", **{"with": [], "labels": {"third": {"column": "tags"}}})
    assert run(monkeypatch, "join", out, tmp_path / "gold", "--label", "third") == 0
    assert sorted(path.name for path in (out / "layers").iterdir()) == ["gold", "ner", "third"]
    assert verify(out) == []
    (out / "layers/ner/auxloom.json").unlink()
    capsys.readouterr()
    assert run(monkeypatch, "show", out) == 2
    assert "finish it: run the same auxloom join" in " ".join(capsys.readouterr().err.split())


def test_a_label_that_was_rejected_keeps_its_reason(tmp_path: Path) -> None:
    """Whether records have ids or not; the note tells where it stands in the annotations."""
    for own in (True, False):
        folder = tmp_path / str(own)
        out = base(folder, lines(60, own=own))
        bad = lines(5, own=own) + lines(1, own=own, start=5, tags=["I-who", *TAGS[1:]])
        bad += lines(1, own=own, start=6, tags=TAGS[1:]) + lines(53, own=own, start=7)
        done = joined(out, bad)
        assert done.report.books["labels"]["ner"] == {
            "read": 60,
            "used": 58,
            "rejected": {"bad_scheme": 1, "wrong_length": 1},
        }
        texts = [path.read_text() for path in (out / "layers/ner/rejects").iterdir()]
        notes = {item["reason"]: item["note"] for text in texts for item in map(json.loads, text.splitlines())}
        place = len("".join(bad.splitlines(keepends=True)[:6]))
        assert notes["wrong_length"].startswith(f"other.jsonl:{place}: 7 tags")
        assert "'I-who' behind the beginning" in notes["bad_scheme"]
        assert verify(out) == []


def test_reasons_of_a_dataset_that_was_divided_by_chance(tmp_path: Path) -> None:
    """The one that there is; of several nobody can tell which record has which."""
    out = base(tmp_path, lines(60, own=True))
    wrong, broken = lines(30, own=True, tags=TAGS[1:]), lines(1, own=True, start=59, tags=["I-who", *TAGS[1:]])
    good = lines(29, own=True, start=30)
    for name, content, reasons in (
        ("one", wrong + good, {"wrong_length": 30}),
        ("more", wrong + good + broken, {"rejected": 31}),
    ):
        source = write(tmp_path, content, f"{name}.jsonl")
        tables: dict[str, Any] = {"with": [], "labels": {name: {"column": "tags"}}, "unit": {"bytes": 10**6}}
        built(source, tmp_path / name, **tables, split={"validation": 0.3, "test": 0.3})
        done = join(str(out), [str(tmp_path / name)])
        assert done.report.books["labels"][name]["rejected"] == reasons


def test_an_annotation_that_can_be_used_holds_before_one_that_cannot(tmp_path: Path) -> None:
    """Also behind a row without any; how many these are is told."""
    out = base(tmp_path, lines(60, own=False))
    none = json.dumps({"tokens": [*TOKENS, "2", "."]}) + "\n"
    other = lines(2, own=False, tags=["I-who", *TAGS[1:]]) + none + lines(60, own=False) + lines(1, own=False)
    done = joined(out, other, on="tokens")
    assert {tuple(values) for values in tags(out).values()} == {tuple(WANTED)}
    assert done.report.books["labels"]["ner"] == {"read": 60, "used": 60, "rejected": {}}
    assert (done.compared.preferred[0], done.compared.repeated[0]) == (3, 4)
    assert "3 annotated rows are used in place of an earlier duplicate that has no usable label (" in " ".join(
        done.lines()
    )


def test_what_is_wrong_with_annotations_is_told_as_theirs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Records that cannot be read, with the first of them; nothing of the folder that they were built in."""
    out = base(tmp_path, lines(60, own=True))
    other = write(tmp_path, lines(40, own=True) + "not JSON\n" * 20, "other.jsonl")
    assert run(monkeypatch, "join", out, other, "--label", "ner=token:tags") == 1
    told = capsys.readouterr()
    first = f"the first other.jsonl:{len(lines(40, own=True))}"
    assert f"warning: 20 of 60 records of {other} cannot be used (20 not_json), {first}" in told.out
    assert "warning" not in told.err
    assert "tmp" not in told.out.replace(str(tmp_path), "")
    one = write(tmp_path, lines(40, own=True) + "not JSON\n", "one.jsonl")
    assert run(monkeypatch, "join", out, one, "--label", "more=token:tags") == 0
    assert "warning: 1 of 41 records" in capsys.readouterr().out


def test_another_order_is_refused_before_all_is_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """By the first records, or because that of the dataset is unknown; the annotations are not built for it."""

    def never(*_: Any, **__: Any) -> None:
        raise AssertionError("built")

    monkeypatch.setattr("pipelines.layers.annotated_files.build", never)
    out = base(tmp_path / "plain", lines(60, own=False))
    with pytest.raises(RecipeError, match=r"row 'base\.jsonl:0/0' and annotated row 'other\.jsonl:0/0' have different"):
        joined(out, lines(60, own=True, start=1))
    with pytest.raises(RecipeError, match=r"the order of the input of .*out is not known"):
        joined(base(tmp_path / "own", lines(60, own=True)), lines(60, own=True), on="order")

"""The plan: what it fixes, what it finds in the input, and what changes it."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from small import built, recipe, rows, text, write

from labelers.text.document import Document, Turn
from pipelines.folder.layout import Folder
from pipelines.input import repeats
from pipelines.input.records import InputFile
from pipelines.input.splits import Splitter, group_digest
from pipelines.plans import scan
from pipelines.plans.plan import Plan, identity
from pipelines.plans.plan_changes import differences
from pipelines.plans.planning import draft
from pipelines.plans.scan import merge_scans
from pipelines.recipes.loading import load_labelers
from pipelines.recipes.recipe import RecipeError
from pipelines.recipes.recipe_tables import SplitTable, TextTable
from pipelines.rows.pool import pool_document, pool_line


def _plan(out: Path) -> Plan:
    """Return the plan of a dataset."""
    return Plan.read(Folder.at(str(out)))


def _jsonl(folder: Path, records: list[dict[str, Any]], name: str = "text.jsonl") -> Path:
    """Write records as JSON lines."""
    return write(folder, "".join(json.dumps(record) + "\n" for record in records), name)


def test_a_plan_survives_its_file(tmp_path: Path) -> None:
    """What is read is what was written, and its digest follows from it."""
    built(write(tmp_path, text(50)), tmp_path / "out", unit={"bytes": 2000}, passage={"max_tokens": 64})
    plan = _plan(tmp_path / "out")
    assert Plan.from_json(json.loads(json.dumps(plan.to_json()))) == plan
    assert plan.recipe.passage.max_tokens == 64
    assert sum(plan.unit_sizes()) == pytest.approx((tmp_path / "in" / "text.txt").stat().st_size, abs=len(plan.units))
    assert "run" not in plan.to_json()["recipe"]


def test_the_digest_covers_what_changes_bytes_and_nothing_else(tmp_path: Path) -> None:
    """Seed, classes and content count; paths, times and the trainer's settings do not."""
    built(write(tmp_path, text(20)), tmp_path / "out")
    plan = _plan(tmp_path / "out")
    file = plan.files[0]
    same = [
        replace(plan, recipe=plan.recipe.model_copy(update={"out": "elsewhere", "train": {"size": "tiny"}})),
        replace(plan, files=(replace(file, path="/elsewhere/text.txt", modified="2001-01-01"),)),
        replace(plan, skipped=("notes.doc",)),
    ]
    others = [
        replace(plan, recipe=plan.recipe.model_copy(update={"seed": 1})),
        replace(plan, recipe=plan.recipe.model_copy(update={"text": TextTable(newline="break")})),
        replace(plan, files=(replace(file, size=file.size + 1),)),
        replace(plan, classes={"roles": ("A", "B")}),
        replace(plan, content="0"),
        replace(plan, versions=plan.versions | {"pyarrow": "0"}),
        replace(plan, labelers=plan.labelers | {"masking": {"version": 9, "resources": {}}}),
    ]
    assert [identity(other.to_json()) == identity(plan.to_json()) for other in same] == [True] * 3
    assert [identity(other.to_json()) == identity(plan.to_json()) for other in others] == [False] * 7


def test_an_earlier_plan_must_know_the_classes_that_are_needed(tmp_path: Path) -> None:
    """Its classes are used again, and a field that no labeler asked for then has none."""
    source = _jsonl(tmp_path, [{"source": "news", "text": line} for line in text(9).splitlines()])
    tables: dict[str, Any] = {"input": {"keep": {"source": "string"}}, "plan": {"from": str(tmp_path / "out")}}
    built(source, tmp_path / "out", **tables | {"plan": {}})
    with pytest.raises(RecipeError, match="has no classes of 'source', which a labeler needs"):
        draft(recipe(source, tmp_path / "new", **{"with": ["toy_labelers:Origin"]}, **tables))


def test_another_text_of_the_same_size_is_another_plan(tmp_path: Path) -> None:
    """Records are digested, so that equal names and sizes do not hide other words."""
    one, two = write(tmp_path / "a", text(20)), write(tmp_path / "b", text(20).replace("page", "leaf"))
    for source in (one, two):
        built(source, source.parent / "../out")
    assert _plan(tmp_path / "a" / "out").digest != _plan(tmp_path / "b" / "out").digest


def test_the_pool_is_the_smallest_digests_of_train_ids(tmp_path: Path) -> None:
    """Whatever the units; each document is cut at 2,000 characters."""
    records = [{"id": f"r{i}", "text": line * 40} for i, line in enumerate(text(400).splitlines())]
    source = _jsonl(tmp_path, records)
    pools = []
    for unit in (50_000, 500_000):
        out = tmp_path / f"out{unit}"
        built(source, out, unit={"bytes": unit}, plan={"pool_documents": 30})
        pools.append([json.loads(line) for line in (out / "pool.jsonl").read_bytes().splitlines()])
    assert pools[0] == pools[1]
    train = {row["document"] for row in rows(tmp_path / "out50000", "train")}
    expected = sorted(train, key=group_digest)[:30]
    assert [line["id"] for line in pools[0]] == expected
    assert max(len(line["text"]) for line in pools[0]) == 2000


def test_a_repeated_id_is_rejected_with_the_place_of_the_first(tmp_path: Path) -> None:
    """In whichever unit of the file the second record lies; the first is used."""
    records = [{"id": f"r{i}", "text": line} for i, line in enumerate(text(200).splitlines())]
    one = _jsonl(tmp_path, [*records, {"id": "r7", "text": "Another text of the same name."}], "a.jsonl")
    _jsonl(tmp_path, [{"id": "x", "text": "A word."}], "b.jsonl")
    out = tmp_path / "out"
    report = built(one.parent, out, unit={"bytes": 5000})
    assert report.books["records"]["rejected"] == {"repeated_id": 1}
    (reject,) = [json.loads(line) for path in out.glob("rejects/*") for line in path.read_bytes().splitlines()]
    lines = [len(line) for line in one.read_bytes().splitlines(keepends=True)]
    offset = sum(lines[:7])
    assert (reject["source"], reject["place"], reject["reason"]) == ("a.jsonl", sum(lines[:-1]), "repeated_id")
    assert f"a.jsonl:{offset}" in reject["sample"]
    ids = [row["document"] for split in report.splits for row in rows(out, split)]
    assert ids.count("r7") == 1


@pytest.mark.parametrize("unit", [60, 10_000])
def test_an_id_that_a_record_without_one_has_is_repeated(tmp_path: Path, unit: int) -> None:
    """The later of the two is rejected, whichever brings its id, or renamed if it stands in another file."""
    first = {"id": "text.jsonl:56", "text": "A word or two of it."}
    records = [
        first,
        {"text": "Another word."},
        {"id": "text.jsonl:60", "text": "x"},
        {"id": "text.jsonl:0", "text": "y"},
    ]
    source = _jsonl(tmp_path, records)
    assert source.read_bytes().index(b"\n") == 55
    write(tmp_path, "Plain.\n", "a.txt")
    _jsonl(tmp_path, [{"id": "a.txt:0", "text": "Not plain."}, {"id": "b.txt:0", "text": "Of no file."}], "z.jsonl")
    report = built(tmp_path / "in", tmp_path / "out", unit={"bytes": unit})
    assert report.books["records"]["rejected"] == {"repeated_id": 1}
    names = {row["document"] for split in report.splits for row in rows(tmp_path / "out", split)}
    assert {"a.txt:0", "z.jsonl:a.txt:0", "b.txt:0"} < names
    lines = [line for path in (tmp_path / "out").glob("rejects/*") for line in path.read_bytes().splitlines()]
    rejects = {(item["source"], item["place"]): item["sample"] for item in map(json.loads, lines)}
    assert rejects == {("text.jsonl", 56): "id 'text.jsonl:56' stands first at text.jsonl:0"}


def test_input_without_such_ids_is_scanned_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """And no key is kept of a record that brings no id."""
    source = write(tmp_path, text(20))
    _jsonl(tmp_path, [{"id": "x", "text": "A word."}], "a.jsonl")
    sizes: list[int] = []
    monkeypatch.setattr(
        "pipelines.plans.planning.repeats", lambda *given: sizes.append(sum(given[2].values())) or iter(())
    )
    built(source.parent, tmp_path / "out")
    assert sizes == [1]


def test_dedup_uses_the_first_of_equal_texts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Duplicates have a book of their own; without the option they are used. Passes over the keys change nothing."""
    lines = text(60).splitlines()
    source = write(tmp_path, "\n".join([*lines, lines[3], lines[5], lines[3]]) + "\n")
    plain = built(source, tmp_path / "plain")
    assert plain.books["records"] == {"read": 63, "used": 63, "rejected": {}, "duplicate": 0}
    digests = []
    for size in (4_000_000, 7):
        monkeypatch.setattr(repeats, "_PASS_KEYS", size)
        out = tmp_path / f"dedup{size}"
        report = built(source, out, dedup={"documents": True}, unit={"bytes": 1000})
        assert report.books["records"] == {"read": 63, "used": 60, "rejected": {}, "duplicate": 3}
        digests.append(_plan(out).digest)
    assert digests[0] == digests[1]


def test_classes_are_the_roles_that_are_not_rare(tmp_path: Path) -> None:
    """A role stands in 5 % of the train documents, or it is none of the classes."""
    talks = [
        {
            "id": f"t{i}",
            "turns": [
                {"role": "Clerk" if i % 3 else "Guest", "text": "A word."},
                {"role": "Ghost" if i == 50 else "Host", "text": "Two words."},
            ],
        }
        for i in range(300)
    ]
    names = ["toy_labelers:Counting"]
    built(_jsonl(tmp_path, talks), tmp_path / "out", **{"with": names})
    assert _plan(tmp_path / "out").classes == {"roles": ("Clerk", "Guest", "Host")}


def test_an_earlier_dataset_lends_classes_and_pool(tmp_path: Path) -> None:
    """The next night's increment has the same class names, and its plan says whose they are."""
    talks = [{"id": f"t{i}", "turns": [{"role": r, "text": "A word."} for r in ("A", "B")]} for i in range(40)]
    more = [{"id": f"m{i}", "turns": [{"role": r, "text": "Two words."} for r in ("C", "B")]} for i in range(40)]
    tables: dict[str, Any] = {"with": ["toy_labelers:Counting"]}
    built(_jsonl(tmp_path / "a", talks), tmp_path / "first", **tables)
    built(_jsonl(tmp_path / "b", more), tmp_path / "second", plan={"from": str(tmp_path / "first")}, **tables)
    first, second = _plan(tmp_path / "first"), _plan(tmp_path / "second")
    assert second.classes == first.classes == {"roles": ("A", "B")}
    assert (second.pool, second.earlier) == (first.pool, first.digest)
    with pytest.raises(RecipeError, match=r"has no plan\.json"):
        built(_jsonl(tmp_path / "b", more), tmp_path / "third", plan={"from": str(tmp_path / "in")}, **tables)


def test_an_empty_share_takes_the_group_of_the_smallest_digest(tmp_path: Path) -> None:
    """With three groups each split has one; with one all is train."""
    three = [{"id": f"g{i}", "text": line} for i, line in enumerate(text(3).splitlines())]
    report = built(_jsonl(tmp_path / "a", three), tmp_path / "three", split={"validation": 1e-9, "test": 1e-9})
    assert sorted(report.splits) == ["test", "train", "validation"]
    smallest, second, _ = sorted(("g0", "g1", "g2"), key=group_digest)
    assert rows(tmp_path / "three", "validation")[0]["document"] == smallest
    assert rows(tmp_path / "three", "test")[0]["document"] == second
    one = built(_jsonl(tmp_path / "b", three[:1]), tmp_path / "one")
    assert list(one.splits) == ["train"]


def test_given_splits_are_kept(tmp_path: Path) -> None:
    """Files given as train and test stay there, whatever their digests."""
    train, test = write(tmp_path, text(30), "a.txt"), write(tmp_path, text(30, 30), "b.txt")
    report = built(train, tmp_path / "out", input={"files": [], "train": [str(train)], "test": [str(test)]})
    assert sorted(report.splits) == ["test", "train"]
    assert {row["document"].split(":")[0] for row in rows(tmp_path / "out", "train")} == {"a.txt"}
    assert {row["document"].split(":")[0] for row in rows(tmp_path / "out", "test")} == {"b.txt"}


def test_given_splits_are_kept_beside_files_that_have_none(tmp_path: Path) -> None:
    """A dataset's own splits hold for its documents; the others are train, and the card says so."""
    for part in ("train", "test"):
        records = [{"text": f"The {part} ferry left at dusk, as page {i} tells."} for i in range(40)]
        _jsonl(tmp_path, records, f"d/{part}/data.jsonl")
        write(tmp_path, '{"_data_files": [{"filename": "data.jsonl"}]}', f"d/{part}/state.json")
    write(tmp_path, '{"splits": ["train", "test"]}', "d/dataset_dict.json")
    write(tmp_path, text(400), "e.txt")
    report = built(tmp_path / "in", tmp_path / "out", split={"validation": 0.3, "test": 0.3})
    places = {
        (row["document"].split(":")[0], split) for split in report.splits for row in rows(tmp_path / "out", split)
    }
    assert places == {("d/train/data.jsonl", "train"), ("d/test/data.jsonl", "test"), ("e.txt", "train")}
    assert "Splits: as given in the input" in (tmp_path / "out" / "README.md").read_text()


def test_a_field_of_too_many_values_is_an_error_of_the_user(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It names the field; nothing is left that a later build would take for a plan."""
    monkeypatch.setattr(scan, "MAX_VALUES", 3)
    talks = [{"turns": [{"role": f"R{i}", "text": "A word."}]} for i in range(9)]
    with pytest.raises(ValueError, match="no plan can be made: field 'roles' has over 3 values; it is text"):
        built(_jsonl(tmp_path, talks), tmp_path / "out", **{"with": ["toy_labelers:Counting"]})
    assert not (tmp_path / "out" / "plan.json").exists()


@pytest.mark.parametrize("name", ["found.json", ".keys"])
def test_a_disk_that_is_full_before_the_plan_is_an_error_in_a_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str], name: str
) -> None:
    """Whatever cannot be written; nothing else is printed."""
    whole = Folder.write

    def write_until_full(self: Folder, path: str, data: bytes) -> None:
        if path.endswith(name):
            raise OSError(28, "No space left on device")
        whole(self, path, data)

    monkeypatch.setattr(Folder, "write", write_until_full)
    with pytest.raises((ValueError, OSError), match=r"[Nn]o space left|is there space left"):
        built(_jsonl(tmp_path, [{"id": "x", "text": "A word."}]), tmp_path / "out")
    assert capfd.readouterr() == ("", "")


def test_a_scan_that_a_runner_breaks_off_is_an_error_in_a_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The last line of what it says stands for its pages."""

    def fail(*given: object) -> None:
        raise RuntimeError("Traceback (most recent call last):\n  a\nChannel closed prematurely.\n")

    monkeypatch.setattr("pipelines.graph.run_graph", fail)
    monkeypatch.setattr("pipelines.plans.planning._SMALL_INPUT", 0)
    with pytest.raises(OSError, match=r"^the input could not be scanned for the plan: Channel closed prematurely\.$"):
        built(write(tmp_path, text(3)), tmp_path / "out")


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"{x", "is damaged: it is not valid JSON"),
        (b"\xff", "is damaged"),
        (b"{}", "is not a plan"),
        (b"[3]", "is not a plan"),
    ],
)
def test_a_broken_plan_is_named(tmp_path: Path, content: bytes, message: str) -> None:
    """The error says which file it is."""
    (tmp_path / "plan.json").write_bytes(content)
    with pytest.raises(ValueError, match=rf"{tmp_path}/plan\.json {message}"):
        _plan(tmp_path)


def test_groups_stay_on_one_side(tmp_path: Path) -> None:
    """A group by field is in one split, and the shares are about what was asked for."""
    records = [{"id": f"r{i}", "text": line, "book": f"b{i // 4}"} for i, line in enumerate(text(2000).splitlines())]
    tables: dict[str, Any] = {"input": {"keep": {"book": "string"}}, "split": {"group": "book", "test": 0.2}}
    report = built(_jsonl(tmp_path, records), tmp_path / "out", **tables)
    owners: dict[str, set[str]] = {}
    for split in report.splits:
        for row in rows(tmp_path / "out", split):
            owners.setdefault(row["book"], set()).add(split)
    assert {len(splits) for splits in owners.values()} == {1}
    assert report.splits["test"] / sum(report.splits.values()) == pytest.approx(0.2, abs=0.04)


@given(st.text(), st.floats(0, 0.5), st.floats(0, 0.49))
def test_a_larger_share_never_moves_a_group_out_of_it(name: str, share: float, more: float) -> None:
    """Shares are nested: what was validation stays validation when it grows."""
    document = Document(id="x", group=name)
    before = Splitter(SplitTable(validation=share, test=0), {}).split(document)
    after = Splitter(SplitTable(validation=share + more, test=0), {}).split(document)
    assert (before, after) != ("validation", "train")


def test_a_field_of_too_many_values_is_no_class() -> None:
    """The error names the field; memory stays bounded."""
    parts = [{"classes": {"title": {f"{i} {j}": 1 for j in range(60_000)}}} for i in range(2)]
    assert "'title'" in merge_scans(parts)["errors"][0]


def test_merging_scans_does_not_depend_on_their_order() -> None:
    """Partial results of any shape come to the same."""
    parts = [
        {
            "units": {str(i): "x"},
            "documents": {"train": i},
            "classes": {"roles": {"A": i, f"R{i}": 1}},
            "groups": [f"{9 - i}"],
            "pool": [[f"{9 - i}", "g", {}]],
            "pool_size": 2,
        }
        for i in range(5)
    ]
    merged = merge_scans(parts)
    assert merged == merge_scans([merge_scans(parts[3:]), merge_scans(reversed(parts[:3]))])
    assert [key for key, *_ in merged["pool"]] == ["5", "6"]
    assert merged["documents"] == {"train": 10}


def test_pool_documents_survive_their_file() -> None:
    """Texts, tokens with segments, and turns are cut and read back."""
    documents = [
        Document("a", text="x" * 3000),
        Document("b", tokens=("word",) * 1000, segments=(0, 399, 400, 900)),
        Document("c", turns=(Turn("A", "x" * 1500), Turn("B", "y" * 1500), Turn("A", "z"))),
        Document("d", text="x", second="y" * 3000),
        Document("e", tokens=("x",), second=("word",) * 1000),
    ]
    read = [pool_document(json.loads(json.dumps(pool_line(document)))) for document in documents]
    assert len(read[0].text) == 2000
    assert read[1].tokens == ("word",) * 400
    assert read[1].segments == (0, 399)
    assert [len(turn.text) for turn in read[2].turns or ()] == [1500, 500]
    assert [document.second for document in read] == [None, None, None, "y" * 2000, ("word",) * 400]


def test_an_unknown_labeler_or_option_is_named(tmp_path: Path) -> None:
    """The message has the nearest name."""
    source = write(tmp_path, text(3))
    with pytest.raises(ValueError, match="did you mean 'masking'"):
        draft(recipe(source, tmp_path / "out", **{"with": ["maskin"]}))
    with pytest.raises(ValueError, match="did you mean 'rate'"):
        draft(recipe(source, tmp_path / "out", labelers={"masking": {"rat": 0.3}}))
    with pytest.raises(ValueError, match="would be named 'masking'"):
        built(source, tmp_path / "out", **{"with": ["masking", "masking"]})


def test_resources_count_by_content_not_by_place(tmp_path: Path) -> None:
    """A dictionary in another folder is the same plan; another dictionary is another plan."""
    source = write(tmp_path, text(3))
    places = [tmp_path / "a.tsv", tmp_path / "b.tsv", tmp_path / "c.tsv"]
    for place, word in zip(places, ("lantern", "lantern", "torch"), strict=True):
        place.write_text(f"C1\tlamp\t{word}\n")
    plans = [
        draft(
            recipe(
                source,
                tmp_path / "out",
                **{"with": ["paraphrase"]},
                labelers={"paraphrase": {"dictionary": str(place)}},
            )
        )
        for place in places
    ]
    assert differences(plans[0], plans[1]) == []
    assert "that labeler 'paraphrase' reads as dictionary has changed" in differences(plans[0], plans[2])[0]
    with pytest.raises(FileNotFoundError, match="no file at"):
        load_labelers(
            recipe(source, tmp_path, **{"with": ["paraphrase"]}, labelers={"paraphrase": {"dictionary": "no"}})
        )


def test_differences_name_files_that_came_and_went(tmp_path: Path) -> None:
    """A file more, or less, is said by its name."""
    write(tmp_path, text(3), "a.txt")
    before = draft(recipe(tmp_path / "in", tmp_path / "out"))
    write(tmp_path, text(3, 3), "b.txt")
    after = draft(recipe(tmp_path / "in", tmp_path / "out"))
    assert any("b.txt" in text for text in differences(before, after))
    assert isinstance(before.files[0], InputFile)

"""The layout on disk: what Hugging Face datasets and pyarrow read, and the bytes of a shard."""

import json
from collections import Counter
from dataclasses import replace
from pathlib import Path
from typing import Any

import datasets
import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from small import built, manifest, rows, text, write
from toy_labelers import Counting

from labelers.labeler import Corpus
from labelers.paths import column
from labelers.task import Task, tasks
from pipelines.folder.books import RowBook
from pipelines.folder.fingerprint import Fingerprint, rows_digest
from pipelines.folder.layout import Folder, keys_name
from pipelines.folder.out_folder import clear, occupant
from pipelines.folder.schema import dataset_features, declare
from pipelines.rows.passage_keys import equal_passages
from pipelines.verify import verify


@pytest.fixture(scope="module", params=["separate", "woven"])
def out(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a dataset of several units in each kind of views, with dialogues, kept fields and texts."""
    folder = tmp_path_factory.mktemp("dataset")
    talks = [
        {
            "id": f"talk {i}",
            "topic": "rivers" if i % 2 else None,
            "turns": [
                {"role": role, "text": line} for role, line in zip("ABAB", text(4, 4 * i).splitlines(), strict=True)
            ],
        }
        for i in range(300)
    ]
    write(folder, "".join(json.dumps(talk) + "\n" for talk in talks), "talks.jsonl")
    texts = [
        {"id": f"text {i}", "text": line, "topic": "mills"} for i, line in enumerate(text(2000, 5000).splitlines())
    ]
    source = write(folder, "".join(json.dumps(line) + "\n" for line in texts), "texts.jsonl").parent
    names = ["toy_labelers:Stutter", "toy_labelers:Beheading", "toy_labelers:Counting", "masking"]
    tables: dict[str, Any] = {"with": names, "unit": {"bytes": 100_000}, "views": request.param}
    report = built(source, folder / "out", input={"keep": {"topic": "string"}}, **tables)
    assert report.exit_code == 0
    return folder / "out"


def test_datasets_reads_the_rows_that_pyarrow_reads(out: Path, tmp_path: Path) -> None:
    """load_from_disk and load_dataset agree with the stream format, and know the names of row labels."""
    loaded = datasets.load_from_disk(str(out))
    read = datasets.load_dataset(str(out), cache_dir=str(tmp_path))
    assert list(loaded) == list(read) == ["train", "validation", "test"]
    for split in loaded:
        expected = rows(out, split)
        assert loaded[split].to_list() == expected
        assert read[split].to_list() == expected
        assert loaded[split].features == read[split].features
        assert loaded[split].features["beheading"]["upper"].names == ["lower", "upper"]
        assert loaded[split].features["counting"]["turns"].names == ["none", "A", "B"]
        assert str(loaded[split].split) == split
    assert loaded["train"].data.__class__.__name__ == "ConcatenationTable"


def test_a_dataset_maps_and_saves_in_datasets(out: Path, tmp_path: Path) -> None:
    """Rows go through map and to_parquet; the cache that map leaves in the folder doubles no row."""
    train = datasets.load_from_disk(str(out))["train"]
    counted = train.map(
        lambda row: {"length": len(row["tokens"])}, cache_file_name=str(out / "train" / "cache-x.arrow")
    )
    assert counted["length"][:3] == [len(row["tokens"]) for row in rows(out, "train")[:3]]
    read = datasets.load_dataset(str(out), cache_dir=str(tmp_path))
    assert len(read["train"]) == len(train)
    assert train.select(range(10)).to_parquet(str(tmp_path / "x.parquet")) > 0
    (out / "train" / "cache-x.arrow").unlink()


def test_a_row_is_what_the_design_says(out: Path) -> None:
    """Columns stand in their order; lists are empty, never null; views are empty where they equal the source."""
    schema = pa.ipc.open_stream(pa.memory_map(str(next(out.glob("train/*.arrow"))))).schema
    first = ["id", "document", "lang", "tokens", "spaces", "segments", "turns", "roles", "topic"]
    assert schema.names[:9] == first
    woven = "woven" in schema.names
    for row in rows(out, "train"):
        assert row["id"].startswith(f"{row['document']}/")
        assert len(row["tokens"]) == len(row["spaces"]) <= 128
        assert row["segments"][0] == 0
        assert len(row["turns"]) == len(row["roles"])
        assert row["topic"] in {"rivers", "mills", None}
        view = row["woven"] if woven else row["stutter"]
        assert len(view["tokens"]) == len(view["origin"])
        assert all(-1 <= place < len(row["tokens"]) for place in view["origin"])
        if not woven:
            assert (row["stutter"]["status"] == 0) == bool(view["tokens"])
    dialogue = next(row for row in rows(out, "train") if row["document"].startswith("talk"))
    assert dialogue["turns"][0] == 0
    assert set(dialogue["roles"]) <= {"A", "B"}


def test_labels_say_what_was_done(out: Path) -> None:
    """From tokens and origin of the view every label can be checked against the source."""
    for row in rows(out, "train"):
        if row["beheading"]["status"] == 0:
            assert row["beheading"]["upper"] == row["tokens"][0][0].isupper()
            place = (row["woven"] if "woven" in row else row["beheading"])["origin"]
            assert 0 not in place
        else:
            assert row["beheading"]["upper"] is None
            assert row["beheading"]["rest"] is None
        if "woven" not in row and row["stutter"]["status"] == 0:
            (at,) = np.flatnonzero(row["stutter"]["tags"])
            assert row["stutter"]["origin"][at] == -1
            assert row["stutter"]["tokens"][at] == row["stutter"]["tokens"][at + 1]


def test_every_file_is_a_stream_of_whole_batches(out: Path) -> None:
    """Record batches have 1,024 rows but for the last; all files carry the same schema, tasks and features."""
    schemas = set()
    for path in out.glob("*/data-*.arrow"):
        reader = pa.ipc.open_stream(pa.memory_map(str(path)))
        sizes = [batch.num_rows for batch in reader]
        assert all(size == 1024 for size in sizes[:-1])
        assert max(sizes, default=0) <= 1024
        schemas.add(reader.schema.serialize().to_pybytes())
        kinds = {str(kind) for kind in _types(reader.schema)}
        assert not [kind for kind in kinds if "dictionary" in kind or "view" in kind or "map" in kind]
    assert len(schemas) == 1
    modes = {task.mode for task in tasks(out)}
    assert modes == ({"joint"} if "woven" in rows(out, "train")[0] else {"own"})


def _types(schema: pa.Schema) -> list[pa.DataType]:
    """Return all types of a schema."""
    return [field.type for field in schema]


def test_state_has_all_that_datasets_wants(out: Path) -> None:
    """Seven keys, shards in order, a fingerprint of ours; no split without rows."""
    units = manifest(out)["units"]
    for split in ("train", "validation", "test"):
        state = json.loads((out / split / "state.json").read_text())
        assert sorted(state) == [
            "_data_files",
            "_fingerprint",
            "_format_columns",
            "_format_kwargs",
            "_format_type",
            "_output_all_columns",
            "_split",
        ]
        assert [item["filename"] for item in state["_data_files"]] == [
            f"data-{unit:05d}-of-{units:05d}.arrow" for unit in range(units)
        ]
        assert len(state["_fingerprint"]) == 16
    assert (out / "README.md").read_text().startswith("---\n")
    assert "path: validation/data-*.arrow" in (out / "README.md").read_text()


def test_a_split_without_rows_is_left_out(tmp_path: Path) -> None:
    """A text of one block is all train: no folder, no entry, and datasets opens it."""
    built(write(tmp_path, text(10)), tmp_path / "out")
    assert sorted(path.name for path in (tmp_path / "out").iterdir() if path.is_dir()) == ["stats", "train"]
    assert list(datasets.load_from_disk(str(tmp_path / "out"))) == ["train"]
    assert list(datasets.load_dataset(str(tmp_path / "out"), cache_dir=str(tmp_path / "cache"))) == ["train"]
    assert verify(tmp_path / "out") == []


def test_equal_passages_of_different_documents_are_counted(tmp_path: Path) -> None:
    """A passage twice in one document is no repeat; the same in three documents is two."""
    twice = " ".join([text(1).strip()] * 40)
    lines = [text(1, 7), text(1, 7), text(1, 8), text(1, 7), f"{twice}\n"]
    built(write(tmp_path, "".join(lines)), tmp_path / "out", passage={"max_tokens": 16})
    folder = Folder.at(str(tmp_path / "out"))
    passages = [
        {tuple(row["tokens"]) for row in rows(tmp_path / "out", "train") if row["document"] == document}
        for document in sorted({row["document"] for row in rows(tmp_path / "out", "train")})
    ]
    distinct = set().union(*passages)
    counts = [sum(passage in own for own in passages) for passage in distinct]
    expected = {"passages": sum(n > 1 for n in counts), "repeats": sum(n - 1 for n in counts)}
    assert expected["repeats"] > 0
    assert equal_passages(folder, 1) == expected == manifest(tmp_path / "out")["equal_passages"]


def test_features_name_what_old_releases_know() -> None:
    """Lists are Sequence, lists of structs a list of one; float and double have the names of numpy."""
    span = pa.struct([pa.field("start", pa.int32())])
    schema = pa.schema([("a", pa.list_(span)), ("b", pa.float32()), ("c", pa.list_(pa.float64())), ("d", pa.bool_())])
    assert dataset_features(schema, []) == {
        "a": [{"start": {"dtype": "int32", "_type": "Value"}}],
        "b": {"dtype": "float32", "_type": "Value"},
        "c": {"feature": {"dtype": "float64", "_type": "Value"}, "_type": "Sequence"},
        "d": {"dtype": "bool", "_type": "Value"},
    }


def test_the_digest_of_rows_knows_order_value_and_column() -> None:
    """It is the same however rows are divided, and another for other rows."""
    table = pa.record_batch({"a": ["x", None, "yz"], "b": [[1], [], [2, 3]], "c": [True, None, False]})

    def digest(*parts: pa.RecordBatch) -> str:
        whole = Fingerprint()
        for part in parts:
            single = Fingerprint()
            single.add(part)
            whole.merge(single.to_json())
        return rows_digest({"train": whole})

    same = digest(table)
    assert digest(table.slice(0, 1), table.slice(1, 0), table.slice(1)) == same
    others = [
        table.take(pa.array([0, 2, 1])),
        table.slice(0, 2),
        pa.record_batch({"a": ["x", "", "yz"], "b": [[1], [], [2, 3]], "c": [True, None, False]}),
        pa.record_batch({"a": ["x", None, "yz"], "b": [[1], [2], [3]], "c": [True, None, False]}),
        pa.record_batch({"a": ["x", None, "yz"], "b": [[1], [], [2, 3]], "c": [True, False, None]}),
    ]
    assert len({same, *(digest(other) for other in others)}) == 6


def test_a_label_without_weight_is_not_counted() -> None:
    """Of one label, of several and of none of a class: rows of weight 0 and of no weight hold none."""
    batch = pa.record_batch({
        "tokens": [["a"]] * 4,
        "made": [
            {"status": status, "label": 1, "tags": [0, 1, -1], "weight": weight}
            for status, weight in ((0, 1.0), (0, 0.0), (0, None), (2, 1.0))
        ],
    })  # fmt: skip
    task = Task(name="made", labeler="made", version=1, kind="passage", sequences=("source",), target="made.label",
                classes=("no", "yes"), status="made.status", reasons=("short",), weight="made.weight")  # fmt: skip
    tags = replace(task, name="tags", kind="token", target="made.tags")
    story = replace(task, name="story", kind="generation", target="tokens", classes=())
    book = RowBook([task, tags, story])
    book.add(batch)
    assert book.to_json()["tasks"] == {"made": {"no": 0, "yes": 2}, "tags": {"no": 2, "yes": 2}, "story": {"labels": 1}}


def test_a_kept_field_may_have_a_dot_in_its_name(tmp_path: Path) -> None:
    """It is a column like others, unless a column inside a struct has the same path."""
    lines = [json.dumps({"text": line, "meta.source": f"s{i % 3}"}) for i, line in enumerate(text(60).splitlines())]
    source = write(tmp_path, "\n".join(lines), "a.jsonl")
    out, keep = tmp_path / "out", {"meta.source": "string"}
    assert built(source, out, input={"keep": keep}, split={"group": "meta.source"}).exit_code == 0
    found = rows(out, "train")
    assert {column(row, "meta.source") for row in found} == set(
        datasets.load_from_disk(str(out))["train"]["meta.source"]
    )
    assert verify(out) == []
    with pytest.raises(ValueError, match=r"two columns would be named 'masking\.status'"):
        built(source, tmp_path / "b", input={"keep": {"masking.status": "string"}})


@pytest.mark.parametrize("name", ["Source", "Second", "Woven"])
def test_a_labeler_is_not_named_like_a_sequence(name: str) -> None:
    """Its view would be taken for that."""
    labeler = type(name, (Counting,), {})()
    with pytest.raises(ValueError, match=f"cannot be named '{name.lower()}'"):
        declare([labeler], Corpus(), joint=False, keep={})


def test_a_folder_knows_its_own(tmp_path: Path) -> None:
    """What a broken plan leaves is no stranger; a lone stats folder is, for nothing says what it belongs to."""
    folder = Folder.at(str(tmp_path / "out"))
    assert occupant(folder) == ""
    folder.write("pool.jsonl", b"")
    folder.write(".tmp-x", b"")
    assert occupant(folder) == ""
    folder.write("stats/00000.json", b"{}")
    assert occupant(folder) == "stats"
    folder.write("plan.json", b"{}")
    assert occupant(folder) == ""
    clear(folder)
    assert folder.names() == ["plan.json"]
    folder.write("notes.txt", b"")
    assert occupant(folder) == "notes.txt"


@given(st.lists(st.lists(st.integers(0, 40), max_size=30), min_size=1, max_size=5), st.integers(1, 200))
@settings(max_examples=50, deadline=None)
def test_equal_passages_are_counted_in_parts_of_any_size(
    tmp_path_factory: pytest.TempPathFactory, units: list[list[int]], part_keys: int
) -> None:
    """The keys of a unit may repeat, as those of its documents do; compared with counting one by one."""
    folder = Folder.at(str(tmp_path_factory.mktemp("keys")))
    scaled = [sorted(value * (2**64 - 1) // 40 for value in values) for values in units]
    for unit, values in enumerate(scaled):
        folder.write(keys_name(unit), np.array(values, "<u8").tobytes())
    counts = Counter(value for values in scaled for value in values)
    expected = {
        "passages": sum(n > 1 for n in counts.values()),
        "repeats": sum(n - 1 for n in counts.values()),
    }
    assert equal_passages(folder, len(units), part_keys=part_keys) == expected

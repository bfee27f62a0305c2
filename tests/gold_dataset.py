"""The tiny dataset with labels that people made beside those of its labelers."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa
from tiny_dataset import SCHEMA, TASKS, make_row

from labelers.task import Task, write_tasks

__all__ = ["ACT", "CLASSES", "NER", "PLAIN_TASKS", "SEGMENTS", "TOPIC", "gold_row", "write_gold"]

CLASSES = ("O", "B-age", "B-thing", "I-age")


def _gold(name: str, kind: str, **values: Any) -> Task:
    return Task(
        name=name, labeler=name, version=1, kind=kind, sequences=("source",), status=f"{name}.status", gold=True,
        reasons=("unlabelled", "rejected", "copy"), **values,
    )  # fmt: skip


NER = _gold("ner", "token", target="ner.tags", classes=CLASSES, level="token", metric="span_f1", scheme="bio")
TOPIC = _gold("subject", "passage", target="subject.label", classes=("long", "short"), metric="accuracy")
SEGMENTS = _gold("sentence", "segment", target="sentence.labels", classes=("plain", "aged"), metric="accuracy")
ACT = _gold("act", "turn", target="act.labels", classes=("plain", "aged"), roles=True, metric="accuracy")
PLAIN_TASKS = tuple(task for task in TASKS if task.name in {"disfluency.tags", "topic.long", "masking.word"})

_FIELDS = {
    "ner": pa.struct([("status", pa.int8()), ("tags", pa.list_(pa.int8()))]),
    "subject": pa.struct([("status", pa.int8()), ("label", pa.int64())]),
    "sentence": pa.struct([("status", pa.int8()), ("labels", pa.list_(pa.int8()))]),
    "act": pa.struct([("status", pa.int8()), ("labels", pa.list_(pa.int8()))]),
}
_ORDINARY = {"the", "needs", "has", ".", "very", "old"}


def gold_row(number: int, *, labelled: bool = True, classes: Sequence[str] = CLASSES) -> dict[str, Any]:
    """Return a row: "very old" is an age, what a sentence is about a thing."""
    row = make_row(number)
    tokens = row["tokens"]
    names = ["B-age" if text == "very" else "I-age" if text == "old" else "O" if text in _ORDINARY else "B-thing"
             for text in tokens]  # fmt: skip
    ends = [*row["segments"][1:], len(tokens)]
    aged = [int("old" in tokens[start:end]) for start, end in zip(row["segments"], ends, strict=True)]
    status = 0 if labelled else 2
    return row | {
        "ner": {"status": status, "tags": [classes.index(name) for name in names] if labelled else []},
        "subject": {"status": status, "label": int(len(tokens) <= 17) if labelled else None},
        "sentence": {"status": status, "labels": aged if labelled else []},
        "act": {"status": status, "labels": aged if labelled else []},
    }


def write_gold(
    folder: Path,
    tasks: Sequence[Task],
    splits: Mapping[str, Sequence[int]],
    *,
    labelled: Mapping[str, int] | None = None,
    classes: Sequence[str] = CLASSES,
) -> Path:
    """Write a dataset of rows by their numbers; all have labels of people, or the first so many of a split."""
    counts = {name: (labelled or {}).get(name, len(numbers)) for name, numbers in splits.items()}
    fields = [pa.field(name, kind) for name, kind in _FIELDS.items()]
    schema = write_tasks(pa.schema([*SCHEMA, *fields]), tasks)
    for name, numbers in splits.items():
        made = [gold_row(number, labelled=i < counts[name], classes=classes) for i, number in enumerate(numbers)]
        (folder / name).mkdir(parents=True)
        with (
            pa.OSFile(str(folder / name / "data-00000-of-00001.arrow"), "wb") as sink,
            pa.ipc.new_stream(sink, schema) as writer,
        ):
            writer.write_table(pa.Table.from_pylist(made, schema=schema))
    folder.mkdir(exist_ok=True)
    facts = {"splits": {name: list(numbers) for name, numbers in splits.items()}, "labelled": counts}
    (folder / "auxloom.json").write_text(json.dumps(facts))
    return folder

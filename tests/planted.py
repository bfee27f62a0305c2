"""A dataset in which it is known which auxiliary helps: every word has a class, which the primary is to tell.

Words are drawn independently, so that masked words say nothing of their classes, and few labels show only some words.
"""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from labelers.task import Task, write_tasks

__all__ = ["write_planted"]

_WORDS = [first + vowel + last for vowel in "aeiou" for first in "bdfgklmn" for last in "prst"][:120]
_LENGTH = 10
_SPACES = {
    "kind": 4,  # the primary: which of four kinds a word is of
    "helpful": 8,  # each kind in halves
    "harmful": 2,  # whether it opens the row, for which no word need be known
}


def _task(name: str, classes: int) -> Task:
    names = tuple(f"{name}{number}" for number in range(classes))
    return Task(
        name=name, labeler=name, version=1, kind="token", sequences=("source",), target=f"{name}.tags", classes=names,
        level="token", metric="accuracy", status=f"{name}.status", gold=True,
    )  # fmt: skip


def _masked(name: str) -> Task:
    return Task(
        name=name, labeler=name, version=1, kind="masked_lm", sequences=("source",), target=f"{name}.draw", rate=0.15,
        exclude=f"{name}.never", level="token", metric="nats_per_word", status=f"{name}.status",
    )  # fmt: skip


_MASKED = ("masking", "neutral")  # neutral: masks again, which are drawn anew


def _row(number: int, rng: np.random.Generator) -> dict[str, Any]:
    """Return a row of words with all their labels."""
    words = rng.integers(0, len(_WORDS), _LENGTH)
    tags = {
        "kind": words % 4,
        "helpful": words % 4 + 4 * (words // 4 % 2),
        "harmful": (np.arange(_LENGTH) == 0).astype(int),
    }
    return {
        "id": f"r{number}", "document": f"r{number}", "lang": "en", "tokens": [_WORDS[word] for word in words],
        "spaces": [True] * _LENGTH, "segments": [0], "roles": [],
        **{
            name: {"status": 0, "draw": rng.integers(0, 256, _LENGTH).tolist(), "never": [False] * _LENGTH}
            for name in _MASKED
        },
        **{name: {"status": 0, "tags": values.tolist()} for name, values in tags.items()},
    }  # fmt: skip


def write_planted(folder: Path, train: int = 300, held: int = 60) -> Path:
    """Write the dataset, and return its folder."""
    tagged = pa.struct([("status", pa.int8()), ("tags", pa.list_(pa.int8()))])
    masking = pa.struct([("status", pa.int8()), ("draw", pa.list_(pa.uint8())), ("never", pa.list_(pa.bool_()))])
    fields = [
        ("id", pa.string()), ("document", pa.string()), ("lang", pa.string()), ("tokens", pa.list_(pa.string())),
        ("spaces", pa.list_(pa.bool_())), ("segments", pa.list_(pa.int32())), ("roles", pa.list_(pa.string())),
        *((name, masking) for name in _MASKED),
        *((name, tagged) for name in _SPACES),
    ]  # fmt: skip
    tasks = [*(_task(name, size) for name, size in _SPACES.items()), *map(_masked, _MASKED)]
    schema = write_tasks(pa.schema(fields), tasks)
    rng, number = np.random.default_rng(7), 0
    for split, count in (("train", train), ("validation", held // 2), ("test", held)):
        rows = [_row(number + place, rng) for place in range(count)]
        number += count
        (folder / split).mkdir(parents=True)
        with (
            pa.OSFile(str(folder / split / "data-00000-of-00001.arrow"), "wb") as sink,
            pa.ipc.new_stream(sink, schema) as writer,
        ):
            writer.write_table(pa.Table.from_pylist(rows, schema=schema))
    (folder / "auxloom.json").write_text(json.dumps({"rows": [train, held]}))
    return folder

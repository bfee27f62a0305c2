"""A small synthetic dataset of the layout on disk, with every kind of task, for tests of the trainer.

Its sentences come from a grammar of a few dozen words, so that a small model learns the tasks in seconds.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from labelers.task import Task, write_tasks

__all__ = ["GOLD_TASKS", "ROLES", "SCHEMA", "TASKS", "make_row", "write_dataset"]

ROLES = ("Baker", "Miller", "Smith")
_CONNECTIVES = ("but", "so")
_WORDS = {
    "Baker": ["bread", "oven", "dough", "crust"],
    "Miller": ["mill", "flour", "wheat", "stone"],
    "Smith": ["iron", "anvil", "hammer", "forge"],
}
_SPAN = pa.struct([pa.field("start", pa.int32()), pa.field("end", pa.int32())])
_VIEW = [
    pa.field("status", pa.int8()),
    pa.field("tokens", pa.list_(pa.string())),
    pa.field("origin", pa.list_(pa.int32())),
]


def _struct(*fields: pa.Field, view: bool = True) -> pa.DataType:
    return pa.struct([*(_VIEW if view else _VIEW[:1]), *fields])


SCHEMA = pa.schema(
    [
        pa.field("id", pa.string()),
        pa.field("document", pa.string()),
        pa.field("lang", pa.string()),
        pa.field("tokens", pa.list_(pa.string())),
        pa.field("spaces", pa.list_(pa.bool_())),
        pa.field("segments", pa.list_(pa.int32())),
        pa.field("turns", pa.list_(pa.int32())),
        pa.field("roles", pa.list_(pa.string())),
        pa.field(
            "connective",
            _struct(pa.field("connective", pa.int64()), pa.field("arg1", _SPAN), pa.field("arg2", _SPAN)),
        ),
        pa.field(
            "disfluency",
            _struct(
                pa.field("tags", pa.list_(pa.int8())),
                pa.field("pair", pa.int64()),
                pa.field("swap", pa.bool_()),
                pa.field("pair_source", _SPAN),
                pa.field("pair_view", _SPAN),
            ),
        ),
        pa.field(
            "masking",
            _struct(
                pa.field("draw", pa.list_(pa.uint8())),
                pa.field("never", pa.list_(pa.bool_())),
                pa.field("segment", _SPAN),
                pa.field("role", pa.list_(pa.int8())),
                pa.field("role_hidden", pa.list_(pa.bool_())),
                pa.field("role_words", pa.list_(pa.bool_())),
                view=False,
            ),
        ),
        pa.field(
            "topic",
            _struct(
                pa.field("long", pa.int64()),
                pa.field("craft", pa.list_(pa.int8())),
                pa.field("confidence", pa.float32()),
                pa.field("none", _SPAN),
                view=False,
            ),
        ),
        pa.field("crafts", _struct(pa.field("labels", pa.list_(pa.bool_())), view=False)),
        pa.field("share", _struct(pa.field("value", pa.float32()), view=False)),
        pa.field("ease", _struct(pa.field("values", pa.list_(pa.float32())), view=False)),
        pa.field(
            "tree",
            _struct(pa.field("heads", pa.list_(pa.int32())), pa.field("relations", pa.list_(pa.int8())), view=False),
        ),
    ]
)


def _task(name: str, kind: str, sequences: tuple[str, ...] = ("source",), **values: Any) -> Task:
    labeler = name.partition(".")[0]
    values.setdefault("target", name)
    return Task(
        name=name, labeler=labeler, version=1, kind=kind, sequences=sequences, status=f"{labeler}.status",
        reasons=("short",), **values,
    )  # fmt: skip


TASKS = (
    _task(
        "connective", "span_pair", ("connective",), target="connective.connective", classes=_CONNECTIVES,
        spans=("connective.arg1", "connective.arg2"), metric="accuracy",
    ),
    _task("disfluency.tags", "token", ("disfluency",), classes=("O", "D"), level="token", metric="tag_f1"),
    _task(
        "disfluency.pair", "pair", ("source", "disfluency"), classes=("add_0", "add_1"), swap="disfluency.swap",
        spans=("disfluency.pair_source", "disfluency.pair_view"), metric="accuracy",
    ),
    _task(
        "masking.word", "masked_lm", target="masking.draw", exclude="masking.never", rate=0.15, roles=True,
        level="token", metric="nats_per_word",
    ),
    _task("masking.segment", "generation", spans=("masking.segment",), target="tokens"),
    _task(
        "masking.role", "turn", classes=ROLES, roles=True, hide_roles="masking.role_hidden",
        hide_tokens="masking.role_words", level="turn", metric="accuracy",
    ),
    _task("topic.long", "passage", classes=("short", "long"), metric="accuracy", weight="topic.confidence"),
    _task("topic.craft", "segment", classes=ROLES, level="segment", metric="macro_f1"),
)  # fmt: skip

_RELATIONS = ("root", "det", "mod", "subj", "obj", "punct")
GOLD_TASKS = (
    _task(
        "crafts", "multilabel", target="crafts.labels", classes=ROLES, multi=True, metric="micro_f1", gold=True
    ),
    _task("share", "regression", target="share.value", metric="pearson", gold=True),
    _task("ease", "regression", target="ease.values", level="token", metric="rmse", gold=True),
    _task(
        "tree", "arc", target="tree.heads", relations="tree.relations", classes=_RELATIONS, level="token",
        metric="las", gold=True,
    ),
)  # fmt: skip
"""Tasks whose labels people would make; every fifth row has none."""


def _sentence(rng: np.random.Generator, role: str) -> list[str]:
    """Return a sentence of five or seven tokens about the things of a role."""
    first, second = rng.choice(_WORDS[role], 2, replace=False).tolist()
    middle = ["very", "old"] if rng.random() < 0.5 else []
    return ["the", *middle, first, rng.choice(["needs", "has"]).item(), second, "."]


def _arcs(sentences: list[list[str]]) -> tuple[list[int], list[int]]:
    """Return the head of each token, the verb being the root of its sentence, and the relations."""
    heads: list[int] = []
    relations: list[str] = []
    for sentence in sentences:
        first, verb = len(heads), len(sentence) - 3
        inner = ["mod"] * (verb - 2)
        heads += [first + verb - 1] * (verb - 1) + [first + verb] * 4
        relations += ["det", *inner, "subj", "root", "obj", "punct"]
    return heads, [_RELATIONS.index(name) for name in relations]


def _gold(number: int, roles: list[str], sentences: list[list[str]]) -> dict[str, Any]:
    """Return the labels of people: which crafts a row tells of, how much of it is of the first, and its trees."""
    if number % 5 == 4:
        none = {"status": 2, "labels": [], "value": None, "values": [], "heads": [], "relations": []}
        return dict.fromkeys(("crafts", "share", "ease", "tree"), none)
    ease = [float("nan") if text == "." else 100.0 * len(text) for sentence in sentences for text in sentence]
    heads, relations = _arcs(sentences)
    return {
        "crafts": {"status": 0, "labels": [role in roles for role in ROLES]},
        "share": {"status": 0, "value": 10 + roles.count(ROLES[0]) / 3},
        "ease": {"status": 0, "values": ease},
        "tree": {"status": 0, "heads": heads, "relations": relations},
    }


def make_row(number: int, seed: int = 0) -> dict[str, Any]:
    """Return one row; every third one abstains from the pair task and the connective."""
    rng = np.random.default_rng([seed, number])
    roles = [ROLES[i] for i in rng.integers(0, 3, 3)]
    sentences = [_sentence(rng, role) for role in roles]
    tokens = [token for sentence in sentences for token in sentence]
    starts = np.cumsum([0, *map(len, sentences)]).tolist()
    abstains = number % 3 == 2
    place, length = int(rng.integers(0, starts[1] - 2)), int(rng.integers(1, 3))
    copied = tokens[place : place + length]
    view = [*tokens[:place], *copied, *tokens[place:]]
    origin = [*range(place), *[-1] * length, *range(place, len(tokens))]
    tags = [1 if source < 0 else 0 for source in origin]
    swap = bool(rng.random() < 0.5)
    target = int(rng.integers(0, 3))
    hidden = [abs(turn - target) <= 1 for turn in range(3)]
    removed = [token for i, token in enumerate(tokens) if i != starts[1]]
    return {
        "id": f"d{number // 4}/{number % 4}", "document": f"d{number // 4}", "lang": "en", "tokens": tokens,
        "spaces": [True] * len(tokens), "segments": starts[:-1], "turns": [0, 1, 2], "roles": roles,
        "connective": {
            "status": 2 if abstains else 0,
            "tokens": [] if abstains else removed,
            "origin": [] if abstains else [i for i in range(len(tokens)) if i != starts[1]],
            "connective": None if abstains else int(roles[1] == ROLES[0]),
            "arg1": None if abstains else {"start": 0, "end": starts[1]},
            "arg2": None if abstains else {"start": starts[1], "end": starts[2] - 1},
        },
        "disfluency": {
            "status": 1 if abstains else 0,
            "tokens": [] if abstains else view,
            "origin": [] if abstains else origin,
            "tags": [0] * len(tokens) if abstains else tags,
            "pair": None if abstains else int(not swap),
            "swap": swap,
            "pair_source": None if abstains else {"start": 0, "end": starts[1]},
            "pair_view": None if abstains else {"start": 0, "end": starts[1] + length},
        },
        "masking": {
            "status": 1,
            "draw": rng.integers(0, 256, len(tokens)).tolist(),
            "never": [text == "." for text in tokens],
            "segment": {"start": 0, "end": starts[1]},
            "role": [ROLES.index(roles[target]) if turn == target else -1 for turn in range(3)],
            "role_hidden": hidden,
            "role_words": [False] * len(tokens),
        },
        "topic": {
            "status": 1,
            "long": int(len(tokens) > 17),
            "craft": [ROLES.index(role) for role in roles],
            "confidence": 0.5 if number % 2 else 1.0,
            "none": None,
        },
        **_gold(number, roles, sentences),
    }  # fmt: skip


def write_dataset(
    folder: Path, rows: int = 240, tasks: tuple[Task, ...] | None = TASKS, *, seed: int = 0, manifest: bool = True
) -> Path:
    """Write a dataset of three splits, two train shards and record batches of 32 rows; returns the folder."""
    schema = SCHEMA if tasks is None else write_tasks(SCHEMA, tasks)
    held = max(rows // 6, 4)
    shards = {
        "train/data-00000-of-00002.arrow": range(rows // 2),
        "train/data-00001-of-00002.arrow": range(rows // 2, rows),
        "validation/data-00000-of-00002.arrow": range(rows, rows + held),
        "test/data-00001-of-00002.arrow": range(rows + held, rows + 2 * held),
    }
    for name, numbers in shards.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        table = pa.Table.from_pylist([make_row(number, seed) for number in numbers], schema=schema)
        with pa.OSFile(str(folder / name), "wb") as sink, pa.ipc.new_stream(sink, schema) as writer:
            writer.write_table(table, max_chunksize=32)
    if manifest:
        (folder / "auxloom.json").write_text(json.dumps({"rows": rows, "seed": seed}))
    return folder

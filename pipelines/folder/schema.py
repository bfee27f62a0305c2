"""What a dataset declares of its rows: Arrow schema, tasks, and the features that Hugging Face datasets reads."""

import json
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import pyarrow as pa

from labelers.label_space import LabelSpace
from labelers.labeler import Corpus, Labeler
from labelers.task import SECOND, SOURCE, WOVEN, Task, write_tasks
from labelers.text.document import FIELD_TYPES
from pipelines.recipes.recipe import Recipe

__all__ = ["BATCH_ROWS", "SECOND_FIELD", "SOURCE_FIELDS", "TEXT", "corpus_schema", "dataset_features", "declare"]

BATCH_ROWS = 1024
"""Rows of a record batch; only the last of a file may have fewer."""

SOURCE_FIELDS: tuple[pa.Field, ...] = (
    pa.field("id", pa.string()),
    pa.field("document", pa.string()),
    pa.field("lang", pa.string()),
    pa.field("tokens", pa.list_(pa.string())),
    pa.field("spaces", pa.list_(pa.bool_())),
    pa.field("segments", pa.list_(pa.int32())),
    pa.field("turns", pa.list_(pa.int32())),
    pa.field("roles", pa.list_(pa.string())),
)
"""The columns that every row has."""

TEXT = "tokens"
"""The column that a dataset has and a layer has not."""

SECOND_FIELD = pa.field(
    SECOND,
    pa.struct([
        pa.field("tokens", pa.list_(pa.string())),
        pa.field("spaces", pa.list_(pa.bool_())),
        pa.field("segments", pa.list_(pa.int32())),
    ]),
)  # fmt: skip
"""The column of datasets whose input has a second text."""

_VIEW = (pa.field("tokens", pa.list_(pa.string())), pa.field("origin", pa.list_(pa.int32())))


def declare(
    labelers: Sequence[Labeler],
    corpus: Corpus,
    *,
    joint: bool,
    keep: Mapping[str, str],
    second: bool = False,
    spaces: Sequence[LabelSpace] = (),
    layer: bool = False,
) -> pa.Schema:
    """Return the schema of a dataset, with its tasks and features in the metadata.

    Args:
        labelers: in their order.
        corpus: the findings of the plan.
        joint: all edits are woven into one view.
        keep: types of kept fields.
        second: passages have a second text.
        spaces: labels that people made, whose columns stand before those of labelers.
        layer: of the text, only the ids.

    Raises:
        ValueError: two columns of one name or path, or a labeler with the name of a sequence.
    """
    seconds = [SECOND_FIELD] if second else []
    fields = [*SOURCE_FIELDS, *seconds, *(pa.field(name, FIELD_TYPES[kind]) for name, kind in keep.items())]
    if layer:
        fields = [SOURCE_FIELDS[0]]
    fields += [space.column for space in spaces]
    if joint:
        fields.append(pa.field(WOVEN, pa.struct(_VIEW)))
    tasks = [space.task for space in spaces]
    for labeler in labelers:
        if labeler.name in (SOURCE, SECOND, WOVEN):
            raise ValueError(f"a labeler cannot be named {labeler.name!r}, which is the name of a sequence; rename it")
        view = _VIEW if labeler.edits and not joint else ()
        declared = labeler.declaration(corpus, joint=joint)
        fields.append(pa.field(labeler.name, pa.struct([pa.field("status", pa.int8()), *view, *declared.columns])))
        tasks.extend(declared.tasks)
    paths = Counter(path for field in fields for path in _paths(field))
    twice = sorted(path for path, count in paths.items() if count > 1)
    if twice:
        raise ValueError(
            f"two columns would be named {twice[0]!r}; rename the field in [input] keep, the label or the labeler"
        )
    schema = write_tasks(pa.schema(fields), tasks)
    text = json.dumps(
        {"info": {"features": dataset_features(schema, tasks)}}, ensure_ascii=False, separators=(",", ":")
    )
    return schema.with_metadata({**schema.metadata, b"huggingface": text.encode()})


def corpus_schema(
    recipe: Recipe,
    labelers: Sequence[Labeler],
    classes: Mapping[str, tuple[str, ...]],
    spaces: Sequence[LabelSpace] = (),
    *,
    layer: bool = False,
) -> pa.Schema:
    """Return the schema of the dataset, or layer, that a recipe makes of a corpus with these classes and labels."""
    joint = recipe.views == "woven"
    corpus = Corpus(classes=classes)
    return declare(labelers, corpus, joint=joint, keep=recipe.keep, second=recipe.second, spaces=spaces, layer=layer)


def _paths(field: pa.Field) -> Iterator[str]:
    """Yield the dotted path of a column, and of all columns in it."""
    yield field.name
    for inner in field.type if pa.types.is_struct(field.type) else ():
        yield from (f"{field.name}.{path}" for path in _paths(inner))


def dataset_features(schema: pa.Schema, tasks: Sequence[Task]) -> dict[str, Any]:
    """Return the features JSON of a schema; row labels of a task become class labels with its names.

    Lists are written as ``Sequence``, which every release of datasets reads.

    Example:
        >>> dataset_features(pa.schema([pa.field("ids", pa.list_(pa.int32()))]), [])
        {'ids': {'feature': {'dtype': 'int32', '_type': 'Value'}, '_type': 'Sequence'}}
    """
    classes = {task.target: task.classes for task in tasks if task.classes}
    return {field.name: _feature(field.type, field.name, classes) for field in schema}


def _feature(kind: pa.DataType, path: str, classes: Mapping[str, tuple[str, ...]]) -> Any:
    """Return the feature of one column."""
    if pa.types.is_struct(kind):
        return {field.name: _feature(field.type, f"{path}.{field.name}", classes) for field in kind}
    if pa.types.is_list(kind):
        inner = _feature(kind.value_type, "", {})
        return [inner] if pa.types.is_struct(kind.value_type) else {"feature": inner, "_type": "Sequence"}
    if path in classes and pa.types.is_int64(kind):
        return {"names": list(classes[path]), "_type": "ClassLabel"}
    return {"dtype": _NAMES.get(str(kind), str(kind)), "_type": "Value"}


_NAMES = {"float": "float32", "double": "float64"}  # what Arrow prints and datasets calls otherwise

"""The task: one label space, what one head learns, and the JSON that describes it in every Arrow file.

A trainer may import it, and needs nothing but pyarrow for it.
"""

import dataclasses
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Self

import pyarrow as pa

from labelers.advice import damaged
from labelers.stores.copies import dataset_folder

__all__ = [
    "ABSTAINED",
    "FRAMEWORK_REASONS",
    "SECOND",
    "SOURCE",
    "TASKS_KEY",
    "WOVEN",
    "Task",
    "read_tasks",
    "status_reason",
    "tasks",
    "write_tasks",
]

TASKS_KEY = b"auxloom.tasks"
"""Key of the task list in the metadata of an Arrow schema."""

SOURCE = "source"
"""Name of the sequence that holds the row's own tokens."""

SECOND = "second"
"""Name of the sequence that holds the row's second text, in datasets whose input has one."""

WOVEN = "woven"
"""Name of the sequence that carries the edits of all labelers at once."""

FRAMEWORK_REASONS: Mapping[int, str] = {100: "error", 101: "language", 102: "too_long"}
"""Why a row has no label, not by a decision of the labeler: it raised on the row, does not speak the row's language, or
cannot take a passage of that length. Statuses from 100 to 127 are the framework's; a labeler's reasons end before."""

ABSTAINED = 2
"""The first status of a row that a labeler abstained from."""

_CAME_LATER = ("relations", "gold", "scheme", "on", "taught")
"""Keys of a task that datasets of earlier versions do not have."""


@dataclass(frozen=True, kw_only=True)
class Task:
    """One label space of a dataset: the sequences it reads, its target, its kind and its class names.

    Columns are named by their path in a row (``"connective.arg1"``, see `labelers.paths`), sequences by ``"source"``,
    ``"second"``, ``"woven"`` or the labeler whose view it is. Two kinds may read a part of a sequence: ``span_pair``
    has two spans of one sequence, ``pair`` has two sequences and, if ``spans`` is given, reads one span of each.

    Example:
        >>> task = Task(name="disfluency.tags", labeler="disfluency", version=1, kind="token",
        ...             sequences=("disfluency",), target="disfluency.tags", classes=("O", "D"))
        >>> Task.from_json(task.to_json()) == task
        True
    """

    name: str
    labeler: str
    version: int
    kind: str
    """What is predicted, and of what, such as ``"token"`` or ``"span_pair"``; any other is read and kept as well."""
    sequences: tuple[str, ...]
    """One or two of ``"source"``, ``"second"``, ``"woven"`` or a labeler's name."""
    target: str
    """Column of the label: a class index, a list of them (-1: none), a float, or for masked_lm one draw per token."""
    spans: tuple[str, ...] = ()
    """Columns of ``{start, end}`` structs, in tokens of the sequence."""
    classes: tuple[str, ...] = ()
    status: str = ""
    """Column of the labeler's status: 0 labelled, 1 labelled with the view equal to the source, from 2 on abstained."""
    reasons: tuple[str, ...] = ()
    """Why a labeler abstained: the name of status 2, 3, ..."""
    weight: str | None = None
    """Float column of confidences, of the row's labels or as many as there are labels; or none."""
    swap: str | None = None
    """Bool column: the two sequences of a pair stand in the other order."""
    roles: bool = False
    """A role token opens each turn of the sequence, where the row has turns."""
    exclude: str | None = None
    """masked_lm: bool per token of the sequence, true where it may never be a target."""
    rate: float | None = None
    """masked_lm: share of words that are targets; a word is one where draw < 256 * rate."""
    hide_roles: str | None = None
    """turn: bool per turn, true where the role token is hidden from the model."""
    hide_tokens: str | None = None
    """turn: bool per token of the sequence, true where the word is hidden from the model."""
    multi: bool = False
    """Several labels may hold at once."""
    dimension: int | None = None
    """Length of a float vector target."""
    relations: str | None = None
    """arc: column of the relation of each token to its head, classes of the task; none: arcs have no names."""
    level: str = "passage"
    """char, token, segment, turn, passage or document."""
    metric: str = "macro_f1"
    primary: bool = False
    mode: str = "own"
    """own: the labeler's view holds its edits alone; joint: a woven view holds those of all labelers."""
    paper: str = ""
    gold: bool = False
    """People made the labels."""
    scheme: str = ""
    """token: ``"bio"`` where the classes are tags of spans (O, B-x, I-x), else empty."""
    on: str = ""
    """A view on which the task is trained in place of its sequence, the source, through ``origin``; evaluated on it."""
    taught: bool = False
    """A model made the labels, and says how sure it was: ``weight``."""
    extra: Mapping[str, Any] = field(default_factory=dict)
    """Keys that a later version wrote and this one does not know; kept as they are."""

    @property
    def drawn(self) -> bool:
        """Draws decide which tokens are targets: the target column holds one draw per token."""
        return self.rate is not None

    @property
    def generated(self) -> bool:
        """The label is text of the source, to be written: all of its tokens, or one of the task's spans."""
        return self.target in {"tokens", *self.spans}

    @property
    def constructed(self) -> bool:
        """A labeler made the labels; those that people made are gold, or have no labeler, and others a model made."""
        return bool(self.labeler) and not self.given

    @property
    def given(self) -> bool:
        """The labels are of the row as it is, and no labeler made them: people did, or a model."""
        return self.gold or self.taught

    def to_json(self) -> dict[str, Any]:
        """Return the task as a plain JSON object, unknown keys included.

        Keys that came later stand in it only if they say something: datasets without them keep their bytes.
        """
        known = {
            f.name: list(value) if isinstance(value := getattr(self, f.name), tuple) else value
            for f in dataclasses.fields(self)
            if f.name != "extra"
        }
        known = {name: value for name, value in known.items() if value or name not in _CAME_LATER}
        return known | dict(self.extra)

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Self:
        """Read a task of any kind; an unknown key is kept in `extra`."""
        names = {f.name for f in dataclasses.fields(cls)} - {"extra"}
        known: dict[str, Any] = {k: tuple(v) if isinstance(v, list) else v for k, v in data.items() if k in names}
        return cls(**known, extra={k: v for k, v in data.items() if k not in names})


def status_reason(status: int, reasons: Sequence[str]) -> str:
    """Return why a labeler abstained, given a row's status and the labeler's reasons; nothing where it did not.

    Raises:
        ValueError: a status that has no reason.

    Example:
        >>> status_reason(1, ("short",)), status_reason(2, ("short",)), status_reason(100, ("short",))
        ('', 'short', 'error')
    """
    if 0 <= status < ABSTAINED:
        return ""
    if status in FRAMEWORK_REASONS:
        return FRAMEWORK_REASONS[status]
    if not 0 <= status - ABSTAINED < len(reasons):
        raise ValueError(f"status {status} has no reason; there are {', '.join(reasons) or 'none'}")
    return reasons[status - ABSTAINED]


def write_tasks(schema: pa.Schema, items: Sequence[Task]) -> pa.Schema:
    """Return the schema with the tasks in its metadata."""
    text = json.dumps([task.to_json() for task in items], ensure_ascii=False, separators=(",", ":"))
    return schema.with_metadata({**(schema.metadata or {}), TASKS_KEY: text.encode()})


def read_tasks(schema: pa.Schema) -> list[Task]:
    """Return the tasks that stand in a schema's metadata; none where there is no such key."""
    text = (schema.metadata or {}).get(TASKS_KEY)
    return [] if text is None else [Task.from_json(item) for item in json.loads(text)]


def tasks(folder: str | Path) -> list[Task]:
    """Return the tasks of the dataset in `folder` (a dataset, or one split of it).

    Raises:
        FileNotFoundError: no Arrow file lies in the folder.
        ValueError: the first of them is damaged.
    """
    root = dataset_folder(folder)
    files = sorted(root.glob("*.arrow")) or sorted(root.glob("*/*.arrow"))
    if not files:
        raise FileNotFoundError(f"no .arrow file in {root} or its splits; give a dataset that `auxloom build` wrote")
    try:
        with pa.memory_map(str(files[0])) as source:
            return read_tasks(pa.ipc.open_stream(source).schema)
    except (pa.ArrowException, OSError) as error:
        raise ValueError(damaged(files[0], error)) from None

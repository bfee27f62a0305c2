"""Rows for the eye: what each labeler changed in a text, hid in it and says of it."""

from collections.abc import Iterable, Iterator, Sequence
from itertools import islice
from pathlib import Path
from typing import Any

import pyarrow as pa
from rich.console import Console
from rich.text import Text

from labelers.advice import OTHER_LAYER, damaged, nearest
from labelers.paths import column
from labelers.task import SECOND, SOURCE, WOVEN, Task, status_reason
from pipelines.display.gold_values import gold_value
from pipelines.display.sheet import Row, Sheet, spelt_out
from pipelines.display.where import labelled

__all__ = ["choose_tasks", "first_rows", "show_rows"]

_NAME, _NOTE, _INDENT = "bold cyan", "dim", "    "


def first_rows(dataset: Path, n: int, where: Sequence[Task] = (), layers: Sequence[Path] = ()) -> list[dict[str, Any]]:
    """Return the first rows of a dataset, those of its first split (train) first.

    Args:
        dataset: its folder.
        n: how many rows.
        where: if given, only rows that have a label of one of these tasks.
        layers: folders of layers whose columns the rows have, too.
    """
    files = sorted(dataset.glob("*/data-*.arrow"), key=_split_order)
    found = (row for file in files for row in _rows(_shards(file, layers), where))
    return list(islice(found, n))


def _shards(file: Path, layers: Sequence[Path]) -> list[Path]:
    """Return a shard and those of the same name in some layers."""
    return [file, *(layer / file.parent.name / file.name for layer in layers)]


def choose_tasks(tasks: Sequence[Task], labelers: Iterable[str]) -> list[Task]:
    """Return the tasks of some labelers, each given by its name or as module:Class.

    Raises:
        ValueError: none of the tasks is of such a labeler; the message names those that there are.
    """
    known = list(dict.fromkeys(task.labeler for task in tasks if task.labeler))
    wanted = [name.rpartition(":")[2].lower() for name in labelers]
    for name in wanted:
        if name not in known:
            hint = f"{nearest(name, known)}; it has labels of {', '.join(known)}"
            raise ValueError(f"the dataset has no labels of {name!r}{hint}")
    return [task for task in tasks if task.labeler in wanted]


def _split_order(file: Path) -> tuple[int, str]:
    """Sort train before validation before test before others."""
    splits = ("train", "validation", "test")
    return (splits.index(file.parent.name) if file.parent.name in splits else len(splits), str(file))


def _rows(files: Sequence[Path], where: Sequence[Task]) -> Iterator[dict[str, Any]]:
    """Return the rows of an Arrow file and its layers, or those that have a label of one of the tasks, a few at a time.

    Raises:
        ValueError: a file is damaged, or a layer has other rows.
    """
    for parts in zip(*map(_batches, files), strict=True):
        batch = _joined(files, parts)
        chosen = batch.filter(pa.array(labelled(batch, where))) if where else batch
        for start in range(0, len(chosen), 8):
            yield from chosen.slice(start, 8).to_pylist()


def _batches(file: Path) -> Iterator[pa.RecordBatch]:
    """Yield the record batches of an Arrow file."""
    try:
        with pa.memory_map(str(file)) as source:
            for batch in pa.ipc.open_stream(source):
                batch.validate(full=True)  # wrong offsets would end the process
                yield batch
    except (pa.ArrowException, OSError, UnicodeDecodeError) as error:
        raise ValueError(damaged(file, error)) from None


def _joined(files: Sequence[Path], parts: Sequence[pa.RecordBatch]) -> pa.RecordBatch:
    """Return the rows of a dataset and its layers side by side."""
    if len(parts) == 1:
        return parts[0]
    columns = {name: parts[0].column(name) for name in parts[0].schema.names}
    for file, part in zip(files[1:], parts[1:], strict=True):
        if not part.column("id").equals(columns["id"]):
            raise ValueError(f"{file} and {files[0]} have different rows; {OTHER_LAYER}")
        columns |= {name: part.column(name) for name in part.schema.names if name != "id"}
    return pa.record_batch(columns)


def show_rows(rows: Iterable[Row], tasks: Sequence[Task], console: Console) -> None:
    """Print each row: its id and, per labeler, the view with its edits marked and the labels with their names.

    A row is a dict as datasets or ``to_pylist`` give it. Where the console has no colour, marks show the same:
    ``[-removed-]``, ``{+inserted+}``, ``[?masked?]``.
    """
    colour = console.color_system is not None and not console.no_color
    labelers: dict[str, list[Task]] = {}
    for task in tasks:
        labelers.setdefault(task.labeler, []).append(task)
    for row in rows:
        _print(console, Text(spelt_out(row["id"]), "bold"))
        for line in _render(row, labelers, colour=colour):
            _print(console, line)
        console.print()


def _print(console: Console, line: Text) -> None:
    """Print a line; where it is longer than the console is wide, what follows has the same indent."""
    indent = len(line.plain) - len(line.plain.lstrip(" "))
    for part in line[indent:].wrap(console, max(console.width - indent, 1)):
        part.rstrip()
        console.print(Text(" " * indent).append_text(part))


def _render(row: Row, labelers: dict[str, list[Task]], *, colour: bool) -> Iterator[Text]:
    """Return the lines of a row: the common text, if there is one, then each labeler with its own."""
    sheets = {name: _own_sheet(row, own) for name, own in labelers.items()}
    common = _common_sheet(row, labelers, sheets)
    if common:
        yield from common.lines(colour=colour, indent="  ")
    yield from _second(row, labelers, colour=colour)
    for name, own in labelers.items():
        sheet, reason = sheets[name], _reason(row, own)
        unchanged = not (sheet or WOVEN in row) and _status(row, own) == 1
        note = f"  no label: {reason}" if reason else "  unchanged" if unchanged else ""
        head = Text("  ").append(spelt_out(name) or "labels", _NAME)
        if own[0].given:
            named = sheet is not None and sheet.named  # its turns say what would be said twice
            value = Text() if named else Text().append(": ", _NAME).append(gold_value(row, own[0]))
            yield head.append(note, _NOTE) if reason else head.append_text(value)
        else:
            yield head.append(note, _NOTE)
        if sheet:
            yield from sheet.lines(colour=colour, indent=_INDENT)
        if not reason and not own[0].given:
            yield from _labels(row, own)


def _second(row: Row, labelers: dict[str, list[Task]], *, colour: bool) -> Iterator[Text]:
    """Return the second text of a row that has one, with the marks of all labelers."""
    struct = row.get(SECOND)
    if isinstance(struct, dict) and "segments" in struct:  # not a kept field of that name
        tasks = [task for own in labelers.values() for task in own if SECOND in task.sequences]
        sheet = Sheet.of(row, SECOND, [task for task in tasks if not _reason(row, [task])])
        for line in sheet.lines(colour=colour, indent=""):
            yield Text("  ").append(f"{SECOND}: ", _NAME).append_text(line)


def _own_sheet(row: Row, tasks: Sequence[Task]) -> Sheet | None:
    """Return the text of one labeler; none where it abstained, marks nothing, or the view is everybody's."""
    sequence = next((name for task in tasks for name in task.sequences if name not in (SOURCE, SECOND)), SOURCE)
    if sequence == WOVEN or _reason(row, tasks):
        return None
    sheet = Sheet.of(row, sequence, tasks)
    return sheet if sheet.marked else None


def _common_sheet(row: Row, labelers: dict[str, list[Task]], sheets: dict[str, Sheet | None]) -> Sheet | None:
    """Return the woven text with the marks of all labelers, or the source where no labeler shows a text."""
    woven = [task for own in labelers.values() for task in own if WOVEN in task.sequences]
    if woven:
        return Sheet.of(row, WOVEN, [task for task in woven if not _reason(row, [task])])
    return None if any(sheets.values()) else Sheet.of(row, SOURCE, [])


def _status(row: Row, tasks: Sequence[Task]) -> int:
    """Return the status of a row's labels; 0 for labels that have none."""
    return (column(row, tasks[0].status) or 0) if tasks[0].status else 0


def _reason(row: Row, tasks: Sequence[Task]) -> str:
    """Return why the labeler abstained, or nothing where it did not."""
    status = _status(row, tasks)
    try:
        return status_reason(status, tasks[0].reasons)
    except ValueError:  # a later version has more
        return f"status {status}"


def _labels(row: Row, tasks: Sequence[Task]) -> Iterator[Text]:
    """Return one line per task, and one for what else the labeler says of the row."""
    for task in tasks:
        name = task.name.removeprefix(f"{task.labeler}.")
        yield (
            Text(_INDENT)
            .append(f"{spelt_out(name)}: ", _NAME)
            .append(_value(row, task))
            .append(_order(row, task), _NOTE)
        )
    used = {path for task in tasks for path in (task.target, task.relations, task.swap, task.status)}
    struct = row.get(tasks[0].labeler)
    others = struct.items() if isinstance(struct, dict) else ()
    rest = {key: _plain(value) for key, value in others if f"{tasks[0].labeler}.{key}" not in used}
    if any(rest.values()):
        yield Text(_INDENT).append(", ".join(f"{key} {value}" for key, value in rest.items() if value), _NOTE)


def _plain(value: Any) -> str:
    """Return a number or string to be read; nothing for other values."""
    if isinstance(value, float):
        return f"{value:.3g}"
    return spelt_out(str(value)) if isinstance(value, int | str) and not isinstance(value, bool) else ""


def _order(row: Row, task: Task) -> str:
    """Return in which order the two sequences of a pair are read."""
    if len(task.sequences) != 2 or task.swap is None or column(row, task.target) is None:  # noqa: PLR2004
        return ""
    first, second = reversed(task.sequences) if column(row, task.swap) else task.sequences
    return f"   0 = {first}, 1 = {second}"


def _value(row: Row, task: Task) -> str:
    """Return a task's label as text."""
    value = column(row, task.target)
    if value is None or (task.weight and not column(row, task.weight)):
        return "none"
    if isinstance(value, list):
        return _list_value(row, task, value)
    if isinstance(value, dict):
        return spelt_out(" ".join(row["tokens"][value["start"] : value["end"]]))
    return _class(task, value) if task.classes else _plain(value) or str(value)


def _list_value(row: Row, task: Task, value: list[Any]) -> str:
    """Return a label of many parts: how many words are masked or tagged, who is asked for, all classes that hold."""
    if task.drawn:
        never = column(row, task.exclude) if task.exclude else [False] * len(value)
        hidden = sum(draw < 256 * (task.rate or 0) and not out for draw, out in zip(value, never, strict=True))
        return f"{hidden} of {len(never) - sum(never)} words masked"
    if task.kind in _AS_GOLD:
        return gold_value(row, task)
    if task.level == "token":
        counts = ", ".join(f"{value.count(i)} {_class(task, i)}" for i in range(len(task.classes))) or str(len(value))
        return counts if not task.classes or any(tag >= 0 for tag in value) else "none"
    if task.level == "turn":
        asked = [f"turn {turn + 1} {_class(task, number)}" for turn, number in enumerate(value) if number >= 0]
        return ", ".join(asked) or "none"
    if not task.classes and all(isinstance(item, str) for item in value):
        return "the original text" if task.target == "tokens" else spelt_out(" ".join(map(str, value)))
    return ", ".join(_class(task, item) if task.classes else _plain(item) for item in value) or "none"


_AS_GOLD = ("arc", "multilabel", "regression")
"""Kinds whose lists are written as those that people made."""


def _class(task: Task, value: Any) -> str:
    """Return the name of a class."""
    return spelt_out(task.classes[value]) if isinstance(value, int) and 0 <= value < len(task.classes) else str(value)

"""One text on the screen: a view beside its source, with edits, masks, tags and spans in their places."""

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from rich.text import Text

from labelers.paths import column, resolve, tokens_of
from labelers.task import SECOND, SOURCE, Task

__all__ = ["Row", "Sheet", "spelt_out", "tagged_spans"]

Row = Mapping[str, Any]

# style, mark before and mark behind; the marks, as wdiff has them, stand where there is no colour
_PLAIN = ("", "", "")
_REMOVED = ("strike red", "[-", "-]")
_INSERTED = ("green", "{+", "+}")
_REPLACED = ("yellow", "", "")
_MASKED = ("reverse dim", "[?", "?]")
_TAG, _FRAME = "magenta", "cyan"


def spelt_out(text: str) -> str:
    r"""Return the text with what a terminal would obey or hide (control and format characters) spelt out.

    Example:
        >>> spelt_out("a\x1b[31m")
        'a\\x1b[31m'
    """
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)


@dataclass
class _Run:
    """Neighbouring tokens that stand or fall together: one that source and view share, or all of one change."""

    source: list[int] = field(default_factory=list)
    """Positions in the source."""
    view: list[int] = field(default_factory=list)
    """Positions in the view."""
    edited: bool = True


@dataclass
class Sheet:
    """The sequence that some tasks read, and what they mark in it.

    Example:
        >>> row = {"tokens": ["But", "we", "stayed"], "spaces": [True] * 3, "turns": [], "segments": [0],
        ...        "cut": {"tokens": ["We", "stayed"], "origin": [1, 2]}}
        >>> sheet = Sheet.of(row, "cut", [])
        >>> next(sheet.lines(colour=False)).plain.strip()
        '[-But we-]{+We+} stayed'
    """

    source: Sequence[str]
    spaces: Sequence[bool]
    tokens: Sequence[str]
    """The tokens of the view."""
    runs: list[_Run]
    speakers: dict[int, str]
    """Who speaks from a source position on."""
    opens: dict[int, list[str]] = field(default_factory=dict)
    """Names of the spans that begin at a place of the view."""
    closes: dict[int, list[str]] = field(default_factory=dict)
    """Names of the spans that end behind a place of the view."""
    tags: dict[int, list[str]] = field(default_factory=dict)
    """Class names at a place of the view."""
    masked: set[int] = field(default_factory=set)
    """Places of the view that are hidden from a task."""
    named: bool = False
    """Speakers have the classes that people gave their turns."""

    @classmethod
    def of(cls, row: Row, sequence: str, tasks: Sequence[Task]) -> "Sheet":
        """Return the sequence of a row with the marks of those of the tasks that have a label in it."""
        if sequence == SECOND:
            return cls._of_second(row, tasks)
        struct = {} if sequence == SOURCE else row.get(sequence) or {}
        source, tokens = row["tokens"], tokens_of(row, sequence) if struct else row["tokens"]
        origin = struct.get("origin") if struct.get("tokens") else range(len(source))
        spaces = row.get("spaces") or [True] * len(source)
        sheet = cls(source, spaces, tokens, _runs(source, tokens, origin or []), _speakers(row, tasks))
        sheet.named = any(task.given and task.level == "turn" for task in tasks)
        for task in tasks:
            sheet._mark_tokens(row, task, sequence)
            sheet._mark_spans(row, task, sequence)
        return sheet

    @classmethod
    def _of_second(cls, row: Row, tasks: Sequence[Task]) -> "Sheet":
        """Return the second text of a row, which nobody edits."""
        tokens, spaces = row[SECOND]["tokens"], row[SECOND]["spaces"]
        sheet = cls(tokens, spaces, tokens, _runs(tokens, tokens, range(len(tokens))), {})
        for task in tasks:
            sheet._mark_tokens(row, task, SECOND)
            sheet._mark_spans(row, task, SECOND)
        return sheet

    @property
    def marked(self) -> bool:
        """Something is to be seen that the source alone would not show."""
        return self.named or bool(self.opens or self.tags or self.masked or any(run.edited for run in self.runs))

    def lines(self, *, colour: bool, indent: str = "    ") -> Iterator[Text]:
        """Return the text as lines: one, or in a dialogue one for each turn."""
        turns, line = self._turns(), Text(indent)
        for number, run in enumerate(self.runs):
            if number in turns:
                if line.plain.strip():
                    line.rstrip()
                    yield line
                line = Text(indent).append(f"{turns[number]}: ", _FRAME)
            if run.edited and not run.source and not line.plain.endswith(" "):
                line.append(" ")
            line.append_text(self._edit(run, colour=colour) if run.edited else self._shown(run, _PLAIN, colour=colour))
            line.append(" " if not run.source or self.spaces[run.source[-1]] else "")
        line.rstrip()
        yield line

    def _turns(self) -> dict[int, str]:
        """Return who speaks from each run on; what is inserted before a turn's first token is said in that turn."""
        turns = {}
        for number, run in enumerate(self.runs):
            for place in run.source:
                if place in self.speakers:
                    before = number > 0 and not self.runs[number - 1].source
                    turns[number - before] = self.speakers[place]
        return turns

    def _edit(self, run: _Run, *, colour: bool) -> Text:
        """Return a change: what was removed, and what stands there now."""
        text = Text()
        if run.source:
            _append(text, self._removed(run), _REPLACED if colour and run.view else _REMOVED, colour=colour)
        if run.source and run.view and colour:
            text.append(" -> ", _REPLACED[0])
        if run.view:
            text.append_text(self._shown(run, _REPLACED if colour and run.source else _INSERTED, colour=colour))
        return text

    def _removed(self, run: _Run) -> str:
        """Return the source's text of a run."""
        last = run.source[-1]
        return "".join(spelt_out(self.source[i]) + (" " if self.spaces[i] and i != last else "") for i in run.source)

    def _shown(self, run: _Run, look: tuple[str, str, str], *, colour: bool) -> Text:
        """Return the view's text of a run, with the marks of each token."""
        text = Text()
        text.append("" if colour else look[1], look[0])
        for place in run.view:
            if place != run.view[0]:
                text.append(" ")
            for name in self.opens.get(place, []):
                text.append(f"<{name} ", _FRAME)
            _append(
                text,
                spelt_out(self.tokens[place]),
                _MASKED if place in self.masked else (look[0], "", ""),
                colour=colour,
            )
            for tag in self.tags.get(place, []):
                text.append(f"/{tag}", _TAG)
            for name in self.closes.get(place, []):
                text.append(f" {name}>", _FRAME)
        return text.append("" if colour else look[2], look[0])

    def _mark_tokens(self, row: Row, task: Task, sequence: str) -> None:
        """Mark the tags and the masked words of a task that reads this sequence."""
        if sequence != task.sequences[-1]:
            return
        values = column(row, task.target)
        if task.given and task.kind == "token" and task.scheme:
            self._mark_types(task, values or [])
        elif task.level == "token" and task.kind != "arc" and not task.drawn:
            for place, value in enumerate(values or []):
                if shown := _tag(task, value):
                    self.tags.setdefault(place, []).append(shown)
        if task.drawn:
            never = column(row, task.exclude) if task.exclude else [False] * len(values)
            hidden = zip(values, never, strict=True)
            self.masked |= {i for i, (value, out) in enumerate(hidden) if value < 256 * (task.rate or 0) and not out}
        if task.hide_tokens:
            self.masked |= {i for i, hides in enumerate(column(row, task.hide_tokens)) if hides}

    def _mark_types(self, task: Task, tags: Sequence[int]) -> None:
        """Mark the spans that tags describe, each with its type."""
        for start, end, kind in tagged_spans(task.classes, tags):
            self.opens.setdefault(start, []).append(spelt_out(kind))
            self.closes.setdefault(end - 1, []).insert(0, spelt_out(kind))

    def _mark_spans(self, row: Row, task: Task, sequence: str) -> None:
        """Mark the spans of a task; of two sequences only the one that is shown."""
        sequences = task.sequences if len(task.sequences) > 1 else task.sequences * len(task.spans)
        for path, of in zip(task.spans, sequences, strict=False):
            span, name = column(row, path) if of == sequence else None, resolve(path, row)[-1]
            if span and name not in self.opens.get(span["start"], []):
                self.opens.setdefault(span["start"], []).append(name)
                self.closes.setdefault(span["end"] - 1, []).insert(0, name)


def _tag(task: Task, value: float) -> str:
    """Return what stands behind a token: its class, unless that is an outside, or its number, if it has one."""
    if isinstance(value, float):
        return "" if math.isnan(value) else f"{value:.3g}"
    least = 0 if task.given and "O" not in task.classes else 1
    return _name(task, int(value)) if value >= least else ""


def _name(task: Task, value: int) -> str:
    """Return the name of a class."""
    return spelt_out(task.classes[value]) if 0 <= value < len(task.classes) else str(value)


def tagged_spans(classes: Sequence[str], tags: Sequence[int]) -> Iterator[tuple[int, int, str]]:
    """Yield (start, end, type) of the spans that BIO tags describe.

    Example:
        >>> list(tagged_spans(["O", "B-x", "I-x"], [1, 2, 0, 1, 1]))
        [(0, 2, 'x'), (3, 4, 'x'), (4, 5, 'x')]
    """
    start = -1
    for place, tag in enumerate([*tags, 0]):
        name = classes[tag] if tag >= 0 else "O"
        if start >= 0 and not name.startswith("I-"):
            yield start, place, classes[tags[start]][2:]
        start = start if start >= 0 and name.startswith("I-") else place if name != "O" else -1


def _append(text: Text, words: str, look: tuple[str, str, str], *, colour: bool) -> None:
    """Append words in a style, or between marks where there is no colour."""
    style, before, behind = look
    text.append(words if colour else f"{before}{words}{behind}", style)


def _runs(source: Sequence[str], tokens: Sequence[str], origin: Sequence[int]) -> list[_Run]:
    """Divide source and view into the tokens that both share, each alone, and the changes between them."""
    runs: list[_Run] = []
    change, reached = _Run(), 0
    for place, at in enumerate(origin):
        if at >= reached:
            change.source += range(reached, at)
            reached = at + 1
            if tokens[place] == source[at]:
                runs += [change] * bool(change.source or change.view) + [_Run([at], [place], edited=False)]
                change = _Run()
                continue
            change.source.append(at)
        change.view.append(place)
    change.source += range(reached, len(source))
    return runs + [change] * bool(change.source or change.view)


def _speakers(row: Row, tasks: Sequence[Task]) -> dict[int, str]:
    """Return who speaks from which source position on, and what a task hides of it."""
    notes = [""] * len(row.get("turns") or [])
    for task in tasks:
        if task.level == "turn":
            hidden = column(row, task.hide_roles) if task.hide_roles else [False] * len(notes)
            for turn, (value, hides) in enumerate(zip(column(row, task.target), hidden, strict=True)):
                named = f" ({_name(task, value)})" if task.given else " (asked)"
                notes[turn] = named if value >= 0 else " (hidden)" if hides else notes[turn]
    starts = [row["segments"][segment] for segment in row.get("turns") or []]
    return {
        start: spelt_out(role) + note for start, role, note in zip(starts, row.get("roles") or [], notes, strict=True)
    }

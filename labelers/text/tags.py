"""Tags of spans: the schemes in which they are written, and BIO, in which they are stored."""

import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain, repeat
from typing import Any

import numpy as np

from labelers.label_space import LabelSpace, class_numbers
from labelers.ragged import BoolArray, IntArray, running_total
from labelers.text.document import BadLabel, Spans

__all__ = ["TagReader", "bio_classes", "find_scheme", "find_schemes", "mark_spans", "signs_of"]

_TAG = re.compile(r"([BIESLU])(?:-(.+))?", re.DOTALL)
_O, _B, _I, _E, _S = range(5)
_PREFIXES = {"B": _B, "I": _I, "E": _E, "L": _E, "S": _S, "U": _S}
"""L and U are what BILOU calls E and S."""


def find_scheme(pairs: Mapping[tuple[str, str], int]) -> str:
    """Return the scheme of tags, empty where they mark no spans.

    Args:
        pairs: how often each tag follows each other one; the first one of a document follows ``""``.

    Example:
        >>> find_scheme({("", "B-x"): 3, ("B-x", "I-x"): 2, ("I-x", "O"): 3})
        'bio'
        >>> find_scheme({("", "I-x"): 3, ("I-x", "O"): 3}), find_scheme({("", "NOUN"): 1})
        ('iob1', '')
    """
    tags = {tag for _, tag in pairs}
    parts = {tag: found for tag in tags if (found := _TAG.fullmatch(tag))}
    untyped = [tag for tag, found in parts.items() if found[2] is None]
    if not parts or tags - {"O", *parts} or (untyped and (len(untyped) < len(parts) or "B" not in tags)):
        return ""
    if any(found[1] in "ESLU" for found in parts.values()):
        return "bioes"
    # IOB1 needs a B only between two spans of one type that touch
    opens: Counter[str] = Counter()
    for (before, tag), count in pairs.items():
        if tag in parts and (before not in parts or parts[before][2] != parts[tag][2]):
            opens[parts[tag][1]] += count
    return "iob1" if opens["I"] > opens["B"] else "bio"


def signs_of(pairs: Mapping[tuple[str, str], int]) -> dict[str, int]:
    """Return the evidence for the scheme of the tags of a file, as numbers that are added up over its parts.

    Args:
        pairs: how often each tag follows each other one; see `find_scheme`.

    Returns:
        ``B`` and ``I``: spans that open with such a tag, touching ones of one type aside; ``E``: tags that BIOES alone
        has; nothing where there are no spans, or other tags as well.

    Example:
        >>> signs_of({("", "I-x"): 3, ("I-x", "O"): 3}), signs_of({("", "S-x"): 2}), signs_of({("", "NOUN"): 1})
        ({'I': 3}, {'E': 2}, {})
    """
    parts = {tag: _TAG.fullmatch(tag) for _, tag in pairs if tag != "O"}
    if None in parts.values():
        return {}
    signs: Counter[str] = Counter()
    for (before, tag), count in pairs.items():
        found, last = parts.get(tag), parts.get(before)
        if found and found[1] in "ESLU":
            signs["E"] += count
        elif found and (last is None or last[2] != found[2]):
            signs[found[1]] += count
    return dict(signs)


_SURE = 10
"""Spans from which on a file in which each opens with I- is IOB1, and not BIO with mistakes."""


def find_schemes(scheme: str, files: Mapping[str, Mapping[str, int]]) -> tuple[str, dict[str, str]]:
    """Return the scheme of most files, and that of each file which is in another one.

    BIOES has tags that no other scheme has. IOB1 is BIO to a reader unless spans open with I-.

    Args:
        scheme: that of all tags together.
        files: the evidence for the scheme of each file; see `signs_of`.

    Example:
        >>> find_schemes("bioes", {"a": {"B": 9}, "b": {"E": 2, "B": 1}})
        ('bio', {'b': 'bioes'})
        >>> find_schemes("bio", {"a": {"B": 90}, "b": {"I": 20}, "c": {"I": 2}})
        ('bio', {'b': 'iob1'})
    """
    own = {name: _own_scheme(signs) for name, signs in files.items() if signs}
    spans: Counter[str] = Counter()
    for name, found in own.items():
        spans[found] += sum(files[name].values())
    if scheme == "bioes" and len(spans) > 1:
        scheme = max(("bio", "iob1", "bioes"), key=lambda name: spans[name])
    accepted = {scheme, "bio"} if scheme == "iob1" else {scheme}
    return scheme, {name: found for name, found in sorted(own.items()) if found not in accepted}


def _own_scheme(signs: Mapping[str, int]) -> str:
    """Return the scheme of a file that has spans."""
    if signs.get("E"):
        return "bioes"
    return "iob1" if signs.get("I", 0) >= _SURE and not signs.get("B") else "bio"


def span_types(tags: Iterable[str], name: str) -> list[str]:
    """Return the types of spans that tags name, sorted; tags without one mark the type that is called as the label."""
    found = (match for tag in tags if (match := _TAG.fullmatch(tag)))
    return sorted({match[2] or name for match in found})


def bio_classes(tags: Iterable[str], name: str) -> tuple[str, ...]:
    """Return the BIO tags of the types that tags name.

    Example:
        >>> bio_classes(["O", "S-place", "B-name"], "ner")
        ('O', 'B-name', 'B-place', 'I-name', 'I-place')
    """
    types = span_types(tags, name)
    return ("O", *(f"B-{kind}" for kind in types), *(f"I-{kind}" for kind in types))


@dataclass
class TagReader:
    """Reads the tags of a label space as numbers of its classes."""

    space: LabelSpace

    def __post_init__(self) -> None:
        """Look up what each tag means."""
        classes = self.space.classes
        index = {name: i for i, name in enumerate(classes)}
        self._types = [name[2:] for name in classes if name.startswith("B-")] if self.space.scheme else []
        self.begin = np.array([index[f"B-{kind}"] for kind in self._types], np.int64)
        self._inside = np.array([index.get(f"I-{kind}", -2) for kind in self._types], np.int64)
        self._begun = np.arange(len(classes))  # each tag as it opens a span
        self._begun[self._inside[self._inside >= 0]] = self.begin[self._inside >= 0]
        self._table: dict[Any, int] = {None: -1, **class_numbers(classes)}
        if self.space.scheme:
            for kind_number, kind in enumerate(self._types):
                for letter, prefix in _PREFIXES.items():
                    self._table[f"{letter}-{kind}"] = 5 * kind_number + prefix
                    if kind == self.space.name:
                        self._table[letter] = 5 * kind_number + prefix
            self._table["O"] = 0
            self._table |= {i: self._table[name] for name, i in index.items()}

    def type_of(self, label: str) -> int:
        """Return the number of a type of span, -1 for one that is unknown."""
        return self._types.index(label) if label in self._types else -1

    def marked(self, start: int, end: int, kind: int, values: IntArray) -> None:
        """Write the tags of a span."""
        values[start] = self.begin[kind]
        values[start + 1 : end] = self._inside[kind]

    def opened(self, values: IntArray, starts: IntArray) -> IntArray:
        """Return tags in which a span that a row begins in the middle of begins there."""
        if not self.space.scheme or not len(values):
            return values
        values[starts] = np.where(values[starts] >= 0, self._begun[values[starts]], values[starts])
        return values

    def kept(self, values: IntArray, kept: BoolArray) -> IntArray:
        """Return the tags of the tokens that are kept; a span that has lost its first token begins with the next."""
        if not self.space.scheme or kept.all():
            return values[kept]
        begins = np.isin(values, self.begin)
        span = np.where(begins | np.isin(values, self._inside), np.cumsum(begins), 0)[kept]
        opens = np.flatnonzero((span > 0) & (span != np.roll(span, 1)))
        if len(span) and span[0] > 0:
            opens = np.union1d(opens, [0])  # whatever the last of all is a part of
        return self.opened(values[kept], opens)

    def read(self, lists: Sequence[Sequence[Any]], scheme: str) -> tuple[IntArray, dict[int, BadLabel]]:
        """Return the classes of all lists, -1 for none, and why some of the lists cannot be used.

        Args:
            lists: of tags.
            scheme: in which they are, where they mark spans.
        """
        offsets = running_total(np.array([len(tags) for tags in lists], np.int64))
        flat = list(chain.from_iterable(lists))
        codes = np.fromiter(map(self._table.get, flat, repeat(-2)), np.int64, len(flat))
        owners = np.repeat(np.arange(len(lists)), np.diff(offsets))
        bad: dict[int, BadLabel] = {}
        for place in np.flatnonzero(codes == -2)[::-1].tolist():  # noqa: PLR2004  (what the table does not know)
            bad[int(owners[place])] = BadLabel("unknown_class", f"{flat[place]!r} is none of the classes")
        if self.space.scheme:
            codes, wrong = self._converted(codes, offsets, scheme)
            for place in wrong[::-1].tolist():
                n = int(owners[place])
                at = place - int(offsets[n])
                before = "the beginning" if not at else repr(flat[place - 1])
                bad.setdefault(
                    n,
                    BadLabel("bad_scheme", f"tag {at} is {flat[place]!r} behind {before}, read as {scheme}"),
                )
        return codes, bad

    def _converted(self, codes: IntArray, offsets: IntArray, scheme: str) -> tuple[IntArray, IntArray]:
        """Return BIO classes of tags in a scheme, and the places that break it."""
        known = codes >= 0
        prefix, kind = np.where(known, codes % 5, _O), np.where(known, codes // 5, 0)
        first = np.zeros(len(codes) + 1, bool)
        first[offsets] = True
        before, before_kind = np.roll(prefix, 1), np.roll(kind, 1)
        before[first[:-1]] = _O
        open_before = np.isin(before, (_B, _I))
        goes_on = (prefix != _O) & (kind == before_kind) & open_before
        if scheme == "iob1":
            wrong = np.zeros(len(codes), bool)  # B where I would do is BIO, which some files of an input may have
            opens = (prefix == _B) | ((prefix == _I) & ~goes_on)
        else:
            wrong = np.isin(prefix, (_I, _E)) & ~goes_on
            opens = np.isin(prefix, (_B, _S))
        if scheme == "bioes":
            inside = np.isin(prefix, (_I, _E))
            wrong |= open_before & ~(inside & goes_on)
            wrong |= np.isin(prefix, (_B, _I)) & first[1:]
        types = np.minimum(kind, max(len(self._types) - 1, 0))
        tags = (
            np.where(opens, self.begin[types], self._inside[types]) if self._types else np.zeros(len(codes), np.int64)
        )
        return np.where(known, np.where(prefix == _O, 0, tags), -1), np.flatnonzero(wrong & known)


def mark_spans(spans: Spans, starts: IntArray, ends: IntArray, reader: TagReader) -> IntArray | BadLabel:
    """Return the tags of the tokens of a text, or why its spans cannot be used.

    Args:
        spans: of the text.
        starts: where each token starts, rising.
        ends: where each token ends.
        reader: of the label space.
    """
    values, last = np.zeros(len(starts), np.int64), 0
    for start, end, label in sorted(spans.items):
        kind = reader.type_of(label)
        if kind < 0:
            return BadLabel("unknown_class", f"{label!r} is none of the types of spans")
        first, behind = int(np.searchsorted(starts, start)), int(np.searchsorted(ends, end)) + 1
        if not (start < end and first < len(starts) and starts[first] == start and behind <= len(ends)):
            return BadLabel("bad_span", f"[{start}, {end}) of {label} does not begin where a token does")
        if ends[behind - 1] != end:
            return BadLabel("bad_span", f"[{start}, {end}) of {label} does not end where a token does")
        if first < last:
            return BadLabel("overlap", f"[{start}, {end}) of {label} overlaps the span before it")
        reader.marked(first, behind, kind, values)
        last = behind
    return values

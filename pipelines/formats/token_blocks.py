"""Sentences of files that have a token on each line: where one begins and ends, and which document it is part of."""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from pipelines.input.lines import lines_of, paragraphs_of

__all__ = ["HEAD", "Sentence", "blocks_of", "head_indices", "is_marked", "joined"]

HEAD = 65_536
"""Bytes at the beginning of a file in which marks of documents and a header are looked for."""

_MARK = re.compile(rb"(?:\xef\xbb\xbf)?(?:-DOCSTART-|#\s*newdoc\b)")
_MARKS = re.compile(rb"^" + _MARK.pattern, re.MULTILINE)


@dataclass
class Sentence:
    """The tokens of a sentence, and what stands beside them."""

    columns: dict[str, list[Any]]
    """The columns of the file; one that a line does not have is shorter than the others."""
    count: int
    """Number of its tokens."""
    comments: dict[str, str] = field(default_factory=dict)
    """What comments say, by their keys."""
    spaces: list[bool] | None = None
    """Whether a space follows each token, where the file says so."""
    heads: tuple[str, ...] = ()
    """Columns that hold positions of tokens in the sentence."""


def is_marked(stream: Any) -> bool:
    """Return whether a file marks where its documents begin."""
    return _MARKS.search(stream.read_at(HEAD, 0)) is not None


def blocks_of(
    stream: Any, start: int, stop: int, most: int, *, marked: bool
) -> Iterator[tuple[int | None, int, bytes, int]]:
    """Yield (place of its document, own place, lines, length) of what stands between blank lines.

    Of a file that marks its documents, these are the ones of documents that begin in [start, stop); else those that
    begin there themselves, which are part of no document.
    """
    if marked:
        yield from _marked(stream, start, stop, most)
    else:
        for place, data, length in paragraphs_of(stream, start, stop, most):
            yield None, place, data, length


def _marked(stream: Any, start: int, stop: int, most: int) -> Iterator[tuple[int, int, bytes, int]]:
    """Yield what stands between blank lines and marks in the documents that begin in a range."""
    inside = start == 0  # what stands before the first mark is a document as well
    document, place, lines, length = 0, 0, list[bytes](), 0
    for offset, line, size in lines_of(stream, start, None, most):
        opens, blank = _MARK.match(line) is not None, line.isspace() or not line
        if lines and (opens or blank):
            yield document, place, b"\n".join(lines), length
            lines, length = [], 0
        if (opens or not inside) and offset >= stop:
            return
        if opens:
            inside, document = True, offset
        if blank or not inside:
            continue
        place = place if lines else offset
        length += size + 1
        if length <= most or not lines:
            lines.append(line)
    if lines:
        yield document, place, b"\n".join(lines), length


def joined(sentences: list[Sentence]) -> tuple[Sentence, list[int]]:
    """Return the sentences of a document as one, and where each begins in it.

    Example:
        >>> whole, starts = joined([Sentence({"tokens": ["a"]}, 1), Sentence({"tokens": ["b"], "tags": ["O"]}, 1)])
        >>> whole.columns, starts
        ({'tokens': ['a', 'b'], 'tags': [None, 'O']}, [0, 1])
    """
    whole, starts = Sentence({}, 0, {}), []
    names = dict.fromkeys(name for sentence in sentences for name in sentence.columns)
    for sentence in sentences:
        starts.append(whole.count)
        for name in names:
            values = sentence.columns.get(name, [None] * sentence.count)
            if name in sentence.heads:
                values = [item + whole.count if type(item) is int and item >= 0 else item for item in values]
            whole.columns.setdefault(name, []).extend(values)
        whole.count += sentence.count
    if sentences and all(sentence.spaces is not None for sentence in sentences):
        whole.spaces = [space for sentence in sentences for space in sentence.spaces or ()]
    return whole, starts


def head_indices(heads: list[str], numbers: list[str] | None = None) -> list[Any]:
    """Return heads as positions, a root's its own, None for none; what is none of the numbers is left as it is.

    Args:
        heads: the number of the head of each token, 0 for a root.
        numbers: of the tokens; None: they count from 1.

    Example:
        >>> head_indices(["2", "0", "_"]), head_indices(["7", "x"])
        ([1, 1, None], [-7, 'x'])
    """
    known = {number: i for i, number in enumerate(numbers or map(str, range(1, len(heads) + 1)))}
    found: list[Any] = []
    for place, head in enumerate(heads):
        if head in ("_", ""):
            found.append(None)
        elif head == "0":
            found.append(place)
        else:
            found.append(known[head] if head in known else -int(head) if head.isdecimal() and head != "1" else head)
    return found

"""CoNLL-U: the words of a sentence with lemmas, parts of speech, features and dependencies."""

import re
from collections.abc import Mapping
from typing import Any

from pipelines.formats.format import Format
from pipelines.formats.token_blocks import Sentence, head_indices
from pipelines.formats.token_columns import BadRowError, ColumnsFormat, comment_of
from pipelines.input.parse import Parser

__all__ = ["ENDINGS", "ConlluFormat"]

_COLUMNS = ("lemma", "upos", "xpos", "feats", "head", "deprel", "deps", "misc")
_ID = re.compile(r"(\d+)(?:([-.])(\d+))?$")
_WIDTH = 10


class ConlluFormat(ColumnsFormat):
    """Words become tokens, with ``_`` for a space inside one.

    Of tokens of several words (1-2) the words are read; empty nodes (8.1) are skipped.
    """

    def parse(self, parser: Parser, text: str) -> Sentence | None:
        """Return the sentence of some lines."""
        comments: dict[str, str] = {}
        words: list[list[str]] = []
        spaces: list[bool] = []
        wide = _Wide()
        for line in text.split("\n"):
            if line.startswith("#"):
                known = comment_of(line)
                comments |= dict([known]) if known else {}
                continue
            cells = line.split("\t")
            number = _ID.match(cells[0])
            if number is None or len(cells) != _WIDTH:
                raise BadRowError(f"{line[:80]!r} has not the {_WIDTH} columns of CoNLL-U, an ID first, between tabs")
            if number[2] == "-":
                wide = _Wide(int(number[1]), int(number[3]), cells[1], "SpaceAfter=No" in cells[9])
            elif number[2] is None:
                words.append(cells)
                spaces.append("SpaceAfter=No" not in cells[9])
                wide.close(int(number[1]), words, spaces)
        if not words:
            return Sentence({}, 0, comments)
        columns: dict[str, list[Any]] = {parser.settings.tokens: ["_".join(cells[1].split()) for cells in words]}
        for place, name in enumerate(_COLUMNS, 2):
            columns[name] = [_value(cells, place) for cells in words]
        columns["head"] = head_indices([cells[6] for cells in words], [cells[0] for cells in words])
        return Sentence(columns, len(words), comments, spaces, ("head",))


class _Wide:
    """A token of several words, with the spaces between and behind them."""

    def __init__(self, first: int = 0, last: int = 0, form: str = "", tight: bool = False) -> None:  # noqa: FBT001, FBT002
        self._first, self._last, self._form, self._tight = first, last, form, tight

    def close(self, number: int, words: list[list[str]], spaces: list[bool]) -> None:
        """Set the spaces of the token once its last word is read; its words touch where they are what it is made of."""
        if number != self._last or not self._form:
            return
        size = min(self._last - self._first + 1, len(words))
        if "".join(cells[1] for cells in words[-size:]) == self._form:
            spaces[-size:-1] = [False] * (size - 1)
        spaces[-1] = not self._tight


def _value(cells: list[str], place: int) -> str | None:
    """Return what a column says of a word, None for nothing; the lemma of an underscore is one."""
    cell = cells[place]
    return None if cell == "_" and not (place == 2 and cells[1] == "_") else cell  # noqa: PLR2004


ENDINGS: Mapping[str, Format] = {"conllu": ConlluFormat()}

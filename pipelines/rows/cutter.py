"""Documents into passages, as a recipe says, with the labels that people made."""

import dataclasses
from collections.abc import Sequence

from labelers.label_space import LabelSpace
from labelers.passages import PassageBatch
from labelers.text.cutting import CutDocuments
from labelers.text.document import Document, Reject
from labelers.text.gold import read_gold
from labelers.text.segmenter import Segmenter
from pipelines.recipes.recipe import Recipe
from pipelines.rows.source import Records

__all__ = ["Cutter", "characters_of"]


class Cutter:
    """Cuts documents into passages as a recipe says; where its vocabulary is full it starts a new one."""

    def __init__(self, recipe: Recipe, spaces: Sequence[LabelSpace] = ()) -> None:
        """Start with an empty vocabulary; passages get the labels of these spaces."""
        self._recipe, self._spaces = recipe, spaces
        self._segmenter = self._start()

    def _start(self) -> Segmenter:
        """Return a segmenter with an empty vocabulary."""
        text, keep = self._recipe.text, self._recipe.keep
        limit = self._recipe.passage.max_tokens
        return Segmenter(text.lang, limit, newline=text.newline, normalise=text.normalise, keep=keep)

    def cut(self, documents: Sequence[Document]) -> tuple[PassageBatch, list[Reject]]:
        """Return the passages of documents, and a reject for each document that has none."""
        cut, rejects = self._cut(documents)
        return cut.batch, rejects

    def cut_labelled(self, documents: Sequence[Document]) -> tuple[PassageBatch, Records]:
        """Return the passages of documents with their labels, and the book of both."""
        cut, rejects = self._cut(documents)
        found = read_gold(cut, self._spaces)
        fields = {**cut.batch.fields, **found.columns}
        records = Records(used=len(documents) - len(rejects), rejects=[*rejects, *found.rejects], labels=found.books)
        return dataclasses.replace(cut.batch, fields=fields), records

    def _cut(self, documents: Sequence[Document]) -> tuple[CutDocuments, list[Reject]]:
        """Cut documents."""
        if self._segmenter.full:
            self._segmenter = self._start()
        return self._segmenter.cut(documents)


def characters_of(document: Document) -> int:
    """Return about how long a document is."""
    second = _length(document.second) if document.second else 0
    if document.turns is not None:
        return second + sum(len(turn.text) for turn in document.turns)
    return second + (len(document.text) if document.tokens is None else _length(document.tokens))


def _length(text: str | Sequence[str]) -> int:
    """Return about how many characters a text or a list of tokens has."""
    return len(text) if isinstance(text, str) else 6 * len(text)

"""What a worker holds to label any unit of a plan: labelers with their resources, a vocabulary, the pool over it."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import pyarrow as pa

from labelers.labeler import Corpus, Labeler
from labelers.passages import PassageBatch
from labelers.task import Task, read_tasks
from labelers.text.document import Document
from labelers.text.segment import Segmenter
from pipelines.errors import RowErrors
from pipelines.labelling import label_rows
from pipelines.recipe import Recipe
from pipelines.schema import corpus_schema

__all__ = ["Context"]


@dataclass
class Context:
    """The tools of one worker process; `refresh` them between batches."""

    recipe: Recipe
    labelers: Sequence[Labeler]
    schema: pa.Schema
    tasks: Sequence[Task]
    classes: Mapping[str, tuple[str, ...]]
    pool: Sequence[Document]
    segmenter: Segmenter
    corpus: Corpus

    @classmethod
    def make(
        cls,
        recipe: Recipe,
        labelers: Sequence[Labeler],
        classes: Mapping[str, tuple[str, ...]],
        pool: Sequence[Document],
    ) -> "Context":
        """Segment the pool, and declare what the labelers make."""
        schema = corpus_schema(recipe, labelers, classes)
        segmenter, corpus = _segmented(recipe, classes, pool)
        return cls(recipe, labelers, schema, read_tasks(schema), classes, pool, segmenter, corpus)

    @property
    def joint(self) -> bool:
        """Whether all edits are woven into one view."""
        return self.recipe.views == "woven"

    def label(self, batch: PassageBatch, conflicts: Counter[str], errors: RowErrors) -> pa.RecordBatch:
        """Return a row per passage; noted are the edits that each labeler lost, and rows on which one raised."""
        return label_rows(
            batch,
            self.labelers,
            self.corpus,
            self.schema,
            seed=self.recipe.seed,
            joint=self.joint,
            conflicts=conflicts,
            errors=errors if self.recipe.on_error == "abstain" else None,
        )

    def refresh(self) -> None:
        """Start a new vocabulary where the old one is full; no row depends on it."""
        if self.segmenter.full:
            self.segmenter, self.corpus = _segmented(self.recipe, self.classes, self.pool)


def _segmented(
    recipe: Recipe, classes: Mapping[str, tuple[str, ...]], pool: Sequence[Document]
) -> tuple[Segmenter, Corpus]:
    """Return a new segmenter, and the corpus with its pool over the same vocabulary."""
    text, keep = recipe.text, recipe.input.keep
    segmenter = Segmenter(text.lang, recipe.passage.max_tokens, newline=text.newline, keep=keep)
    batch: PassageBatch | None = segmenter.segment(pool)[0] if pool else None
    return segmenter, Corpus(classes=classes, pool=batch)

"""What labels any batch of a dataset alike: labelers with their resources, schema and tasks, what the plan found."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import pyarrow as pa

from labelers.label_space import LabelSpace
from labelers.labeler import Corpus, Labeler
from labelers.passages import PassageBatch
from labelers.task import Task, read_tasks
from labelers.vocabulary import Vocabulary
from pipelines.folder.schema import corpus_schema
from pipelines.recipes.recipe import Recipe
from pipelines.rows.errors import RowErrors
from pipelines.rows.labelling import label_rows
from pipelines.rows.pool import pool_over

__all__ = ["Context"]


@dataclass
class Context:
    """The labelers of one process, and the corpus over the vocabulary of the batches."""

    recipe: Recipe
    labelers: Sequence[Labeler]
    schema: pa.Schema
    tasks: Sequence[Task]
    corpus: Corpus
    vocabulary: Vocabulary | None = None
    """Of the batch that was labelled last."""

    @classmethod
    def make(
        cls,
        recipe: Recipe,
        labelers: Sequence[Labeler],
        classes: Mapping[str, tuple[str, ...]],
        pool: PassageBatch | None,
        spaces: Sequence[LabelSpace] = (),
        *,
        layer: bool = False,
    ) -> "Context":
        """Declare what the labelers make of a corpus with these classes, this pool, and labels that people made."""
        schema = corpus_schema(recipe, labelers, classes, spaces, layer=layer)
        return cls(recipe, labelers, schema, read_tasks(schema), Corpus(classes=classes, pool=pool))

    @property
    def joint(self) -> bool:
        """Whether all edits are woven into one view."""
        return self.recipe.views == "woven"

    def label(self, batch: PassageBatch, conflicts: Counter[str], errors: RowErrors) -> pa.RecordBatch:
        """Return a row per passage; noted are the edits that each labeler lost, and rows on which one raised."""
        self._follow(batch.vocabulary)
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

    def _follow(self, vocabulary: Vocabulary) -> None:
        """Find the corpus over another vocabulary, which batches come with from now on; no row depends on it."""
        if self.vocabulary is not vocabulary:
            self.vocabulary = vocabulary
            self.corpus = Corpus(classes=self.corpus.classes, pool=pool_over(self.corpus.pool, vocabulary))

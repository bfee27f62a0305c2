"""Rows from a dataset that was built before: their passages, without what labelers made of them."""

from collections.abc import Iterator

import pyarrow as pa

from labelers.advice import restore
from labelers.vocabulary import Vocabulary
from pipelines.folder.layout import SPLITS, Folder, shard_name
from pipelines.folder.marks import done_stats
from pipelines.plans.plan import Plan
from pipelines.rows.row_columns import passages_of
from pipelines.rows.source import Part, Records, Source

__all__ = ["RowsSource"]

_MOST_TYPES = 500_000  # of a vocabulary; some 100 MB


class RowsSource(Source):
    r"""The passages of the rows of a dataset, whose unit i they make again: ids, splits and kept fields stay.

    Copies are rows like others. The same labelers with the same seed and corpus make the same rows of them.

    Example:
        >>> import tempfile
        >>> from pathlib import Path
        >>> from pipelines.build import build
        >>> from pipelines.recipes.recipe import make_recipe
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     path = Path(folder, "notes.txt")
        ...     _ = path.write_text("It rained. We stayed at home.\nThe ferry left at dusk.\n")
        ...     recipe = {"out": f"{folder}/out", "with": ["masking"], "input": {"files": [str(path)]}}
        ...     _ = build(make_recipe(recipe))
        ...     source = RowsSource(f"{folder}/out")
        ...     parts = [part for unit in range(source.units) for part in source.read(unit)]
        >>> sorted(name for part in parts for name in part.passages.ids)
        ['notes.txt:0/0', 'notes.txt:30/0']
    """

    def __init__(self, dataset: str | Folder, digest: str = "") -> None:
        """Read the plan of a dataset.

        Args:
            dataset: path or URI of its folder, or the folder.
            digest: that its plan must have; empty: any.

        Raises:
            OSError: its plan is another.
        """
        self._folder = Folder.at(dataset) if isinstance(dataset, str) else dataset
        self._plan, self._dataset = Plan.read(self._folder), self._folder.path
        if digest not in {"", self._plan.digest}:
            raise OSError(
                f"the dataset {self._dataset} was rebuilt from another plan; its layers belong to the old one"
            )
        self._vocabulary = Vocabulary()

    @property
    def units(self) -> int:
        """The number of units of the dataset."""
        return len(self._plan.units)

    def check(self, unit: int) -> None:
        """Check that a unit is finished, and that its files have their sizes."""
        if done_stats(self._folder, self._plan, unit) is None:
            raise OSError(f"unit {unit} of {self._dataset} is unfinished or damaged; {restore(self._dataset)}")

    def read(self, unit: int) -> Iterator[Part]:
        """Yield the passages of a unit's shards, a record batch at a time, each of one split."""
        for number, split in enumerate(SPLITS):
            name = shard_name(split, unit, self.units)
            if not self._folder.is_file(name):
                continue  # no row of the dataset is in this split
            with self._folder.open(name) as file:
                for rows in pa.ipc.open_stream(file):
                    if len(self._vocabulary) > _MOST_TYPES:
                        self._vocabulary = Vocabulary()
                    count = rows.num_rows
                    yield Part(passages_of(rows, self._vocabulary, number), Records(read=count, used=count))

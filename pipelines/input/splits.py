"""Which split a document falls into: by the digest of its group, so that no order and no count decides."""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache

from labelers.text.document import Document
from pipelines.input.records import InputFile, known_files, splits_given
from pipelines.recipes.recipe_tables import SplitTable

__all__ = ["Splitter", "group_digest"]


@lru_cache(16)  # documents of a group follow one another
def group_digest(group: str) -> str:
    """Return the blake2b of a group's name, 8 bytes as hexadecimal digits.

    Example:
        >>> len(group_digest("a.txt:0"))
        16
    """
    return hashlib.blake2b(group.encode("utf-8", "surrogatepass"), digest_size=8).hexdigest()


@dataclass(frozen=True)
class Splitter:
    """Tells the split of each document.

    Example:
        >>> splitter = Splitter(SplitTable(validation=0.5, test=0.5), {})
        >>> {splitter.split(Document(id=str(i), group=str(i))) for i in range(20)} == {"validation", "test"}
        True
    """

    shares: SplitTable
    given: Mapping[str, str]
    """Split by file name, of files that come in a split."""
    moved: Mapping[str, str] = field(default_factory=dict)
    """Split by group digest, for groups that fill a share which would be empty."""

    carved: bool = False
    """Of files that are train, documents with labels that people made go to validation by the share of it: somebody
    gave train and test, and a model is chosen by labels of neither."""

    @classmethod
    def of(cls, shares: SplitTable, files: Sequence[InputFile], moved: Mapping[str, str]) -> "Splitter":
        """Return the splitter for some files."""
        given = {file.name: file.split for _, file in known_files(files) if file.split}
        splits = splits_given(files)
        return cls(shares, given, moved, bool(splits) and "validation" not in splits)

    def split(self, document: Document) -> str:
        """Return train, validation or test."""
        given = self.given.get(document.source)
        if given == "train" and self.carved and document.labels:
            digest = group_digest(document.group)
            return "validation" if digest in self.moved or _share(digest) < self.shares.validation else given
        return given or self.by_digest(group_digest(document.group))

    def by_digest(self, digest: str) -> str:
        """Return the split of a group by its digest."""
        if digest in self.moved:
            return self.moved[digest]
        share = _share(digest)
        if share < self.shares.validation:
            return "validation"
        return "test" if share < self.shares.validation + self.shares.test else "train"


def _share(digest: str) -> float:
    """Return a digest as a number from 0 to below 1."""
    return int(digest, 16) / 2**64

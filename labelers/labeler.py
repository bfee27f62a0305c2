"""What every labeler is: a frozen dataclass that turns passages into edits and label columns."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Hashable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ClassVar, TypeVar

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from labelers.declaration import Declaration, TaskBuilder
from labelers.draws import Draws
from labelers.edits import Edits, View, weave
from labelers.passages import PassageBatch
from labelers.ragged import BoolArray, IntArray
from labelers.task import ABSTAINED, SOURCE
from labelers.vocabulary import Property, Vocabulary

__all__ = ["Avoid", "Corpus", "Labeler", "Proposal", "Request", "Resource"]

_T = TypeVar("_T")


@dataclass(frozen=True)
class Resource:
    r"""The content of files that a labeler needs (a dictionary, WordNet), read by whoever runs it.

    Example:
        >>> Resource("names.tsv", {"": b"C1\tword\tother word"}).files[""][:2]
        b'C1'
    """

    name: str
    """What the recipe called it; stands in no output."""
    files: Mapping[str, bytes] = field(repr=False)
    """Content by path below the folder; a single file has the path ``""``."""

    def __hash__(self) -> int:
        """Hash by what was read, so that a labeler with resources can key a cache."""
        return hash((self.name, tuple(sorted(self.files))))

    @classmethod
    def read(cls, path: str | Path) -> "Resource":
        """Read a local file, or every file below a local folder."""
        root = Path(path)
        if root.is_file():
            return cls(str(path), {"": root.read_bytes()})
        files = sorted(item for item in root.rglob("*") if item.is_file())
        if not files:
            raise FileNotFoundError(f"no file at {root}; give a file, or a folder with files")
        return cls(str(path), {item.relative_to(root).as_posix(): item.read_bytes() for item in files})


@dataclass(frozen=True)
class Corpus:
    """What the plan found in the whole input, beyond the batch at hand."""

    classes: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    """Class names per field; the field ``"roles"`` holds the roles of dialogues."""
    pool: PassageBatch | None = None
    """Passages of sampled train documents, over the same vocabulary as the batches."""
    _memo: dict[Hashable, Any] = field(default_factory=dict, repr=False, compare=False)

    def derive(self, key: Hashable, make: Callable[[], _T]) -> _T:
        """Return what ``make`` computes from this corpus, computed once per key."""
        if key not in self._memo:
            self._memo[key] = make()
        result: _T = self._memo[key]
        return result


@dataclass(frozen=True)
class Proposal:
    """What a labeler wants to do with a batch, before views are woven."""

    status: npt.NDArray[np.int8]
    """int8 [P]: 0 labelled, 1 labelled without an edit, 2 and up abstained for ``reasons[status - 2]``."""
    edits: Edits
    """Sorted by row and start; only in rows of status 0."""
    hidden: BoolArray | None = None
    """bool [N]: source positions that its tasks predict from the view, so that no view they read may show them."""
    state: Mapping[str, npt.NDArray[Any]] = field(default_factory=dict)
    """Arrays that `Labeler.label` needs again."""

    @property
    def labelled(self) -> BoolArray:
        """Bool [P]: rows that it did not abstain from."""
        return self.status < ABSTAINED


@dataclass(frozen=True)
class Avoid:
    """Forms that no labeler may insert into a woven view, because they are labels of another one.

    Called with codes, it returns which of them are such forms; types that were met after it was made are known too, so
    that no row depends on what its process has met.

    Example:
        >>> words = Vocabulary()
        >>> avoid = Avoid(words, (lambda texts: np.array([text == "but" for text in texts], bool),))
        >>> avoid(words.encode(["all", "but", "one"])).tolist()
        [False, True, False]
    """

    vocabulary: Vocabulary
    forms: tuple[Property, ...] = ()
    """`Labeler.forms` of the others."""

    def __call__(self, codes: IntArray) -> BoolArray:
        """Return bool of the codes' shape."""
        found = np.zeros(np.shape(codes), bool)
        for forms in self.forms:
            found |= self.vocabulary.property(forms)[codes]
        return found


@dataclass(frozen=True)
class Request:
    """Passages to be labelled, and all else that their labels may depend on."""

    batch: PassageBatch
    """P passages."""
    corpus: Corpus
    """The findings of the plan, over the batch's vocabulary."""
    draws: Draws
    """The labeler's own."""
    joint: bool = False
    """The view is woven from the edits of all labelers; otherwise it holds those of this one alone."""
    avoid: Avoid | None = None
    """Forms that an insertion must not write; None where there are none."""


class Labeler(ABC):
    """Makes labels from passages: pure, vectorised over a batch, free of files, clocks and shared state.

    A subclass is a frozen dataclass whose fields are its options. Row i of what it makes depends on row i, the corpus,
    its options and the draws of row i alone. Row i is its text, its fields and its split (`PassageBatch.splits`): what
    could be learnt by heart in train may be labelled otherwise, or not at all, in validation and test. The name of a
    labeler is the name of its module (``connective``), or the class's in lower case for one from elsewhere. It has
    three methods: `declare`, `propose` and `label`.

    A labeler may rely on this, whatever engine runs a build: at most one unit at a time is labelled in a process, so
    its methods are never called by two threads at once, `propose` and `label` of a batch follow each other without
    another batch between them, and its instance, its module and its caches are shared with no other process. It may
    not rely on which units a process gets, in what order, how many labelers run before it, or that one thread makes all
    the calls: a cache may make it faster, and must never change a row.
    """

    version: ClassVar[int] = 1
    """Raised whenever a produced row changes."""
    paper: ClassVar[str] = ""
    """Where the method comes from."""
    reasons: ClassVar[tuple[str, ...]] = ()
    """Why it may abstain; the reason of status 2 comes first. The last one must be ``"conflict"`` if it edits: all its
    edits of a row were lost to other labelers of a woven view."""
    edits: ClassVar[bool] = False
    """It has a view of its own."""
    needs_pool: ClassVar[bool] = False
    needs_classes: ClassVar[tuple[str, ...]] = ()
    """Fields whose class names it needs in `Corpus.classes`; ``"roles"`` for the roles of dialogues. Each has an entry,
    empty where the input has no such class, and while columns and tasks are checked before the input is read."""

    named: ClassVar[Mapping[str, tuple[str, ...]]] = {}
    """Values of options for a `Resource` that name something of the labeler's own, and no file."""

    def included(self) -> Mapping[str, Resource]:
        """Return the files of the package that its options name, by option: their digests are part of the plan."""
        return {}

    @property
    def name(self) -> str:
        """Name of the labeler: its column in a row, and the prefix of its tasks."""
        module = type(self).__module__
        return module.removeprefix("labelers.") if module.startswith("labelers.") else type(self).__name__.lower()

    @property
    def sequence(self) -> str:
        """Name of the sequence that its own tasks read when views are separate."""
        return self.name if self.edits else SOURCE

    def draws(self, seed: int) -> Draws:
        """Return its draws for a build's seed."""
        return Draws(seed, self.name, self.version)

    @property
    def task(self) -> TaskBuilder:
        """Builds the tasks of this labeler: ``self.task.token("tags", classes=("O", "D"))``."""
        return TaskBuilder(self.name, self.version, self.paper, self.reasons, self.sequence)

    def declare(self) -> Declaration:
        """Return its label columns and its tasks: the columns that `label` makes, in their order.

        Status, tokens and origin are added for all labelers. A labeler some of whose classes are found in the input
        (`needs_classes`) has `declare_found` in place of it.
        """
        raise NotImplementedError(
            f"{type(self).__name__} must define `declare`, or `declare_found` and `needs_classes`"
        )

    def declare_found(self, corpus: Corpus) -> Declaration:
        """Return what `declare` does, given the classes that were found in the input (`Corpus.classes`)."""
        raise NotImplementedError(
            f"{type(self).__name__} defines `needs_classes`, so it must also define `declare_found`"
        )

    def declaration(self, corpus: Corpus, *, joint: bool = False) -> Declaration:
        """Return what it declares for a corpus; with ``joint`` that part of it which a woven view has."""
        declared = self.declare_found(corpus) if self.needs_classes else self.declare()
        return declared.woven() if joint else declared

    @abstractmethod
    def propose(self, request: Request) -> Proposal:
        """Decide what to do with each row: its status and its edits."""

    @abstractmethod
    def label(self, request: Request, proposal: Proposal, view: View) -> dict[str, pa.Array]:
        """Return the label columns, each of length P, aligned to the view.

        ``view.edit`` counts in ``proposal.edits`` and is -1 for tokens that others wrote. In a woven view its own edits
        may be missing: labels follow from the view, not from the proposal. A row whose ``proposal.status`` is 2 or more
        has null labels (empty lists, -1 for tags). Of a woven view it returns no columns but those of
        `Declaration.woven`.
        """

    def forms(self) -> Property | None:
        """Return the property of types whose forms are its labels, so that no other labeler inserts them; or None."""
        return None

    def apply(self, batch: PassageBatch, corpus: Corpus | None = None, *, seed: int = 0) -> pa.Table:
        """Label passages outside of a build: a row each with ``id``, the view's ``tokens``, ``status`` and the labels.

        Without a corpus there is no pool: n-grams are repeated but none is inserted, names are drawn evenly.
        """
        request = Request(batch, corpus or Corpus(), self.draws(seed))
        proposal = self.propose(request)
        view = weave(batch, proposal.edits)
        tokens = pa.ListArray.from_arrays(pa.array(view.offsets, pa.int32()), batch.vocabulary.strings(view.codes))
        columns = self.label(request, proposal, view)
        return pa.table({"id": list(batch.ids), "tokens": tokens, "status": proposal.status, **columns})

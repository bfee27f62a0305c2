"""What every labeler is: a frozen dataclass that maps passages to edits and label columns, and how to find one."""

import contextlib
import dataclasses
import difflib
import importlib
import importlib.util
import inspect
import pkgutil
import typing
from abc import ABC, abstractmethod
from collections.abc import Callable, Hashable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ClassVar, TypeVar

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pydantic

import labelers
from labelers.draws import Draws
from labelers.edits import Edits, View, weave
from labelers.passages import PassageBatch
from labelers.ragged import BoolArray, IntArray
from labelers.task import SOURCE, WOVEN, Task
from labelers.vocabulary import Vocabulary

__all__ = ["Avoid", "Corpus", "Labeler", "Proposal", "Resource", "load", "names"]

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


@dataclass(frozen=True)
class Avoid:
    """Forms that no labeler may insert into a woven view, because they are labels of another one.

    Called with codes, it tells which of them are such forms; types that were met after it was made are known too, so
    that no row depends on what its process has met.

    Example:
        >>> words = Vocabulary()
        >>> avoid = Avoid(words, (lambda vocabulary: np.array([text == "but" for text in vocabulary.texts]),))
        >>> avoid(words.encode(["all", "but", "one"])).tolist()
        [False, True, False]
    """

    vocabulary: Vocabulary
    forms: tuple[Callable[[Vocabulary], BoolArray | None], ...] = ()
    """`Labeler.forms` of the others."""

    def __call__(self, codes: IntArray) -> BoolArray:
        """Return bool of the codes' shape."""
        found = np.zeros(np.shape(codes), bool)
        for forms in self.forms:
            mask = forms(self.vocabulary)
            found |= False if mask is None else mask[codes]
        return found


class Labeler(ABC):
    """Makes labels from passages: pure, vectorised over a batch, free of files, clocks and shared state.

    A subclass is a frozen dataclass whose fields are its options. Row i of what it makes depends on row i, the corpus,
    its options and the draws of row i alone. Row i is its text, its fields and its split (`PassageBatch.splits`): what
    could be learnt by heart in train may be labelled otherwise, or not at all, in validation and test. The name of a
    labeler is the name of its module (``connective``) or
    ``package.module:Class``'s class name in lower case for one from elsewhere.

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

    @abstractmethod
    def fields(self, corpus: Corpus, *, joint: bool = False) -> tuple[pa.Field, ...]:
        """Return the label columns that `label` makes: no status, tokens or origin, which are added for all labelers.

        With ``joint`` (a woven view) it leaves out the columns of tasks that are not woven.
        """

    @abstractmethod
    def tasks(self, corpus: Corpus, *, joint: bool = False) -> tuple[Task, ...]:
        """Return its tasks, built with `task`; with ``joint`` those that can be woven."""

    @abstractmethod
    def propose(self, batch: PassageBatch, corpus: Corpus, draws: Draws, *, avoid: Avoid | None = None) -> Proposal:
        """Decide what to do with each row: its status and its edits.

        Args:
            batch: P passages.
            corpus: the findings of the plan, over the batch's vocabulary.
            draws: its own draws.
            avoid: None when views are separate; for a woven view the forms that an insertion must not write.
        """

    @abstractmethod
    def label(
        self, batch: PassageBatch, corpus: Corpus, draws: Draws, proposal: Proposal, view: View, *, joint: bool = False
    ) -> dict[str, pa.Array]:
        """Return the label columns, each of length P, aligned to the view.

        ``view.edit`` counts in ``proposal.edits`` and is -1 for tokens that others wrote. With ``joint`` the view
        holds everybody's edits, of which its own may be missing: labels follow from the view, not from the proposal.
        A row whose ``proposal.status`` is 2 or more has null labels (empty lists, -1 for tags).
        """

    def apply(self, batch: PassageBatch, corpus: Corpus | None = None, *, seed: int = 0) -> pa.Table:
        """Label passages outside of a build: a row each with ``id``, the view's ``tokens``, ``status`` and the labels.

        Without a corpus there is no pool: n-grams are repeated but none is inserted, names are drawn evenly.
        """
        corpus, draws = corpus or Corpus(), self.draws(seed)
        proposal = self.propose(batch, corpus, draws)
        view = weave(batch, proposal.edits)
        tokens = pa.ListArray.from_arrays(pa.array(view.offsets, pa.int32()), batch.vocabulary.strings(view.codes))
        columns = self.label(batch, corpus, draws, proposal, view)
        return pa.table({"id": list(batch.ids), "tokens": tokens, "status": proposal.status, **columns})

    def forms(self, vocabulary: Vocabulary) -> BoolArray | None:  # noqa: ARG002  (for subclasses)
        """Return bool per type: forms that other labelers of a woven view must not insert; None for no such forms."""
        return None

    def task(self, target: str, kind: str, *, joint: bool, **values: Any) -> Task:
        """Return a task of this labeler: ``target`` is a column of its struct and the last part of the task's name."""
        path = f"{self.name}.{target}"
        title, sequences = values.pop("title", target), values.pop("sequences", (self.sequence,))
        values.setdefault("name", f"{self.name}.{title}" if title != self.name else self.name)
        return Task(
            labeler=self.name,
            version=self.version,
            kind=kind,
            target=path,
            sequences=(WOVEN,) if joint else tuple(sequences),
            status=f"{self.name}.status",
            reasons=self.reasons,
            mode="joint" if joint else "own",
            paper=self.paper,
            **{key: _path(self.name, key, value) for key, value in values.items()},
        )


def _path(name: str, key: str, value: Any) -> Any:
    """Return a column name of a labeler's struct as a path from the row."""
    if key == "spans":
        return tuple(f"{name}.{item}" for item in value)
    if key in {"weight", "swap", "exclude", "hide_roles", "hide_tokens"} and value is not None:
        return f"{name}.{value}"
    return value


def names() -> list[str]:
    """Return the names of the labelers of this package, sorted: its modules that define one and can be imported."""
    found = []
    for module in pkgutil.iter_modules(labelers.__path__):
        with contextlib.suppress(ValueError):  # a broken one keeps no other from work; `load` tells what is wrong
            found += [module.name] if _find_own(module.name) else []
    return sorted(found)


def load(name: str, **options: Any) -> Labeler:
    """Return the labeler of that name with its options; ``package.module:Class`` names one from elsewhere.

    Raises:
        ValueError: no such labeler or option (the message lists the known ones and the nearest), a value of a type that
            the option does not have, or a module that cannot be imported.

    Example:
        >>> load("masking").name
        'masking'
    """
    module, _, attribute = name.partition(":")
    found = _find(module, attribute) if attribute else _find_own(name)
    if found is None and attribute:
        known = [key for key, _ in _defined(module)]
        hint = f"{module} has {', '.join(known) or 'none'}{_nearest(attribute, known)}"
        raise ValueError(f"{name!r} is not a Labeler (a subclass of labelers.labeler.Labeler); {hint}")
    if found is None:
        all_names = names()
        hint = f"there are {', '.join(all_names)}{_nearest(name, all_names)}, or give module:Class"
        raise ValueError(f"no labeler {name!r}; {hint}")
    known = [item.name for item in dataclasses.fields(found)]  # type: ignore[arg-type]
    for option in options:
        if option not in known:
            allowed = f"it has {', '.join(known) or 'none'}{_nearest(option, known)}"
            raise ValueError(f"labeler {name!r} has no option {option!r}; {allowed}")
    types = typing.get_type_hints(found)
    return found(**{option: _typed(name, option, value, types[option]) for option, value in options.items()})


def _typed(labeler: str, option: str, value: Any, kind: Any) -> Any:
    """Return the value of an option as its type: a list of a recipe as a tuple, a whole number as a float."""
    # a tuple of it, since pydantic takes no configuration for a dataclass by itself
    adapter = pydantic.TypeAdapter(tuple[kind], config=pydantic.ConfigDict(arbitrary_types_allowed=True))
    try:
        return adapter.validate_python((value,))[0]
    except pydantic.ValidationError as error:
        reasons = "; ".join(dict.fromkeys(item["msg"].lower() for item in error.errors()))
        raise ValueError(f"labeler {labeler!r}: {option} is {value!r}; {reasons}") from None


def _nearest(given: str, known: list[str]) -> str:
    """Return a hint that names the nearest known name, or nothing."""
    close = difflib.get_close_matches(given, known, 1, 0.5)
    return f" (did you mean {close[0]!r}?)" if close else ""


def _find_own(name: str) -> type[Labeler] | None:
    """Return the Labeler of a module of this package, None if it has no such module or that defines none."""
    known = name.isidentifier() and importlib.util.find_spec(f"labelers.{name}") is not None
    return _find(f"labelers.{name}", "") if known else None


def _find(module: str, attribute: str) -> type[Labeler] | None:
    """Return the Labeler that a module defines: the one of that name, or its only one."""
    for key, value in _defined(module):
        if attribute in (key, "" if value.__module__ == module else key):
            return value
    return None


def _defined(module: str) -> list[tuple[str, type[Labeler]]]:
    """Return the Labelers that stand in a module, by their names in it."""
    try:
        loaded = importlib.import_module(module)
    except ModuleNotFoundError as error:
        raise ValueError(f"cannot import {module!r} ({error}); is it installed, or in the current folder?") from None
    except Exception as error:
        raise ValueError(f"cannot import {module!r}: {type(error).__name__}: {error}; fix the module") from error
    classes = [(key, value) for key, value in vars(loaded).items() if isinstance(value, type)]
    return [(key, value) for key, value in classes if issubclass(value, Labeler) and not inspect.isabstract(value)]

"""What a worker holds to label any unit of a plan: labelers with their resources, a vocabulary, the pool over it."""

import hashlib
import json
import sys
import typing
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, fields
from typing import Any

import pyarrow as pa
import pyarrow.fs as pafs

from labelers.labeler import Corpus, Labeler, Resource, load
from labelers.passages import PassageBatch
from labelers.task import Task, read_tasks
from labelers.text.document import Document, Turn
from labelers.text.segment import Segmenter
from pipelines.errors import RowErrors
from pipelines.labelling import label_rows
from pipelines.layout import POOL, Folder
from pipelines.recipe import Recipe
from pipelines.schema import declare

__all__ = [
    "Context",
    "corpus_schema",
    "find_own_modules",
    "load_labelers",
    "pool_document",
    "pool_line",
    "read_pool",
    "read_resource",
    "resource_digest",
    "resource_options",
]

POOL_CHARACTERS = 2000
"""Characters of a pool document that are kept; later ones add little to what sampling finds."""


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


def corpus_schema(recipe: Recipe, labelers: Sequence[Labeler], classes: Mapping[str, tuple[str, ...]]) -> pa.Schema:
    """Return the schema of the dataset that a recipe makes of a corpus with these classes."""
    corpus, given = Corpus(classes=classes), recipe.input
    return declare(labelers, corpus, joint=recipe.views == "woven", keep=given.keep, second=bool(given.second))


def find_own_modules(folder: str) -> None:
    """Let labelers of the user's own be imported from a folder, behind all that is installed."""
    if folder not in sys.path:
        sys.path.append(folder)


def load_labelers(recipe: Recipe) -> tuple[list[Labeler], dict[str, dict[str, str]]]:
    """Return the labelers of a recipe with their options, and per labeler the digest of each resource.

    Raises:
        ValueError: an unknown labeler or option.
        FileNotFoundError: a resource that is not there.
    """
    labelers: list[Labeler] = []
    digests: dict[str, dict[str, str]] = {}
    for name in recipe.with_:
        options = dict(recipe.labelers.get(name.rpartition(":")[2].lower() if ":" in name else name, {}))
        resources = {
            option: read_resource(options[option])
            for option in resource_options(name)
            if isinstance(options.get(option), str) and options[option]
        }
        labeler = load(name, **{**options, **resources})
        labelers.append(labeler)
        digests[labeler.name] = {option: resource_digest(item) for option, item in resources.items()}
    return labelers, digests


def resource_options(name: str) -> list[str]:
    """Return the options of a labeler whose annotation names a Resource."""
    labeler = type(load(name))
    hints = typing.get_type_hints(labeler)
    names = [item.name for item in fields(labeler)]  # type: ignore[arg-type]
    return [name for name in names if Resource in (hints[name], *typing.get_args(hints[name]))]


def read_resource(place: str) -> Resource:
    """Read the file, or every file below the folder, at a path or URI."""
    folder = Folder.at(place)
    kind = folder.kind()
    if kind == pafs.FileType.File:
        return Resource(place, {"": folder.read("")})
    infos: Iterable[Any] = ()
    if kind == pafs.FileType.Directory:
        infos = folder.fs.get_file_info(pafs.FileSelector(folder.path, recursive=True))
    names = sorted(info.path[len(folder.path) :].lstrip("/") for info in infos if info.type == pafs.FileType.File)
    if not names:
        raise FileNotFoundError(f"no file at {place}; give a file, or a folder with files")
    return Resource(place, {name: folder.read(name) for name in names})


def resource_digest(resource: Resource) -> str:
    """Return the blake2b of a resource's paths and content."""
    digest = hashlib.blake2b(digest_size=16)
    for path, data in sorted(resource.files.items()):
        digest.update(f"{path}\0{len(data)}\0".encode())
        digest.update(data)
    return digest.hexdigest()


def pool_line(document: Document) -> dict[str, Any]:
    """Return the beginning of a document as a JSON object, its first `POOL_CHARACTERS` characters."""
    second: dict[str, Any] = {}
    if document.second is not None:
        whole = isinstance(document.second, str)
        second["second"] = document.second[:POOL_CHARACTERS] if whole else _first_tokens(document.second)
    return _first_text(document) | second


def _first_tokens(tokens: Sequence[str]) -> list[str]:
    """Return the tokens within the first `POOL_CHARACTERS` characters."""
    found, left = [], POOL_CHARACTERS
    for token in tokens:
        left -= len(token) + 1
        if left < 0:
            break
        found.append(token)
    return found


def _first_text(document: Document) -> dict[str, Any]:
    """Return the id of a document and the beginning of its text, tokens or turns."""
    if document.turns is not None:
        turns, left = [], POOL_CHARACTERS
        for turn in document.turns:
            if left <= 0:
                break
            turns.append([turn.role, turn.text[:left]])
            left -= len(turn.text)
        return {"id": document.id, "turns": turns}
    if document.tokens is not None:
        tokens = _first_tokens(document.tokens)
        line: dict[str, Any] = {"id": document.id, "tokens": tokens}
        if document.segments is not None:
            line["segments"] = [start for start in document.segments if start < len(tokens)]
        return line
    return {"id": document.id, "text": document.text[:POOL_CHARACTERS]}


def pool_document(line: Mapping[str, Any]) -> Document:
    """Return the document of a `pool_line`."""
    tokens, segments, turns = line.get("tokens"), line.get("segments"), line.get("turns")
    second = line.get("second")
    return Document(
        id=line["id"],
        text=line.get("text", ""),
        tokens=None if tokens is None else tuple(tokens),
        segments=None if segments is None else tuple(segments),
        turns=None if turns is None else tuple(Turn(role, text) for role, text in turns),
        second=tuple(second) if isinstance(second, list) else second,
    )


def read_pool(folder: Folder) -> list[Document]:
    """Return the pool documents that a plan left in a folder."""
    if not folder.is_file(POOL):
        return []
    return [pool_document(json.loads(line)) for line in folder.read(POOL).splitlines()]

"""Why labels of annotated rows cannot be used, as the dataset that was made of them says."""

import json
from collections.abc import Iterator, Sequence

import pyarrow as pa

from labelers.label_space import REJECTED
from labelers.text.document import Reject
from pipelines.folder.layout import SPLITS, Folder, rejects_name, shard_name
from pipelines.plans.plan import Plan

__all__ = ["RejectedLabels"]

_UNKNOWN = "rejected"
"""The reason where it is unknown which of several it was."""


class RejectedLabels:
    """Tells why a label was rejected, by its name and the document that had it.

    A reject tells file and place of its record, which are the id of a document without one of its own. Those that have
    one stand in the order of their rejects within a unit and a split.
    """

    def __init__(self, folder: Folder, plan: Plan, names: Sequence[str]) -> None:
        """Read the rejects of a finished dataset.

        Args:
            folder: of the dataset.
            plan: of the dataset.
            names: of the labels.
        """
        self._found: dict[tuple[str, str], Reject] = {}
        given = any(file.split for file in plan.files) and not plan.splitter.carved
        self._splits = {file.name: file.split for file in plan.files if given}
        for unit in range(len(plan.units)):
            rejects = [item for item in _rejects(folder, unit) if item.task in names]
            for name in sorted({item.task for item in rejects}):
                documents = {split: _documents(folder, plan, split, unit, name) for split in SPLITS}
                self._add([item for item in rejects if item.task == name], documents)

    def why(self, name: str, document: str) -> Reject:
        """Return the reject of a document's label."""
        return self._found.get((name, document), Reject("", 0, _UNKNOWN, task=name))

    def _add(self, rejects: Sequence[Reject], documents: dict[str, list[str]]) -> None:
        """Note of which documents the rejects of a unit are."""
        places = {f"{item.source}:{item.place}": item for item in rejects}
        named = places.keys() & {document for part in documents.values() for document in part}
        self._found |= {(places[document].task, document): places[document] for document in named}
        left = [item for place, item in places.items() if place not in named]
        for split, part in documents.items():
            own = [document for document in part if document not in named]
            theirs = [item for item in left if self._splits.get(item.source, split) == split]
            if len(own) == len(theirs):
                self._found |= {(item.task, document): item for document, item in zip(own, theirs, strict=True)}
            elif len({item.reason for item in theirs}) == 1:
                known = Reject("", 0, theirs[0].reason, task=theirs[0].task)
                self._found |= {(known.task, document): known for document in own}


def _rejects(folder: Folder, unit: int) -> Iterator[Reject]:
    """Yield the rejects of a unit."""
    name = rejects_name(unit)
    if folder.is_file(name):
        yield from (Reject(**json.loads(line)) for line in folder.read(name).splitlines())


def _documents(folder: Folder, plan: Plan, split: str, unit: int, name: str) -> list[str]:
    """Return the documents of a shard whose label was rejected, in the order of their rows."""
    shard = shard_name(split, unit, len(plan.units))
    if not folder.is_file(shard):
        return []
    with folder.open(shard) as file:
        rows = pa.ipc.open_stream(file).read_all().select(["document", name])
    status = [part.field("status").to_numpy() == REJECTED for part in rows.column(name).chunks]
    chosen = rows.column("document").filter(pa.chunked_array([pa.array(part) for part in status], pa.bool_()))
    return list(dict.fromkeys(chosen.to_pylist()))

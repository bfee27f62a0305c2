"""Labelled documents of validation and test, kept from the scan for the look at their passages."""

import io
import pickle
from collections.abc import Iterator

from labelers.text.document import Document
from pipelines.folder.layout import Folder

__all__ = ["LabelledDocuments", "kept_documents"]

_CHUNK = 1000  # documents that are written as one


class LabelledDocuments:
    """Writes documents of a unit into a scratch folder, if there are any."""

    def __init__(self, out: str, scratch: str, unit: int) -> None:
        """Start with none."""
        self._out, self._name = out, _name(scratch, unit)
        self._documents: list[Document] = []
        self._chunks: list[bytes] = []  # a fraction of the size of the objects

    def add(self, document: Document) -> None:
        """Add a document."""
        self._documents.append(document)
        if len(self._documents) == _CHUNK:
            self._pack()

    def close(self) -> None:
        """Write all."""
        if self._documents:
            self._pack()
        if self._chunks:
            Folder.at(self._out).write(self._name, b"".join(self._chunks))

    def _pack(self) -> None:
        """Put documents together."""
        self._chunks.append(pickle.dumps(self._documents))
        self._documents = []


def kept_documents(folder: Folder, scratch: str, unit: int) -> Iterator[Document]:
    """Yield the documents of a unit that were written."""
    if not folder.is_file(_name(scratch, unit)):
        return
    data = io.BytesIO(folder.read(_name(scratch, unit)))
    while data.tell() < data.getbuffer().nbytes:
        yield from pickle.load(data)  # noqa: S301  (of our own scan)


def _name(scratch: str, unit: int) -> str:
    """Return where the documents of a unit lie."""
    return f"{scratch}/{unit:05d}.documents"

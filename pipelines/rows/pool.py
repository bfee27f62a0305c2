"""The pool: the beginnings of some documents of a corpus, in which labelers look for what its text is like."""

import dataclasses
import json
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from labelers.passages import PassageBatch
from labelers.ragged import IntArray
from labelers.text.document import Document, Turn
from labelers.vocabulary import Vocabulary
from pipelines.folder.layout import POOL, Folder

__all__ = ["pool_document", "pool_line", "pool_over", "read_pool"]

POOL_CHARACTERS = 2000
"""Characters of a pool document that are kept; later ones add little to what sampling finds."""


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
        if document.spaces is not None:
            line["spaces"] = document.spaces[: len(tokens)]
        return line
    return {"id": document.id, "text": document.text[:POOL_CHARACTERS]}


def pool_document(line: Mapping[str, Any]) -> Document:
    """Return the document of a `pool_line`."""
    tokens, segments, turns = line.get("tokens"), line.get("segments"), line.get("turns")
    second, spaces = line.get("second"), line.get("spaces")
    return Document(
        id=line["id"],
        text=line.get("text", ""),
        tokens=None if tokens is None else tuple(tokens),
        segments=None if segments is None else tuple(segments),
        spaces=None if spaces is None else tuple(spaces),
        turns=None if turns is None else tuple(Turn(role, text) for role, text in turns),
        second=tuple(second) if isinstance(second, list) else second,
    )


def read_pool(folder: Folder) -> list[Document]:
    """Return the pool documents that a plan left in a folder."""
    return [pool_document(json.loads(line)) for line in (folder.read_if_there(POOL) or b"").splitlines()]


def pool_over(pool: PassageBatch | None, vocabulary: Vocabulary) -> PassageBatch | None:
    """Return the passages of a pool over another vocabulary, in which only their own types are entered."""
    if pool is None or pool.vocabulary is vocabulary:
        return pool
    texts = pool.vocabulary.texts

    def recoded(codes: IntArray) -> IntArray:
        distinct, inverse = np.unique(codes, return_inverse=True)
        return vocabulary.encode(texts[code] for code in distinct.tolist())[inverse]

    second = pool.second and dataclasses.replace(pool.second, codes=recoded(pool.second.codes))
    codes, roles = recoded(pool.codes), recoded(pool.roles)
    return dataclasses.replace(pool, vocabulary=vocabulary, codes=codes, roles=roles, second=second)

"""A small maker of passages for tests: tokens are what white space divides, a segment ends with . ! or ?."""

from collections.abc import Sequence

import numpy as np

from labelers.passages import PassageBatch
from labelers.vocabulary import Vocabulary

__all__ = ["dialogue", "passages"]


def passages(
    texts: Sequence[str], vocabulary: Vocabulary | None = None, ids: Sequence[str] | None = None
) -> PassageBatch:
    """Return one passage per text."""
    return _batch([[("", text)] for text in texts], vocabulary, ids, dialogues=False)


def dialogue(
    rows: Sequence[Sequence[tuple[str, str]]], vocabulary: Vocabulary | None = None, ids: Sequence[str] | None = None
) -> PassageBatch:
    """Return one passage per row of (role, text) turns; no text may be empty."""
    return _batch(rows, vocabulary, ids, dialogues=True)


def _batch(
    rows: Sequence[Sequence[tuple[str, str]]],
    vocabulary: Vocabulary | None,
    ids: Sequence[str] | None,
    *,
    dialogues: bool,
) -> PassageBatch:
    """Lay the rows out as flat arrays, token by token."""
    vocabulary = Vocabulary() if vocabulary is None else vocabulary  # an empty one is false
    tokens: list[str] = []
    segments: list[int] = []
    turns: list[int] = []
    roles: list[str] = []
    offsets, segment_offsets, turn_offsets = [0], [0], [0]
    for row in rows:
        for role, text in row:
            turns.append(len(segments))
            roles.append(role)
            opens = True
            for token in text.split():
                if opens:
                    segments.append(len(tokens))
                opens = token in {".", "!", "?"}
                tokens.append(token)
        offsets.append(len(tokens))
        segment_offsets.append(len(segments))
        turn_offsets.append(len(turns))
    if not dialogues:
        turns, roles, turn_offsets = [], [], [0] * (len(rows) + 1)
    spaces = np.ones(len(tokens), bool)
    ends = np.array(offsets[1:], int)
    spaces[ends[ends > 0] - 1] = False
    return PassageBatch(
        vocabulary=vocabulary,
        ids=list(ids) if ids is not None else [f"d{i}/0" for i in range(len(rows))],
        documents=[text.rsplit("/", 1)[0] for text in ids] if ids is not None else [f"d{i}" for i in range(len(rows))],
        codes=vocabulary.encode(tokens),
        offsets=np.array(offsets, np.int64),
        spaces=spaces,
        segments=np.array(segments, np.int64),
        segment_offsets=np.array(segment_offsets, np.int64),
        turns=np.array(turns, np.int64),
        turn_offsets=np.array(turn_offsets, np.int64),
        roles=vocabulary.encode(roles),
    )

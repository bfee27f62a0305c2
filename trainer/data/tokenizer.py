"""Tokenizers: from tokens to sub-words, applied once per distinct token."""

import hashlib
import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol, Self

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import tokenizers
from tokenizers import decoders, models, pre_tokenizers, trainers

from labelers.ragged import IntArray, Ragged
from trainer.data.dataset import Split
from trainer.files import write

__all__ = ["MAX_ROLES", "BytePairs", "SpacedTokenizer", "Special", "Tokenizer", "encoded"]

_NAMES = ("[PAD]", "[CLS]", "[SEP]", "[MASK]", "[ROLE_MASK]", "[ROLE]")
MAX_ROLES = 64  # roles with a sub-word of their own; the others share [ROLE]
_AT_ONCE = 8192  # tokens that are encoded at once: what the library returns takes a kilobyte for each


@dataclass(frozen=True)
class Special:
    """Numbers of the sub-words that no text spells."""

    pad: int
    cls: int
    sep: int
    mask: int
    role_mask: int
    """Opens a turn whose role is hidden."""
    openers: range
    """All that open a turn: hidden roles, roles, and that of all other roles."""
    between: int = 1
    """How many [SEP] stand between two sides."""


class Tokenizer(Protocol):
    """Spells tokens in sub-words."""

    spaced: bool
    """A token is spelled in another way where no space stands before it; see `SpacedTokenizer`."""

    @property
    def special(self) -> Special:
        """The sub-words that no text spells."""

    @property
    def plain(self) -> range:
        """The other ones."""

    @property
    def fingerprint(self) -> str:
        """A digest: tokenizers with the same one encode alike."""

    def __len__(self) -> int:
        """Return the number of sub-words, special ones included."""

    def encode(self, tokens: Sequence[str]) -> Ragged:
        """Return the sub-words of each token, none of them empty."""

    def role(self, names: Sequence[str]) -> IntArray:
        """Return the sub-word that opens a turn of each role."""


class SpacedTokenizer(Tokenizer, Protocol):
    """Spells a token by itself and by whether a space stands before it; `encode` spells it behind a space."""

    opens_joined: bool
    """The first token of a sequence is spelled as if no space stood before it."""

    def encode_joined(self, tokens: Sequence[str]) -> Ragged:
        """Return the sub-words of each token without a space before it, none of them empty."""


class BytePairs:
    """Byte-level BPE (Sennrich et al. 2016), learnt from the train split.

    Special sub-words come first and are unknown to the library, so no text can spell one. Every token is encoded with a
    blank before it: a sub-word shows whether it opens a word.
    """

    spaced = False

    def __init__(self, tokenizer: tokenizers.Tokenizer, roles: Sequence[str] = ()) -> None:
        self._tokenizer = tokenizer
        self.roles = tuple(roles)
        self.names = (*_NAMES, *(f"[ROLE:{role}]" for role in self.roles))
        pad, cls, sep, mask, role_mask, self._other = range(len(_NAMES))
        self.special = Special(pad, cls, sep, mask, role_mask, range(role_mask, len(self.names)))

    def __len__(self) -> int:
        return len(self.names) + int(self._tokenizer.get_vocab_size())

    @property
    def plain(self) -> range:
        """The pieces that are not special."""
        return range(len(self.names), len(self))

    @classmethod
    def learn(cls, split: Split, size: int, roles: Sequence[str] = ()) -> Self:
        """Learn ``size`` pieces, special ones included, from the source tokens of a split."""
        tokenizer = tokenizers.Tokenizer(models.BPE())
        tokenizer.decoder = decoders.ByteLevel()
        level = pre_tokenizers.ByteLevel(add_prefix_space=True, use_regex=False)
        tokenizer.pre_tokenizer = pre_tokenizers.Sequence([pre_tokenizers.WhitespaceSplit(), level])
        roles = list(roles)[:MAX_ROLES]
        trainer = trainers.BpeTrainer(
            vocab_size=size - len(_NAMES) - len(roles),
            initial_alphabet=sorted(pre_tokenizers.ByteLevel.alphabet()),
            show_progress=False,
        )
        tokenizer.train_from_iterator(_texts(split), trainer)
        tokenizer.pre_tokenizer = level  # from here on a token comes alone and loses nothing, odd white space included
        return cls(tokenizer, roles)

    def encode(self, tokens: Sequence[str]) -> Ragged:
        """Return the pieces of each token, none of them empty."""
        found = encoded(self._tokenizer, tokens)
        return Ragged(found.offsets, found.values + np.int32(len(self.names)))

    def role(self, names: Sequence[str]) -> IntArray:
        """Return the sub-word that opens a turn of each role, int32."""
        known = {name: len(_NAMES) + i for i, name in enumerate(self.roles)}
        return np.array([known.get(name, self._other) for name in names], np.int32)

    def folded(self) -> npt.NDArray[np.int64]:
        """Return a number per piece, int64 [V], that pieces share if they differ in case alone; -1 for special ones."""
        texts = [str(self._tokenizer.id_to_token(i)).lower() for i in range(self._tokenizer.get_vocab_size())]
        numbers = {text: i for i, text in enumerate(dict.fromkeys(texts))}
        return np.array([-1] * len(self.names) + [numbers[text] for text in texts], np.int64)

    def to_json(self) -> str:
        """Return all that there is to know of the vocabulary."""
        return json.dumps({"roles": self.roles, "tokenizer": json.loads(self._tokenizer.to_str())}, ensure_ascii=False)

    @property
    def fingerprint(self) -> str:
        """A digest: vocabularies with the same one encode alike."""
        return hashlib.blake2b(self.to_json().encode(), digest_size=16).hexdigest()

    def save(self, path: Path) -> None:
        """Write the vocabulary as JSON."""
        write(path, self.to_json())

    @classmethod
    def load(cls, path: Path) -> Self:
        """Read what `save` wrote."""
        data = json.loads(path.read_text(encoding="utf-8"))
        return cls(tokenizers.Tokenizer.from_str(json.dumps(data["tokenizer"])), data["roles"])


def encoded(tokenizer: tokenizers.Tokenizer, tokens: Sequence[str]) -> Ragged:
    """Return what a tokenizer of the library makes of each token alone, int32."""
    parts = [_encoded(tokenizer, tokens[start : start + _AT_ONCE]) for start in range(0, len(tokens), _AT_ONCE)]
    return Ragged.concat([Ragged(np.zeros(1, np.int64), np.empty(0, np.int32)), *parts])


def _encoded(tokenizer: tokenizers.Tokenizer, tokens: Sequence[str]) -> Ragged:
    """Return the sub-words of a few tokens."""
    found = [item.ids for item in tokenizer.encode_batch(list(tokens), add_special_tokens=False)]
    lengths = np.fromiter(map(len, found), np.int64, len(found))
    return Ragged.of(lengths, np.fromiter((piece for ids in found for piece in ids), np.int32, int(lengths.sum())))


def _texts(split: Split) -> Iterator[list[str]]:
    """Yield the source text of 1,000 rows at a time, tokens divided by blanks."""
    for batch in split.table.select(["tokens"]).to_batches(max_chunksize=1000):
        yield pa.compute.binary_join(batch.column(0), " ").to_pylist()

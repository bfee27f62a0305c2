"""The tokenizer of a pretrained encoder: our tokens in the sub-words that it was trained on."""

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Self

import numpy as np
import tokenizers

from labelers.ragged import IntArray, Ragged
from trainer.data.tokenizer import MAX_ROLES, Special, encoded
from trainer.files import write

__all__ = ["Frame", "Subwords"]

_TOKENIZER, _FRAME = "tokenizer.json", "frame.json"
_USUAL = {
    "pad": ("[PAD]", "<pad>"),
    "cls": ("[CLS]", "<s>"),
    "sep": ("[SEP]", "</s>"),
    "mask": ("[MASK]", "<mask>"),
    "unknown": ("[UNK]", "<unk>"),
}
"""What special sub-words are called, where the post-processor of the tokenizer does not say."""


@dataclass(frozen=True)
class Frame:
    """What stands around and between tokens in the sequences of an encoder, as numbers of sub-words."""

    pad: int
    cls: int
    sep: int
    mask: int
    unknown: int
    """Spells a token of which the tokenizer leaves nothing."""
    between: int
    """How many [SEP] stand between two sides."""
    size: int
    """Rows of the encoder's embedding."""
    roles: tuple[str, ...]
    """Each has a sub-word behind those of the encoder, and so have hidden roles and all other ones."""

    @classmethod
    def of(cls, text: str, size: int, roles: Sequence[str], place: str) -> Self:
        """Return the frame of a tokenizer.json.

        Args:
            text: its content.
            size: rows of the encoder's embedding.
            roles: in the order of their importance.
            place: whose it is, for errors.

        Raises:
            ValueError: a special sub-word is missing, or there are more sub-words than embeddings.
        """
        tokenizer = _plain(json.loads(text))
        known = {name: _first(tokenizer, usual) for name, usual in _USUAL.items()}
        found = tokenizer.encode("a", "b")
        sides = found.sequence_ids
        if None in sides and sides[0] is None and sides[-1] is None:
            known |= {"cls": found.ids[0], "sep": found.ids[-1]}
        between = sides[1:-1].count(None) if sides.count(None) > len(("cls", "sep")) else 1
        known["unknown"] = known["mask"] if known["unknown"] is None else known["unknown"]
        if missing := [f"{name} ({' or '.join(_USUAL[name])})" for name, number in known.items() if number is None]:
            raise ValueError(f"the tokenizer of {place} has no sub-word for {', '.join(missing)}; use another encoder")
        if (words := tokenizer.get_vocab_size()) > size:
            raise ValueError(
                f"the tokenizer of {place} has {words:,} sub-words, but the encoder embeds {size:,}; they belong to "
                "different models"
            )
        numbers = {name: int(number or 0) for name, number in known.items()}
        return cls(**numbers, between=between, size=size, roles=tuple(roles)[:MAX_ROLES])


class Subwords:
    """Spells tokens as the model's own tokenizer spells a text in which they stand, where both agree on its words.

    Where sub-words show whether they open a word, a token is spelled by whether a space stands before it too. No token
    spells a special sub-word.
    """

    def __init__(self, text: str, frame: Frame) -> None:
        """Read a tokenizer.json, given as its content."""
        self.frame, self.text = frame, text
        data = json.loads(text)
        behind_space, joined = _prefixed(data, on=True), _prefixed(data, on=False)
        self.spaced = behind_space != joined
        self.opens_joined = self.spaced and not _opens_with_prefix(data)
        self._tokenizer, self._joined = _plain(behind_space), _plain(joined)
        names = {item["content"] for item in data.get("added_tokens", ()) if item.get("special")}
        special = {number for name in names if (number := self._tokenizer.token_to_id(name)) is not None}
        self._special = np.array(sorted(special | {frame.pad, frame.cls, frame.sep, frame.mask}), np.int32)
        role_mask = frame.size
        self._other = role_mask + 1
        openers = range(role_mask, role_mask + 2 + len(frame.roles))
        self.special = Special(frame.pad, frame.cls, frame.sep, frame.mask, role_mask, openers, frame.between)

    def __len__(self) -> int:
        return self.special.openers.stop

    @property
    def plain(self) -> range:
        """The longest stretch of sub-words without a special one."""
        edges = np.concatenate([[-1], self._special, [self._tokenizer.get_vocab_size()]])
        longest = int(np.argmax(np.diff(edges)))
        return range(int(edges[longest]) + 1, int(edges[longest + 1]))

    @property
    def fingerprint(self) -> str:
        """A digest: tokenizers with the same one encode alike."""
        text = json.dumps([self.text, asdict(self.frame)])
        return hashlib.blake2b(text.encode(), digest_size=16).hexdigest()

    @property
    def special_names(self) -> dict[str, str]:
        """What special sub-words are called, by the names that transformers has for them."""
        numbers = {"cls": self.frame.cls, "sep": self.frame.sep, "pad": self.frame.pad, "mask": self.frame.mask}
        if self.frame.unknown != self.frame.mask:
            numbers["unk"] = self.frame.unknown
        return {f"{name}_token": str(self._tokenizer.id_to_token(number)) for name, number in numbers.items()}

    def encode(self, tokens: Sequence[str]) -> Ragged:
        """Return the sub-words of each token behind a space, none of them empty."""
        return self._known(encoded(self._tokenizer, tokens))

    def encode_joined(self, tokens: Sequence[str]) -> Ragged:
        """Return the sub-words of each token without a space before it, none of them empty."""
        return self._known(encoded(self._joined, tokens))

    def _known(self, found: Ragged) -> Ragged:
        """Return lists in which the unknown sub-word stands for special ones, and for nothing at all."""
        values = np.where(np.isin(found.values, self._special), np.int32(self.frame.unknown), found.values)
        empty = np.flatnonzero(found.lengths == 0)
        values = np.insert(values, found.offsets[empty], self.frame.unknown)
        return Ragged.of(np.maximum(found.lengths, 1), values.astype(np.int32))

    def role(self, names: Sequence[str]) -> IntArray:
        """Return the sub-word that opens a turn of each role, int32."""
        known = {name: self._other + 1 + number for number, name in enumerate(self.frame.roles)}
        return np.array([known.get(name, self._other) for name in names], np.int32)

    def save(self, folder: Path) -> None:
        """Write it to a folder."""
        write(folder / _TOKENIZER, self.text)
        write(folder / _FRAME, json.dumps(asdict(self.frame), ensure_ascii=False))

    @classmethod
    def load(cls, folder: Path) -> Self:
        """Read what `save` wrote."""
        frame = json.loads((folder / _FRAME).read_text(encoding="utf-8"))
        frame["roles"] = tuple(frame["roles"])
        return cls((folder / _TOKENIZER).read_text(encoding="utf-8"), Frame(**frame))


def _plain(data: Mapping[str, Any]) -> tokenizers.Tokenizer:
    """Return a tokenizer that neither cuts nor pads, and takes no text for a special sub-word."""
    tokenizer = tokenizers.Tokenizer.from_str(json.dumps(data))
    tokenizer.no_padding()
    tokenizer.no_truncation()
    tokenizer.encode_special_tokens = True
    return tokenizer


def _first(tokenizer: tokenizers.Tokenizer, names: Sequence[str]) -> int | None:
    """Return the number of the first of some sub-words that is there."""
    return next((number for name in names if (number := tokenizer.token_to_id(name)) is not None), None)


def _prefixed(data: Mapping[str, Any], *, on: bool) -> dict[str, Any]:
    """Return a tokenizer.json whose tokenizer puts a space before what it is given, or puts none."""
    parts = {name: _with_prefix(data.get(name), on=on) for name in ("normalizer", "pre_tokenizer")}
    return {**data, **parts}


def _with_prefix(part: Any, *, on: bool) -> Any:
    """Return a normaliser or a pre-tokenizer that puts a space before what it is given, or puts none; None of none."""
    if not part:
        return None
    if part["type"] == "Prepend":
        return part if on else None
    if part["type"] == "Sequence":
        (key,) = (name for name in part if name != "type")
        inner = [_with_prefix(item, on=on) for item in part[key]]
        return {**part, key: [item for item in inner if item]}
    if part["type"] == "ByteLevel":
        return {**part, "add_prefix_space": on}
    if part["type"] == "Metaspace":
        kept = {name: value for name, value in part.items() if name != "add_prefix_space"}
        return {**kept, "prepend_scheme": "always" if on else "never"}
    return part


def _opens_with_prefix(data: Mapping[str, Any]) -> bool:
    """Tell whether a tokenizer puts a space before a text."""
    parts = [data.get("normalizer"), data.get("pre_tokenizer")]
    while parts:
        part = parts.pop()
        if not part:
            continue
        parts += [
            item for value in part.values() if isinstance(value, list) for item in value if isinstance(item, dict)
        ]
        if part["type"] == "Prepend" or (part["type"] == "ByteLevel" and part.get("add_prefix_space")):
            return True
        if part["type"] == "Metaspace" and part.get("prepend_scheme", "always") != "never":
            return bool(part.get("add_prefix_space", True))
    return False

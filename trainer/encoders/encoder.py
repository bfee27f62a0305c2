"""What an encoder is: from sub-words to states, whatever it was trained on, and how one is found by its name.

An encoder is one module of this package with a subclass of `Encoder` that lists in ``names`` what
``[model] encoder`` may call it; ``package.module:Class`` names one from elsewhere.
"""

import importlib
import inspect
import pkgutil
import re
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar, Self

import numpy.typing as npt
import torch
from torch import Tensor, nn

import trainer.encoders
from labelers.advice import nearest
from trainer.data.batch import Batch, Bucket
from trainer.data.dataset import Dataset, Split
from trainer.data.tokenizer import Special, Tokenizer
from trainer.encoders.classifier import ClassifierForm
from trainer.settings import Settings

__all__ = ["Encoder", "EncoderOutput", "States", "find_encoder"]


_LAYER = re.compile(r"(?:^|\.)layers?\.(\d+)\.")
_LAST = ("last_norm", "final_norm")


@dataclass(frozen=True)
class EncoderOutput:
    """What an encoder makes of N sub-words, those of all sequences one behind the other, padding included."""

    layers: Sequence[Tensor]
    """Before the first layer and behind each one, [N, width] each."""
    features: Tensor | None = None
    """float32 [N, features]: what is known of each sub-word beside its states."""


@dataclass(frozen=True)
class States:
    """What the heads read of N sub-words, those of all sequences of a batch one behind the other, padding included."""

    layers: Sequence[Tensor]
    """Before the first layer and behind each one, [N, width] each."""
    features: Tensor | None
    """float32 [N, features]."""
    pieces: Tensor
    """int64 [N]: the sub-words that the encoder read."""
    openers: Tensor
    """bool [N]: the sub-word opens a turn, whether it shows the role or hides it."""
    rows: Tensor
    """int64 [N]: number of the sequence."""

    @classmethod
    def of(cls, batch: Batch, encoded: EncoderOutput, special: Special) -> Self:
        """Return the states of an encoded batch."""
        pieces = torch.cat([bucket.pieces.flatten() for bucket in batch.buckets])
        widths = torch.tensor([bucket.pieces.shape[1] for bucket in batch.buckets], device=pieces.device)
        counts = torch.tensor([len(bucket.pieces) for bucket in batch.buckets], device=pieces.device)
        widths = widths.repeat_interleave(counts)
        rows = torch.arange(len(widths), device=pieces.device).repeat_interleave(widths)
        openers = (pieces >= special.openers.start) & (pieces < special.openers.stop)
        return cls(encoded.layers, encoded.features, pieces, openers, rows)


class Encoder(nn.Module, ABC):
    """Reads sub-words; a model has one, which all tasks share."""

    names: ClassVar[tuple[str, ...]] = ()
    """What ``[model] encoder`` may call it."""

    width: int
    """Numbers of a state."""
    depth: int
    """Layers; states are those before the first one and behind each."""
    features: int
    """Numbers known of each sub-word beside its states."""
    embedding: nn.Embedding
    """Of sub-words; word prediction compares with it."""
    fresh: frozenset[str] = frozenset()
    """Parameters of an encoder trained elsewhere that are new all the same, and learn as fast as heads."""

    @classmethod
    def claims(cls, name: str) -> bool:
        """Tell whether ``[model] encoder`` means this encoder by a name."""
        return name in cls.names

    @classmethod
    def completed(cls, settings: Settings, _learnt: Path | None = None, /) -> Settings:
        """Return settings in which those that were not given have what suits the encoder; by default all stay.

        Args:
            settings: of a run that begins.
            _learnt: what `prepare` wrote for the run that it begins with, if there is one.
        """
        return settings

    @classmethod
    @abstractmethod
    def prepare(cls, dataset: Dataset, folder: Path, settings: Settings) -> None:
        """Write into an empty folder what is known before the first step: the tokenizer, and whatever else is counted.

        It depends on the train split and `key` alone.
        """

    @classmethod
    def key(cls, settings: Settings) -> Sequence[Any]:
        """Return all settings that `prepare` depends on, as plain JSON values."""
        return [cls.__module__, cls.__qualname__, settings.model.vocabulary]

    @classmethod
    @abstractmethod
    def tokenizer(cls, folder: Path) -> Tokenizer:
        """Return the tokenizer that `prepare` left in a folder."""

    @classmethod
    def row_inputs(cls, _split: Split, _settings: Settings, /) -> Mapping[str, npt.NDArray[Any]]:
        """Return what else the encoder asks for of each of P rows, [P, ...] by name; `Bucket.row_inputs` brings it."""
        return {}

    @classmethod
    @abstractmethod
    def build(cls, folder: Path, settings: Settings) -> Self:
        """Return the encoder with its first weights, drawn from torch's generator."""

    def begin(self, _folder: Path, _settings: Settings, /) -> None:
        """Take over weights that were trained elsewhere, before the first step of a run; by default there are none.

        The folder is that of the run: what is to be known of them later is noted there.
        """

    @classmethod
    def origin(cls, _folder: Path, /) -> Mapping[str, Any]:
        """Return what is known of weights that were trained elsewhere, as plain JSON values; the report shows it."""
        return {}

    def form(self, kind: str, /) -> ClassifierForm:
        """Return how plain heads score a state; by default as BERT does, which has a hidden layer for passages.

        Args:
            kind: of the task, ``"token"`` or ``"passage"``.
        """
        return ClassifierForm() if kind == "token" else ClassifierForm(torch.tanh)

    def layer_of(self, name: str) -> int:
        """Return the layer that a parameter belongs to: 0 for what stands before the first one, else from 1 to depth.

        Example:
            >>> [int(number) + 1 for number in _LAYER.findall("model.encoder.layer.3.output.dense.weight")]
            [4]
        """
        if found := _LAYER.search(name):
            return int(found[1]) + 1
        return self.depth if name.rpartition(".")[0].endswith(_LAST) else 0

    def encode(self, bucket: Bucket) -> EncoderOutput:
        """Return the states of the sub-words of one bucket, [B, L, width], and their features, [B, L, features]."""
        raise NotImplementedError(f"{type(self).__name__} needs a method encode or forward")

    def forward(self, buckets: Sequence[Bucket]) -> EncoderOutput:
        """Return the states of the sub-words of all buckets of a batch, at least one, as `EncoderOutput` says.

        It encodes one bucket after the other; an encoder that is faster over all of them at once replaces it.
        """
        parts = [self.encode(bucket) for bucket in buckets]
        by_layer = zip(*(part.layers for part in parts), strict=True)
        layers = [torch.cat([layer.flatten(0, 1) for layer in same]) for same in by_layer]
        features = [part.features.flatten(0, 1) for part in parts if part.features is not None]
        return EncoderOutput(layers, torch.cat(features) if features else None)


def find_encoder(name: str) -> type[Encoder]:
    """Return the encoder of that name.

    Raises:
        ValueError: there is none, or the module that should define it cannot be imported.

    Example:
        >>> find_encoder("tiny").__name__
        'ScratchEncoder'
    """
    own = _own()
    if found := next((encoder for encoder in own if encoder.claims(name)), None):
        return found
    module, _, attribute = name.partition(":")
    if attribute:
        return _imported(name, module, attribute)
    known = [alias for encoder in own for alias in encoder.names]
    hint = f" (write ./{name} for the folder)" if Path(name).is_dir() else nearest(name, known)
    raise ValueError(
        f"there is no encoder {name!r}{hint}; there are {', '.join(known)}, or give a folder, hub:NAME or module:Class"
    )


def _imported(name: str, module: str, attribute: str) -> type[Encoder]:
    """Return an encoder that stands elsewhere."""
    try:
        found = getattr(importlib.import_module(module), attribute, None)
    except ImportError as error:
        raise ValueError(f"cannot import {module!r} ({error}); is it installed, or in the current folder?") from None
    if not (inspect.isclass(found) and issubclass(found, Encoder)):
        raise ValueError(f"{name!r} is not an Encoder (a subclass of trainer.encoders.encoder.Encoder)")
    return found


def _own() -> list[type[Encoder]]:
    """Return the encoders of this package."""
    modules = [
        importlib.import_module(item.name)
        for item in pkgutil.iter_modules(trainer.encoders.__path__, "trainer.encoders.")
    ]
    defined = (value for module in modules for value in vars(module).values() if inspect.isclass(value))
    return list(
        dict.fromkeys(value for value in defined if issubclass(value, Encoder) and not inspect.isabstract(value))
    )

"""Encoders that were trained before, by way of the library transformers (the extra `hf`)."""

import hashlib
import json
import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from importlib.metadata import version
from pathlib import Path
from typing import Any, Self

import torch
from torch import nn

from trainer.data.batch import Bucket
from trainer.data.dataset import Dataset
from trainer.data.subwords import Frame, Subwords
from trainer.encoders.classifier import ClassifierForm
from trainer.encoders.encoder import Encoder, EncoderOutput
from trainer.encoders.family_forms import family_form
from trainer.encoders.grown import GrownEmbedding
from trainer.encoders.pretrained_source import is_source, licence_of, source_of
from trainer.files import write
from trainer.settings import Settings

__all__ = ["PretrainedEncoder", "quiet"]

_CONFIG, _ORIGIN = "config.json", "origin.json"
_OFFSET = ("roberta", "xlm-roberta")  # positions count from the one behind the padding sub-word
_NARROW, _MANY_TYPES = 384, 100_000
_DROPOUTS = (
    "hidden_dropout_prob", "attention_probs_dropout_prob", "dropout", "attention_dropout", "embedding_dropout",
    "mlp_dropout",
)  # fmt: skip


class PretrainedEncoder(Encoder):
    """A model of transformers: its states behind each layer, before any pooling."""

    features = 0

    def __init__(self, model: Any, more: int) -> None:
        """Take over a model of transformers, with so many sub-words more than it has."""
        super().__init__()
        self.model = model
        if getattr(model, "pooler", None) is not None:
            model.pooler = None
        model.set_input_embeddings(GrownEmbedding(model.get_input_embeddings(), more))
        self.width, self.depth = model.config.hidden_size, model.config.num_hidden_layers
        self.fresh = frozenset(name for name, weight in self.named_parameters() if weight is self.embedding.more)
        self.sided = (getattr(model.config, "type_vocab_size", 0) or 0) > 1
        """It distinguishes the two sides of a pair by segment ids."""

    @property
    def embedding(self) -> nn.Embedding:  # type: ignore[override]
        """Of sub-words; a module must not have a weight twice."""
        found: nn.Embedding = self.model.get_input_embeddings()
        return found

    def form(self, kind: str, /) -> ClassifierForm:
        """Return how models of the family classify."""
        return family_form(self.model.config, kind)

    @classmethod
    def claims(cls, name: str) -> bool:
        """Tell whether a name is that of a folder, or of a repository of the hub."""
        return is_source(name)

    @classmethod
    def completed(cls, settings: Settings, learnt: Path | None = None, /) -> Settings:
        """Fill in what is usual for an encoder that was trained before."""
        config = _config(learnt or source_of(settings.model.encoder))
        longest = _longest(config)
        if settings.model.given("max_pieces") and settings.model.max_pieces > longest:
            raise ValueError(
                f"[model] max_pieces = {settings.model.max_pieces} is more than {settings.model.encoder} supports; "
                f"set it to {longest} or less"
            )
        narrow = config.hidden_size <= _NARROW
        model = {"max_pieces": min(longest, 2**15 - 1), "dropout": _dropout(config), "features": False, "bag": False}
        train = {
            "learning_rate": 1e-3,
            "encoder_learning_rate": 1e-4 if narrow else 5e-5,
            "warmup": 0.1,
            "freeze": "embeddings" if config.vocab_size > _MANY_TYPES else "none",
        }
        return settings.filled(train, model)

    @classmethod
    def prepare(cls, dataset: Dataset, folder: Path, settings: Settings) -> None:
        """Copy the configuration and the tokenizer; roles get sub-words behind those that there are."""
        source = source_of(settings.model.encoder)
        text = (source / "tokenizer.json").read_text(encoding="utf-8")
        frame = Frame.of(text, _config(source).vocab_size, dataset.roles(), settings.model.encoder)
        Subwords(text, frame).save(folder)
        write(folder / _CONFIG, (source / _CONFIG).read_bytes())

    @classmethod
    def key(cls, settings: Settings) -> Sequence[Any]:
        """Return the name of the source, and a digest of what is copied from it if it is there."""
        digest = ""
        try:
            source = source_of(settings.model.encoder)
            files = [(source / name).read_bytes() for name in (_CONFIG, "tokenizer.json")]
            digest = hashlib.blake2b(b"\0".join(files), digest_size=16).hexdigest()
        except (ValueError, OSError):  # a run does not need it any more
            pass
        return [cls.__module__, cls.__qualname__, settings.model.encoder, digest]

    @classmethod
    def tokenizer(cls, folder: Path) -> Subwords:
        """Return the tokenizer in a folder."""
        return Subwords.load(folder)

    @classmethod
    def build(cls, folder: Path, settings: Settings) -> Self:
        """Return the encoder of a configuration, with weights that are drawn; `begin` brings those of the source."""
        from transformers import AutoModel

        cls._check_version(folder)
        config, tokenizer = _config(folder), cls.tokenizer(folder)
        if settings.model.dropout != _dropout(config):
            for name in _DROPOUTS:
                if hasattr(config, name):
                    setattr(config, name, settings.model.dropout)
        with torch.random.fork_rng(devices=[]), quiet():  # the heads are drawn alike, whatever the library draws
            model = AutoModel.from_config(config)
        if settings.checkpointing:
            _checkpoint_layers(model)
        return cls(model, len(tokenizer) - tokenizer.frame.size)

    def begin(self, folder: Path, settings: Settings) -> None:
        """Take over the weights of the source, and note where they are from."""
        source = source_of(settings.model.encoder)
        with quiet():
            loaded, loading = type(self.model).from_pretrained(
                source, dtype=torch.float32, use_safetensors=True, local_files_only=True, output_loading_info=True
            )
        missing = sorted(name for name in loading["missing_keys"] if not name.startswith("pooler."))
        if missing:
            raise ValueError(
                f"encoder = {settings.model.encoder!r} lacks {len(missing)} weights that config.json requires, for "
                f"example {missing[0]}; the files belong to different models"
            )
        self.model.load_state_dict(loaded.state_dict(), strict=False)
        self.embedding.start()  # type: ignore[operator]
        made = {"encoder": settings.model.encoder, "family": self.model.config.model_type}
        made |= {"weights": _digest(source), "transformers": version("transformers")}
        made |= {"licence": stated} if (stated := licence_of(source)) else {}
        write(folder / _ORIGIN, json.dumps(made, indent=1) + "\n")

    @classmethod
    def origin(cls, folder: Path) -> Mapping[str, Any]:
        """Return the source, its digest and the version of transformers that the run was begun with."""
        path = folder / _ORIGIN
        known: dict[str, Any] = json.loads(path.read_text(encoding="utf-8")) if path.exists() else {}
        return known

    @classmethod
    def _check_version(cls, folder: Path) -> None:
        """Warn of a run that was begun with another version of transformers."""
        was, now = cls.origin(folder).get("transformers"), version("transformers")
        if was and was != now:
            warnings.warn(
                f"the run was started with transformers {was}, but {now} is installed: results may differ in the last "
                "digits",
                stacklevel=2,
            )

    def encode(self, bucket: Bucket) -> EncoderOutput:
        """Return the states of one bucket, before the first layer and behind each."""
        length = bucket.pieces.shape[1]
        given: dict[str, Any] = {"input_ids": bucket.pieces, "attention_mask": None}
        if bool((bucket.lengths != length).any()):
            given["attention_mask"] = (
                torch.arange(length, device=bucket.pieces.device) < bucket.lengths[:, None]
            ).long()
        if self.sided:
            given["token_type_ids"] = bucket.sides
        return EncoderOutput(self.model(**given, output_hidden_states=True, return_dict=True).hidden_states)


def _config(folder: Path) -> Any:
    """Return the configuration in a folder, without code of its own."""
    from transformers import AutoConfig

    with quiet():
        return AutoConfig.from_pretrained(folder, local_files_only=True, trust_remote_code=False)


def _longest(config: Any) -> int:
    """Return how many sub-words a sequence may have."""
    first = config.pad_token_id + 1 if config.model_type in _OFFSET else 0
    return int(config.max_position_embeddings) - first


def _dropout(config: Any) -> float:
    """Return the dropout of the layers of a configuration."""
    for name in ("hidden_dropout_prob", "dropout", "mlp_dropout"):
        if (found := getattr(config, name, None)) is not None:
            return float(found)
    return 0.0


def _checkpoint_layers(model: Any) -> None:
    """Compute states anew in the backward pass; version 6 of transformers has one name for it alone."""
    known = getattr(model, "activation_checkpointing_enable", None) or model.gradient_checkpointing_enable
    known({"use_reentrant": False})


def _digest(source: Path) -> str:
    """Return a digest of all weights in a folder."""
    total = hashlib.sha256()
    for path in sorted(source.glob("*.safetensors")):
        with path.open("rb") as file:
            total.update(hashlib.file_digest(file, "sha256").digest())
    return total.hexdigest()


@contextmanager
def quiet() -> Iterator[None]:
    """Keep transformers from talking."""
    from transformers.utils import logging

    level, bar = logging.get_verbosity(), logging.is_progress_bar_enabled()
    logging.set_verbosity_error()
    logging.disable_progress_bar()
    try:
        yield
    finally:
        logging.set_verbosity(level)
        if bar:
            logging.enable_progress_bar()

"""An encoder that the package does not have: a bag of embeddings, as an encoder of one's own would be written."""

from pathlib import Path
from typing import Self

import torch
from torch import nn

from trainer.data.batch import Bucket
from trainer.data.dataset import Dataset
from trainer.data.tokenizer import BytePairs
from trainer.encoders.encoder import Encoder, EncoderOutput
from trainer.settings import Settings

__all__ = ["Bag"]


class Bag(Encoder):
    """Each sub-word and the mean of its row."""

    width, depth, features = 32, 1, 0

    def __init__(self, pieces: int) -> None:
        super().__init__()
        self.embedding = nn.Embedding(pieces, self.width)

    @classmethod
    def prepare(cls, dataset: Dataset, folder: Path, settings: Settings) -> None:
        """Learn a tokenizer."""
        BytePairs.learn(dataset.splits["train"], settings.model.vocabulary).save(folder / "bag.json")

    @classmethod
    def tokenizer(cls, folder: Path) -> BytePairs:
        """Return it."""
        return BytePairs.load(folder / "bag.json")

    @classmethod
    def build(cls, folder: Path, settings: Settings) -> Self:
        """Return the encoder."""
        return cls(len(cls.tokenizer(folder)))

    def encode(self, bucket: Bucket) -> EncoderOutput:
        """Return embeddings, and with their row's mean."""
        x = self.embedding(bucket.pieces)
        real = (torch.arange(x.shape[1]) < bucket.lengths[:, None])[..., None]
        return EncoderOutput([x, x + (x * real).sum(1, keepdim=True) / bucket.lengths[:, None, None]])

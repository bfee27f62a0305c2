"""Which parameters are trained, and how fast each of them."""

from typing import Any

from torch import nn

from trainer.encoders.encoder import Encoder
from trainer.model.model import Model
from trainer.settings import Settings

__all__ = ["parameter_groups"]


def parameter_groups(model: Model, settings: Settings) -> list[dict[str, Any]]:
    """Return the trained parameters as groups for an optimiser, and mark the frozen ones.

    ``scale`` of a group is by what the learning rate is multiplied. Vectors, which are norms and biases, do not decay.
    """
    groups: dict[tuple[float, bool], list[nn.Parameter]] = {}
    encoder = {id(parameter): name for name, parameter in model.encoder.named_parameters()}
    table = encoder[id(model.encoder.embedding.weight)]
    for parameter in model.parameters():
        name = encoder.get(id(parameter))
        frozen = name is not None and _frozen(model.encoder.layer_of(name), settings.freeze, table=name == table)
        parameter.requires_grad_(not frozen)  # one that an earlier phase has frozen is trained again
        if frozen:
            continue
        scale = 1.0 if name is None else _scale(model.encoder, name, settings)
        groups.setdefault((scale, parameter.dim() > 1), []).append(parameter)
    return [
        {"params": found, "weight_decay": settings.weight_decay if matrix else 0.0, "scale": scale}
        for (scale, matrix), found in groups.items()
    ]


def _scale(encoder: Encoder, name: str, settings: Settings) -> float:
    """Return by what the learning rate of a parameter of the encoder is multiplied (layer-wise: Howard, Ruder 2018)."""
    own = settings.encoder_learning_rate or settings.learning_rate
    if name in encoder.fresh:
        return 1.0
    return own / settings.learning_rate * settings.layer_decay ** (encoder.depth - encoder.layer_of(name))


def _frozen(layer: int, freeze: str | int, *, table: bool) -> bool:
    """Tell whether a parameter of the encoder keeps its first value; ``table``: it embeds sub-words."""
    if isinstance(freeze, int):
        return layer <= freeze
    return freeze == "encoder" or (freeze == "embeddings" and table)

"""How the models of each family classify tokens and passages, and what their weights are called."""

import functools
from collections.abc import Callable, Mapping
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F  # noqa: N812  (its usual name)

from trainer.encoders.classifier import ClassifierForm

__all__ = ["family_form"]

_Activation = Callable[[Tensor], Tensor]

_HEAD = {"dense": "classifier.dense", "out": "classifier.out_proj"}
_POOLER = {"dense": "pooler.dense", "out": "classifier"}
_OF_PASSAGES: Mapping[str, tuple[_Activation | None, Mapping[str, str]]] = {
    "bert": (torch.tanh, {"dense": "bert.pooler.dense", "out": "classifier"}),
    "roberta": (torch.tanh, _HEAD),
    "xlm-roberta": (torch.tanh, _HEAD),
    "electra": (F.gelu, _HEAD),
    "distilbert": (F.relu, {"dense": "pre_classifier", "out": "classifier"}),
    "deberta": (None, _POOLER),
    "deberta-v2": (None, _POOLER),
}
"""By family: the activation of the hidden layer (None: its configuration names it), and the names of the modules."""


def family_form(config: Any, kind: str) -> ClassifierForm:
    """Return the form of ``AutoModelForTokenClassification`` or ``AutoModelForSequenceClassification`` of a family.

    Args:
        config: of a model of transformers.
        kind: ``"token"`` or ``"passage"``.
    """
    if config.model_type == "modernbert":
        return _modern(config)
    if kind == "token":
        return ClassifierForm()
    activation, names = _OF_PASSAGES[config.model_type]
    return ClassifierForm(activation or _named(config.pooler_hidden_act), names=names)


def _modern(config: Any) -> ClassifierForm:
    """Return that of ModernBERT, which is the same for tokens and passages."""
    return ClassifierForm(
        _named(config.classifier_activation),
        bias=config.classifier_bias,
        norm=functools.partial(nn.LayerNorm, eps=config.norm_eps, bias=config.norm_bias),
        names={"dense": "head.dense", "norm": "head.norm", "out": "classifier"},
    )


def _named(name: str) -> _Activation:
    """Return an activation by the name that configurations have for it."""
    from transformers.activations import ACT2FN

    found: _Activation = ACT2FN[name]
    return found

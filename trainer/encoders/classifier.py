"""What scores one state of an encoder as the models of its family do."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from torch import Tensor, nn

__all__ = ["Classifier", "ClassifierForm"]


@dataclass(frozen=True)
class ClassifierForm:
    """The form of a classifier."""

    activation: Callable[[Tensor], Tensor] | None = None
    """Of the hidden layer; None: there is none."""
    bias: bool = True
    """The hidden layer has one."""
    norm: Callable[[int], nn.LayerNorm] | None = None
    """Makes what follows the hidden layer, for a width."""
    names: Mapping[str, str] = field(default_factory=lambda: {"out": "classifier"})
    """What the modules ``dense``, ``norm`` and ``out`` are called in the class of the family."""


class Classifier(nn.Module):
    """Scores classes from a state: a linear map, in some forms behind a hidden layer."""

    def __init__(self, width: int, outputs: int, dropout: float, form: ClassifierForm) -> None:
        super().__init__()
        self.form = form
        self.drop = nn.Dropout(dropout)
        if form.activation:
            self.dense = nn.Linear(width, width, bias=form.bias)
        if form.norm:
            self.norm = form.norm(width)
        self.out = nn.Linear(width, outputs)

    def forward(self, states: Tensor) -> Tensor:
        """Return [..., outputs] for states [..., width]."""
        if self.form.activation:
            states = self.form.activation(self.dense(self.drop(states)))
        if self.form.norm:
            states = self.norm(states)
        scores: Tensor = self.out(self.drop(states))
        return scores

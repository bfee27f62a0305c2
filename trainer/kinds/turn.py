"""One class for each turn of a dialogue."""

from typing import ClassVar

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F  # noqa: N812

from labelers.ragged import Ragged
from trainer.data.batch import Items
from trainer.data.dataset import Split
from trainer.data.targets import LabelPlaces, Placed
from trainer.encoders.encoder import States
from trainer.kinds.kind import ClassKind
from trainer.kinds.segment import place_parts, token_starts
from trainer.model.heads import PartHead
from trainer.score.rows import TaskRows, aligned
from trainer.score.turns import NearestRole, NearRoles

__all__ = ["KIND", "TurnHead", "TurnKind"]


class TurnHead(PartHead):
    """Classifies a turn; it reads what opens the turns around it, too, for who speaks follows from who spoke."""

    around: ClassVar[tuple[int, ...]] = (-2, -1, 1, 2)
    """Distances of those turns."""
    vectors = PartHead.vectors + len(around)

    def features(self, states: States, items: Items) -> Tensor:
        """Return the features of the part, and the first state of each turn around it, 0 where the row has none."""
        start = items.spans[:, 0].contiguous()
        openers = torch.nonzero(states.openers).flatten()
        turns = torch.searchsorted(openers, start)[:, None] + torch.tensor(self.around, device=start.device)
        places = F.pad(openers, (0, 1))[turns.clamp(0, len(openers))]
        there = (turns >= 0) & (turns < len(openers))
        there &= states.rows[places] == states.rows[start][:, None]
        around = self.read(states)(places) * there[..., None]
        return torch.cat([super().features(states, items), around.flatten(1)], -1)


class TurnKind(ClassKind):
    """Each turn has a class, for example who speaks."""

    head = TurnHead
    listed = True
    carries = True
    probes = (
        NearRoles("role two turns back", (-2,)),
        NearRoles("roles two turns back and ahead", (-2, 2)),
        NearestRole(),
    )

    def place(self, places: LabelPlaces) -> Placed:
        """Return the labels of turns; each speaks of its turn, the sub-word that opens it included."""
        starts = places.layout.turns.take(places.where) if places.inputs.roles else token_starts(places, "turns")
        return place_parts(places, starts, "turns")

    def read(self, rows: TaskRows, split: Split) -> TaskRows:
        """Read the labels of turns, and the roles that the model sees."""
        roles = split.ragged("roles", rows.types)
        seen = roles.values.astype(np.int64)
        if rows.task.hide_roles:
            seen = np.where(aligned(split, rows.task.hide_roles, roles, 0) > 0, -1, seen)
        return super().read(rows.replaced(roles=Ragged(roles.offsets, seen)), split)


KIND = TurnKind()

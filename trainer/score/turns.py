"""Probes of turns: who speaks may follow from who spoke."""

from dataclasses import dataclass

import numpy as np

from labelers.ragged import BoolArray, IntArray, Ragged
from trainer.score.rates import most_frequent
from trainer.score.rows import TaskRows

__all__ = ["NearRoles", "NearestRole"]


def _roles(rows: TaskRows, probe: str) -> Ragged:
    """Return the roles that a probe reads."""
    if rows.roles is None:
        raise ValueError(f"task {rows.task.name} has no roles, which the probe {probe!r} reads")
    return rows.roles


@dataclass(frozen=True)
class NearRoles:
    """The roles of turns at fixed distances, where the model sees them too."""

    name: str
    distances: tuple[int, ...]

    def predict(self, train: TaskRows, held: TaskRows, _seed: int, /) -> IntArray:
        """Return the most frequent class of the roles there."""
        return most_frequent(train, self._keys(train), self._keys(held))

    def _keys(self, rows: TaskRows) -> IntArray:
        """Return a number for the roles near each label's turn, int64 [I]."""
        roles = _roles(rows, self.name)
        keys = np.zeros(len(rows.labels), np.int64)
        for distance in self.distances:
            place = rows.positions + distance
            inside = (place >= 0) & (place < roles.lengths[rows.owners])
            flat = np.where(inside, roles.offsets[rows.owners] + place, 0)
            keys = keys * (len(rows.types) + 1) + np.where(inside, np.append(roles.values, -1)[flat] + 1, 0)
        return keys


@dataclass(frozen=True)
class NearestRole:
    """Two speakers take turns: an even number of turns from the nearest visible one its role speaks, else the other.

    The other is that of the nearest visible turn with another role.
    """

    name: str = "parity from the nearest visible turn"

    def predict(self, train: TaskRows, held: TaskRows, _seed: int, /) -> IntArray:
        """Return the most frequent class of the role that is to be expected."""
        return most_frequent(train, self._keys(train), self._keys(held))

    def _keys(self, rows: TaskRows) -> IntArray:
        """Return a number for the role that is to be expected of each label's turn, int64 [I]; 0 where none is seen."""
        roles = _roles(rows, self.name)
        visible = _Visible.of(roles)
        place = roles.offsets[rows.owners] + rows.positions
        behind = np.searchsorted(visible.places, place)
        ahead = np.searchsorted(visible.places, place, side="right")
        nearest = visible.nearest(place, rows.owners, behind - 1, ahead)
        other = visible.nearest(place, rows.owners, visible.opens[nearest] - 1, visible.closes[nearest])
        odd = (visible.places[nearest] - place) % 2 > 0
        known, size = visible.roles, len(rows.types)
        # of a single role that is visible the other one has no name: it is "not that"
        swapped = np.where(other >= 0, known[other], size + known[nearest])
        return np.where(nearest < 0, 0, 1 + np.where(odd, swapped, known[nearest]))


@dataclass(frozen=True)
class _Visible:
    """The W turns whose roles are visible, and a last one that stands for none."""

    places: IntArray
    """int64 [W + 1]: among all turns; rising."""
    owners: IntArray
    """int64 [W + 1]: the row, -1 for none."""
    roles: IntArray
    """int64 [W + 1]."""
    opens: IntArray
    """int64 [W + 1]: of the run of equal roles in one row that the turn stands in, the first turn."""
    closes: IntArray
    """int64 [W + 1]: the turn behind the run."""

    @classmethod
    def of(cls, roles: Ragged) -> "_Visible":
        """Find the visible turns."""
        places = np.flatnonzero(roles.values >= 0)
        owners, known = roles.owners[places], roles.values[places].astype(np.int64)
        none = np.array([-1])
        changes: BoolArray = (np.diff(owners, prepend=-1) != 0) | (np.diff(known, prepend=-1) != 0)
        starts = np.flatnonzero(changes)
        run = np.cumsum(changes) - 1
        return cls(
            places=np.append(places, np.iinfo(np.int64).max),
            owners=np.concatenate([owners, none]),
            roles=np.concatenate([known, none]),
            opens=np.append(starts[run], len(places)),
            closes=np.append(np.append(starts, len(places))[run + 1], len(places)),
        )

    def nearest(self, place: IntArray, owner: IntArray, behind: IntArray, ahead: IntArray) -> IntArray:
        """Return which of two visible turns is nearer to a place and in its row, the one behind if both are; or -1."""
        far = np.iinfo(np.int64).max
        back = np.where((behind >= 0) & (self.owners[behind] == owner), np.abs(place - self.places[behind]), far)
        on = np.where(self.owners[ahead] == owner, np.abs(self.places[ahead] - place), far)
        return np.where((back == far) & (on == far), -1, np.where(back <= on, behind, ahead))

"""The runs of a study: what each of them trains, and a digest of everything that decides it."""

import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from labelers.advice import nearest
from labelers.task import Task
from trainer.settings import NO_PRIMARY, make_settings
from trainer.study.design import Condition, Design

__all__ = ["Roles", "Trial", "fingerprint", "roles_of", "trials_of"]

_FORMAT = 1
"""Raised whenever a run of the same settings would give another result."""


@dataclass(frozen=True)
class Roles:
    """Which task of a dataset has which part in a study."""

    primary: str
    auxiliaries: tuple[str, ...]
    masked: tuple[str, ...]


@dataclass(frozen=True)
class Trial:
    """One run of a study."""

    condition: Condition
    labels: int
    """Of the primary; -1 where it is not trained: the first of two parts."""
    build: int
    seed: int
    settings: Mapping[str, Any]
    """Tables of a recipe, without the run that it begins with."""
    digest: str
    first: "Trial | None" = None
    """The run that it begins with."""
    evaluations: int = 0
    """On the validation split, at equal distances; 0: after each pass over the rows."""

    @property
    def pretraining(self) -> bool:
        """Whether the primary is not trained in it."""
        return self.labels < 0

    @property
    def address(self) -> tuple[str, int, int, int]:
        """Condition, labels, build seed and training seed: what the run stands for, whatever its settings."""
        return self.condition, self.labels, self.build, self.seed

    @property
    def description(self) -> str:
        """Say which run it is."""
        part = "first part" if self.pretraining else f"{self.labels or 'all'} labels"
        return f"{self.condition}, {part}, build {self.build}, seed {self.seed}"

    @property
    def budget(self) -> int:
        """Sub-words that it reads."""
        return int(self.settings["train"]["tokens"])


def roles_of(tasks: Sequence[Task], primary: str, design: Design) -> Roles:
    """Return the parts of the tasks of a dataset that can be trained.

    Args:
        tasks: of the dataset.
        primary: its name; "": the gold task if there is one and no other.
        design: may name the others.

    Raises:
        ValueError: there is no primary, a task that is named is not there, or a condition has no task.
    """
    names, gold = [task.name for task in tasks], [task.name for task in tasks if task.gold]
    primary = primary or (gold[0] if len(gold) == 1 else "")
    if primary in ("", NO_PRIMARY):
        raise ValueError(
            f"a study needs a primary, the task to improve; write [train] primary = NAME ({', '.join(names)})"
        )
    for key, given in (("[train] primary", (primary,)), ("[study] auxiliaries", design.auxiliaries),
                       ("[study] masked", design.masked)):  # fmt: skip
        for name in given:
            if name not in names:
                known = ", ".join(names)
                hint = nearest(name, names)
                raise ValueError(
                    f"{key}: {name!r} is not a task of the dataset that can be trained{hint}; there are {known}"
                )
    if primary in (*design.auxiliaries, *design.masked):
        raise ValueError(f"[study] lists the primary {primary!r} among the other tasks; remove it there")
    masked = design.masked or tuple(task.name for task in tasks if task.drawn)
    others = tuple(task.name for task in tasks if task.name != primary and not task.drawn)
    roles = Roles(primary, design.auxiliaries or others, masked)
    if not roles.auxiliaries:
        raise ValueError(
            f"there is no auxiliary: {primary} is the only task besides masked words; build with a labeler"
        )
    if "masked" in design.conditions and not masked:
        raise ValueError(
            'the condition "masked" is not possible: the dataset has no task of masked words; add "masking" to `with`, '
            "or remove it from [study] conditions (then a gain cannot be distinguished from that of more text and "
            "updates)"
        )
    return roles


def trials_of(
    design: Design, roles: Roles, tables: Mapping[str, Any], datasets: Sequence[str], encoder: str
) -> list[Trial]:
    """Return all runs, each behind the one that it begins with.

    Args:
        design: of the study.
        roles: of its tasks.
        tables: ``train``, ``model`` and ``task`` of the recipe: the same for all runs.
        datasets: the digest of the dataset of each build seed.
        encoder: the `fingerprint` of the encoder.

    Raises:
        ValueError: the settings are not allowed, or a head is to begin with that of a task that is no auxiliary.
    """
    for name, table in tables.get("task", {}).items():
        if (other := table.get("init")) and other not in roles.auxiliaries:
            raise ValueError(
                f"[task.{name}] init = {other!r} is not an auxiliary of the study{nearest(other, roles.auxiliaries)}; "
                f"these are {', '.join(roles.auxiliaries)}"
            )
    maker = _Maker(design, roles, tables, datasets, encoder)
    return [
        trial
        for build in range(design.build_seeds)
        for condition in design.conditions
        for trial in maker.of_condition(build, condition)
    ]


@dataclass(frozen=True)
class _Maker:
    """Makes the runs of a study."""

    design: Design
    roles: Roles
    tables: Mapping[str, Any]
    datasets: Sequence[str]
    encoder: str

    def of_condition(self, build: int, condition: Condition) -> Iterator[Trial]:
        """Yield the runs of a condition on one dataset."""
        shared: Trial | None = None
        for seed in range(self.design.seeds):
            first = None
            if condition in ("masked", "auxiliary", "permuted"):
                first = shared if shared and self.design.share_pretraining else self._first(build, condition, seed)
                if first is not shared:
                    yield first
                shared = first
            for labels in self.design.labels:
                yield self._second(build, condition, seed, labels, first)

    def _first(self, build: int, condition: Condition, seed: int) -> Trial:
        """Return the run that is trained before the primary."""
        tasks = self.roles.masked if condition == "masked" else self.roles.auxiliaries
        train = {"primary": NO_PRIMARY, "tokens": self.design.pretrain_tokens, "patience": 0}
        given = self._train(tasks, seed) | train
        if given.get("batch") == "primary+one":
            del given["batch"]
        tables = _of_tasks(self.tables, given, ())
        if condition == "permuted":
            tables["task"] = _permuted(tables["task"], tasks)
        return Trial(condition, -1, build, seed, tables, self._digest(build, tables, None, 0))

    def _second(self, build: int, condition: Condition, seed: int, labels: int, first: Trial | None) -> Trial:
        """Return the run that trains the primary."""
        tasks = (self.roles.primary, *(self.roles.auxiliaries if condition == "joint" else ()))
        tokens = self.design.tokens + (0 if first else self.design.pretrain_tokens)
        train = {"primary": self.roles.primary, "labels": labels, "tokens": tokens}
        # few rows that are sorted over many steps would fill buckets with copies of one another, and the score of a
        # rare tag stays 0 for longer than patience lasts
        before = first.settings["train"]["tasks"] if first else ()
        tables = _of_tasks(self.tables, {"window": 1, "patience": 0, **self._train(tasks, seed), **train}, before)
        count = self.design.evaluations
        digest = self._digest(build, tables, first, count)
        return Trial(condition, labels, build, seed, tables, digest, first, count)

    def _train(self, tasks: tuple[str, ...], seed: int) -> dict[str, Any]:
        """Return the table [train] of a run of some tasks."""
        rows = {"with_labels": self.roles.auxiliaries}
        if self.design.text == "unlabelled":
            rows["without_labels"] = (self.roles.primary,)
        base = int(self.tables.get("train", {}).get("seed", 0))
        own = {"tasks": tasks, "seed": base + seed, **rows}
        return {"threads": 1, **self.tables.get("train", {}), **own}

    def _digest(self, build: int, tables: Mapping[str, Any], first: Trial | None, evaluations: int) -> str:
        """Return a digest of all that decides a run."""
        settings = make_settings(tables).model_dump(mode="json")
        settings["model"] |= {"encoder": self.encoder, "init": first.digest if first else ""}
        decides = {"format": _FORMAT, "dataset": self.datasets[build], "settings": settings, "evaluations": evaluations}
        return hashlib.blake2b(json.dumps(decides, sort_keys=True).encode(), digest_size=12).hexdigest()


def _of_tasks(tables: Mapping[str, Any], train: Mapping[str, Any], before: Sequence[str]) -> dict[str, Any]:
    """Return tables with another [train], and of the tables of tasks those of the tasks that it trains.

    A head begins with that of another task where the run before, which trained the tasks ``before``, has one.
    """
    own = {name: dict(table) for name, table in tables.get("task", {}).items() if name in train["tasks"]}
    for table in own.values():
        if table.get("init") and table["init"] not in before:
            del table["init"]
            table.pop("init_classes", None)
    return {**tables, "train": dict(train), "task": {name: table for name, table in own.items() if table}}


def _permuted(tables: Mapping[str, Any], tasks: Sequence[str]) -> dict[str, Any]:
    """Return the tables of tasks that are trained on labels of other rows."""
    return {**tables, **{name: {**tables.get(name, {}), "permuted": True} for name in tasks}}


def fingerprint(encoder: str) -> str:
    """Return what ``[model] encoder`` stands for: of a folder a digest of its files, else the name itself."""
    folder = Path(encoder)
    if "/" not in encoder or not folder.is_dir():
        return encoder
    found = hashlib.blake2b(digest_size=12)
    for file in sorted(folder.iterdir()):
        if file.suffix in (".safetensors", ".json"):
            found.update(f"{file.name}\0".encode())
            with file.open("rb") as stream:
                while part := stream.read(1 << 20):
                    found.update(part)
    return f"folder-{found.hexdigest()}"

"""What a run trains on: its dataset encoded, with the labels that its settings choose."""

from dataclasses import replace
from pathlib import Path

from labelers.ragged import IntArray
from trainer.data.cache import EncodedDataset, encode
from trainer.data.chosen_labels import chosen_labels
from trainer.data.dataset import TRAIN
from trainer.encoders.encoder import find_encoder
from trainer.inherit import hand_on
from trainer.settings import Settings
from trainer.task_choice import TaskChoice

__all__ = ["encoded", "sampled_rows"]


def encoded(choice: TaskChoice, learnt: Path, settings: Settings) -> tuple[EncodedDataset, TaskChoice]:
    """Return the dataset encoded for the tasks that are trained, and these: one without train rows is not.

    Args:
        choice: the tasks, and of which dataset.
        learnt: a folder of the run, which gets what the encoder knows before its first step.
        settings: of the run.

    Raises:
        ValueError: no task is left.
    """
    hand_on(settings, learnt)
    data = encode(choice.dataset, choice.able, learnt, find_encoder(settings.model.encoder), settings)
    data = chosen_labels(data, choice.dataset, settings)
    targets = data.splits[TRAIN].targets
    empty = [task.name for task in choice.tasks if not len(targets[task.name])]
    choice = choice.without(empty, "no train row has a label")
    return replace(data, tasks=choice.tasks), choice


def sampled_rows(data: EncodedDataset, settings: Settings) -> dict[str, IntArray]:
    """Return the train rows of the primary that keep their labels, where not all do."""
    primary, train = settings.primary, data.splits[TRAIN]
    return {primary: train.read(primary).rows[train.targets[primary].where]} if settings.labels else {}

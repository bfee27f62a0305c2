"""What a run does where its settings leave it open; the settings in its mark and its report say it."""

from labelers.task import Task
from trainer.data.dataset import Dataset
from trainer.kinds import kind_of, untrained
from trainer.schedule.streams import mode_of
from trainer.settings import NO_PRIMARY, Settings

__all__ = ["decided", "told"]

_EPOCHS, _EPOCHS_WITH_PRIMARY = 3, 10
_PATIENCE = 5


def decided(settings: Settings, dataset: Dataset) -> Settings:
    """Return the settings of a run on a dataset with nothing left open but what follows from the encoded rows.

    That are the steps of an epoch with a primary, and the epochs that a number of tokens takes. What is given stays as
    it is.

    Raises:
        ValueError: the settings do not fit the tasks, see `trainer.schedule.streams.check`.
    """
    tasks = [task for task in dataset.tasks if settings.trains(task.name) and not untrained(task)]
    primary = settings.primary or _only_gold(tasks, dataset) or NO_PRIMARY
    settings = settings.model_copy(update={"primary": primary})
    has = settings.has_primary
    if settings.batch == "auto" and has and not _all_joint(primary, tasks):
        settings = settings.model_copy(update={"batch": "primary+one"})
    open_ = settings.tokens > 0  # they say how many epochs there are
    found = {
        "batch": mode_of(tasks, settings),
        "epochs": "auto" if open_ else _EPOCHS_WITH_PRIMARY if has else _EPOCHS,
        "steps_per_epoch": "auto" if has else 0,
        "patience": _PATIENCE if has and "validation" in dataset.splits else 0,
    }
    return settings.model_copy(update={key: value for key, value in found.items() if getattr(settings, key) == "auto"})


def told(given: Settings, settings: Settings) -> str:
    """Return what a user should be told of the settings that were decided; "" where nothing surprises."""
    if given.primary or not settings.has_primary:
        return ""
    return (
        f"primary task: {settings.primary}, the only one with labels that people made "
        f'(primary = "{NO_PRIMARY}" gives none the preference)'
    )


def _only_gold(tasks: list[Task], dataset: Dataset) -> str:
    """Return the name of the gold task that has train labels if there is one and no other, else ""."""
    train = dataset.splits["train"]
    gold = [task.name for task in tasks if task.gold and kind_of(task).present(train, task).any()]
    return gold[0] if len(gold) == 1 else ""


def _all_joint(primary: str, tasks: list[Task]) -> bool:
    """Tell whether the primary and all other constructed tasks read the woven view: then every row serves it."""
    return all(task.mode == "joint" or (task.given and task.name != primary) for task in tasks)

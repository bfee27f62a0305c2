"""A trained model on another dataset, as it is: without fine-tuning."""

import json
from pathlib import Path

from labelers.task import Task
from trainer import checkpoint
from trainer.data.cache import encode_with
from trainer.data.dataset import Dataset
from trainer.encoders.encoder import find_encoder
from trainer.evaluate import evaluate
from trainer.folder import RunFolder
from trainer.model.model import Model
from trainer.score.metrics import Predictions

__all__ = ["load_model", "model_of", "predict"]


def load_model(run: str | Path) -> Model:
    """Return the model of a run with its best weights, for evaluation.

    Raises:
        FileNotFoundError: the folder holds no run with a checkpoint.
        ValueError: the run is of another format than this version writes.
    """
    return model_of(RunFolder.of(run))


def model_of(folder: RunFolder) -> Model:
    """Return the model in the folder of a run; see `load_model`."""
    folder.check_trained()
    tasks = [Task.from_json(item) for item in json.loads(folder.tasks.read_text(encoding="utf-8"))]
    model = Model(tasks, folder.learnt, folder.settings())
    checkpoint.restore(model, None, checkpoint.load(folder.weights)[0])
    return model.eval()


def predict(run: str | Path, dataset: str | Path, split: str = "test") -> list[Predictions]:
    """Return what a run's model says about the tasks of another dataset that have the names of its own.

    Args:
        run: the folder of the run.
        dataset: a folder that `auxloom build` wrote; its classes must be those of the run.
        split: what to predict.

    Raises:
        ValueError: no task has a head, a task's classes are not those that its head knows, or there is no such split.
    """
    folder, data = RunFolder.of(run), Dataset.open(dataset)
    model = model_of(folder)
    if split not in data.splits:
        raise ValueError(f"{dataset} has no rows in the split {split!r}; it has {', '.join(data.splits)}")
    heads = {task.name: task for task in model.tasks}
    tasks = [task for task in data.tasks if task.name in heads]
    if not tasks:
        raise ValueError(f"the model in {run} has no head for a task of {dataset}; it has {', '.join(heads)}")
    for task in tasks:
        if (task.kind, task.classes) != (heads[task.name].kind, heads[task.name].classes):
            raise ValueError(f"the classes of task {task.name} in {dataset} differ from those of the model in {run}")
    settings = folder.settings()
    encoded = encode_with(data, tasks, folder.learnt, find_encoder(settings.model.encoder), settings)
    return list(evaluate(model, encoded, split, probabilities=True))

"""A run as a folder that transformers reads: the encoder alone, or with the head of a task as its family has it."""

import json
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from torch import Tensor

from labelers.task import Task
from trainer.apply import model_of
from trainer.data.bare import asked
from trainer.data.subwords import Subwords
from trainer.encoders.pretrained import PretrainedEncoder, quiet
from trainer.export.model_card import model_card
from trainer.files import replacing, write
from trainer.folder import RunFolder
from trainer.model.heads import PlainHead
from trainer.model.model import Model
from trainer.run_place import uri_of
from trainer.run_store import out_folder
from trainer.settings import Settings

__all__ = ["export"]

_PIPELINES = {"token": "token-classification", "passage": "text-classification"}
"""The kinds of tasks whose heads models of transformers have, and the pipelines that run them."""

_TOKENIZER = "tokenizer.json"


def export(run: str | Path, out: str | Path, task: str = "") -> dict[str, Any]:
    """Write the model of a run with its best weights as a folder of transformers.

    Args:
        run: the folder of a run with a pretrained encoder.
        out: path or URI of a folder that is empty or not there.
        task: whose head is written; empty: none, the encoder alone.

    Returns:
        ``out``, ``class`` (of transformers), ``task``, ``pipeline`` and ``classes``, the last two empty without a task.

    Raises:
        ValueError: a model of the encoder's family cannot say what the run says; the message names the setting.
        FileNotFoundError: the folder holds no run with a checkpoint.
    """
    folder = RunFolder.of(run)
    with out_folder(out, "a folder to export to") as place:
        source = _Source(folder, model_of(folder), folder.settings())
        source.check(task)
        place.parent.mkdir(parents=True, exist_ok=True)
        with replacing(place) as temporary:
            facts = source.write(temporary, task, Subwords.load(folder.learnt))
            write(temporary / "README.md", model_card(folder, facts, source.encoder.origin(folder.learnt)))
    return {"out": uri_of(out) or str(place), **facts}


@dataclass(frozen=True)
class _Source:
    """The model of a run."""

    run: RunFolder
    model: Model
    settings: Settings

    @property
    def encoder(self) -> PretrainedEncoder:
        """The encoder, which `check` knows to be one of transformers."""
        assert isinstance(self.model.encoder, PretrainedEncoder)  # noqa: S101
        return self.model.encoder

    def task(self, name: str) -> Task:
        """Return the task of a name."""
        return next(task for task in self.model.tasks if task.name == name)

    def check(self, name: str) -> None:
        """Refuse what no class of transformers has."""
        if not isinstance(self.model.encoder, PretrainedEncoder):
            text = (
                f"the encoder of {self.run.name} is {self.settings.model.encoder!r}, which transformers does not know"
            )
            raise ValueError(f"{text}; train with a pretrained one: --set model.encoder=./FOLDER")  # noqa: TRY004
        names = [task.name for task in self.model.tasks]
        if name and name not in names:
            raise ValueError(f"the model in {self.run.name} has no task {name!r}; it has {', '.join(names)}")
        if name and (reason := self._unwritable(self.task(name))):
            raise ValueError(f"{reason}; leave out --task for the encoder alone")

    def _unwritable(self, task: Task) -> str:
        """Return why no class of transformers has the head of a task, and what to set; nothing if one has."""
        if task.kind not in _PIPELINES or task.multi:
            able = ", ".join(item.name for item in self.model.tasks if item.kind in _PIPELINES) or "none"
            kinds = " and ".join(_PIPELINES)
            return f"{task.name} is of kind {task.kind!r}; classes of transformers exist for {kinds} (here {able})"
        if asked(task, second=False) is None:
            return (
                f"{task.name} reads masked words, marked spans or a second text, so it cannot be applied to plain text"
            )
        if task.roles and Subwords.load(self.run.learnt).frame.roles:
            return (
                f"{task.name} reads the roles of turns, for which no tokenizer of transformers has sub-words; train it "
                "on records with `text` in place of `turns`"
            )
        if not isinstance(self.model.head(task), PlainHead):
            return (
                f"the head of {task.name} reads all layers, which no class of transformers does; train with "
                "--set model.heads=plain"
            )
        return ""

    def write(self, folder: Path, name: str, tokenizer: Subwords) -> dict[str, Any]:
        """Write configuration, weights and tokenizer, and return what they are."""
        from transformers import AutoModel, AutoModelForSequenceClassification, AutoModelForTokenClassification

        task = self.task(name) if name else None
        kinds = {"token": AutoModelForTokenClassification, "passage": AutoModelForSequenceClassification}
        with quiet():
            made = (kinds[task.kind] if task else AutoModel).from_config(self._config(task))
            if not task and getattr(made, "pooler", None) is not None:
                made.pooler = None
            _fill(made, self._weights(made.base_model_prefix + "." if task else "", task))
            made.save_pretrained(folder)
        for path in folder.glob("*.safetensors"):  # which are written for their owner alone
            shutil.copymode(folder / "config.json", path)
        self._write_tokenizer(folder, tokenizer)
        return {
            "class": type(made).__name__,
            "task": name,
            "pipeline": _PIPELINES[task.kind] if task else "",
            "classes": list(task.classes) if task else [],
        }

    def _config(self, task: Task | None) -> Any:
        """Return the configuration of the family's class."""
        config = type(self.encoder.model.config).from_dict(self.encoder.model.config.to_dict())
        config.name_or_path = ""
        if task:
            config.id2label = dict(enumerate(task.classes))
            config.label2id = {label: number for number, label in enumerate(task.classes)}
            config.problem_type = "single_label_classification" if task.kind == "passage" else None
            if hasattr(config, "classifier_pooling"):
                config.classifier_pooling = "cls"
        return config

    def _weights(self, prefix: str, task: Task | None) -> dict[str, Tensor]:
        """Return all weights by the names of the family's class; the rows of roles are left out."""
        fresh = {name.removeprefix("model.") for name in self.encoder.fresh}
        own = self.encoder.model.state_dict()
        found = {prefix + name: value for name, value in own.items() if name not in fresh}
        if task:
            score = self.model.head(task).score
            names: Mapping[str, str] = self.encoder.form(task.kind).names
            for part, value in score.state_dict().items():
                module, _, kind = part.partition(".")
                found[f"{names[module]}.{kind}"] = value
        return found

    def _write_tokenizer(self, folder: Path, tokenizer: Subwords) -> None:
        """Write the tokenizer, which neither cuts nor pads, and how transformers is to load it."""
        data = json.loads(tokenizer.text) | {"truncation": None, "padding": None}
        write(folder / _TOKENIZER, json.dumps(data, ensure_ascii=False, indent=2) + "\n")
        sided = ["token_type_ids"] if self.encoder.sided else []
        settings = {
            "tokenizer_class": "PreTrainedTokenizerFast",
            "model_max_length": self.settings.model.max_pieces,
            "model_input_names": ["input_ids", *sided, "attention_mask"],
            "clean_up_tokenization_spaces": False,
            **tokenizer.special_names,
        }
        write(folder / "tokenizer_config.json", json.dumps(settings, ensure_ascii=False, indent=2) + "\n")


def _fill(made: Any, weights: Mapping[str, Tensor]) -> None:
    """Give a model of transformers all of its weights.

    Raises:
        ValueError: it has others.
    """
    missing, unknown = made.load_state_dict(weights, strict=False)
    if missing or unknown:
        name = [*missing, *unknown][0]
        raise ValueError(f"{type(made).__name__} of the installed transformers has other weights than the run: {name}")

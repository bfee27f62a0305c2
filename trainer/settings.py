"""The settings of a training run: the tables of a recipe that the trainer reads, with every default.

`[train]` holds budget, optimiser and batches, `[model]` the encoder, `[task.NAME]` what concerns one task, and each
`[[phase]]` a part of the run that trains some of the tasks. None of them changes a byte of a dataset.
"""

from collections.abc import Mapping
from typing import Annotated, Any, Literal, Self

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, PlainValidator, ValidationError, model_validator
from pydantic_core import PydanticCustomError

from trainer.explain import HEADERS, LATER, explained

__all__ = [
    "NO_PRIMARY",
    "TABLES",
    "ModelSettings",
    "PhaseSettings",
    "Settings",
    "TaskSettings",
    "flattened",
    "make_settings",
]

TABLES = ("train", "model", "task", "phase")
"""The tables of a recipe that are settings of a training run."""

NO_PRIMARY = "none"
"""What `primary` is where there is to be none."""

_EPOCHS = 3
"""Of a run that leaves them open, and of which nothing else is known."""

_Temperature = Annotated[float, Field(ge=1)]


def _auto_or(least: int) -> PlainValidator:
    """Return what checks for "auto" or an integer that is no lower: a union would be explained twice."""

    def check(value: Any) -> Any:
        if value == "auto" or (isinstance(value, int) and not isinstance(value, bool) and value >= least):
            return value
        raise PydanticCustomError("auto_or_integer", f"Input should be a valid integer from {least} on, or 'auto'")

    return PlainValidator(check)


_Auto = Literal["auto"]


def _frozen(*more: str) -> PlainValidator:
    """Return what checks for a part of the encoder, a number of layers, or one of some further names."""

    def check(value: Any) -> Any:
        if value in ("none", "embeddings", "encoder", *more):
            return value
        if isinstance(value, int) and not isinstance(value, bool) and value >= 1:
            return value
        raise PydanticCustomError(
            "frozen", "Input should be 'none', 'embeddings', 'encoder', or a number of layers from 1 on"
        )

    return PlainValidator(check)


_Freeze = Literal["none", "embeddings", "encoder"] | int


class _Table(BaseModel):
    """A table: frozen, no unknown keys."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    def given(self, key: str) -> bool:
        """Tell whether a key was given, be it with its default."""
        return key in self.model_fields_set


class ModelSettings(_Table):
    """[model]: the encoder and what the heads read."""

    encoder: str = "tiny"
    """tiny 2 x 128, small 4 x 256, base 12 x 768 (layers x width); ./FOLDER of a pretrained one, with a slash;
    hub:NAME, which is downloaded; or package.module:Class, a subclass of `trainer.encoders.encoder.Encoder`."""
    init: str = ""
    """A run whose encoder and tokenizer this one begins with, and whose heads, where a task has the same name, kind and
    classes."""
    vocabulary: int = Field(8192, ge=300)
    """Number of sub-words, special ones included."""
    max_pieces: int = Field(384, ge=8, le=32767)
    """Longest sequence an encoder reads; a label whose span or second side lies beyond is lost, and counted."""
    dropout: float = Field(0.0, ge=0, lt=1)
    """0: a run of a few epochs of a small encoder underfits, and dropout costs a tenth of the time on a CPU."""
    head_dropout: float = Field(0.3, ge=0, lt=1)
    """In the heads alone, where it costs nothing; small tasks are learnt by heart otherwise."""
    features: bool = True
    """Hand-made features of each sub-word (repetition, fit to its neighbours, frequency), embeddings that begin with
    counted company, and a convolution; false: a plain transformer."""
    bag: bool = True
    """A linear model over sub-words beside the heads of passages, segments, turns and pairs."""
    heads: Literal["mixed", "plain"] = "mixed"
    """Of token and passage tasks. mixed: with a hidden layer, over all layers of the encoder; plain: over the last
    layer alone, as models of the encoder's family classify, so that `auxloom export` can write them."""


class TaskSettings(_Table):
    """[task.NAME]: one task."""

    weight: float = Field(1.0, ge=0)
    """Of its loss."""
    permuted: bool = False
    """Train it on the labels of other rows of like length, where possible of the same document: the control that shows
    what the labels contribute, apart from the text and the updates. Held-out labels stay as they are."""
    init: str = ""
    """A task of the run in [model] init whose head this one begins with, of the same kind; "": the task of the same
    name, if its classes are the same."""
    init_classes: dict[str, str] = Field(default_factory=dict)
    """For `init`: the class of that task whose weights a class begins with; {}: the class of the same name. A class
    without one begins anew."""

    @model_validator(mode="after")
    def _classes_of_a_task(self) -> Self:
        """Refuse classes to begin with, where no task is named that has them."""
        if self.init_classes and not self.init:
            raise ValueError(f"init_classes = {self.init_classes} are classes of the task in init, which is not given")
        return self


class PhaseSettings(_Table):
    """[[phase]]: a part of the run; phases follow each other, and each begins with a new optimiser and schedule."""

    tasks: tuple[str, ...] = ()
    """The tasks that are trained; none named: all."""
    epochs: int = Field(0, ge=0)
    """Epochs over these tasks; 0: as many as [train] epochs, or what `tokens` takes."""
    tokens: int = Field(0, ge=0)
    """In place of epochs: end the phase after the step in which it has read so many sub-words; 0: no limit."""
    learning_rate: float = Field(0.0, ge=0)
    """0: that of [train]; the encoder's own changes in proportion."""
    freeze: Annotated[Literal[""] | _Freeze, _frozen("")] = ""
    """What keeps the weights that it has when the phase begins; "": as [train] freeze."""
    rows: Literal["all", "labelled", "unlabelled"] = "all"
    """Train rows that are drawn: those that have, or do not have, a label of the primary, or if there is none of any
    task that people labelled."""
    start: Literal["last", "best"] = "last"
    """Weights to begin with: those at the end of the phase before, or those of its best checkpoint."""

    @model_validator(mode="after")
    def _one_budget(self) -> Self:
        """Check that one thing says how long it lasts."""
        if self.epochs and self.tokens:
            raise ValueError(f"epochs = {self.epochs} and tokens = {self.tokens} both say how long it lasts; give one")
        return self


def _by_task(value: Any) -> Any:
    """Return the tables of tasks by their whole names, however they are nested: [task.disfluency.tags] is one task."""
    if not isinstance(value, Mapping):
        return value
    known, tables = {*TaskSettings.model_fields, *LATER["task"]}, {}
    for name, item in value.items():
        if not isinstance(item, Mapping):
            return value
        own = {key: part for key, part in item.items() if key in known or not isinstance(part, Mapping)}
        if own or not item:
            tables[name] = own
        inner = _by_task({key: part for key, part in item.items() if key not in own})
        tables |= {f"{name}.{key}": part for key, part in inner.items()}
    return tables


class Settings(_Table):
    """All that decides a training run beside the dataset: the keys of [train], and the other tables.

    Example:
        >>> Settings(rows=32).model.encoder
        'tiny'
    """

    model: ModelSettings = ModelSettings()
    task: Annotated[dict[str, TaskSettings], BeforeValidator(_by_task)] = Field(default_factory=dict)
    phase: tuple[PhaseSettings, ...] = ()
    """In their order; none: one with all tasks."""

    epochs: Annotated[int | _Auto, _auto_or(1)] = "auto"
    """Of each phase that does not say how many it has; auto: 3, or 10 with a primary."""
    steps_per_epoch: Annotated[int | _Auto, _auto_or(0)] = "auto"
    """0: the train rows of all tasks divided by `rows`, rounded up. auto: the same; with a primary 0.3 of it, but at
    least 50 and what serves each row of the primary once: ten epochs are at least 500 steps and ten passes."""
    max_steps: int = Field(0, ge=0)
    """End the run after this many steps; 0: no limit."""
    tokens: int = Field(0, ge=0)
    """End it after the step in which so many sub-words, padding aside, have gone through the encoder; 0: no limit. If
    `epochs` is not given, the last phase has as many epochs as that takes."""
    patience: Annotated[int | _Auto, _auto_or(0)] = "auto"
    """End the phase after so many evaluations in a row without a better checkpoint; 0: never. auto: 5 with a primary
    and a validation split, else 0."""
    rows: int = Field(32, ge=1)
    """Rows of a step."""
    bucket: int = Field(16, ge=1)
    """Rows of like length that go through the encoder in one call; must divide `rows`."""
    window: int = Field(16, ge=1)
    """Steps whose rows are sorted into buckets together."""
    batch: Literal["auto", "tasks", "primary+one", "rows"] = "auto"
    """What a step serves: the tasks drawn; the primary and one drawn task; or every label of the rows drawn. auto: with
    a primary primary+one, unless it reads the woven view that all tasks read; without one rows where all constructed
    tasks read one woven view, else tasks."""
    sampler: Literal["auto", "proportional", "uniform", "temperature", "annealed", "dynamic"] = "auto"
    """How tasks are drawn; auto: proportional, so that in an epoch each row of each task is seen about once. Not for
    `batch` rows."""
    temperature: float = Field(2.0, ge=1)
    """Of the sampler of that name: 1 is proportional, infinity uniform."""
    temperatures: tuple[_Temperature, _Temperature, Annotated[int, Field(ge=1)]] = (1.0, 5.0, 5)
    """Dynamic temperature: first, last, and the epochs between them."""
    primary: str = ""
    """The task that the run is for: it chooses the best checkpoint, and fills half of each step; "": the gold task if
    there is one and no other, else none; "none": none, and the mean of all tasks' metrics chooses."""
    labels: int = Field(0, ge=0)
    """Train rows of the primary that keep their labels, and validation rows at most; a sample by the seed, which holds
    the sample of any lower number; 0: all."""
    tasks: tuple[str, ...] = ()
    """Tasks that are trained; none named: all."""
    with_labels: tuple[str, ...] = ()
    """Tasks but the primary are trained on those rows that have a label of one of these tasks; none named: on all."""
    without_labels: tuple[str, ...] = ()
    """Tasks but the primary are trained on those rows that have no label of any of these tasks."""
    outside_weight: float = Field(0.6, gt=0)
    """Weight of the tag O in the loss of a token task that is constructed and has it as its first class, the others
    having 1."""

    learning_rate: float = Field(2e-3, gt=0)
    """With a pretrained encoder 1e-3, if it is not given."""
    encoder_learning_rate: float = Field(0.0, ge=0)
    """Of the encoder; 0: as all others. With a pretrained one 5e-5, 1e-4 up to width 384, if it is not given."""
    layer_decay: float = Field(1.0, gt=0, le=1)
    """By what the encoder's learning rate is multiplied with each layer further down."""
    freeze: Annotated[_Freeze, _frozen()] = "none"
    """What keeps its first weights: the embeddings of sub-words, the whole encoder, or with a number the embeddings and
    so many layers. With a pretrained encoder of over 100,000 sub-words embeddings, if it is not given."""
    accumulate: int = Field(1, ge=1)
    """Backward passes of a step: the buckets are parted, which takes less memory."""
    checkpointing: bool = False
    """Compute the states in layers anew in the backward pass: a third more time, and a fraction of the memory."""
    warmup: float = Field(0.05, ge=0, le=1)
    """Share of the steps of a phase in which the learning rate rises."""
    schedule: Literal["cosine", "linear", "constant"] = "cosine"
    """How it falls to a tenth after that."""
    weight_decay: float = Field(0.01, ge=0)
    clip: float = Field(1.0, gt=0)
    """Largest norm of the gradient."""

    evaluate_rows: int = Field(500, ge=1)
    """Validation rows per task during training; the test split is evaluated whole."""
    log_every: int = Field(50, ge=1)
    """Steps between two lines of metrics.jsonl."""
    save_every: int = Field(1000, ge=1)
    """Steps between two checkpoints, beside those at the end of each epoch."""
    seed: int = 0
    threads: int = Field(0, ge=0)
    """Threads of torch; 0: its default. Another number is another run, bit by bit."""
    device: Literal["auto", "cpu", "cuda"] = "auto"
    precision: Literal["auto", "float32", "bfloat16"] = "auto"
    """Of what the model computes; weights, losses and optimiser are float32. auto: bfloat16 on a GPU that has it."""

    @model_validator(mode="after")
    def _buckets_fill_a_step(self) -> Self:
        """Check that the rows of a step go into buckets."""
        if self.rows % self.bucket:
            raise ValueError(
                f"rows = {self.rows} is not a multiple of bucket = {self.bucket}; give a bucket that divides rows"
            )
        if self.accumulate > self.rows // self.bucket:
            raise ValueError(
                f"accumulate = {self.accumulate} must not exceed rows / bucket = {self.rows // self.bucket}; lower "
                "bucket or accumulate"
            )
        return self

    @model_validator(mode="after")
    def _phases_end(self) -> Self:
        """Check that every phase has an end, and one before it if it begins with the best checkpoint of that."""
        if self.phase and self.phase[0].start == "best":
            raise ValueError(
                "[[phase]] start = 'best' refers to the phase before, which the first one does not have; remove it"
            )
        if open_ := [n for n in range(len(self.phases) - 1) if not self.epochs_of(n) and not self.phase[n].tokens]:
            raise ValueError(
                f"[[phase]] number {open_[0] + 1} has no length, since tokens = {self.tokens} limits only the last "
                "one: give it epochs or tokens, or set [train] epochs"
            )
        return self

    def filled(self, train: Mapping[str, Any], model: Mapping[str, Any]) -> "Settings":
        """Return the settings with others for those keys of [train] and [model] that were not given."""
        inner = {key: value for key, value in model.items() if not self.model.given(key)}
        outer = {key: value for key, value in train.items() if not self.given(key)}
        return self.model_copy(update=outer | {"model": self.model.model_copy(update=inner)})

    def weight(self, task: str) -> float:
        """Return the weight of a task's loss."""
        return self.task[task].weight if task in self.task else 1.0

    def trains(self, task: str) -> bool:
        """Tell whether a task is among those that are trained."""
        return not self.tasks or task in self.tasks

    @property
    def has_primary(self) -> bool:
        """Tell whether a task is the primary."""
        return self.primary not in {"", NO_PRIMARY}

    @property
    def phases(self) -> tuple[PhaseSettings, ...]:
        """The phases, at least one."""
        return self.phase or (PhaseSettings(),)

    def epochs_of(self, number: int) -> int:
        """Return the epochs of a phase, by its number from 0; 0 where a number of tokens says how many there are."""
        phase = self.phases[number]
        if phase.epochs or phase.tokens:
            return phase.epochs
        if self.epochs == "auto":
            return 0 if self.tokens else _EPOCHS
        return self.epochs

    def during(self, number: int) -> "Settings":
        """Return the settings that hold in a phase, by its number from 0."""
        phase = self.phases[number]
        found: dict[str, Any] = {}
        if phase.learning_rate:
            own = self.encoder_learning_rate * phase.learning_rate / self.learning_rate
            found |= {"learning_rate": phase.learning_rate, "encoder_learning_rate": own}
        if phase.freeze:
            found["freeze"] = phase.freeze
        return self.model_copy(update=found)


_FORMS: Mapping[str, type[BaseModel]] = {
    "train": Settings,
    "model": ModelSettings,
    "task": TaskSettings,
    "phase": PhaseSettings,
}
"""By the name of the table."""


def make_settings(data: Mapping[str, Any]) -> Settings:
    """Return the settings in the tables of a recipe.

    Args:
        data: keys of [train], beside them the tables ``model``, ``task`` and ``phase``, or ``train`` as a table too.

    Raises:
        ValueError: an unknown key or a value that is not allowed; the message says what is.

    Example:
        >>> make_settings({"epochs": 5, "model": {"encoder": "small"}}).model.encoder
        'small'
        >>> make_settings({"epoch": 3})
        Traceback (most recent call last):
        ValueError: [train] has no key 'epoch' (did you mean 'epochs'?)
    """
    try:
        return Settings.model_validate(flattened(data))
    except ValidationError as error:
        raise ValueError("; ".join(explained(item, _FORMS) for item in error.errors())) from None


def flattened(data: Mapping[str, Any]) -> dict[str, Any]:
    """Return settings with the keys of a table ``train`` beside the other tables, as `Settings` has them.

    Raises:
        ValueError: ``train`` is no table, or another table stands in it.
    """
    keys = {key: value for key, value in data.items() if key != "train"}
    train = data.get("train", {})
    if not isinstance(train, Mapping):
        raise ValueError(f"[train] is {train!r}; write a table")  # noqa: TRY004  (a mistake in a recipe)
    for name in TABLES:
        if name in train:
            raise ValueError(f"[train] has no key {name!r}: {HEADERS[name]} is a table of its own")
    return {**train, **keys}

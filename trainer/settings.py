"""The settings of a training run: the `[train]` table of a recipe, with every default."""

import difflib
from collections.abc import Mapping
from typing import Annotated, Any, Literal, Self

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError, model_validator

__all__ = ["Settings", "dotted", "make_settings"]

_Temperature = Annotated[float, Field(ge=1)]


def dotted(value: Any) -> Any:
    """Return nested tables as one with dotted names: ``weights.disfluency.tags=2`` names one task."""
    if not isinstance(value, Mapping):
        return value
    flat: dict[str, Any] = {}
    for name, item in value.items():
        inner = dotted(item)
        flat |= {f"{name}.{key}": part for key, part in inner.items()} if isinstance(item, Mapping) else {name: item}
    return flat


class Settings(BaseModel):
    """All that decides a training run beside the dataset.

    Example:
        >>> Settings(rows=32).rows
        32
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    encoder: Literal["tiny", "small", "base"] = "tiny"
    """Size of the encoder: tiny 2 x 128, small 4 x 256, base 12 x 768 (layers x width)."""
    vocabulary: int = Field(8192, ge=300)
    """Number of sub-word pieces, special ones included."""
    max_pieces: int = Field(384, ge=8, le=32767)
    """Longest sequence an encoder reads; a label whose span or second side lies beyond is lost, and counted."""
    dropout: float = Field(0.0, ge=0, lt=1)
    """0: a run of a few epochs of a small encoder underfits, and dropout costs a tenth of the time on a CPU."""
    head_dropout: float = Field(0.3, ge=0, lt=1)
    """In the heads alone, where it costs nothing; small tasks are learnt by heart otherwise."""

    epochs: int = Field(3, ge=1)
    """Epochs over all tasks, after those of `words_first`."""
    words_first: int = Field(0, ge=0)
    """Epochs on the masked words alone, before all others; 0 where no task masks words."""
    steps_per_epoch: int = Field(0, ge=0)
    """0: the train rows of all tasks divided by `rows`, rounded up."""
    max_steps: int = Field(0, ge=0)
    """End the run after this many steps; 0: no limit."""
    patience: int = Field(0, ge=0)
    """End it after so many evaluations in a row without a better checkpoint; 0: never."""
    rows: int = Field(32, ge=1)
    """Rows of a step."""
    bucket: int = Field(16, ge=1)
    """Rows of like length that go through the encoder in one call; must divide `rows`."""
    window: int = Field(16, ge=1)
    """Steps whose rows are sorted into buckets together."""
    batch: Literal["auto", "tasks", "primary+one", "rows"] = "auto"
    """What a step serves: the tasks drawn; the primary and one drawn task; or every label of the rows drawn. auto: rows
    where all tasks read one woven view, else tasks."""
    sampler: Literal["auto", "proportional", "uniform", "temperature", "annealed", "dynamic"] = "auto"
    """How tasks are drawn; auto: proportional, so that in an epoch each row of each task is seen about once. Not for
    `batch` rows."""
    temperature: float = Field(2.0, ge=1)
    """Of the sampler of that name: 1 is proportional, infinity uniform."""
    temperatures: tuple[_Temperature, _Temperature, Annotated[int, Field(ge=1)]] = (1.0, 5.0, 5)
    """Dynamic temperature: first, last, and the epochs between them."""
    weights: Annotated[dict[str, float], BeforeValidator(dotted)] = Field(default_factory=dict)
    """Fixed weight of a task's loss, by its name; 1 where not given."""
    primary: str = ""
    """The task by whose metric the best checkpoint is chosen; "": by the mean of all tasks' metrics."""
    outside_weight: float = Field(0.6, gt=0)
    """Weight of tags of the first class (outside) in a token task's loss, the others having 1."""

    learning_rate: float = Field(2e-3, gt=0)
    warmup: float = Field(0.05, ge=0, le=1)
    """Share of the steps in which the learning rate rises."""
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

    @model_validator(mode="after")
    def _buckets_fill_a_step(self) -> Self:
        """Check that the rows of a step go into buckets."""
        if self.rows % self.bucket:
            raise ValueError(
                f"rows = {self.rows} is not a multiple of bucket = {self.bucket}; choose one that divides it"
            )
        return self


def make_settings(data: Mapping[str, Any]) -> Settings:
    """Return the settings that a table of a recipe gives.

    Raises:
        ValueError: an unknown key or a value that is not allowed; the message says what is.

    Example:
        >>> make_settings({"epoch": 3})
        Traceback (most recent call last):
        ValueError: [train] has no key 'epoch' (did you mean 'epochs'?)
    """
    try:
        return Settings.model_validate(dict(data))
    except ValidationError as error:
        raise ValueError("; ".join(_explained(item) for item in error.errors())) from None


def _explained(error: Any) -> str:
    """Say in words what one error of pydantic means."""
    key = ".".join(map(str, error["loc"]))
    if not key:
        return f"[train] {error['ctx']['error']}"
    if error["type"] != "extra_forbidden":
        return f"[train] {key} = {error['input']!r}: {error['msg'][0].lower()}{error['msg'][1:]}"
    known = sorted(Settings.model_fields)
    close = difflib.get_close_matches(key, known, 1, 0.5)
    hint = f" (did you mean {close[0]!r}?)" if close else f"; it has {', '.join(known)}"
    return f"[train] has no key {key!r}{hint}"

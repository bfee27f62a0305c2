"""The design of a study: the table [study] of a recipe, with every default."""

from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError

from labelers.advice import nearest

__all__ = ["CONDITIONS", "CONTROL", "Condition", "Design", "make_design"]

Condition = Literal["alone", "masked", "auxiliary", "joint", "permuted"]

CONDITIONS: Mapping[Condition, str] = {
    "alone": "the primary alone, with the sub-words of both parts",
    "masked": "first masked words on the text of the auxiliaries, then the primary",
    "auxiliary": "first the auxiliaries, then the primary",
    "joint": "the primary and the auxiliaries in every step",
    "permuted": "as auxiliary, with the auxiliary labels of other rows",
}
"""What is compared, and how it is described."""

CONTROL: Condition = "masked"
"""The condition over which a gain counts: the same text and as many updates, without the labels of a labeler."""


def _different(values: tuple[Any, ...]) -> tuple[Any, ...]:
    """Refuse what is named twice, or nothing at all."""
    if not values or len(set(values)) < len(values):
        raise ValueError("give at least one, and none twice")
    return values


class Design(BaseModel):
    """[study]: which runs a study consists of.

    Example:
        >>> make_design({"labels": [50], "seeds": 2}).conditions
        ('alone', 'masked', 'auxiliary', 'joint', 'permuted')
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    conditions: Annotated[tuple[Condition, ...], AfterValidator(_different)] = tuple(CONDITIONS)
    labels: Annotated[tuple[Annotated[int, Field(ge=0)], ...], AfterValidator(_different)] = (50, 200, 1000)
    """Labelled train rows of the primary; 0: all."""
    seeds: int = Field(3, ge=1)
    """Training seeds: each draws other labels, another order and other first weights of the heads."""
    build_seeds: int = Field(1, ge=1)
    """Datasets, each built with a seed of its own, so that labelers draw anew."""
    auxiliaries: tuple[str, ...] = ()
    """Tasks; none named: all but the primary and those of masked words."""
    masked: tuple[str, ...] = ()
    """The tasks of the condition masked; none named: those of masked words."""
    pretrain_tokens: int = Field(200_000, ge=1)
    """Sub-words that the encoder reads before the primary."""
    tokens: int = Field(100_000, ge=1)
    """Sub-words that it reads for the primary; alone and joint have both budgets."""
    evaluations: int = Field(10, ge=1)
    """How often a run of the primary is evaluated on the validation split; the best checkpoint is scored."""
    text: Literal["all", "unlabelled"] = "all"
    """unlabelled: auxiliaries and masked words only on rows that have no label of the primary in the dataset."""
    share_pretraining: bool = False
    """Train the first part once for each build, not for each training seed: less time, and intervals that do not know
    how much it varies."""
    group: str = ""
    """A kept column; rows with the same value are one document for the intervals. "": the document of a row."""


def make_design(data: Mapping[str, Any]) -> Design:
    """Return the design in a table [study].

    Raises:
        ValueError: an unknown key, or a value that is not allowed.

    Example:
        >>> make_design({"seed": 3})
        Traceback (most recent call last):
        ValueError: [study] has no key 'seed' (did you mean 'seeds'?)
    """
    try:
        return Design.model_validate(data)
    except ValidationError as error:
        raise ValueError("; ".join(_explained(item) for item in error.errors())) from None


def _explained(error: Any) -> str:
    """Say in words what one error of pydantic means."""
    key = str(error["loc"][0]) if error["loc"] else ""
    if error["type"] == "extra_forbidden":
        hint = nearest(key, Design.model_fields) or f"; it has {', '.join(Design.model_fields)}"
        return f"[study] has no key {key!r}{hint}"
    text = str(error.get("ctx", {}).get("error", error["msg"]))
    return f"[study] {key} = {error['input']!r}: {text[:1].lower()}{text[1:]}"

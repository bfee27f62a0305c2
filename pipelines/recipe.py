"""The recipe: every setting of a run, validated, with all defaults in one place."""

import difflib
from collections.abc import Mapping, Sequence
from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError

__all__ = [
    "InputTable",
    "Recipe",
    "RecipeError",
    "RunTable",
    "SplitTable",
    "TextTable",
    "make_recipe",
    "nearest",
    "table_name",
]

FieldType = Literal["string", "int64", "float64", "bool"]


_LATER = ("adversary", "dataset", "decoder", "labels", "sequence")
"""Tables that a later version will read."""


class RecipeError(ValueError):
    """A recipe that cannot be used; the message says what was given, what is allowed and what to do."""


class _Table(BaseModel):
    """A table of the recipe: frozen, no unknown keys."""

    model_config = ConfigDict(frozen=True, extra="forbid", validate_by_name=True, validate_by_alias=True)


def _listed(value: Any) -> Any:
    """Let one path stand for a list of one."""
    return [value] if isinstance(value, str) else value


Paths = Annotated[tuple[str, ...], BeforeValidator(_listed)]


class InputTable(_Table):
    """Where the text is and how records are read."""

    files: Paths = ()
    """Files, folders or globs. Give these, or train/validation/test whose split is kept."""
    train: Paths = ()
    validation: Paths = ()
    test: Paths = ()
    text: str = "text"
    """Name of the field with the text."""
    tokens: str = "tokens"
    """Name of the field with tokens that are split already."""
    id: str = "id"
    turns: str = "turns"
    second: str = ""
    """Name of the field with a second text, or its tokens, beside the first; "": records have none."""
    keep: Mapping[str, FieldType] = Field(default_factory=dict)
    """Further fields that go into each row, with their types."""
    encoding: str = "utf-8"
    paragraphs: Literal["line", "blank"] = "line"
    """What a document of a .txt file is: a line, or a paragraph between blank lines."""
    max_record_bytes: int = Field(1_000_000, ge=1)
    limit: int = Field(0, ge=0)
    """Read no more than this many records of each input file; 0 reads all."""


class TextTable(_Table):
    """The language of the text, and what its line breaks mean."""

    lang: Literal["en"] = "en"
    newline: Literal["space", "break"] = "space"
    """What a single line break inside a document is: a space, or the end of a segment, as a blank line always is."""


class PassageTable(_Table):
    """How documents are cut into rows."""

    max_tokens: int = Field(128, ge=8, le=2048)


class SplitTable(_Table):
    """Which documents are held out."""

    validation: float = Field(0.05, ge=0, lt=1)
    test: float = Field(0.05, ge=0, lt=1)
    group: str = ""
    """What stays on one side: "" the record's own id, else blocks of 64 kB; "file"; or a kept field."""


class DedupTable(_Table):
    """Equal documents."""

    documents: bool = False
    """Use the first of records with equal text only."""


class UnitTable(_Table):
    """How the input is cut into units of work."""

    bytes: int = Field(0, ge=0)
    """About so many bytes of input per unit; 0: total / 64, between 1 and 64 MiB."""


class PlanTable(_Table):
    """What a build finds out before its first shard."""

    from_: str = Field("", alias="from")
    """An earlier OUT whose classes and pool are used again."""
    max_classes: int = Field(64, ge=2)
    pool_documents: int = Field(2048, ge=1)


class RunTable(_Table):
    """How the build runs; changes no byte of it."""

    workers: int = Field(1, ge=1)
    runner: str = "local"
    """local, dask, dataflow, direct, flink, portable, prism or spark; or the full class name of a Beam runner."""
    beam: Mapping[str, Any] = Field(default_factory=dict)
    """Options for the runner."""
    batch: int = Field(2048, ge=1)
    """Documents that are labelled at a time."""


class Recipe(_Table):
    """All settings of a build and a training run.

    Example:
        >>> make_recipe({"input": {"files": ["a.txt"]}, "views": "woven"}).views
        'woven'
    """

    out: str = "out"
    seed: int = 0
    with_: tuple[str, ...] = Field(("connective", "disfluency", "paraphrase", "masking"), alias="with")
    """Labelers, in the order that decides which edit stands where two collide in a woven view."""
    views: Literal["separate", "woven"] = "separate"
    copies: int = Field(1, ge=1)
    """Independent corruptions of each passage."""
    max_reject_rate: float = Field(0.01, ge=0, le=1)
    on_error: Literal["fail", "abstain"] = "fail"
    """What a labeler that raises on a row does: fail the unit, or abstain from the row with the reason ``error``."""
    input: InputTable = InputTable()
    text: TextTable = TextTable()
    passage: PassageTable = PassageTable()
    split: SplitTable = SplitTable()
    dedup: DedupTable = DedupTable()
    unit: UnitTable = UnitTable()
    plan: PlanTable = PlanTable()
    labelers: Mapping[str, Mapping[str, Any]] = Field(default_factory=dict)
    """Options of each labeler."""
    train: Mapping[str, Any] = Field(default_factory=dict)
    """Settings of the trainer, which validates this table and the next three."""
    model: Mapping[str, Any] = Field(default_factory=dict)
    """What is trained."""
    task: Mapping[str, Mapping[str, Any]] = Field(default_factory=dict)
    """How single tasks are trained, by the name of the task."""
    phase: tuple[Mapping[str, Any], ...] = ()
    """The parts of a training run, in their order."""
    run: RunTable = RunTable()

    def options(self, labeler: str) -> Mapping[str, Any]:
        """Return the options that the recipe gives a labeler, by its name or module:Class."""
        return self.labelers.get(table_name(labeler), {})


def make_recipe(data: Mapping[str, Any]) -> Recipe:
    """Validate a recipe given as nested mappings.

    Raises:
        RecipeError: an unknown key (the message names the nearest), or a value that is not allowed.
    """
    if isinstance(data.get("phase"), Mapping):
        raise RecipeError("recipe key 'phase': phases are a list; write [[phase]], with two brackets, above each")
    try:
        recipe = Recipe.model_validate(data)
    except ValidationError as error:
        raise RecipeError("; ".join(_explain(item) for item in error.errors())) from None
    _check_labelers(recipe)
    _check_split(recipe)
    return recipe


def _check_labelers(recipe: Recipe) -> None:
    """Refuse options for a labeler that is not used."""
    tables = [table_name(item) for item in recipe.with_]
    for name in recipe.labelers:
        if name not in tables:
            used = ", ".join(recipe.with_)
            case = "" if name.islower() else "; write its table in lower case"
            raise RecipeError(
                f"[labelers.{name}] has options for a labeler that `with` does not use ({used})"
                f"{nearest(name.lower(), tables)}{case}"
            )


def _check_split(recipe: Recipe) -> None:
    """Refuse shares that leave nothing to train on, and a group that no record brings."""
    split, fields = recipe.split, list(recipe.input.keep)
    if split.validation + split.test >= 1:
        shares = f"{split.validation:g} and {split.test:g}"
        raise RecipeError(f"split.validation and split.test are {shares}; together they must be below 1")
    if split.group and split.group not in ("file", *fields):
        known = ["file", *fields]
        raise RecipeError(
            f"split.group is {split.group!r}{nearest(split.group, known)}; it may be {' or '.join(known)}; "
            "a field of the records must stand in [input] keep, with its type"
        )


def table_name(labeler: str) -> str:
    """Return the key under [labelers] of a labeler: its own name, or the class name of module:Class in lower case."""
    return labeler.rpartition(":")[2].lower() if ":" in labeler else labeler


def _explain(error: Any) -> str:
    """Say in one sentence what one validation error means for the recipe."""
    path = ".".join(str(part) for part in error["loc"])
    if error["type"] != "extra_forbidden":
        given = f", given {error['input']!r}" if not isinstance(error["input"], Mapping) else ""
        return f"recipe key {path!r}: {error['msg'].lower()}{given}"
    if path in _LATER:
        return f"the table [{path}] is not in this version of auxloom yet; leave it out"
    model: Any = Recipe
    for part in error["loc"][:-1]:
        model = model.model_fields[part].annotation
    known = [item.alias or name for name, item in model.model_fields.items()]
    return f"recipe has no key {path!r}{nearest(str(error['loc'][-1]), known)}; allowed here are {', '.join(known)}"


def nearest(given: str, known: Sequence[str]) -> str:
    """Return a hint that names the nearest known name, or nothing."""
    close = difflib.get_close_matches(given, known, 1, 0.5)
    return f" (did you mean {close[0]!r}?)" if close else ""

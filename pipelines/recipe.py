"""The recipe: every setting of a run, validated, with all defaults in one place."""

import copy
import difflib
import os
import tomllib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError

__all__ = ["Input", "Recipe", "RecipeError", "Run", "load_recipe", "make_recipe", "nearest", "set_key"]

FieldType = Literal["string", "int64", "float64", "bool"]


class RecipeError(ValueError):
    """A recipe that cannot be used; the message says what was given, what is allowed and what to do."""


class _Table(BaseModel):
    """A table of the recipe: frozen, no unknown keys."""

    model_config = ConfigDict(frozen=True, extra="forbid", validate_by_name=True, validate_by_alias=True)


def _listed(value: Any) -> Any:
    """Let one path stand for a list of one."""
    return [value] if isinstance(value, str) else value


Paths = Annotated[tuple[str, ...], BeforeValidator(_listed)]


class Input(_Table):
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


class Text(_Table):
    """The language of the text, and what its line breaks mean."""

    lang: Literal["en"] = "en"
    newline: Literal["space", "break"] = "space"
    """What a single line break inside a document is: a space, or the end of a segment, as a blank line always is."""


class Passage(_Table):
    """How documents are cut into rows."""

    max_tokens: int = Field(128, ge=8, le=2048)


class Split(_Table):
    """Which documents are held out."""

    validation: float = Field(0.05, ge=0, lt=1)
    test: float = Field(0.05, ge=0, lt=1)
    group: str = ""
    """What stays on one side: "" the record's own id, else blocks of 64 kB; "file"; or a kept field."""


class Dedup(_Table):
    """Equal documents."""

    documents: bool = False
    """Use the first of records with equal text only."""


class UnitSize(_Table):
    """How the input is cut into units of work."""

    bytes: int = Field(0, ge=0)
    """About so many bytes of input per unit; 0: total / 64, between 1 and 64 MiB."""


class Plan(_Table):
    """What a build finds out before its first shard."""

    from_: str = Field("", alias="from")
    """An earlier OUT whose classes and pool are used again."""
    max_classes: int = Field(64, ge=2)
    pool_documents: int = Field(2048, ge=1)


class Run(_Table):
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
    input: Input = Input()
    text: Text = Text()
    passage: Passage = Passage()
    split: Split = Split()
    dedup: Dedup = Dedup()
    unit: UnitSize = UnitSize()
    plan: Plan = Plan()
    labelers: Mapping[str, Mapping[str, Any]] = Field(default_factory=dict)
    """Options of each labeler."""
    train: Mapping[str, Any] = Field(default_factory=dict)
    """Settings of the trainer, which validates them."""
    run: Run = Run()


def make_recipe(data: Mapping[str, Any]) -> Recipe:
    """Validate a recipe given as nested mappings.

    Raises:
        RecipeError: an unknown key (the message names the nearest), or a value that is not allowed.
    """
    try:
        recipe = Recipe.model_validate(data)
    except ValidationError as error:
        raise RecipeError("; ".join(_explain(item) for item in error.errors())) from None
    _check_labelers(recipe)
    _check_split(recipe)
    return recipe


def _check_labelers(recipe: Recipe) -> None:
    """Refuse options for a labeler that is not used."""
    tables = [_table_name(item) for item in recipe.with_]
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


def _table_name(labeler: str) -> str:
    """Return the key under [labelers] of a labeler: its own name, or the class name of module:Class in lower case."""
    return labeler.rpartition(":")[2].lower() if ":" in labeler else labeler


def _explain(error: Any) -> str:
    """Say in one sentence what one validation error means for the recipe."""
    path = ".".join(str(part) for part in error["loc"])
    if error["type"] != "extra_forbidden":
        given = f", given {error['input']!r}" if not isinstance(error["input"], Mapping) else ""
        return f"recipe key {path!r}: {error['msg'].lower()}{given}"
    model: Any = Recipe
    for part in error["loc"][:-1]:
        model = model.model_fields[part].annotation
    known = [item.alias or name for name, item in model.model_fields.items()]
    return f"recipe has no key {path!r}{nearest(str(error['loc'][-1]), known)}; allowed here are {', '.join(known)}"


def nearest(given: str, known: Sequence[str]) -> str:
    """Return a hint that names the nearest known name, or nothing."""
    close = difflib.get_close_matches(given, known, 1, 0.5)
    return f" (did you mean {close[0]!r}?)" if close else ""


def load_recipe(path: str | Path, overrides: Sequence[str] = (), flags: Mapping[str, Any] | None = None) -> Recipe:
    """Read a TOML recipe, then apply ``flags`` (nested keys) and ``a.b=c`` overrides.

    Paths in the file are relative to it.

    Raises:
        RecipeError: no such file, no TOML, or a recipe that is not valid.
    """
    file = Path(path)
    try:
        data = tomllib.loads(file.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise RecipeError(f"no recipe at {file}; give a .toml file, or input files with --out") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise RecipeError(f"{file} is not valid TOML: {error}") from None
    used = _overlaid(copy.deepcopy(data), overrides, flags or {}).with_
    _resolve(data, file.parent, used)
    return _overlaid(data, overrides, flags or {})


def _overlaid(data: dict[str, Any], overrides: Sequence[str], flags: Mapping[str, Any]) -> Recipe:
    """Return the recipe of nested keys, ``flags`` and overrides, the later ones first."""
    _merge(data, flags)
    for override in overrides:
        set_key(data, override)
    return make_recipe(data)


def _merge(data: dict[str, Any], flags: Mapping[str, Any]) -> None:
    """Lay nested keys over a recipe; what stands there for a table and is none is left to be refused."""
    for key, value in flags.items():
        table = data.setdefault(key, {}) if isinstance(value, Mapping) else None
        if isinstance(table, dict):
            _merge(table, value)
        elif table is None:
            data[key] = value


def _resolve(data: dict[str, Any], folder: Path, labelers: Sequence[str]) -> None:
    """Make the paths of a recipe file relative to its folder: of input, output, and the files that labelers need."""

    def join(value: Any) -> Any:
        if isinstance(value, list):
            return [join(item) for item in value]
        return value if not isinstance(value, str) or "://" in value else os.path.normpath(folder / value)

    places: list[tuple[Any, str]] = [(data, "out"), (data.get("plan"), "from")]
    places += [(data.get("input"), key) for key in ("files", "train", "validation", "test")]
    tables = data.get("labelers", {})
    for labeler in labelers:
        options = tables.get(_table_name(labeler)) if isinstance(tables, dict) else None
        if isinstance(options, dict):
            places += [(options, key) for key in _resource_options(labeler)]
    for table, key in places:
        if isinstance(table, dict) and table.get(key):
            table[key] = join(table[key])


def _resource_options(labeler: str) -> list[str]:
    """Return the options of a labeler that name files."""
    from pipelines.context import find_own_modules, resource_options  # loads the labeler, and all that it needs

    find_own_modules(str(Path.cwd()))
    return resource_options(labeler)


def set_key(data: dict[str, Any], override: str) -> None:
    """Apply one ``a.b=c`` override; the value is read as TOML, and as a plain string where it is none.

    Raises:
        RecipeError: no ``=``, or a key below a value that is no table.

    Example:
        >>> data = {}
        >>> set_key(data, "labelers.disfluency.rate=0.3")
        >>> data
        {'labelers': {'disfluency': {'rate': 0.3}}}
    """
    key, equals, text = override.partition("=")
    if not equals or not key.strip():
        raise RecipeError(f"cannot read {override!r}; write KEY=VALUE, for example labelers.disfluency.rate=0.3")
    try:
        value = tomllib.loads(f"value = {text}")["value"]
    except tomllib.TOMLDecodeError:
        value = text
    *tables, last = key.strip().split(".")
    for name in tables:
        data = data.setdefault(name, {})
        if not isinstance(data, dict):
            raise RecipeError(f"cannot set {key!r}: {name!r} is a value, not a table")
    data[last] = value

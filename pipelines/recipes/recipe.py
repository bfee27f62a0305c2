"""The recipe: every setting of a run, validated, with all defaults in one place."""

from collections.abc import Mapping, Sequence
from typing import Annotated, Any, Literal, get_args

from pydantic import BaseModel, BeforeValidator, Field, ValidationError

from labelers.advice import nearest
from pipelines.recipes.recipe_tables import (
    DedupTable,
    InputTable,
    LabelTable,
    PassageTable,
    PlanTable,
    RunTable,
    SplitTable,
    StoreTable,
    Table,
    TextTable,
    UnitTable,
)

__all__ = ["Recipe", "RecipeError", "licences", "make_recipe", "table_name"]

_LATER = ("adversary", "dataset", "decoder", "sequence")
"""Tables that a later version will read."""


class RecipeError(ValueError):
    """A recipe that cannot be used; the message says what was given, what is allowed and what to do."""


_TRAINING = ("model", "task", "phase")
_CAME_LATER = (
    *("second", "where", "labels", "offsets", "format", "columns", "record", "licence"),
    *("normalise", "held_out", "max_label_reject_rate"),
)
"""Keys that plans of earlier versions do not have."""


def _said(table: type[BaseModel], data: dict[str, Any]) -> dict[str, Any]:
    """Return a table without the keys that came later and have their defaults."""
    defaults = table.model_construct().model_dump(mode="json", by_alias=True)
    return {key: value for key, value in data.items() if key not in _CAME_LATER or value != defaults[key]}


def _tables(value: Any) -> Any:
    """Let one table stand for a list of one."""
    if not isinstance(value, Mapping | InputTable | list | tuple):
        raise ValueError("write a table, [input], or one or more [[input]]")  # noqa: TRY004  (a mistake in a recipe)
    return [value] if isinstance(value, Mapping | InputTable) else value


class Recipe(Table):
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
    max_label_reject_rate: float = Field(0.01, ge=0, le=1)
    """Of the labels of each [labels.NAME]."""
    on_error: Literal["fail", "abstain"] = "fail"
    """What a labeler that raises on a row does: fail the unit, or abstain from the row with the reason ``error``."""
    input: Annotated[tuple[InputTable, ...], BeforeValidator(_tables)] = (InputTable(),)
    """One or more: [input], or [[input]] for each."""
    labels: Mapping[str, LabelTable] = Field(default_factory=dict)
    """Labels that people made, by the name that they have in the dataset."""
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
    study: Mapping[str, Any] = Field(default_factory=dict)
    """What `auxloom compare` compares; the trainer validates it."""
    run: RunTable = RunTable()
    store: StoreTable = StoreTable()
    """Joins the URIs of the recipe, and is not stored."""

    @property
    def keep(self) -> dict[str, str]:
        """Types of the fields that any input keeps."""
        return {name: kind for table in self.input for name, kind in table.keep.items()}

    @property
    def second(self) -> bool:
        """Whether some records have a second text."""
        return any(table.second for table in self.input)

    def stored(self) -> dict[str, Any]:
        """Return it as a plan has it: no [run], [study], [store]; keys that came later only if they say something."""
        unsaid = {name for name in (*_TRAINING, "labels") if not getattr(self, name)}
        data = self.model_dump(mode="json", by_alias=True, exclude={"run", "study", "store", *unsaid})
        inputs = [_said(InputTable, table) for table in data["input"]]
        data["input"] = inputs if len(inputs) > 1 else inputs[0]
        data["text"], data["dedup"] = _said(TextTable, data["text"]), _said(DedupTable, data["dedup"])
        return _said(Recipe, data)

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
    _check_inputs(recipe)
    _check_labels(recipe)
    _check_split(recipe)
    return recipe


def licences(recipe: Recipe) -> list[str]:
    """Return the licence of each input, empty where none is given.

    Example:
        >>> licences(make_recipe({"input": {"files": ["a.txt"], "licence": "CC0-1.0"}}))
        ['CC0-1.0']
    """
    return [table.licence for table in recipe.input]


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


def _check_inputs(recipe: Recipe) -> None:
    """Refuse inputs that contradict each other, and columns of labels that nothing declares."""
    kinds: dict[str, str] = {}
    for table in recipe.input:
        for name, kind in table.keep.items():
            if kinds.setdefault(name, kind) != kind:
                raise RecipeError(
                    f"[input] keep: the field {name!r} is {kinds[name]} in one input and {kind} in another"
                )
        for name in table.labels:
            if name not in recipe.labels:
                known = list(recipe.labels)
                raise RecipeError(
                    f"[input] labels has {name!r}{nearest(name, known)}; declare it: [labels.{name}] kind = ..."
                )
        if len(recipe.input) > 1 and not (table.files or table.train or table.validation or table.test):
            raise RecipeError("an [[input]] has no files; give each one files, train, validation or test")


_OWN_KEYS = {"scheme": ("token",), "level": ("regression",), "relations": ("arc",)}
"""Keys of a label that only labels of these kinds have."""


def _check_labels(recipe: Recipe) -> None:
    """Refuse labels that cannot have their name, or have keys of another kind."""
    labelers = [table_name(item) for item in recipe.with_]
    for name, table in recipe.labels.items():
        if name in labelers:
            raise RecipeError(
                f"[labels.{name}] has the name of a labeler; rename it, for example to [labels.{name}_gold]"
            )
        if not name or name in ("source", "second", "woven") or any(letter in name for letter in ". /"):
            raise RecipeError(f"[labels.{name}] is not an allowed name; give one without dots, slashes and spaces")
        for key, kinds in _OWN_KEYS.items():
            if getattr(table, key) != LabelTable.model_fields[key].default and table.kind not in kinds:
                raise RecipeError(f"[labels.{name}] {key} is for labels of kind {kinds[0]}; this one is {table.kind}")
        if table.on and table.on not in labelers:
            raise RecipeError(
                f"[labels.{name}] on = {table.on!r}{nearest(table.on, labelers)}: no labeler in `with` has that name"
            )
        if len(set(table.classes)) < len(table.classes):
            raise RecipeError(f"[labels.{name}] classes names a class twice")
        if table.kind == "pair" and not recipe.second:
            raise RecipeError(f"[labels.{name}] is of kind pair; name the field with the second text: [input] second")


def _check_split(recipe: Recipe) -> None:
    """Refuse shares that leave nothing to train on, and a group that no record brings."""
    split, fields = recipe.split, list(recipe.keep)
    if split.validation + split.test >= 1:
        shares = f"{split.validation:g} and {split.test:g}"
        raise RecipeError(f"split.validation and split.test are {shares}; together they must be below 1")
    if split.group and split.group not in ("file", *fields):
        known = ["file", *fields]
        raise RecipeError(
            f"split.group is {split.group!r}{nearest(split.group, known)}; it may be {' or '.join(known)}; to group "
            "by a field of the records, declare it in [input] keep with its type"
        )


def table_name(labeler: str) -> str:
    """Return the key under [labelers] of a labeler: its own name, or the class name of module:Class in lower case."""
    return labeler.rpartition(":")[2].lower() if ":" in labeler else labeler


def _explain(error: Any) -> str:
    """Say in one sentence what one validation error means for the recipe."""
    path = ".".join(str(part) for part in error["loc"]).replace("input.0.", "input.")
    if error["type"] != "extra_forbidden":
        given = f", given {error['input']!r}" if not isinstance(error["input"], Mapping) else ""
        return f"recipe key {path!r}: {error['msg'].lower()}{given}"
    if path in _LATER:
        return f"the table [{path}] is not in this version of auxloom yet; leave it out"
    known = [item.alias or name for name, item in _model(error["loc"][:-1]).model_fields.items()]
    if path in InputTable.model_fields:
        return f"recipe has no key {path!r}: it is a key of [input]"
    return f"recipe has no key {path!r}{nearest(str(error['loc'][-1]), known)}; allowed here are {', '.join(known)}"


def _model(place: Sequence[Any]) -> type[BaseModel]:
    """Return the table at a place of the recipe, whose parts are keys, names of tables, and numbers in lists."""
    found: Any = Recipe
    for part in place:
        if isinstance(found, type) and issubclass(found, BaseModel):
            found = found.model_fields[part].annotation
        else:  # a list or a mapping of tables
            found = next(item for item in get_args(found) if isinstance(item, type) and issubclass(item, BaseModel))
    table: type[BaseModel] = found
    return table

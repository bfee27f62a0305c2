"""The plan: all that a build fixes before its first shard, and the digest of all of it that can change a byte."""

import hashlib
import importlib.metadata
import platform
import re
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from typing import Any

from labelers.label_space import LabelSpace
from pipelines.folder.layout import PLAN, Folder, to_json
from pipelines.input.records import InputFile, Unit
from pipelines.input.splits import Splitter
from pipelines.recipes.recipe import Recipe, RecipeError, make_recipe
from pipelines.recipes.recipe_tables import INPUT_PLACES

__all__ = [
    "PLACES",
    "FoundLabels",
    "Plan",
    "PlanError",
    "digest_pool",
    "identity",
    "installed_versions",
    "label_spaces",
    "plan_bytes",
    "stored_digest",
]

_LIBRARIES = ("auxloom", "nltk", "numpy", "pyarrow", "spacy")  # all whose behaviour can reach a row
_NO_BYTES = ("out", "run", "max_reject_rate", "max_label_reject_rate", "train", "model", "task", "phase")
"""Keys of a recipe that change no byte."""
_HEAD = 1 << 16  # bytes of a plan that are read at a time to find its digest
PLACES = INPUT_PLACES
"""Keys of [input] that the list of files replaces."""


class PlanError(ValueError):
    """A plan.json that cannot be read; the message says which, and what to do."""


@dataclass(frozen=True)
class FoundLabels:
    """What a scan of the input finds of a label space."""

    classes: tuple[str, ...]
    """As they are written; declared ones as they are declared."""
    scheme: str
    """Of the tags in the input; empty where they mark no spans."""
    schemes: Mapping[str, str] = field(default_factory=dict)
    """Schemes of files that have another one than most, by their names."""

    def to_json(self) -> dict[str, Any]:
        """Return it as a JSON object; schemes of files stand in it where there are any."""
        return {key: value for key, value in asdict(self).items() if key != "schemes" or value}


@dataclass(frozen=True)
class Plan:
    """A plan, as it stands in plan.json."""

    recipe: Recipe
    """Without [run]."""
    files: Sequence[InputFile]
    units: Sequence[Unit]
    skipped: tuple[str, ...]
    """Names of files that were found and not read for their ending."""
    labelers: Mapping[str, Any]
    """Per labeler its version and the digests of its resources."""
    versions: Mapping[str, str]
    earlier: str = ""
    """Digest of the plan whose classes and pool are used again."""
    classes: Mapping[str, tuple[str, ...]] | None = None
    """Class names per field; None before the scan."""
    labels: Mapping[str, FoundLabels] = field(default_factory=dict)
    """What was found of the labels that people made, by [labels.NAME]; nothing before the scan."""
    pool: str = ""
    """Digest of the pool."""
    moved: Mapping[str, str] | None = None
    """Split by group digest, of groups that fill a share which would be empty."""
    dropped: Mapping[str, str] | None = None
    """Per unit that has any, the digest of its list of repeated records."""
    held_out: str = ""
    """Digest of what is known of the labelled passages of validation and test; empty without [labels.NAME]."""
    content: str = ""
    """Digest of all records."""
    base: Mapping[str, str] = field(default_factory=dict)
    """Of a layer: the digests of its base's plan and rows."""
    joined: Mapping[str, Any] = field(default_factory=dict)
    """Of a layer of other annotations: how they are matched to rows, the digest of theirs, and where they lie."""
    taught: Mapping[str, Any] = field(default_factory=dict)
    """Of a layer of a model's labels: which model and tasks, from which confidence on, and where the model lies."""
    merged: Mapping[str, Any] = field(default_factory=dict)
    """Of a dataset and its layers in one: the digests of their rows."""
    digest: str = ""
    """blake2b of all above that can change a byte."""

    def to_json(self) -> dict[str, Any]:
        """Return the plan as a JSON object."""
        units = [unit.to_json() for unit in self.units]
        rest = {name: getattr(self, name) for name in _PLAIN}
        if self.labels:
            rest["labels"] = {name: found.to_json() for name, found in self.labels.items()}
        if self.held_out:
            rest["held_out"] = self.held_out
        rest |= {name: dict(getattr(self, name)) for name in _OF_LAYERS if getattr(self, name)}
        files = [file.to_json() for file in self.files]
        return {"recipe": self.recipe.stored(), "files": files, "units": units, **rest}

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> "Plan":
        """Read a plan."""
        classes = data["classes"]
        return cls(
            recipe=make_recipe(data["recipe"]),
            files=tuple(map(InputFile.from_json, data["files"])),
            units=tuple(Unit.from_json(i, ranges) for i, ranges in enumerate(data["units"])),
            **{name: data[name] for name in _PLAIN if name not in {"classes", "skipped"}},
            classes=None if classes is None else {name: tuple(values) for name, values in classes.items()},
            skipped=tuple(data["skipped"]),
            held_out=data.get("held_out", ""),
            labels={
                name: FoundLabels(tuple(item["classes"]), item["scheme"], item.get("schemes", {}))
                for name, item in data.get("labels", {}).items()
            },
            **{name: data[name] for name in _OF_LAYERS if name in data},
        )

    @classmethod
    def read(cls, folder: Folder) -> "Plan":
        """Read the plan of a dataset."""
        state = _state(folder)
        try:
            data = folder.read_json(PLAN)
        except ValueError as error:
            raise PlanError(f"{error}; {_ANEW}") from None
        try:
            plan = cls.from_json(data)
        except RecipeError as error:
            text = f"{folder.full(PLAN)} contains a recipe that this version of auxloom cannot read: {error}"
            raise RecipeError(f"{text}; use the version that wrote it, or give another folder") from None
        except (KeyError, TypeError, AttributeError, ValueError):
            raise PlanError(f"{folder.full(PLAN)} is not a plan that auxloom can read; {_ANEW}") from None
        _remember(state, plan.digest)
        return plan

    @property
    def spaces(self) -> tuple[LabelSpace, ...]:
        """The label spaces that people, or a model, filled, as they are written."""
        spaces = label_spaces(self.recipe, self.labels)
        if not self.taught:
            return spaces
        return tuple(replace(space, taught=True, entropy=self.taught["entropy"]) for space in spaces)

    @property
    def splitter(self) -> Splitter:
        """What tells the split of each document."""
        return Splitter.of(self.recipe.split, self.files, self.moved or {})

    def unit_sizes(self) -> list[int]:
        """Return about how many bytes of input each unit has, for progress."""
        parts: dict[int, int] = {}
        for part in (part for unit in self.units for part in unit.ranges):
            parts[part.file] = max(parts.get(part.file, 1), part.stop)
        sizes = []
        for unit in self.units:
            shares = [(part.stop - part.start) / parts[part.file] if part.stop > 0 else 1 for part in unit.ranges]
            files = [self.files[part.file].size for part in unit.ranges]
            sizes.append(int(sum(share * size for share, size in zip(shares, files, strict=True))))
        return sizes


def label_spaces(recipe: Recipe, found: Mapping[str, FoundLabels]) -> tuple[LabelSpace, ...]:
    """Return the label spaces of a recipe with what was found of them; before a scan, with what is declared."""
    spaces = []
    for name, table in sorted(recipe.labels.items()):  # as a stored plan has them
        known = found.get(name, FoundLabels(table.classes, ""))
        relations = table.kind == "arc" and bool(table.relations)
        form = (table.kind, known.classes, known.scheme, table.metric, table.level, relations, table.on)
        spaces.append(LabelSpace(name, *form, known.schemes))
    return tuple(spaces)


_ANEW = "run the same build again to restore it, or give another folder"

_PLAIN = (
    "skipped", "labelers", "versions", "earlier", "classes", "pool", "moved", "dropped", "content", "digest",
)  # fmt: skip

_OF_LAYERS = ("base", "joined", "taught", "merged")
_LAYER_PLACES = {"joined": ("place",), "taught": ("place", "trained_on", "layers")}
"""Of these what only says where something lies."""


_digests: dict[Any, str] = {}
"""The digest of the plan that was read last from a store, by its path, size and time: asking for these costs less."""


def _state(folder: Folder) -> Any:
    """Return what tells one plan in a store from another without reading it; None on a disk."""
    if not folder.whole:
        return None
    info = folder.fs.get_file_info(folder.full(PLAN))
    return folder.full(PLAN), info.size, info.mtime


def _remember(state: Any, digest: str) -> None:
    """Note the digest of a plan that was read."""
    if state:
        _digests.clear()
        _digests[state] = digest


def stored_digest(folder: Folder) -> str:
    """Return the digest that the plan of a dataset says it has, from the beginning of its file: units stand behind."""
    state = _state(folder)
    if state in _digests:
        return _digests[state]
    digest = _read_digest(folder)
    _remember(state, digest)
    return digest


def _read_digest(folder: Folder) -> str:
    """Read as much of a plan as it takes to find its digest."""
    head = b""
    with folder.fs.open_input_stream(folder.full(PLAN)) as file:
        while chunk := file.read(_HEAD):
            head += chunk
            if found := re.search(rb'^ "digest": "([0-9a-f]+)"', head, re.MULTILINE):
                return found[1].decode()
    return Plan.read(folder).digest


def identity(data: Mapping[str, Any], *, scanned: bool = True) -> dict[str, Any]:
    """Return all of a plan that can change a byte: no path, no time; without ``scanned`` only what needs no reading.

    Args:
        data: the plan as a JSON object. Of a plan that is stored, give what stands there: its recipe has the keys of
            the version that wrote it, and its digest is of those.
        scanned: include what only a scan of the input can tell.
    """
    recipe = {key: value for key, value in data["recipe"].items() if key not in _NO_BYTES}
    tables = recipe["input"] if isinstance(recipe["input"], list) else [recipe["input"]]
    tables = [{key: value for key, value in table.items() if key not in (*PLACES, "licence")} for table in tables]
    recipe["input"] = tables if len(tables) > 1 else tables[0]
    recipe["plan"] = {key: value for key, value in recipe["plan"].items() if key != "from"}
    recipe["labelers"] = {
        name: {option: value for option, value in options.items() if option not in _resources(data, name)}
        for name, options in recipe["labelers"].items()
    }
    files = [
        {key: file[key] for key in ("name", "format", "size", "split", "input") if key in file}
        for file in data["files"]
    ]
    scans = ("classes", "labels", "pool", "moved", "dropped", "held_out", "content") if scanned else ()
    found = {name: data[name] for name in scans if name in data}
    kept = {name: data[name] for name in ("units", "labelers", "versions", "earlier")}
    layers = {name: dict(data[name]) for name in _OF_LAYERS if name in data}
    for name, keys in _LAYER_PLACES.items():
        for key in keys:
            layers.get(name, {}).pop(key, None)
    return {"recipe": recipe, "files": files, **kept, **layers, **found}


def _resources(data: Mapping[str, Any], table: str) -> Mapping[str, str]:
    """Return the resource digests of the labeler whose options stand in a table of the recipe."""
    return data["labelers"].get(table, {}).get("resources", {})  # type: ignore[no-any-return]


def plan_bytes(plan: Plan) -> bytes:
    """Return what stands in plan.json."""
    return to_json(plan.to_json(), indent=1)


def digest_pool(data: bytes) -> str:
    """Return the blake2b of a pool file."""
    return hashlib.blake2b(data, digest_size=16).hexdigest()


def installed_versions() -> dict[str, str]:
    """Return the versions of all that can change a row: libraries, and Python's Unicode tables."""
    found = {"python": ".".join(platform.python_version_tuple()[:2])}
    for name in _LIBRARIES:
        try:
            found[name] = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            found[name] = ""
    return found

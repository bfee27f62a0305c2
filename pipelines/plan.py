"""The plan: all that a build fixes before its first shard, and the digest of all of it that can change a byte."""

import hashlib
import importlib.metadata
import json
import platform
import re
import secrets
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

from labelers.labeler import Labeler
from pipelines.context import corpus_schema, load_labelers
from pipelines.layout import (
    DROPPED,
    PLAN,
    POOL,
    SPLITS,
    TEMPORARY,
    Folder,
    digest_json,
    rejects_name,
    shard_name,
    to_json,
)
from pipelines.recipe import Recipe, RecipeError, Run, make_recipe
from pipelines.records import InputFile, Range, Unit
from pipelines.scan import Found, ScanUnit, WriteJson, merge_scans, pieces_of, repeats
from pipelines.sources import find_files, make_units, reaches
from pipelines.splits import Splitter

__all__ = [
    "Plan",
    "PlanError",
    "class_fields",
    "digest_pool",
    "draft",
    "fill",
    "identity",
    "installed_versions",
    "plan_bytes",
    "stored_digest",
]

Scan = Callable[[Sequence[Unit], ScanUnit, Callable[[Any], Any], WriteJson, Run], None]

_LIBRARIES = ("auxloom", "nltk", "numpy", "pyarrow", "spacy")  # all whose behaviour can reach a row
_NO_BYTES = ("out", "run", "train", "max_reject_rate")  # recipe keys that change no byte
_PLACES = ("files", "train", "validation", "test")  # keys of [input] that say where, which the list of files replaces
_RARE_SHARE, _RARE_DOCUMENTS = 0.05, 200  # a class stands in so many train documents, or in so large a share
_READABLE = tuple(f"/{name}" for name in (POOL, rejects_name(0), *(shard_name(split, 0, 1) for split in SPLITS)))
"""Files of a dataset whose endings are those of input."""
_SMALL_INPUT = 32 * 2**20  # bytes that this process scans sooner than workers start


class PlanError(ValueError):
    """A plan.json that cannot be read; the message says which, and what to do."""


@dataclass(frozen=True)
class Plan:
    """A plan, as it stands in plan.json."""

    recipe: Recipe
    """Without [run]."""
    files: tuple[InputFile, ...]
    units: tuple[Unit, ...]
    skipped: tuple[str, ...]
    """Names of files that were found and not read for their ending."""
    labelers: Mapping[str, Any]
    """Per labeler its version and the digests of its resources."""
    versions: Mapping[str, str]
    earlier: str = ""
    """Digest of the plan whose classes and pool are used again."""
    classes: Mapping[str, tuple[str, ...]] | None = None
    """Class names per field; None before the scan."""
    pool: str = ""
    """Digest of the pool."""
    moved: Mapping[str, str] | None = None
    """Split by group digest, of groups that fill a share which would be empty."""
    dropped: Mapping[str, str] | None = None
    """Per unit that has any, the digest of its list of repeated records."""
    content: str = ""
    """Digest of all records."""
    digest: str = ""
    """blake2b of all above that can change a byte."""

    def to_json(self) -> dict[str, Any]:
        """Return the plan as a JSON object."""
        recipe = self.recipe.model_dump(mode="json", by_alias=True, exclude={"run"})
        if not self.recipe.input.second:  # a key that earlier plans do not have
            del recipe["input"]["second"]
        units = [[[part.file, part.start, part.stop] for part in unit.ranges] for unit in self.units]
        rest = {name: getattr(self, name) for name in _PLAIN}
        return {"recipe": recipe, "files": [asdict(file) for file in self.files], "units": units, **rest}

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> "Plan":
        """Read a plan."""
        units = [tuple(Range(*part) for part in ranges) for ranges in data["units"]]
        classes = data["classes"]
        return cls(
            recipe=make_recipe(data["recipe"]),
            files=tuple(_file(file) for file in data["files"]),
            units=tuple(Unit(i, ranges) for i, ranges in enumerate(units)),
            **{name: data[name] for name in _PLAIN if name not in {"classes", "skipped"}},
            classes=None if classes is None else {name: tuple(values) for name, values in classes.items()},
            skipped=tuple(data["skipped"]),
        )

    @classmethod
    def read(cls, folder: Folder) -> "Plan":
        """Read the plan of a dataset."""
        try:
            data = folder.read_json(PLAN)
        except ValueError as error:
            raise PlanError(f"{error}; {_ANEW}") from None
        try:
            return cls.from_json(data)
        except RecipeError as error:
            text = f"{folder.full(PLAN)} contains a recipe that this version of auxloom cannot read: {error}"
            raise RecipeError(f"{text}; use the version that wrote it, or give another folder") from None
        except (KeyError, TypeError, AttributeError, ValueError):
            raise PlanError(f"{folder.full(PLAN)} is not a plan that auxloom can read; {_ANEW}") from None

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


_ANEW = "run the same build again to restore it, or give another folder"

_PLAIN = (
    "skipped", "labelers", "versions", "earlier", "classes", "pool", "moved", "dropped", "content", "digest",
)  # fmt: skip


def _file(data: Mapping[str, Any]) -> InputFile:
    """Read a file of a plan."""
    pieces = tuple((start, stop, digest) for start, stop, digest in data.get("pieces", ()))
    return InputFile(**{**data, "pieces": pieces})


def stored_digest(folder: Folder) -> str:
    """Return the digest that the plan of a dataset says it has, without the work of reading the plan."""
    found = re.search(rb'^ "digest": "([0-9a-f]+)"', folder.read(PLAN), re.MULTILINE)
    return found[1].decode() if found else Plan.read(folder).digest


def identity(data: Mapping[str, Any], *, scanned: bool = True) -> dict[str, Any]:
    """Return all of a plan that can change a byte: no path, no time; without ``scanned`` only what needs no reading.

    Args:
        data: the plan as a JSON object. Of a plan that is stored, give what stands there: its recipe has the keys of
            the version that wrote it, and its digest is of those.
        scanned: include what only a scan of the input can tell.
    """
    recipe = {key: value for key, value in data["recipe"].items() if key not in _NO_BYTES}
    recipe["input"] = {key: value for key, value in recipe["input"].items() if key not in _PLACES}
    recipe["plan"] = {key: value for key, value in recipe["plan"].items() if key != "from"}
    recipe["labelers"] = {
        name: {option: value for option, value in options.items() if option not in _resources(data, name)}
        for name, options in recipe["labelers"].items()
    }
    files = [{key: file[key] for key in ("name", "format", "size", "split")} for file in data["files"]]
    found = {name: data[name] for name in ("classes", "pool", "moved", "dropped", "content")} if scanned else {}
    kept = {name: data[name] for name in ("units", "labelers", "versions", "earlier")}
    return {"recipe": recipe, "files": files, **kept, **found}


def _resources(data: Mapping[str, Any], table: str) -> Mapping[str, str]:
    """Return the resource digests of the labeler whose options stand in a table of the recipe."""
    return data["labelers"].get(table, {}).get("resources", {})  # type: ignore[no-any-return]


def draft(recipe: Recipe) -> Plan:
    """Return the part of a plan that needs no look into the input: files, units, labelers, versions.

    Raises:
        ValueError: inputs, labelers or options that cannot be used, or an output folder inside the input.
    """
    files, skipped = find_files(recipe.input)
    _check_out(recipe, files)
    labelers, resources = load_labelers(recipe)
    fields = class_fields(recipe, labelers)
    # two columns of one name are an error now, not in every unit
    corpus_schema(recipe, labelers, dict.fromkeys(fields, ()))
    units = make_units(files, recipe.unit.bytes, limit=recipe.input.limit)
    earlier = _earlier(recipe, fields).digest if recipe.plan.from_ else ""
    described = {item.name: {"version": item.version, "resources": resources[item.name]} for item in labelers}
    return Plan(recipe, tuple(files), tuple(units), tuple(skipped), described, installed_versions(), earlier)


def plan_bytes(plan: Plan) -> bytes:
    """Return what stands in plan.json."""
    return to_json(plan.to_json(), indent=1)


def fill(plan: Plan, run: Run, scan: Scan, settle: Callable[[Plan], bytes] = plan_bytes) -> Plan:
    """Scan the input, write the pool and the repeated records, then plan.json, and return the plan.

    Args:
        plan: a draft.
        run: how to scan.
        scan: runs the graph.
        settle: returns what plan.json is to hold, or raises if the plan is not one to follow; then nothing is written.

    Raises:
        ValueError: the input cannot be scanned.
    """
    folder = Folder.at(plan.recipe.out)
    folder.make()
    scratch = f"{TEMPORARY}scan-{secrets.token_hex(8)}"
    try:
        found = _scan(plan, run, scan, scratch)
        dropped = _write_dropped(folder, scratch, found, [file.name for file in plan.files])
        plan, pool = _filled(plan, found, dropped)
        data = settle(plan)
        _move_dropped(folder, scratch, dropped)
    finally:
        folder.remove(scratch)
    folder.write(POOL, pool)
    folder.write(PLAN, data)
    return replace(Plan.from_json(json.loads(data)), recipe=plan.recipe)


def _filled(plan: Plan, found: Found, dropped: Mapping[str, str]) -> tuple[Plan, bytes]:
    """Return a draft with what a scan found, and the pool."""
    pieces, moved = pieces_of(found), _moved(plan, found)
    if plan.recipe.plan.from_:
        classes, pool = _earlier(plan.recipe).classes, Folder.at(plan.recipe.plan.from_).read(POOL)
    else:
        classes = {name: _classes(plan.recipe, found, name) for name in found["classes"]}
        pool = b"".join(to_json(line) for _, group, line in found["pool"] if group not in moved)
    plan = replace(
        plan,
        files=tuple(replace(file, pieces=pieces.get(i, ())) for i, file in enumerate(plan.files)),
        classes=classes,
        pool=digest_pool(pool),
        moved=moved,
        dropped=dropped,
        content=digest_json(found["units"]),
    )
    return replace(plan, digest=digest_json(identity(plan.to_json()))), pool


def digest_pool(data: bytes) -> str:
    """Return the blake2b of a pool file."""
    return hashlib.blake2b(data, digest_size=16).hexdigest()


def _scan(plan: Plan, run: Run, scan: Scan, scratch: str) -> Found:
    """Run the scan and return what it found: again where an id may be that of a record without one."""
    fields = class_fields(plan.recipe, load_labelers(plan.recipe)[0])
    run = Run() if sum(file.size for file in plan.files) < _SMALL_INPUT else run
    work = ScanUnit(plan.recipe, plan.files, fields, plan.recipe.out, scratch)
    found = _scanned(plan, run, scan, work)
    if found["places"] and found["unnamed"]:
        found = _scanned(plan, run, scan, replace(work, all_ids=True))
    return found


def _scanned(plan: Plan, run: Run, scan: Scan, work: ScanUnit) -> Found:
    """Scan all units once."""
    name = f"{work.scratch}/found.json"
    try:
        scan(plan.units, work, merge_scans, WriteJson(work.out, name), run)
    except RecipeError:
        raise
    except Exception as error:  # a runner may fail in any way
        told = str(error).strip().splitlines()[-1:] or [type(error).__name__]  # the first lines may be a traceback
        raise OSError(f"the input could not be scanned for the plan: {told[0]}") from error
    folder = Folder.at(work.out)
    if not folder.is_file(name):
        raise OSError(f"what the scan found could not be written to {work.out}; is there space left on the disk?")
    found: Found = folder.read_json(name)
    if found["errors"]:
        raise ValueError(f"no plan can be made: {'; '.join(sorted({*found['errors']})[:3])}")
    return found


def class_fields(recipe: Recipe, labelers: Sequence[Labeler]) -> tuple[str, ...]:
    """Return the fields whose classes some labeler needs.

    Raises:
        ValueError: a field that the recipe does not keep.
    """
    names = {name for labeler in labelers for name in labeler.needs_classes}
    strangers = sorted(names - {"roles", *recipe.input.keep})
    if strangers:
        raise RecipeError(f"a labeler needs the field {strangers[0]!r}; name it in [input] keep with its type")
    return tuple(sorted(names))


def _classes(recipe: Recipe, found: Found, name: str) -> tuple[str, ...]:
    """Return the classes of a field, sorted: the most frequent values that are not rare."""
    train = found["documents"].get("train", 0)
    least = _RARE_SHARE * train if name == "roles" else min(_RARE_SHARE * train, _RARE_DOCUMENTS)
    frequent = [(-n, value) for value, n in found["classes"][name].items() if n >= least]
    return tuple(sorted(value for _, value in sorted(frequent)[: recipe.plan.max_classes]))


def _moved(plan: Plan, found: Found) -> dict[str, str]:
    """Return which groups leave train for a share that would be empty: those of the smallest digest, never the last."""
    moved: dict[str, str] = {}
    if any(file.split for file in plan.files):
        return moved
    groups = list(found["groups"])
    for name in ("validation", "test"):
        wanted = getattr(plan.recipe.split, name) > 0 and not found["documents"].get(name)
        if wanted and len(groups) > 1:
            moved[groups.pop(0)] = name
    return moved


def _write_dropped(folder: Folder, scratch: str, found: Found, names: Sequence[str]) -> dict[str, str]:
    """Write the repeated records of each unit that has any into the scratch folder, and return their digests."""
    digests = {}
    for unit, lines in repeats(folder, scratch, found["keys"], names):
        folder.write(f"{scratch}/{unit:05d}.json", to_json(lines))
        digests[str(unit)] = digest_json(lines)
    return digests


def _move_dropped(folder: Folder, scratch: str, units: Iterable[str]) -> None:
    """Put the lists of repeated records in the place of earlier ones."""
    folder.remove(DROPPED)
    names = [f"{int(unit):05d}.json" for unit in units]
    if names:
        folder.make(DROPPED)
    for name in names:
        folder.fs.move(folder.full(f"{scratch}/{name}"), folder.full(f"{DROPPED}/{name}"))
    folder.sync([DROPPED] if names else [])


def _earlier(recipe: Recipe, fields: Sequence[str] = ()) -> Plan:
    """Return the plan whose classes and pool are to be used again; of these fields it must have classes."""
    folder = Folder.at(recipe.plan.from_)
    if not folder.is_file(PLAN):
        raise RecipeError(f"[plan] from = {recipe.plan.from_!r} has no {PLAN}; give a finished dataset")
    plan = Plan.read(folder)
    for name in fields:
        if name not in (plan.classes or {}):
            raise RecipeError(f"[plan] from = {recipe.plan.from_!r} has no classes of {name!r}, which a labeler needs")
    return plan


def installed_versions() -> dict[str, str]:
    """Return the versions of all that can change a row: libraries, and Python's Unicode tables."""
    found = {"python": ".".join(platform.python_version_tuple()[:2])}
    for name in _LIBRARIES:
        try:
            found[name] = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            found[name] = ""
    return found


def _check_out(recipe: Recipe, files: Sequence[InputFile]) -> None:
    """Refuse an output folder among the input: it would be read by the next build."""
    out = Folder.at(recipe.out).path
    places = [place for name in _PLACES for place in getattr(recipe.input, name)]
    for place in places:
        if any(reaches(place, f"{out}{name}") for name in ("", *_READABLE)):
            raise RecipeError(f"the output folder {recipe.out} lies inside the input {place}; give a folder elsewhere")
    if any(file.path == out for file in files):
        raise RecipeError(f"the output folder {recipe.out} is an input file; give another folder")

"""Making a plan: what needs no look into the input first, then what a scan of all of it finds."""

import json
import secrets
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from labelers.labeler import Labeler
from pipelines.folder.layout import (
    DROPPED,
    HELD_OUT,
    PLAN,
    POOL,
    SPLITS,
    TEMPORARY,
    Folder,
    digest_bytes,
    digest_json,
    rejects_name,
    shard_name,
    to_json,
)
from pipelines.folder.schema import corpus_schema
from pipelines.input.find import find_files, reaches
from pipelines.input.records import InputFile, Unit
from pipelines.input.repeats import are_many, repeats
from pipelines.input.units import make_units
from pipelines.input.where_values import met
from pipelines.labels.held_out_scan import FindHeldOut, found_held_out, labelled_units, merge_held_out
from pipelines.labels.label_scan import found_labels
from pipelines.labels.look import first_records, names_in
from pipelines.large.repeated import find_dropped, write_lists
from pipelines.layers.layer_plan import fill_layer, frequent
from pipelines.plans.plan import PLACES, Plan, digest_pool, identity, installed_versions, label_spaces, plan_bytes
from pipelines.plans.scan import Found, ScanUnit, WriteJson, merge_scans, pieces_of
from pipelines.recipes.loading import load_labelers
from pipelines.recipes.recipe import Recipe, RecipeError
from pipelines.recipes.recipe_tables import RunTable

__all__ = ["Scan", "class_fields", "draft", "fill"]

Scan = Callable[[Sequence[Unit], Any, Callable[[Any], Any], WriteJson, RunTable], None]

_READABLE = tuple(f"/{name}" for name in (POOL, rejects_name(0), *(shard_name(split, 0, 1) for split in SPLITS)))
"""Files of a dataset whose endings are those of input."""
_FIRST_FILES = 8  # whose columns an error names
_SMALL_INPUT = 32 * 2**20  # bytes that this process scans sooner than workers start


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
    corpus_schema(recipe, labelers, dict.fromkeys(fields, ()), label_spaces(recipe, {}))
    units = make_units(files, recipe.unit.bytes, recipe.input)
    earlier = _earlier(recipe, fields).digest if recipe.plan.from_ else ""
    described = {item.name: {"version": item.version, "resources": resources[item.name]} for item in labelers}
    return Plan(recipe, tuple(files), tuple(units), tuple(skipped), described, installed_versions(), earlier)


def fill(plan: Plan, run: RunTable, scan: Scan, settle: Callable[[Plan], bytes] = plan_bytes) -> Plan:
    """Scan the input, write the pool and the repeated records, then plan.json, and return the plan.

    Args:
        plan: a draft.
        run: how to scan.
        scan: runs the graph.
        settle: returns what plan.json is to hold, or raises if the plan is not one to follow; then nothing is written.

    Raises:
        ValueError: the input cannot be scanned.
    """
    if plan.base:
        return fill_layer(plan, settle)
    folder = Folder.at(plan.recipe.out)
    folder.make()
    scratch = f"{TEMPORARY}scan-{secrets.token_hex(8)}"
    try:
        found = _scan(plan, run, scan, scratch)
        dropped = _write_dropped(plan, run, scan, scratch, found)
        plan, pool = _filled(plan, found, dropped)
        del found  # of many units it takes as much memory as the plan
        held_out = _held_out(plan, run, scan, scratch)
        plan = replace(plan, held_out="" if held_out is None else digest_bytes(held_out))
        plan = replace(plan, digest=digest_json(identity(plan.to_json())))
        data = settle(plan)
        _move_dropped(folder, scratch, dropped)
    finally:
        folder.remove_folder(scratch)
    folder.write(POOL, pool)
    if held_out is not None:
        folder.write(HELD_OUT, held_out)
    folder.write(PLAN, data)
    return replace(Plan.from_json(json.loads(data)), recipe=plan.recipe)


def _filled(plan: Plan, found: Found, dropped: Mapping[str, str]) -> tuple[Plan, bytes]:
    """Return a draft with what a scan found, and the pool."""
    _check_asked(plan, found)
    pieces, moved = pieces_of(found), _moved(plan, found)
    labels = found_labels(plan.recipe, found["labels"], lambda: _columns(plan))
    if plan.recipe.plan.from_:
        earlier = _earlier(plan.recipe)
        labels |= {
            name: replace(labels[name], classes=item.classes, scheme=labels[name].scheme or item.scheme)
            if item.scheme
            else item
            for name, item in earlier.labels.items()
            if name in labels
        }
        classes, pool = earlier.classes, Folder.at(plan.recipe.plan.from_).read(POOL)
    else:
        documents = found["documents"].get("train", 0)
        classes = {name: frequent(plan.recipe, name, counts, documents) for name, counts in found["classes"].items()}
        pool = b"".join(to_json(line) for _, group, line in found["pool"] if group not in moved)
    filled = replace(
        plan,
        files=tuple(replace(file, pieces=pieces.get(i, ())) for i, file in enumerate(plan.files)),
        classes=classes,
        labels=labels,
        pool=digest_pool(pool),
        moved=moved,
        dropped=dropped,
        content=digest_json(found["units"]),
    )
    return filled, pool


def _check_asked(plan: Plan, found: Found) -> None:
    """Refuse an input of which no record has the values that it asks for, and tell which there are."""
    for number, table in enumerate(plan.recipe.input):
        if table.where and not found["asked"].get(str(number)):
            files = [file for file in plan.files if file.input == number][:_FIRST_FILES]
            records = [record for file in files for record in first_records(file, table)[0]]
            raise RecipeError(f"[input] where: no record matches: {met(records, table.where)}")


def _held_out(plan: Plan, run: RunTable, scan: Scan, scratch: str) -> bytes | None:
    """Return what is known of the labelled passages of validation and test; None without labels of people."""
    if not plan.recipe.labels:
        return None
    # units come as elements, and nobody compares files here: each process gets the rest of the plan with its work
    files = tuple(replace(file, pieces=()) for file in plan.files)
    units, work = labelled_units(plan), FindHeldOut(replace(plan, units=(), files=files), scratch)
    read = {item.file for unit in units for item in unit.ranges}
    if sum(files[file].size for file in read) < _SMALL_INPUT:
        found = merge_held_out(map(work, units))
    else:
        found = _run(plan, run, scan, units=units, work=work, merge=merge_held_out, name=f"{scratch}/held.json")
    _check_errors(found)
    return found_held_out(Folder.at(plan.recipe.out), scratch, found["units"])


def _columns(plan: Plan) -> list[str]:
    """Return the columns of the first records of the input."""
    first = [
        record
        for file in plan.files[:_FIRST_FILES]
        for record in first_records(file, plan.recipe.input[file.input], 1)[0]
    ]
    return names_in(first)


def _scan(plan: Plan, run: RunTable, scan: Scan, scratch: str) -> Found:
    """Run the scan and return what it found: again where an id that a record brings may be that of another."""
    fields = class_fields(plan.recipe, load_labelers(plan.recipe)[0])
    scan = _scan_here if sum(file.size for file in plan.files) < _SMALL_INPUT else scan
    work = ScanUnit(plan.recipe, plan.files, fields, plan.recipe.out, scratch)
    found = _scanned(plan, run, scan, work)
    if _may_clash(found, len(plan.files)):
        found = _scanned(plan, run, scan, replace(work, all_ids=True))
    return found


def _scan_here(
    units: Sequence[Unit], work: Any, merge: Callable[[Any], Any], finish: Callable[[Any], None], _run: RunTable
) -> None:
    """Do what a graph does, in this process and without Beam, whose start takes longer than a small input."""
    finish(merge(map(work, units)))


def _may_clash(found: Found, files: int) -> bool:
    """Return whether an id that a record brings may be that which another one gets: by its place, or its file."""
    if files == 1:
        return bool(found["places"] and found["unnamed"])
    return found["places"] or bool({*found["numbered"]} & {*found["unnamed"]})


def _scanned(plan: Plan, run: RunTable, scan: Scan, work: ScanUnit) -> Found:
    """Scan all units once."""
    found = _run(plan, run, scan, units=plan.units, work=work, merge=merge_scans, name=f"{work.scratch}/found.json")
    _check_errors(found)
    return found


def _run(
    plan: Plan, run: RunTable, scan: Scan, *, units: Sequence[Any], work: Any, merge: Callable[[Any], Any], name: str
) -> Found:
    """Look at some units in a graph, and return what was found, which is written under a name meanwhile."""
    try:
        scan(units, work, merge, WriteJson(plan.recipe.out, name), run)
    except RecipeError:
        raise
    except Exception as error:  # a runner may fail in any way
        told = str(error).strip().splitlines()[-1:] or [type(error).__name__]  # the first lines may be a traceback
        raise OSError(f"the input could not be scanned for the plan: {told[0]}") from error
    data = Folder.at(plan.recipe.out).read_if_there(name)
    if data is None:
        raise OSError(
            f"what the scan found could not be written to {plan.recipe.out}; is there space left on the disk?"
        )
    found: Found = json.loads(data)
    return found


def _check_errors(found: Found) -> None:
    """Raise what cannot be mended."""
    if found["errors"]:
        raise ValueError(f"no plan can be made: {'; '.join(sorted({*found['errors']})[:3])}")


def class_fields(recipe: Recipe, labelers: Sequence[Labeler]) -> tuple[str, ...]:
    """Return the fields whose classes some labeler needs.

    Raises:
        ValueError: a field that the recipe does not keep.
    """
    names = {name for labeler in labelers for name in labeler.needs_classes}
    strangers = sorted(names - {"roles", *recipe.keep})
    if strangers:
        raise RecipeError(f"a labeler needs the field {strangers[0]!r}; name it in [input] keep with its type")
    return tuple(sorted(names))


def _moved(plan: Plan, found: Found) -> dict[str, str]:
    """Return which groups leave train for a share that would be empty: those of the smallest digest, never the last."""
    moved: dict[str, str] = {}
    groups = list(found["groups"])
    if any(file.split for file in plan.files):
        wanted = plan.splitter.carved and plan.recipe.split.validation > 0 and not found["documents"].get("validation")
        if wanted and len(found["labelled"]) > 1:
            moved[found["labelled"][0]] = "validation"
        return moved
    for name in ("validation", "test"):
        wanted = getattr(plan.recipe.split, name) > 0 and not found["documents"].get(name)
        if wanted and len(groups) > 1:
            moved[groups.pop(0)] = name
    return moved


def _write_dropped(plan: Plan, run: RunTable, scan: Scan, scratch: str, found: Found) -> dict[str, str]:
    """Write the repeated records of each unit that has any into the scratch folder, and return their digests."""
    out, names = plan.recipe.out, [file.name for file in plan.files]
    if not are_many(found["keys"]):
        folder = Folder.at(out)
        return dict(write_lists(folder, scratch, repeats(folder, scratch, found["keys"], names)))

    def look(elements: Sequence[Any], work: Any, merge: Callable[[Any], Any], name: str) -> Found:
        result = _run(plan, run, scan, units=elements, work=work, merge=merge, name=name)
        _check_errors(result)
        return result

    return find_dropped(out, scratch, found["keys"], names, look)


def _move_dropped(folder: Folder, scratch: str, units: Iterable[str]) -> None:
    """Put the lists of repeated records in the place of earlier ones."""
    folder.remove_folder(DROPPED)
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


def _check_out(recipe: Recipe, files: Sequence[InputFile]) -> None:
    """Refuse an output folder among the input: it would be read by the next build."""
    out = Folder.at(recipe.out).path
    places = [place for table in recipe.input for name in PLACES for place in getattr(table, name)]
    for place in places:
        if any(reaches(place, f"{out}{name}") for name in ("", *_READABLE)):
            raise RecipeError(f"the output folder {recipe.out} lies inside the input {place}; give a folder elsewhere")
    if any(file.path == out for file in files):
        raise RecipeError(f"the output folder {recipe.out} is an input file; give another folder")

"""What a build tells its user: rows, labels, books, warnings, and what failed."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from rich.console import Console
from rich.table import Table

from pipelines.folder.books import add_up, label_count
from pipelines.folder.layout import SPLITS
from pipelines.input.units import place_of
from pipelines.plans.plan import Plan

__all__ = ["BuildReport", "make_report"]

_FEW_LABELS = 200  # below it an interval around a score is wider than what one wants to see
_SHOWN = 20  # files that are named one by one
_BOOKS = ("records", "labels", "passages", "held_out", "splits", "conflicts")
_MIN_REJECTS = 10  # a small input may well have a bad line or two


@dataclass(frozen=True)
class BuildReport:
    """What a build came to."""

    out: str
    plan: str
    complete: bool
    """The dataset is whole now."""
    already: bool
    """It was whole before, and nothing was done."""
    remade: Sequence[str]
    """What was missing or damaged though it had been built, and was made again: "FILE: what was wrong with it"."""
    exit_code: int
    """0: a whole dataset; 1: units failed, a file could not be read, too much was rejected, or no row was written."""
    splits: Mapping[str, int]
    """Rows per split."""
    books: Mapping[str, Any]
    """The summed books; empty where units failed."""
    tasks: Mapping[str, Mapping[str, int]]
    """Labels per task and split."""
    warnings: Sequence[str]
    skipped: Sequence[str]
    """Files that were not read for their ending."""
    failures: Sequence[str]
    """A sentence for each unit that failed."""
    retry: str
    """The command that does what is missing."""
    joined: bool = False
    """It is a layer of labels that people made, which are counted by rows."""

    def to_json(self) -> dict[str, Any]:
        """Return the report as a JSON object."""
        return asdict(self)

    def print(self, console: Console) -> None:
        """Print the report for a reader."""
        for text in self.remade[:_SHOWN]:
            _say(console, f"restored: {text}")
        if len(self.remade) > _SHOWN:
            _say(console, f"restored: {len(self.remade) - _SHOWN:,} more files")
        if self.already:
            _say(console, f"{self.out} is complete already; there was nothing to do")
        if self.books:
            console.print(self._table())
            _say(console, _records(self.books, "rows" if self.joined else "records"))
        if self.skipped:
            _say(console, f"skipped because of their extension: {_few(self.skipped)}")
        for text in self.warnings:
            _say(console, f"warning: {text}")
        for text in self.failures:
            _say(console, f"failed: {text}")
        if self.failures:
            _say(console, f"the dataset is incomplete; to make the missing units, run: {self.retry}")

    def _table(self) -> Table:
        """Return rows and labels per split."""
        table = Table("labels per task", *self.splits)
        table.add_row("rows", *(f"{rows:,}" for rows in self.splits.values()), end_section=True)
        for name, counts in self.tasks.items():
            table.add_row(name, *(f"{counts[split]:,}" for split in self.splits))
        return table


def make_report(
    plan: Plan,
    manifest: Mapping[str, Any] | None,
    reports: Sequence[Mapping[str, Any]],
    *,
    retry: str,
    remade: Sequence[str] = (),
    already: bool = False,
) -> BuildReport:
    """Return the report of a build.

    Args:
        plan: what was built.
        manifest: of the dataset; None where it is unfinished.
        reports: of the units that this run did.
        retry: the command that does what is missing.
        remade: what was made again.
        already: nothing was done.
    """
    books = {} if manifest is None else {key: manifest[key] for key in _BOOKS if key in manifest}
    books = _ordered(books)
    splits = {name: split["rows"] for name, split in books.get("splits", {}).items()}
    faults = list(_faults(plan, books)) if books else []
    failures = list(_failures(plan, reports))
    if manifest is None and not failures:
        failures = ["units are missing, though none failed in this run"]
    return BuildReport(
        out=plan.recipe.out,
        plan=plan.digest,
        complete=manifest is not None,
        already=already,
        remade=list(remade),
        exit_code=1 if failures or faults else 0,
        splits=splits,
        books=books,
        tasks=_task_labels(plan, books),
        warnings=[*faults, *_warnings(plan, books, manifest or {})],
        skipped=plan.skipped,
        failures=failures,
        retry=retry,
        joined=bool(plan.joined),
    )


def _ordered(books: dict[str, Any]) -> dict[str, Any]:
    """Return books with their splits in the order that readers expect."""
    if not books:
        return books
    return books | {"splits": {name: books["splits"][name] for name in SPLITS if name in books["splits"]}}


def _task_labels(plan: Plan, books: Mapping[str, Any]) -> dict[str, dict[str, int]]:
    """Return the number of labels per task and split; a set of classes is one."""
    sets = {name for name, table in plan.recipe.labels.items() if table.kind == "multilabel"}
    labels: dict[str, dict[str, int]] = {}
    for split, book in books.get("splits", {}).items():
        for task in book["tasks"]:
            labels.setdefault(task, {})[split] = label_count(book, task, task, sets=task in sets)
    return labels


def _failures(plan: Plan, reports: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    """Yield what failed: a sentence for each unit, and for units that a host refused one for all of them."""
    refused: dict[str, list[int]] = {}
    for report in reports:
        error = report.get("error")
        if error and error.get("of_host"):
            refused.setdefault(error["text"], []).append(report["unit"])
        elif error:
            yield _failure(plan, report)
    for text, units in refused.items():
        yield f"{f'{len(units)} units' if len(units) > 1 else f'unit {units[0]}'}: {text}"


def _failure(plan: Plan, report: Mapping[str, Any]) -> str:
    """Return what happened to a unit, in one sentence."""
    error = report["error"]
    labeler = f", labeler {error['labeler']!r}" if error["labeler"] else ""
    document = f", document {error['document']!r}" if error["document"] else ""
    unit = "the runner" if report["unit"] < 0 else f"unit {report['unit']}"
    text = error["text"]
    if error.get("of_memory"):
        text += "; give workers more memory, then run the same command again"
        if not plan.base:
            unit += f" ({place_of(plan.units[report['unit']], plan.files)})"
            text += ", or build with smaller units (unit.bytes) and --overwrite"
    return f"{unit}{labeler}{document}: {text}"


def _faults(plan: Plan, books: Mapping[str, Any]) -> Iterator[str]:
    """Yield what makes a finished dataset one that should not be used unseen."""
    records = books["records"]
    rejected = sum(records["rejected"].values())
    if not books["splits"]:
        yield "no row was written; nothing in the input could be used"
    if records["rejected"].get("file"):
        yield f"{records['rejected']['file']} input files could not be read; see rejects/"
    if rejected > _MIN_REJECTS and rejected > plan.recipe.max_reject_rate * records["read"]:
        yield (
            f"{rejected:,} of {records['read']:,} records were rejected, more than max_reject_rate = "
            f"{plan.recipe.max_reject_rate} allows; see rejects/"
        )
    for name, book in books.get("labels", {}).items():
        rejected = sum(book["rejected"].values())
        if rejected > _MIN_REJECTS and rejected > plan.recipe.max_label_reject_rate * book["read"]:
            yield (
                f"{rejected:,} of {book['read']:,} labels of {name} were rejected ({_reasons(book)}), more than "
                f"max_label_reject_rate = {plan.recipe.max_label_reject_rate} allows; see rejects/"
            )


def _warnings(plan: Plan, books: Mapping[str, Any], manifest: Mapping[str, Any]) -> Iterator[str]:
    """Yield what a user should know of a dataset."""
    if not books:
        return
    splits = books["splits"]
    rows = sum(split["rows"] for split in splits.values())
    if not any(file.split for file in plan.files):
        for name in ("validation", "test"):
            share, found = getattr(plan.recipe.split, name), splits.get(name, {}).get("rows", 0)
            if found < share * rows / 2:
                yield f"the {name} split has {found:,} of {rows:,} rows, less than half of its share of {share:.0%}"
    if plan.splitter.carved and plan.recipe.labels and plan.recipe.split.validation and "validation" not in splits:
        yield "there is no validation split because train has too few labelled documents"
    yield from _unlabelled(plan, splits)
    held_out = {
        task: sum(n for split, n in labels.items() if split != "train")
        for task, labels in _task_labels(plan, books).items()
    }
    few = [f"{task} ({n})" for task, n in held_out.items() if n < _FEW_LABELS]
    if few:
        yield f"fewer than {_FEW_LABELS} held-out labels, so that scores are unreliable: {', '.join(few)}"
    for name, example in manifest.get("errors", {}).items():
        count = _labelers(books)[name]["abstained"]["error"]
        example_text = f"for example {example['row']}: {example['text']}"
        yield f"labeler {name} failed on {count:,} rows, which therefore have no label from it, {example_text}"
    repeats = manifest.get("equal_passages", {}).get("repeats", 0)
    if repeats:
        yield f"{repeats:,} passages also occur in another document"


def _unlabelled(plan: Plan, splits: Mapping[str, Any]) -> Iterator[str]:
    """Yield in which splits no row has a label that people made."""
    for name in plan.recipe.labels:
        counted = {split: book["tasks"].get(name) for split, book in splits.items()}
        empty = [split for split, labels in counted.items() if labels is not None and not sum(labels.values())]
        if empty:
            yield f"no row of {' and '.join(empty)} has a label of {name}"


def _records(books: Mapping[str, Any], labelled: str) -> str:
    """Return what became of the input, of the labels of records or rows, and of the labelers' rows."""
    records, passages = books["records"], books["passages"]
    sums = f"{records['used']:,} used + {_rejected(records)} + {records['duplicate']:,} duplicate"
    sums += f" + {records['filtered']:,} filtered" if records.get("filtered") else ""
    lines = [f"records: {records['read']:,} read = {sums}"]
    for name, book in books.get("labels", {}).items():
        lines.append(f"label {name}: {book['read']:,} {labelled} read = {book['used']:,} used + {_rejected(book)}")
    left_out = passages.get("held_out", 0)
    held = (
        f"{left_out:,} left out of train because they equal labelled validation or test passages, " if left_out else ""
    )
    lines.append(f"passages: {passages['cut']:,} cut, {held}{passages['written']:,} rows written")
    if books.get("held_out", {}).get("grams"):
        lines.append(_overlap(books["held_out"]))
    for name, book in _labelers(books).items():
        abstained = ", ".join(f"{n:,} {reason}" for reason, n in book["abstained"].items()) or "none"
        lines.append(f"{name}: {book['written']:,} rows = {book['labelled']:,} labelled + abstained ({abstained})")
    return "\n".join(lines)


def _overlap(book: Mapping[str, int]) -> str:
    """Return how much of what is held out stands in train."""
    share = book["seen"] / book["grams"]
    return (
        f"held out: {share:.1%} of the 8-grams of tokens of labelled validation and test passages also occur in train "
        f"({book['seen']:,} of {book['grams']:,} in a sample)"
    )


def _reasons(book: Mapping[str, Any]) -> str:
    """Return for which reasons how many were rejected."""
    return ", ".join(f"{n:,} {reason}" for reason, n in book["rejected"].items())


def _rejected(book: Mapping[str, Any]) -> str:
    """Return how many were rejected, and why."""
    reasons = _reasons(book)
    return f"{sum(book['rejected'].values()):,} rejected{f' ({reasons})' if reasons else ''}"


def _labelers(books: Mapping[str, Any]) -> dict[str, Any]:
    """Return the book of each labeler over all splits."""
    return add_up([split["labelers"] for split in books["splits"].values()])


def _few(names: Sequence[str]) -> str:
    """Return the first names of a list, and how many more there are."""
    shown = 5
    more = f" and {len(names) - shown:,} more" if len(names) > shown else ""
    return ", ".join(names[:shown]) + more


def _say(console: Console, text: str) -> None:
    """Print text as it is."""
    console.print(text, highlight=False, markup=False, soft_wrap=True)

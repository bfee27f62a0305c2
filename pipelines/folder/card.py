"""The dataset card: what a reader of the folder must know, and where Hugging Face datasets finds each split."""

from collections.abc import Mapping, Sequence
from typing import Any

from labelers.task import Task
from pipelines.folder.books import label_count
from pipelines.input.records import splits_given
from pipelines.labels.held_out import LEAST
from pipelines.plans.plan import Plan

__all__ = ["card"]

_HEAD = """\
---
language:
- {lang}
configs:
- config_name: default
  data_files:
{files}---

# Multi-label dataset

Built by auxloom {version} from {sources}. Each row is one passage with the labels of {count} tasks.{constructed}

Open it with `datasets.load_from_disk(FOLDER)`. The class names of row labels are in the features, those of token tags
in the tasks: `labelers.task.tasks(FOLDER)`. `plan.json` describes what was built, `auxloom.json` what the dataset
contains, and `auxloom verify FOLDER` checks that no file has changed.
"""

_LAYER = """\
---
configs:
- config_name: default
  data_files:
{files}---

# Layer of a multi-label dataset

Further labels of {count} tasks for the rows of the dataset two folders above: same splits, shards and rows, of which
the column `id` is repeated.{constructed}

`auxloom train` and `auxloom show` read it beside the dataset, and `auxloom merge` writes both into one folder.
"""

_CONSTRUCTED = """

The labels{which} are constructed by rules and random draws, not annotated by people. Scores on constructed labels show
whether a task can be learnt, not whether learning it helps another task."""

_TAUGHT = """

The labels of {names} are those of a trained model with its confidences, not annotated by people. Scores on them show
how well the model is imitated."""

_SECOND = """
The column `second` holds the second text of each passage, which some tasks read.
"""

_SPLITTING = """
Splits: {how}. Views: {views}.
"""

_BLOCKS = "{documents} are assigned by a hash of {group}"

_LEFT_OUT = (
    ". Unlabelled train passages of {least} tokens or more that equal a labelled one of validation or test are left out"
)

_GROUPS = {
    "": (
        "their own id or, without one, of the block of the file that they begin in (64 kB; in a small input a 64th of "
        "it), so that neighbours are in the same split"
    ),
    "file": "the file that they come from",
}


def card(plan: Plan, books: Mapping[str, Any], tasks: Sequence[Task]) -> str:
    """Return the text of README.md.

    Args:
        plan: what was built.
        books: the summed commit marks.
        tasks: of the dataset.
    """
    splits = {name: split for name, split in books["splits"].items() if split["rows"]}
    files = "".join(f"  - split: {name}\n    path: {name}/data-*.arrow\n" for name in splits)
    if plan.base:
        text = _LAYER.format(files=files, count=len(tasks), constructed=_constructed(tasks))
        return text + _tasks(splits, tasks)
    text = _HEAD.format(
        lang=plan.recipe.text.lang,
        files=files,
        version=plan.versions["auxloom"] or "(not installed)",
        sources=f"{len(plan.files):,} file{'s' if len(plan.files) > 1 else ''}",
        count=len(tasks),
        constructed=_constructed(tasks),
    )
    text += _SECOND if plan.recipe.second else ""
    return text + _splitting(plan) + _rows(splits) + _tasks(splits, tasks) + _records(books)


def _constructed(tasks: Sequence[Task]) -> str:
    """Say which labels nobody annotated; nothing where there are none of these."""
    names = [task.name for task in tasks if task.constructed]
    taught = ", ".join(task.name for task in tasks if task.taught)
    text = _TAUGHT.format(names=taught) if taught else ""
    if not names:
        return text
    return _CONSTRUCTED.format(which=f" of {', '.join(names)}" if len(names) < len(tasks) else "") + text


def _splitting(plan: Plan) -> str:
    """Say how the splits came about."""
    group = plan.recipe.split.group
    group = _GROUPS.get(group, f"the field `{group}`")
    given = bool(splits_given(plan.files))
    how = "as given in the input" if given else _BLOCKS.format(documents="documents", group=group)
    if plan.splitter.carved and plan.recipe.labels and plan.recipe.split.validation:
        how += f"; {plan.recipe.split.validation:.0%} of the labelled documents of train are validation"
    if plan.held_out and plan.recipe.dedup.held_out:
        how += _LEFT_OUT.format(least=LEAST)
    return _SPLITTING.format(how=how, views=plan.recipe.views)


def _rows(splits: Mapping[str, Any]) -> str:
    """Return a table of splits."""
    lines = [f"| {name} | {split['rows']:,} | {split['tokens']:,} |" for name, split in splits.items()]
    return "\n".join(["", "| split | rows | tokens |", "|---|---|---|", *lines, ""])


def _tasks(splits: Mapping[str, Any], tasks: Sequence[Task]) -> str:
    """Return a table of tasks with the number of labels per split."""
    head = ["", f"| task | kind | reads | {' | '.join(splits)} | paper |", "|---" * (4 + len(splits)) + "|"]
    lines = []
    for task in tasks:
        numbers = (label_count(split, task.name, task.labeler, sets=task.multi) for split in splits.values())
        counts = [f"{number:,}" for number in numbers]
        lines.append(
            f"| {task.name} | {task.kind} | {', '.join(task.sequences)} | {' | '.join(counts)} | {task.paper} |"
        )
    return "\n".join([*head, *lines, ""])


def _records(books: Mapping[str, Any]) -> str:
    """Say what became of the input records."""
    records = books["records"]
    reasons = ", ".join(f"{n:,} {reason}" for reason, n in records["rejected"].items())
    rejected = f"{sum(records['rejected'].values()):,} rejected" + (f" ({reasons})" if reasons else "")
    text = (
        f"Records: {records['read']:,} read, {records['used']:,} used, {rejected}, {records['duplicate']:,} duplicate"
    )
    text += f", {records['filtered']:,} filtered." if records.get("filtered") else "."
    return f"\n{text}\n"

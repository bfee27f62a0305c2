"""The dataset card: what a reader of the folder must know, and where Hugging Face datasets finds each split."""

from collections.abc import Mapping, Sequence
from typing import Any

from labelers.task import Task
from pipelines.plan import Plan

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

Built by auxloom {version} from {sources}. One row is one passage; beside it stand the labels of {count} tasks, made by
rule and by drawing, not by people. Scores on such labels tell whether a task can be learnt, not whether it helps.

`datasets.load_from_disk(FOLDER)` opens it with class names for row labels; names of token tags stand in the tasks
(`labelers.task.tasks(FOLDER)`). `plan.json` says what was built, `auxloom.json` what came of it, and
`auxloom verify FOLDER` checks that nothing changed since.
"""

_SPLITTING = """
Splits: {how}. {shares}
"""

_BLOCKS = """\
a document's group decides by its digest. The group is {group}, so that neighbours stay on one side"""

_GROUPS = {
    "": "the record's own id, or without one the block of text (64 kB; of a small input a 64th) that it begins in",
    "file": "the file that it stands in",
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
    text = _HEAD.format(
        lang=plan.recipe.text.lang,
        files=files,
        version=plan.versions["auxloom"] or "(not installed)",
        sources=f"{len(plan.files):,} file{'s' if len(plan.files) > 1 else ''}",
        count=len(tasks),
    )
    return text + _splitting(plan) + _rows(splits) + _tasks(splits, tasks) + _records(books)


def _splitting(plan: Plan) -> str:
    """Say how the splits came about."""
    group = plan.recipe.split.group
    how = _BLOCKS.format(group=_GROUPS.get(group, f"the field `{group}`"))
    given = [bool(file.split) for file in plan.files]
    if all(given):
        how = "as the input came"
    elif any(given):
        how = f"as the input came; of files that came in none, {how}"
    return _SPLITTING.format(how=how, shares=f"Views are {plan.recipe.views}.")


def _rows(splits: Mapping[str, Any]) -> str:
    """Return a table of splits."""
    lines = [f"| {name} | {split['rows']:,} | {split['tokens']:,} |" for name, split in splits.items()]
    return "\n".join(["", "| split | rows | tokens |", "|---|---|---|", *lines, ""])


def _tasks(splits: Mapping[str, Any], tasks: Sequence[Task]) -> str:
    """Return a table of tasks with the number of labels per split."""
    head = ["", f"| task | kind | reads | {' | '.join(splits)} | paper |", "|---" * (4 + len(splits)) + "|"]
    lines = []
    for task in tasks:
        counts = [f"{sum(split['tasks'][task.name].values()):,}" for split in splits.values()]
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
        f"Records: {records['read']:,} read, {records['used']:,} used, {rejected}, {records['duplicate']:,} duplicate."
    )
    return f"\n{text}\n"

"""The card of an exported model: what it is, what it was trained on, its scores, and the licences that are stated."""

import json
from collections.abc import Iterator, Mapping, Sequence
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from trainer.folder import RunFolder

__all__ = ["UNKNOWN", "model_card"]

UNKNOWN = "unknown"
"""What stands where nobody stated it."""

_USE = """\
```python
from transformers import pipeline

model = pipeline("{pipeline}", model="FOLDER"{more})
print(model("Some text."))
```
"""

_ENCODER = """\
```python
from transformers import AutoModel, AutoTokenizer

tokenizer, model = AutoTokenizer.from_pretrained("FOLDER"), AutoModel.from_pretrained("FOLDER")
states = model(**tokenizer("Some text.", return_tensors="pt")).last_hidden_state
```

A pooler, where the class has one, was not trained and is not part of the weights: use `last_hidden_state`.
"""

_FIRST = """
A word has the class of its first sub-word, on which alone the head was trained: `aggregation_strategy="first"`.
"""


def model_card(folder: RunFolder, facts: Mapping[str, Any], origin: Mapping[str, Any]) -> str:
    """Return the text of README.md.

    Args:
        folder: of the run.
        facts: what was exported: ``class``, ``task``, ``pipeline`` and ``classes``.
        origin: of the encoder, see `trainer.encoders.encoder.Encoder.origin`.
    """
    report = _report(folder.report)
    return "\n".join([
        *_head(facts),
        *_what(facts, origin),
        *_data(report),
        *_scores(report),
        *_licences(folder.reading().get("licences", ()), origin),
    ])  # fmt: skip


def _report(path: Path) -> Mapping[str, Any]:
    """Return the report of a run, empty where it has not ended."""
    known: Mapping[str, Any] = json.loads(path.read_bytes()) if path.exists() else {}
    return known


def _head(facts: Mapping[str, Any]) -> Iterator[str]:
    """Yield the table that the hub reads."""
    yield from ("---", "library_name: transformers")
    if facts["pipeline"]:
        yield f"pipeline_tag: {facts['pipeline']}"
    yield from ("---", "")


def _what(facts: Mapping[str, Any], origin: Mapping[str, Any]) -> Iterator[str]:
    """Yield what was exported and how it is used."""
    yield from (f"# {facts['task'] or 'Encoder'}", "")
    try:
        by = f"auxloom {version('auxloom')}"
    except PackageNotFoundError:  # run from a checkout
        by = "auxloom"
    encoder = _named(str(origin.get("encoder", ""))) or UNKNOWN
    weights = _digest(origin.get("weights"))
    yield f"`{facts['class']}`, trained with {by} from the encoder {encoder} (weights {weights})."
    if facts["task"]:
        more = ', aggregation_strategy="first"' if facts["pipeline"].startswith("token") else ""
        yield from ("", _USE.format(pipeline=facts["pipeline"], more=more) + (_FIRST if more else ""))
        yield f"Classes: {', '.join(facts['classes'])}."
    else:
        yield from ("", _ENCODER.rstrip())


def _named(place: str) -> str:
    """Return what an encoder or a dataset is called, without the folders above it."""
    return place if place.startswith("hub:") else Path(place).name


def _digest(value: Any) -> str:
    """Return the first digits of a digest."""
    return str(value)[:16] if value else UNKNOWN


def _data(report: Mapping[str, Any]) -> Iterator[str]:
    """Yield the dataset, its rows, and the labels of each task that was trained."""
    dataset: Mapping[str, Any] = report.get("dataset", {})
    yield from ("", "## Data", "")
    if not dataset:
        yield "The run is not finished, so there is no report of its data."
        return
    rows = ", ".join(f"{count:,} {split}" for split, count in dataset.get("rows", {}).items()) or UNKNOWN
    yield f"Dataset `{_named(dataset['path'])}` (digest {dataset['digest']}); rows: {rows}."
    yield from ("", "| task | kind | labels | train | held out |", "|---|---|---|---|---|")
    for entry in report["tasks"]:
        made = "constructed" if entry["constructed"] else "given"
        counts = f"{entry['labels']['train']:,} | {entry['labels']['held_out']:,}"
        yield f"| {entry['name']} | {entry['kind']} | {made} | {counts} |"


def _scores(report: Mapping[str, Any]) -> Iterator[str]:
    """Yield the scores of all tasks beside their best baselines."""
    scored: Sequence[Mapping[str, Any]] = [entry for entry in report.get("tasks", ()) if entry["score"]]
    if not scored:
        return
    yield from ("", f"## Scores on the {report['split']} split", "")
    yield from ("| task | metric | score, 95 % interval | best baseline |", "|---|---|---|---|")
    for entry in scored:
        score, base = entry["score"], entry["baselines"][0]
        interval = " [{:.3f}, {:.3f}]".format(*score["interval"]) if score["interval"] else ""
        value = f"{_number(score['value'])}{interval}"
        yield f"| {entry['name']} | {entry['metric']} | {value} | {_number(base['value'])} {base['name']} |"
    if report["note"]:
        yield from ("", report["note"])


def _number(value: float | None) -> str:
    """Return a score as it is written."""
    return UNKNOWN if value is None else f"{value:.3f}"


def _licences(licences: Sequence[str], origin: Mapping[str, Any]) -> Iterator[str]:
    """Yield what is stated of licences."""
    yield from ("", "## Licences", "")
    given = [licence or UNKNOWN for licence in licences] or [UNKNOWN]
    yield f"- of the text and labels in the input: {', '.join(dict.fromkeys(given))}"
    yield f"- of the encoder: {origin.get('licence') or UNKNOWN}"
    yield ""

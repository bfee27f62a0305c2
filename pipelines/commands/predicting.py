"""A model on whatever input: texts are read as builds read them, and what it says is printed as it comes."""

import sys
from collections.abc import Iterable, Iterator, Sequence
from itertools import islice
from typing import IO, TYPE_CHECKING

from rich.text import Text

from labelers.text.document import FILTERED, Document, Reject
from pipelines.input.find import find_files
from pipelines.input.parse import Parser
from pipelines.input.records import InputFile
from pipelines.input.units import make_units, read_unit
from pipelines.recipes.recipe_tables import InputTable

if TYPE_CHECKING:
    from trainer.predict import LabelledTurn, Prediction, Predictor, TaskPrediction

__all__ = ["marked", "predictions", "read_documents", "read_lines"]

_BATCH = 256  # documents that are predicted at a time
_CHARACTERS = 500_000  # of them, at the most
_SHOWN = 3  # probabilities of classes that are printed


def read_documents(table: InputTable) -> Iterator[Document | Reject]:
    """Yield the records of input files."""
    files, _ = find_files([table])
    for unit in make_units(files, 0, [table]):
        yield from read_unit(unit, files, [table])


def read_lines(stream: IO[bytes], table: InputTable) -> Iterator[Document | Reject]:
    """Yield a document for each line of a stream of plain text, or of objects where it begins with one."""
    parser, place = Parser(InputFile("-", "-", "txt", 0, ""), table), 0
    for line in stream:
        text = line.rstrip(b"\r\n")
        if text.strip():
            if len(text) > table.max_record_bytes:
                yield parser.reject(place, "too_long", text)
            elif text.startswith(b"{"):
                yield parser.line(place, place, text)
            else:
                yield parser.text(place, place, text.decode(table.encoding, "replace"))
        place += len(line)


def predictions(
    predictor: "Predictor", records: Iterable[Document | Reject], tasks: Sequence[str]
) -> "Iterator[Prediction | Reject]":
    """Yield what a model says about each document, in batches that fit into memory; rejects are passed on."""
    batch: list[Document] = []
    characters = 0
    for record in records:
        if isinstance(record, Reject):
            if record.reason != FILTERED:
                yield record
            continue
        batch.append(record)
        characters += len(record.text) + sum(map(len, record.tokens or ()))
        if len(batch) >= _BATCH or characters >= _CHARACTERS:
            yield from predictor.predict_documents(batch, tasks=tasks)
            batch, characters = [], 0
    if batch:
        yield from predictor.predict_documents(batch, tasks=tasks)


def marked(prediction: "Prediction") -> Iterator[Text]:
    """Yield lines that show a prediction: a line for each task, with what it marks in the text."""
    from pipelines.display.sheet import spelt_out

    yield Text(spelt_out(prediction.id), "bold")
    for name, predicted in prediction.tasks.items():
        line = Text("  ").append(f"{name}  ", "cyan")
        if predicted.turns is not None:
            yield line
            yield from _of_turns(prediction.text, predicted.turns)
            continue
        line.append_text(
            _of_tokens(prediction, predicted)
            if predicted.tags or predicted.heads or predicted.values
            else _of_all(predicted)
        )
        yield line


def _of_turns(text: str, turns: "Sequence[LabelledTurn]") -> Iterator[Text]:
    """Yield a line for each turn: who speaks, what, and its label."""
    for turn in turns:
        words = " ".join(text[turn.start : turn.end].split())
        line = Text("    ").append(f"{turn.role}: ", "bold").append(words)
        yield line.append(f"  {turn.label}", "magenta").append(f"  {turn.score:.2f}", "dim") if turn.label else line


def _of_all(predicted: "TaskPrediction") -> Text:
    """Return what is said of a whole text."""
    if predicted.value is not None:
        return Text(f"{predicted.value:g}")
    chances = sorted((predicted.probabilities or {}).items(), key=lambda item: -item[1])
    shown = ", ".join(f"{name} {chance:.2f}" for name, chance in islice(chances, _SHOWN))
    return Text(
        ", ".join(predicted.labels) or "none" if predicted.labels is not None else predicted.label or ""
    ).append(f"  ({shown})", "dim")


def _of_tokens(prediction: "Prediction", predicted: "TaskPrediction") -> Text:
    """Return the text with its spans in brackets, or each token with its tag."""
    text, line, place = prediction.text, Text(), 0
    if predicted.spans is not None:
        for span in predicted.spans:
            line.append(text[place : span.start])
            line.append(f"[{text[span.start : span.end]}]", "bold magenta").append(f"{span.label}", "magenta")
            place = span.end
        return line.append(text[place:])
    marks = predicted.tags or predicted.values or [f"{head}" for head in predicted.heads or ()]
    if len(marks) != len(prediction.tokens):
        return Text(" ".join(map(str, marks)))
    for token, mark in zip(prediction.tokens, marks, strict=True):
        line.append(f"{token.text}")
        if mark != "O":
            line.append(f"/{mark}", "magenta")
        line.append(" ")
    return line


def stdin() -> IO[bytes]:
    """Return the standard input, as bytes."""
    return sys.stdin.buffer

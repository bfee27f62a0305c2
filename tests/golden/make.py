"""Rewrite the golden rows: what each labeler makes of the tests' corpus, one readable JSON line per labelled row.

Usage: make golden (then read the diff: it is the review of a change of labels)
"""

import json
import sys
from pathlib import Path

FOLDER = Path(__file__).parent
sys.path[:0] = [str(FOLDER.parent), str(FOLDER.parents[1])]

from contract import joint, own, rows  # noqa: E402
from corpus import findings, sample  # noqa: E402

from labelers.finding import load, names  # noqa: E402
from labelers.vocabulary import Vocabulary  # noqa: E402

__all__ = ["golden"]


def golden() -> dict[str, str]:
    """Return the text of each golden file, by its name."""
    return {f"{name}.jsonl": _separate(name) for name in names()} | {"woven.jsonl": _woven()}


def _separate(name: str) -> str:
    """Return the rows of one labeler over its own view: sentences first, dialogues behind them."""
    made = []
    for dialogues in (False, True):
        vocabulary = Vocabulary()
        made += rows(own(load(name), sample(vocabulary, dialogues=dialogues), findings(vocabulary)))
    return _lines(made)


def _woven() -> str:
    """Return the woven tokens of each row, with what every labeler says of them."""
    vocabulary = Vocabulary()
    outcomes = joint([load(name) for name in names()], sample(vocabulary), findings(vocabulary))
    labels = [rows(outcome) for outcome in outcomes]
    made = []
    for number in range(len(labels[0])):
        row = {key: labels[0][number][key] for key in ("tokens", "origin")}
        for outcome, own_rows in zip(outcomes, labels, strict=True):
            row[outcome.labeler.name] = {k: v for k, v in own_rows[number].items() if k not in row}
        made.append(row)
    return _lines(made)


def _lines(made: list[dict]) -> str:
    """Return rows as JSON lines, tokens as one string."""
    shown = [row | {"tokens": " ".join(row["tokens"])} for row in made]
    return "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in shown)


if __name__ == "__main__":
    for name, text in golden().items():
        (FOLDER / name).write_text(text, encoding="utf-8")

"""A trained model on texts that nobody prepared: places, windows, tasks that cannot be asked, and the command."""

import io
import json
import random
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from command import run

from labelers.text.document import Document, Turn
from pipelines.build import build
from pipelines.commands.predicting import marked, predictions, read_lines
from pipelines.recipes.recipe import make_recipe
from pipelines.recipes.recipe_tables import InputTable
from trainer.apply import predict as predict_dataset
from trainer.data.dataset import Dataset
from trainer.loop import train
from trainer.predict import Predictor, Token, load

pytestmark = pytest.mark.usefixtures("quick_probes")

SETTINGS = {
    "max_steps": 50,
    "rows": 16,
    "bucket": 16,
    "threads": 1,
    "model": {"vocabulary": 320, "max_pieces": 64},
}
NAMES = ("Harbour", "Old Mill", "Green Bridge")


def _records() -> list[dict[str, Any]]:
    """Return dialogues and sentences with names of places."""
    draw, records = random.Random(3), []
    for i in range(240):
        place = draw.choice(NAMES).split()
        tokens = ["We", "went", "to", "the", *place, draw.choice(["today", "again", "early"]), "."]
        tags = ["O"] * 4 + ["B-place", *["I-place"] * (len(place) - 1)] + ["O", "O"]
        records.append({"tokens": tokens, "ner": tags, "mood": ("bad", "good")[place[0] == "Harbour"], "id": f"s{i}"})
    for record in records:
        record["other"] = record["tokens"] if draw.random() < 0.5 else "We stayed."
    asks = {"role": "A", "text": "Where is it?", "act": "ask"}
    tells = {"role": "B", "text": "Over there.", "act": "tell"}
    records += [{"turns": [asks, tells] * 2, "id": f"d{i}", "other": "Nowhere."} for i in range(40)]
    return [record | {"same": "yes" if record["other"] == record.get("tokens") else "no"} for record in records]


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """A dataset with labels of people and constructed ones, and a run on it."""
    root = tmp_path_factory.mktemp("predict")
    (root / "in.jsonl").write_text("".join(json.dumps(record) + "\n" for record in _records()))
    labels: dict[str, Any] = {"ner": {}, "mood": {"kind": "passage"}, "act": {"kind": "turn", "column": "turns.act"}}
    labels["same"] = {"kind": "pair"}
    recipe = {
        "out": str(root / "set"),
        "with": ["masking", "disfluency"],
        "split": {"validation": 0.1, "test": 0.1},
        "input": {"files": [str(root / "in.jsonl")], "second": "other"},
        "labels": labels,
    }
    build(make_recipe(recipe))
    train(root / "set", root / "run", SETTINGS)
    return root / "set", root / "run"


@pytest.fixture(scope="module")
def predictor(model: tuple[Path, Path]) -> Predictor:
    """The model of the run."""
    return load(model[1])


def test_places_are_those_in_the_text_of_the_caller(predictor: Predictor) -> None:
    """Whatever white space and control characters stand between and before tokens."""
    text = "\ufeff  We went\x00 to\tthe\n\nOld  Mill again."
    (found,) = predictor.predict([text])
    assert (found.text, found.windows) == (text, 1)
    assert [text[token.start : token.end].replace("\x00", "") for token in found.tokens] == [
        token.text for token in found.tokens
    ]
    assert [token.text for token in found.tokens] == ["We", "went", "to", "the", "Old", "Mill", "again", "."]


def test_a_model_says_of_a_text_what_it_says_of_the_row(model: tuple[Path, Path], predictor: Predictor) -> None:
    """The same tags, classes and turns as on the dataset, whatever other texts are asked about beside it."""
    split = Dataset.open(model[0]).splits["test"]
    rows = split.table.to_pylist()
    documents = [
        Document(str(i), tokens=tuple(row["tokens"]), segments=tuple(row["segments"]))
        for i, row in enumerate(rows)
        if not row["turns"]
    ]
    found = {int(item.id): item.tasks for item in predictor.predict_documents(documents)}
    for made in predict_dataset(model[1], model[0]):
        name = made.task.name
        if name not in ("ner", "mood"):
            continue
        for row in np.unique(made.rows):
            wanted = [made.task.classes[i] for i in made.predicted[made.rows == row]]
            told = found[int(row)][name]
            assert (told.tags or [told.label]) == wanted


def test_a_model_finds_what_it_learnt(predictor: Predictor) -> None:
    """Spans with their places and scores, a class with its probabilities."""
    (found,) = predictor.predict(["We went to the Old Mill today."], tasks=["ner", "mood"])
    assert list(found.tasks) == ["ner", "mood"]
    (span,) = found.tasks["ner"].spans or []
    assert (span.start, span.end, span.label) == (15, 23, "place")
    assert 0.3 < span.score <= 1
    mood = found.tasks["mood"]
    assert mood.label == max(mood.probabilities or {}, key=(mood.probabilities or {}).__getitem__)
    assert sum((mood.probabilities or {}).values()) == pytest.approx(1, abs=1e-3)


def test_turns_are_told_in_a_dialogue(predictor: Predictor) -> None:
    """Places count in all turns, joined by line breaks."""
    turns = (Turn("A", "Where is it?"), Turn("B", " "), Turn("B", "Over there."))
    (found,) = predictor.predict_documents([Document("d", turns=turns)])
    assert [turn.label for turn in found.tasks["act"].turns or []] == ["ask", None, "tell"]
    assert found.tokens[4] == Token("Over", 15, 19)
    assert found.text[15:19] == "Over"
    told = found.to_json()
    assert told["turns"][2] == {"role": "B", "start": 15, "end": 26}
    assert {"role": "B", "start": 13, "end": 14, "label": None, "score": None} in told["tasks"]["act"]["turns"]
    assert [line.plain for line in marked(found)][1:4] == [
        "  act  ", f"    A: Where is it?  ask  {told['tasks']['act']['turns'][0]['score']:.2f}", "    B: ",
    ]  # fmt: skip


def test_a_long_dialogue_has_one_label_for_each_turn(predictor: Predictor) -> None:
    """However many rows and windows a turn is read in; the label is that of its beginning."""
    long = " ".join("Where is it?" for _ in range(60))
    turns = (Turn("A", "Where is it?"), Turn("B", long), Turn("A", "x" * 900), Turn("B", "Over there."))
    (found,) = predictor.predict_documents([Document("d", turns=turns)], tasks=["act"])
    assert found.windows > 2
    told = found.tasks["act"].turns or []
    assert [(turn.role, found.text[turn.start : turn.end]) for turn in told] == [
        (turn.role, turn.text) for turn in turns
    ]
    assert all(turn.label in ("ask", "tell") and 0 < (turn.score or 0) <= 1 for turn in told)


@pytest.mark.parametrize("text", ["We went to the Old Mill today. " * 60, "word " * 3000, "x" * 5000, "é" * 400 + " a"])
def test_a_long_text_is_read_in_windows(predictor: Predictor, text: str) -> None:
    """Every token has a tag, and none is lost at a border."""
    (found,) = predictor.predict([text])
    assert "".join(token.text for token in found.tokens) == text.replace(" ", "")
    assert len(found.tasks["ner"].tags or []) == len(found.tokens)
    assert found.windows > 1 or len(found.tokens) == 1 or len(text) < 500
    assert found.tasks["mood"].label in ("bad", "good")


def test_texts_without_a_word_have_no_labels(predictor: Predictor) -> None:
    """They are told of, too, and the texts beside them keep their places."""
    texts = ["", " \n\x00", "We went to the Harbour again."]
    found = predictor.predict(texts)
    assert [item.text for item in found] == texts
    assert [len(item.tokens) for item in found] == [0, 0, 7]
    assert [bool(item.tasks) for item in found] == [False, False, True]
    assert predictor.predict([]) == []


def test_tasks_that_cannot_be_asked_are_named(predictor: Predictor) -> None:
    """They hide words or need a second text; a task that there is not is an error."""
    predictor.predict(["We went."])
    assert {"masking.word", "disfluency.pair"} & set(predictor.left_out)
    with pytest.raises(ValueError, match="has no task 'nerr'; it has act, mood, ner"):
        predictor.predict(["We went."], tasks=["nerr"])


def test_a_second_text_is_read_beside_the_first(predictor: Predictor) -> None:
    """Tasks over two texts can be told then."""
    (found,) = predictor.predict(["We went to the mill.", "We left."], second=["We went to a mill.", "We stayed."])[:1]
    assert found.tasks["same"].label in ("no", "yes")
    assert "same" not in predictor.left_out
    assert "same" not in predictor.predict(["We went to the mill."])[0].tasks
    assert "same" in predictor.left_out


def test_the_command_prints_a_line_for_each_text(
    model: tuple[Path, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """JSON lines where nobody watches; what cannot be read is told on standard error."""
    file = tmp_path / "in.jsonl"
    file.write_text('{"text": "We went to the Harbour again.", "id": "a"}\n{"text": 3}\n')
    assert run(monkeypatch, "predict", model[1], file, "--task", "ner") == 0
    told = capsys.readouterr()
    (line,) = told.out.splitlines()
    found = json.loads(line)
    assert (found["id"], list(found["tasks"]), len(found["tokens"])) == ("a", ["ner"], 7)
    assert "in.jsonl:53 cannot be used: wrong_type" in told.err
    assert run(monkeypatch, "predict", model[1], "--text", "Over there.") == 0
    told = capsys.readouterr()
    assert json.loads(told.out)["text"] == "Over there."
    assert "skipped because plain text has no masked words, spans or second text: " in told.err
    assert run(monkeypatch, "predict", model[1]) == 2
    assert "give INPUT or --text" in capsys.readouterr().err


def test_lines_of_a_stream_are_texts_or_objects(predictor: Predictor) -> None:
    """Blank ones are none; the place of each is its byte."""
    stream = io.BytesIO(b'We went.\r\n\n{"tokens": ["Over", "there"]}\n{"text": ""}\n')
    found = list(predictions(predictor, read_lines(stream, InputTable()), []))
    assert [getattr(item, "reason", "") for item in found] == ["empty", "", ""]
    assert [item.id for item in found[1:]] == ["-:0", "-:11"]


def test_input_that_cannot_be_read_is_told_line_by_line(
    model: tuple[Path, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """No text, a line of more than a megabyte, bytes that are no text; control characters are text like any."""
    file = tmp_path / "in.jsonl"
    lines = [
        b'{"text": ""}',
        b'{"text": "' + b"word " * 220_000 + b'"}',
        b'{"text": "We\\u0000 \\u0007went."}',
        b"\xff\xfe",
    ]
    file.write_bytes(b"\n".join(lines))
    assert run(monkeypatch, "predict", model[1], file, "--task", "mood") == 0
    told = capsys.readouterr()
    (found,) = [json.loads(line) for line in told.out.splitlines()]
    assert found["text"] == "We\x00 \x07went."
    assert [found["text"][token["start"] : token["end"]] for token in found["tokens"]][-2:] == ["went", "."]
    reasons = [line.partition("cannot be used: ")[2].partition(";")[0] for line in told.err.splitlines()]
    assert [reason for reason in reasons if reason] == ["empty", "too_long", "undecodable"]


def test_a_line_of_more_than_a_record_may_be_is_refused(predictor: Predictor) -> None:
    """From a stream as from a file; the next one is read."""
    stream = io.BytesIO(b"word " * 220_000 + b"\nWe went to the Old Mill today.\n")
    reject, found = predictions(predictor, read_lines(stream, InputTable()), ["mood"])
    assert (getattr(reject, "reason", ""), len(getattr(found, "tokens", ()))) == ("too_long", 8)


def test_rows_of_another_dataset_are_texts_like_others(
    model: tuple[Path, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Whatever tasks it has."""
    (tmp_path / "in.txt").write_text("We went to the Harbour again.\nWe stayed at home today.\n")
    recipe = {"out": str(tmp_path / "set"), "with": ["masking"], "input": {"files": [str(tmp_path / "in.txt")]}}
    build(make_recipe(recipe))
    assert run(monkeypatch, "predict", model[1], tmp_path / "set", "--task", "ner") == 0
    found = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert sorted(len(item["tokens"]) for item in found) == [6, 7]
    assert all(list(item["tasks"]) == ["ner"] for item in found)
    assert run(monkeypatch, "predict", model[1], "--text", "") == 0
    assert json.loads(capsys.readouterr().out)["tokens"] == []


def test_files_with_two_texts_are_scored_as_the_run_read_them(
    model: tuple[Path, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """The field of the second text is that of the run; files without it are scored for other tasks."""
    pairs = [record for record in _records() if "tokens" in record][:20]
    (tmp_path / "pairs.jsonl").write_text("".join(json.dumps(record) + "\n" for record in pairs))
    assert run(monkeypatch, "evaluate", model[1], tmp_path / "pairs.jsonl", "--json") == 0
    report = json.loads(capsys.readouterr().out)
    assert {entry["name"]: entry["labels"]["held_out"] for entry in report["tasks"]}["same"] == 20
    plain = [{key: value for key, value in record.items() if key not in ("other", "same")} for record in pairs]
    (tmp_path / "plain.jsonl").write_text("".join(json.dumps(record) + "\n" for record in plain))
    assert run(monkeypatch, "evaluate", model[1], tmp_path / "plain.jsonl", "--json") == 0
    report = json.loads(capsys.readouterr().out)
    assert {entry["name"] for entry in report["tasks"]} == {"ner", "mood"}


def test_layers_are_chosen_for_an_evaluation(
    model: tuple[Path, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """As for a training."""
    data = shutil.copytree(model[0], tmp_path / "set")
    for name in ("layer", "more"):
        (data / "layers" / name).mkdir(parents=True)
        (data / "layers" / name / "plan.json").write_text("{}")
    assert run(monkeypatch, "evaluate", model[1], data) == 2
    assert "the layer layer of" in capsys.readouterr().err
    assert run(monkeypatch, "evaluate", model[1], data, "--layers", "mor") == 2
    assert "has no layer 'mor'; it has layer, more" in capsys.readouterr().err
    assert run(monkeypatch, "evaluate", model[1], data, "--no-layers", "--task", "mood") == 0
    assert "mood" in capsys.readouterr().out
    assert run(monkeypatch, "evaluate", model[1], tmp_path / "x.jsonl", "--layers", "more") == 2
    assert "--layers requires a dataset" in capsys.readouterr().err


def test_a_terminal_shows_text_with_its_marks(predictor: Predictor) -> None:
    """Spans in brackets, a class with what else was likely."""
    (found,) = predictor.predict(["We went to the Old Mill today."])
    lines = [line.plain.strip() for line in marked(found)]
    assert "ner  We went to the [Old Mill]place today." in lines
    assert any(line.startswith("mood  ") and "(" in line for line in lines)

"""A run as a folder of transformers: equal scores in each family, what cannot be written, and the card."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

pytest.importorskip("transformers", reason="the extra `hf` is not installed")

from command import run as command
from gold_dataset import ACT, NER, TOPIC, write_gold
from object_store import store_of
from tiny_encoders import write_encoder
from transformers import AutoModel, AutoModelForSequenceClassification, AutoModelForTokenClassification, pipeline
from transformers.utils import logging

from trainer.apply import load_model
from trainer.data.batch import TaskSlice, collate
from trainer.data.cache import encode_with
from trainer.data.dataset import Dataset
from trainer.data.subwords import Subwords
from trainer.encoders.encoder import find_encoder
from trainer.encoders.pretrained_source import FAMILIES, licence_of
from trainer.export.exporting import export
from trainer.export.model_card import model_card
from trainer.folder import RunFolder
from trainer.loop import train
from trainer.run_report import facts

pytestmark = pytest.mark.usefixtures("quick_probes")

QUICK: dict[str, Any] = {
    "rows": 8, "bucket": 8, "window": 2, "epochs": 1, "steps_per_epoch": 2, "threads": 1, "device": "cpu",
    "evaluate_rows": 4, "learning_rate": 0.05, "primary": "none",
}  # fmt: skip
Runs = Callable[[str], Path]


@pytest.fixture(autouse=True, scope="module")
def _quiet() -> Any:
    """Show no bar and no note of transformers."""
    level = logging.get_verbosity()
    logging.set_verbosity_error()
    logging.disable_progress_bar()
    yield
    logging.set_verbosity(level)
    logging.enable_progress_bar()


@pytest.fixture(scope="module")
def dataset(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """16 rows with tags of people, a class, and turns."""
    splits = {"train": range(16), "validation": range(16, 20)}
    return write_gold(tmp_path_factory.mktemp("export") / "set", (NER, TOPIC, ACT), splits)


@pytest.fixture(scope="module")
def runs(dataset: Path, tmp_path_factory: pytest.TempPathFactory) -> Runs:
    """Gives a run with plain heads over a tiny encoder of a family, made when it is first asked for."""
    root, made = tmp_path_factory.mktemp("runs"), dict[str, Path]()

    def give(family: str) -> Path:
        if family not in made:
            source = write_encoder(root / f"{family}-tiny", family)
            (source / "README.md").write_text("---\nlanguage: en\nlicense: apache-2.0\n---\nlicense: mit\n")
            made[family] = root / family
            with pytest.MonkeyPatch.context() as patch:
                patch.setattr("trainer.loop.finish", lambda run, *_: facts(run, 0.0))
                train(dataset, made[family], {**QUICK, "model": {"encoder": str(source), "heads": "plain"}})
        return made[family]

    return give


def difference(run: Path, dataset: Path, task: str, exported: Any) -> float:
    """Return by how much the scores of a run and of an exported model differ at most, on all validation rows."""
    model, data = load_model(run), Dataset.open(dataset)
    settings, (found,) = model.settings, [item for item in data.tasks if item.name == task]
    encoded = encode_with(data, [found], RunFolder(run).learnt, find_encoder(settings.model.encoder), settings)
    rows = torch.arange(len(encoded.splits["validation"].targets[task])).numpy()
    batch = collate(encoded, "validation", [[TaskSlice(found, rows)]])
    (bucket,), items = batch.buckets, batch.items[task]
    mask = (torch.arange(bucket.pieces.shape[1]) < bucket.lengths[:, None]).long()
    with torch.no_grad():
        own, other = model(batch)[task], exported.eval()(input_ids=bucket.pieces, attention_mask=mask).logits
    other = other.flatten(0, 1)[items.spans[:, 0]] if task == "ner" else other[torch.from_numpy(items.row)]
    assert own.shape == other.shape
    assert own.std() > 0.01
    return float((own - other).abs().max())


@pytest.mark.parametrize("family", FAMILIES)
def test_an_exported_head_scores_as_the_run_does(runs: Runs, dataset: Path, tmp_path: Path, family: str) -> None:
    """Tags and classes, on equal sub-words, and by a pipeline that needs nothing but the folder."""
    for task, kind in (("ner", AutoModelForTokenClassification), ("subject", AutoModelForSequenceClassification)):
        facts = export(runs(family), tmp_path / task, task)
        made = kind.from_pretrained(tmp_path / task)
        assert difference(runs(family), dataset, task, made) < 1e-5
        assert facts["class"] == type(made).__name__
        assert list(made.config.id2label.values()) == facts["classes"]
        assert {name: number for number, name in made.config.id2label.items()} == made.config.label2id
    tag = pipeline("token-classification", model=str(tmp_path / "ner"), ignore_labels=[])
    assert {item["entity"] for item in tag("The mill needs wheat.")} <= set(NER.classes)
    (found,) = pipeline("text-classification", model=str(tmp_path / "subject"))("The mill needs wheat.")
    assert found["label"] in TOPIC.classes


@pytest.mark.parametrize("family", ["bert", "xlm-roberta"])
def test_an_encoder_alone_has_the_states_of_the_run(runs: Runs, tmp_path: Path, family: str) -> None:
    """Its sub-words as well: those of the tokenizer that it was trained with."""
    from transformers import AutoTokenizer

    assert export(runs(family), tmp_path / "out")["task"] == ""
    texts = ["The mill needs wheat.", "Bread!"]
    spelled = Subwords.load(RunFolder(runs(family)).learnt)
    inputs = AutoTokenizer.from_pretrained(tmp_path / "out")(texts, padding=True)
    words = spelled.encode(["The", "mill"]).values.tolist()
    assert inputs["input_ids"][0][: len(words) + 1] == [spelled.frame.cls, *words]
    inputs = {name: torch.tensor(value) for name, value in inputs.items()}
    own = load_model(runs(family)).encoder.model.eval()  # type: ignore[union-attr]
    with torch.no_grad():
        expected = own(**inputs).last_hidden_state
        found = AutoModel.from_pretrained(tmp_path / "out").eval()(**inputs).last_hidden_state
    assert torch.allclose(found, expected, atol=1e-6)
    assert json.loads((tmp_path / "out/config.json").read_text())["vocab_size"] == len(
        own.get_input_embeddings().weight
    )


def test_an_export_is_the_same_each_time_and_leaves_other_files_alone(runs: Runs, tmp_path: Path) -> None:
    """Byte by byte; no path of the machine stands in it."""
    for name in ("a", "b"):
        export(runs("bert"), tmp_path / name, "ner")
    files = sorted(path.name for path in (tmp_path / "a").iterdir())
    assert files == ["README.md", "config.json", "model.safetensors", "tokenizer.json", "tokenizer_config.json"]
    assert len({path.stat().st_mode for path in (tmp_path / "a").iterdir()}) == 1
    for name in files:
        content = (tmp_path / "a" / name).read_bytes()
        assert content == (tmp_path / "b" / name).read_bytes()
        assert str(tmp_path.parent).encode() not in content
    with pytest.raises(ValueError, match="already contains files; give another folder"):
        export(runs("bert"), tmp_path / "a", "ner")


def test_run_and_export_may_lie_in_a_store(
    runs: Runs, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """With the files of one on a disk; where there are files, none is written."""
    export(runs("bert"), tmp_path / "out", "ner")
    with store_of(monkeypatch) as store:
        paths = [path for path in runs("bert").rglob("*") if path.is_file()]
        store.objects |= {f"run/{path.relative_to(runs('bert')).as_posix()}": path.read_bytes() for path in paths}
        words = ("export", store.uri("run"), "--task", "ner", "--out", store.uri("out"))
        assert command(monkeypatch, *words) == 0
        assert "use it: copy it to a folder of this machine" in capsys.readouterr().out
        found = {name: data for name, data in store.objects.items() if name.startswith("out/") and name != "out/"}
        assert found == {f"out/{path.name}": path.read_bytes() for path in (tmp_path / "out").iterdir()}
        assert command(monkeypatch, *words) == 2
        assert "already contains files; give another folder with --out" in capsys.readouterr().err


def test_what_no_class_of_transformers_has_is_refused(runs: Runs, dataset: Path, tmp_path: Path) -> None:
    """With the setting that would help; nothing is written."""
    with pytest.raises(ValueError, match=r"has no task 'nerr'; it has ner, subject, act"):
        export(runs("bert"), tmp_path / "out", "nerr")
    with pytest.raises(
        ValueError, match=r"act is of kind 'turn'; .* token and passage \(here ner, subject\); leave out"
    ):
        export(runs("bert"), tmp_path / "out", "act")
    mixed = {**QUICK, "model": {"init": str(runs("bert")), "heads": "mixed"}}
    train(dataset, tmp_path / "mixed", mixed, stop_after=1)
    with pytest.raises(ValueError, match=r"reads all layers, .*; train with --set model.heads=plain"):
        export(tmp_path / "mixed", tmp_path / "out", "ner")
    assert export(tmp_path / "mixed", tmp_path / "encoder")["class"] == "BertModel"
    scratch = {**QUICK, "model": {"vocabulary": 320, "heads": "plain", "features": False}}
    train(dataset, tmp_path / "scratch", scratch, stop_after=1)
    with pytest.raises(ValueError, match=r"'tiny', which transformers does not know; .* --set model.encoder=./FOLDER"):
        export(tmp_path / "scratch", tmp_path / "out", "ner")
    assert not (tmp_path / "out").exists()


def test_the_card_says_what_is_known_and_guesses_nothing(runs: Runs, tmp_path: Path) -> None:
    """Licences are those that were stated."""
    folder = RunFolder(tmp_path)
    facts = {"class": "C", "task": "ner", "pipeline": "token-classification", "classes": ["O", "B-x"]}
    text = model_card(folder, facts, {})
    assert "- of the text and labels in the input: unknown\n- of the encoder: unknown" in text
    assert "no report of its data" in text
    folder.readings.write_text(json.dumps({"licences": ["CC-BY-4.0", "", "CC-BY-4.0"]}))
    score = {"value": 0.5, "interval": [0.4, 0.61], "labels": 7, "documents": 7}
    entry = {
        "name": "ner", "kind": "token", "constructed": False, "labels": {"train": 1234, "held_out": 7},
        "metric": "span_f1", "score": score, "baselines": [{"name": "word form", **score}],
    }  # fmt: skip
    report = {"path": "/somewhere/data", "digest": "ab", "rows": {"train": 2000}}
    folder.report.write_text(json.dumps({"dataset": report, "tasks": [entry], "split": "test", "note": "Note."}))
    text = model_card(folder, facts, {"encoder": "./minilm", "licence": "mit", "weights": "0" * 64})
    assert "input: CC-BY-4.0, unknown\n- of the encoder: mit" in text
    assert "Dataset `data` (digest ab); rows: 2,000 train." in text
    assert "| ner | token | given | 1,234 | 7 |" in text
    assert "| ner | span_f1 | 0.500 [0.400, 0.610] | 0.500 word form |" in text
    assert "from the encoder minilm (weights 0000000000000000)" in text
    assert json.loads((runs("bert") / "learnt/origin.json").read_text())["licence"] == "apache-2.0"


def test_the_licence_of_an_encoder_is_read_where_it_is_stated(tmp_path: Path) -> None:
    """In the head of its card, or in its configuration."""
    (tmp_path / "config.json").write_text("{}")
    assert licence_of(tmp_path) == ""
    (tmp_path / "config.json").write_text('{"license": "mit"}')
    assert licence_of(tmp_path) == "mit"
    (tmp_path / "README.md").write_text("---\nlicense:\n- cc-by-4.0\n---\n")
    assert licence_of(tmp_path) == "cc-by-4.0"


def test_the_command_says_how_to_use_it(
    runs: Runs, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """In two lines, or as JSON."""
    assert command(monkeypatch, "export", runs("bert"), "--task", "subject", "--out", tmp_path / "a") == 0
    assert "transformers.pipeline('text-classification', model=" in capsys.readouterr().out.replace("\n", " ")
    assert command(monkeypatch, "export", runs("bert"), "--out", tmp_path / "b") == 0
    assert "BertModel, the encoder alone" in capsys.readouterr().out
    assert command(monkeypatch, "export", runs("bert"), "--out", tmp_path / "c", "--json") == 0
    assert json.loads(capsys.readouterr().out)["class"] == "BertModel"

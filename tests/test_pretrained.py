"""Pretrained encoders of all families, tiny and with drawn weights: what they read, learn, keep and hand on."""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
import torch

pytest.importorskip("transformers", reason="the extra `hf` is not installed")

import tokenizers
from gold_dataset import PLAIN_TASKS
from tiny_dataset import TASKS, write_dataset
from tiny_encoders import FAMILIES, SENTENCES, write_encoder

from trainer.apply import load_model
from trainer.checkpoint import load
from trainer.data.batch import Bucket
from trainer.data.dataset import Dataset, Split, Types
from trainer.data.inputs import Inputs, PartEncoder
from trainer.data.spelling import Layout, PieceTable
from trainer.data.subwords import Frame, Subwords
from trainer.encoders import pretrained
from trainer.encoders.encoder import find_encoder
from trainer.encoders.pretrained import PretrainedEncoder
from trainer.folder import RunFolder
from trainer.loop import train
from trainer.model.model import Model
from trainer.run_report import facts
from trainer.schedule.groups import parameter_groups
from trainer.settings import Settings, make_settings

pytestmark = pytest.mark.usefixtures("quick_probes")

QUICK: dict[str, Any] = {
    "rows": 8, "bucket": 4, "window": 4, "epochs": 2, "steps_per_epoch": 2, "log_every": 1,
    "threads": 1, "device": "cpu", "evaluate_rows": 8,
}  # fmt: skip
FILES = ("last.safetensors", "best.safetensors", "metrics.jsonl", "run.json")
Source = Callable[[str], Path]


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Source:
    """Gives the folder of a tiny encoder of a family, written when it is first asked for."""
    root, made = tmp_path_factory.mktemp("encoders"), dict[str, Path]()

    def give(family: str) -> Path:
        if family not in made:
            made[family] = write_encoder(root / family, family)
        return made[family]

    return give


@pytest.fixture(scope="module")
def dataset(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The tiny dataset with four tasks and 24 train rows; the rows of one have two sides."""
    (pair,) = (task for task in TASKS if task.kind == "pair")
    return write_dataset(tmp_path_factory.mktemp("pretrained") / "set", rows=24, tasks=(*PLAIN_TASKS, pair))


@pytest.fixture
def quick_end(monkeypatch: pytest.MonkeyPatch) -> None:
    """No report is made."""
    monkeypatch.setattr("trainer.loop.finish", lambda run, *_: facts(run, 0.0))


def given(encoder: Path | str, **more: Any) -> dict[str, Any]:
    """Return settings of a short run."""
    return {**QUICK, "model": {"encoder": str(encoder), **more.pop("model", {})}, **more}


def text_rows(*rows: str, second: str = "") -> Split:
    """Return a split whose tokens are words and marks; in its view "very" is inserted before the third one."""
    made = []
    for row in rows:
        tokens, spaces = _cut(row)
        inserted = [*tokens[:2], "very", *tokens[2:]]
        other = _cut(second or row)
        made.append(
            {
                "tokens": tokens,
                "spaces": spaces,
                "second": {"tokens": other[0], "spaces": other[1]},
                "view": {"tokens": inserted, "origin": [0, 1, -1, *range(2, len(tokens))]},
            }
        )
    return Split("train", pa.Table.from_pylist(made))


def _cut(text: str) -> tuple[list[str], list[bool]]:
    """Return the tokens of a text, and behind which of them a space stands."""
    found = list(re.finditer(r"\w+|'\w+|[^\w\s]", text))  # borders on which all agree
    return [item[0] for item in found], [text[item.end() : item.end() + 1] == " " for item in found]


def laid(source: Path, split: Split, *sequences: str) -> Layout:
    """Return the rows of a split as a source reads them."""
    text = (source / "tokenizer.json").read_text(encoding="utf-8")
    tokenizer, types = Subwords(text, Frame.of(text, 400, (), "x")), Types()
    encoder = PartEncoder(split, tokenizer, 200, types, PieceTable(types, tokenizer))
    return encoder.lay_out(Inputs(sequences=sequences), np.arange(len(split)))


def own(source: Path, *texts: str) -> list[int]:
    """Return what the tokenizer of a source makes of a text or of two."""
    tokenizer = tokenizers.Tokenizer.from_file(str(source / "tokenizer.json"))
    tokenizer.no_padding()
    tokenizer.no_truncation()
    found: list[int] = tokenizer.encode(*texts).ids
    return found


@pytest.mark.parametrize("family", FAMILIES)
def test_whole_sentences_are_spelled_as_the_model_spells_them(source: Source, family: str) -> None:
    """One, two with what stands between them, and a view: copied tokens keep their space, inserted ones have one."""
    place = source(family)
    alone = laid(place, text_rows(*SENTENCES), "source").pieces
    for number, sentence in enumerate(SENTENCES):
        assert alone.take(np.array([number])).values.tolist() == own(place, sentence)
    pair = laid(place, text_rows(SENTENCES[0], second=SENTENCES[2]), "source", "second")
    both = own(place, SENTENCES[0], SENTENCES[2])
    assert pair.pieces.values.tolist() == both
    assert both[int(pair.second[0]) - 1] == both[-1]
    assert both[int(pair.second[0]) :] == own(place, SENTENCES[2])[1:]
    (view,) = [laid(place, text_rows("the mill needs wheat, not flour."), "view").pieces]
    assert view.values.tolist() == own(place, "the mill very needs wheat, not flour.")


@pytest.mark.parametrize("family", FAMILIES)
def test_no_token_is_lost_and_none_spells_a_special_sub_word(source: Source, family: str) -> None:
    """What the tokenizer leaves nothing of is unknown; roles stand behind all that the encoder knows."""
    text = (source(family) / "tokenizer.json").read_text(encoding="utf-8")
    tokenizer = Subwords(text, Frame.of(text, 400, ("Miller", "Smith"), "x"))
    special, odd = tokenizer.special, ["", "\u200b", "[MASK]", "<mask>", "[SEP]", "</s>", "wheat"]
    for found in (tokenizer.encode(odd), tokenizer.encode_joined(odd)):
        assert found.lengths.min() > 0
        assert not set(found.values.tolist()) & {special.pad, special.cls, special.sep, special.mask}
    assert tokenizer.role(["Smith", "Cook", "Miller"]).tolist() == [403, 401, 402]
    assert (special.role_mask, special.openers, len(tokenizer)) == (400, range(400, 404), 404)
    assert not {special.pad, special.cls, special.sep, special.mask} & set(tokenizer.plain)
    assert len(tokenizer.plain) > 60


@pytest.mark.parametrize("family", FAMILIES)
def test_states_are_those_of_the_model(source: Source, family: str, dataset: Path, tmp_path: Path) -> None:
    """Of buckets with and without padding; rows of two sides have segment ids where the model knows them."""
    from transformers import AutoModel

    settings = find_encoder(str(source(family))).completed(make_settings(given(source(family))))
    PretrainedEncoder.prepare(Dataset.open(dataset), tmp_path, settings)
    torch.manual_seed(1)
    encoder = PretrainedEncoder.build(tmp_path, settings).eval()
    encoder.begin(tmp_path, settings)
    model = AutoModel.from_pretrained(source(family)).eval()
    pieces = torch.randint(5, 70, (3, 12))
    sides = (torch.arange(12) > 6).long().expand(3, 12)
    buckets = [
        Bucket(pieces, sides, torch.tensor([12, 9, 12]), {}),
        Bucket(pieces[:, :8], sides[:, :8], torch.tensor([8, 8, 8]), {}),
    ]
    with torch.no_grad():
        found = encoder(buckets)
        extra = {"token_type_ids": sides} if family in ("bert", "electra") else {}
        mask = (torch.arange(12) < torch.tensor([12, 9, 12])[:, None]).long()
        wanted = model(pieces, attention_mask=mask, output_hidden_states=True, **extra).hidden_states
    assert len(found.layers) == encoder.depth + 1 == 3
    assert found.features is None
    for layer, state in zip(found.layers, wanted, strict=True):
        assert layer.shape == (3 * 12 + 3 * 8, 16)
        inside = mask.bool()
        torch.testing.assert_close(layer[:36].view(3, 12, 16)[inside], state[inside], atol=1e-5, rtol=1e-4)
    roles = encoder.embedding(torch.tensor([len(encoder.embedding.weight) + 1]))
    torch.testing.assert_close(roles[0], encoder.embedding.weight.mean(0))


@pytest.mark.no_cover
@pytest.mark.parametrize("family", FAMILIES)
def test_a_run_resumes_exactly_and_needs_its_source_no_more(
    source: Source, family: str, dataset: Path, tmp_path: Path, quick_end: None
) -> None:
    """Also with buckets in two passes and layers that are computed anew; a loaded model says what it said."""
    place = shutil.copytree(source(family), tmp_path / "source")
    settings = given(place, accumulate=2, checkpointing=True)
    facts = train(dataset, tmp_path / "whole", settings)
    train(dataset, tmp_path / "parts", settings, stop_after=3)
    shutil.rmtree(place)
    train(dataset, tmp_path / "parts", resume=True)
    for name in FILES:
        assert (tmp_path / "whole" / name).read_bytes() == (tmp_path / "parts" / name).read_bytes(), name
    assert facts["encoder"]["family"] == family
    assert facts["encoder"]["transformers"] == pretrained.version("transformers")
    model, weights = load_model(tmp_path / "parts"), load(tmp_path / "whole" / "best.safetensors")[0]
    assert {name: value.shape for name, value in model.state_dict().items()} == {
        name: value.shape for name, value in weights.items()
    }
    assert all(torch.equal(value, weights[name]) for name, value in model.state_dict().items())


def test_what_is_not_given_suits_the_encoder(source: Source, dataset: Path, tmp_path: Path, quick_end: None) -> None:
    """And stands in the mark of the run; a later one with the same settings goes on with it."""
    settings = given(source("roberta"), stop=None)
    settings.pop("stop")
    train(dataset, tmp_path / "run", settings, stop_after=1)
    known = RunFolder(tmp_path / "run").settings()
    assert (known.learning_rate, known.encoder_learning_rate, known.warmup, known.freeze) == (1e-3, 1e-4, 0.1, "none")
    model = known.model
    assert (model.max_pieces, model.dropout, model.features, model.bag) == (48, 0.1, False, False)
    train(dataset, tmp_path / "run", settings, auto=True, stop_after=2)
    assert load(tmp_path / "run" / "last.safetensors")[1]["step"] == 2
    explicit = {"learning_rate": 2e-3, "encoder_learning_rate": 0.0, "warmup": 0.05, "freeze": 1}
    chosen = {"encoder": str(source("roberta")), "max_pieces": 32, "dropout": 0.0, "bag": True}
    found = PretrainedEncoder.completed(make_settings({**explicit, "model": chosen}))
    assert found.model_dump(include=set(explicit)) == explicit
    assert found.model.model_dump(include=set(chosen)) == chosen


def test_many_sub_words_and_a_wide_encoder_have_other_defaults(source: Source, tmp_path: Path) -> None:
    """Embeddings that are most of the weights stay as they are, and a wide encoder learns more slowly."""
    place = shutil.copytree(source("bert"), tmp_path / "wide")
    config = json.loads((place / "config.json").read_text())
    (place / "config.json").write_text(json.dumps(config | {"vocab_size": 250_002, "hidden_size": 768}))
    found = PretrainedEncoder.completed(make_settings(given(place)))
    assert (found.freeze, found.encoder_learning_rate) == ("embeddings", 5e-5)


def test_dropout_that_is_given_is_that_of_all_layers(source: Source, dataset: Path, tmp_path: Path) -> None:
    """What the configuration says holds otherwise."""
    built = []
    for number, more in enumerate([{}, {"dropout": 0.25}]):
        settings = PretrainedEncoder.completed(make_settings(given(source("bert"), model=more)))
        (tmp_path / str(number)).mkdir()
        PretrainedEncoder.prepare(Dataset.open(dataset), tmp_path / str(number), settings)
        built.append(PretrainedEncoder.build(tmp_path / str(number), settings).model.config)
    assert [item.hidden_dropout_prob for item in built] == [0.1, 0.25]
    assert [item.attention_probs_dropout_prob for item in built] == [0.1, 0.25]


@pytest.fixture(scope="module")
def model(source: Source, dataset: Path, tmp_path_factory: pytest.TempPathFactory) -> Callable[[dict[str, Any]], Any]:
    """Gives the groups of parameters of an encoder of two layers and a head, by name."""
    folder = tmp_path_factory.mktemp("groups")
    settings = PretrainedEncoder.completed(make_settings(given(source("bert"))))
    PretrainedEncoder.prepare(Dataset.open(dataset), folder, settings)

    def give(more: dict[str, Any]) -> dict[str, float]:
        made = PretrainedEncoder.completed(make_settings(given(source("bert"), **more)))
        built = Model(TASKS[1:2], folder, made)
        names = {id(parameter): name for name, parameter in built.named_parameters()}
        groups = parameter_groups(built, made)
        assert {group["weight_decay"] for group in groups} == {0.0, 0.01}
        return {names[id(item)]: group["scale"] for group in groups for item in group["params"]}

    return give


TABLE, MORE = (f"encoder.model.embeddings.word_embeddings.{name}" for name in ("weight", "more"))
FIRST, SECOND = (f"encoder.model.encoder.layer.{number}.output.dense.weight" for number in (0, 1))


def test_learning_rates_fall_from_the_heads_down(model: Callable[[dict[str, Any]], dict[str, float]]) -> None:
    """Layer by layer; rows for roles are new, and learn as fast as heads."""
    scales = model({"layer_decay": 0.5})
    assert [scales[name] for name in (SECOND, FIRST, TABLE)] == pytest.approx([0.1, 0.05, 0.025])
    assert scales[MORE] == 1
    assert {scale for name, scale in scales.items() if name.startswith("heads")} == {1.0}


@pytest.mark.parametrize(
    ("freeze", "trained"),
    [
        ("none", [TABLE, MORE, FIRST, SECOND]),
        ("embeddings", [MORE, FIRST, SECOND]),
        (1, [SECOND]),
        ("encoder", []),
    ],
)
def test_what_is_frozen_is_not_trained(
    model: Callable[[dict[str, Any]], dict[str, float]], freeze: str | int, trained: list[str]
) -> None:
    """The heads always are."""
    scales = model({"freeze": freeze})
    assert [name for name in (TABLE, MORE, FIRST, SECOND) if name in scales] == trained
    assert any(name.startswith("heads") for name in scales)


def test_frozen_weights_stay_as_they_were(source: Source, dataset: Path, tmp_path: Path, quick_end: None) -> None:
    """And a run with such weights resumes."""
    settings = given(source("bert"), freeze="embeddings")
    train(dataset, tmp_path / "run", settings, stop_after=1)
    train(dataset, tmp_path / "run", resume=True)
    weights = load(tmp_path / "run" / "last.safetensors")[0]
    first = load_file(source("bert") / "model.safetensors")
    assert torch.equal(weights[TABLE], first["embeddings.word_embeddings.weight"])
    assert not torch.equal(weights[FIRST], first["encoder.layer.0.output.dense.weight"])


def load_file(path: Path) -> dict[str, torch.Tensor]:
    """Return the tensors of a file."""
    from safetensors.torch import load_file

    found: dict[str, torch.Tensor] = load_file(path)
    return found


def test_word_prediction_compares_with_embeddings_narrower_than_states(
    tmp_path: Path, dataset: Path, quick_end: None
) -> None:
    """As those of ELECTRA may be."""
    place = write_encoder(tmp_path / "source", "electra", embedding_size=8)
    facts = train(dataset, tmp_path / "run", given(place, max_steps=1, phase=[{"tasks": ["masking.word"]}]))
    assert facts["steps"] == 1


def test_another_version_of_the_library_is_told(source: Source, dataset: Path, tmp_path: Path, quick_end: None) -> None:
    """Its numbers may differ."""
    train(dataset, tmp_path / "run", given(source("bert")), stop_after=1)
    origin = tmp_path / "run" / "learnt" / "origin.json"
    origin.write_text(origin.read_text().replace(pretrained.version("transformers"), "4.0.0"))
    with pytest.warns(UserWarning, match=r"started with transformers 4.0.0, but 5\.\S+ is installed"):
        train(dataset, tmp_path / "run", resume=True, stop_after=2)


def broken(place: Path, damage: str) -> Path:
    """Damage an encoder in one way."""
    if damage == "pickle":
        (place / "model.safetensors").rename(place / "pytorch_model.bin")
    elif damage == "type":
        (place / "config.json").write_text(json.dumps({"model_type": "gpt2"}))
    elif damage == "json":
        (place / "config.json").write_text("{")
    elif damage == "weights":
        from safetensors.torch import save_file

        kept = {name: value for name, value in load_file(place / "model.safetensors").items() if "layer.1" not in name}
        save_file(kept, place / "model.safetensors", metadata={"format": "pt"})
    elif damage == "special":
        text = (place / "tokenizer.json").read_text()
        (place / "tokenizer.json").write_text(text.replace("[MASK]", "[HIDE]"))
    elif damage == "rows":
        config = json.loads((place / "config.json").read_text())
        (place / "config.json").write_text(json.dumps(config | {"vocab_size": 100}))
    else:
        (place / damage).unlink()
    return place


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        ("config.json", "has no config.json, so it is not a pretrained encoder"),
        ("json", "config.json is not valid JSON"),
        ("type", "has the type 'gpt2'; supported types are bert, roberta"),
        ("tokenizer.json", r"has no tokenizer.json; write one: .*AutoTokenizer"),
        ("pickle", r"has no model.safetensors \(pytorch_model.bin is a pickle, which can run arbitrary code"),
        ("model.safetensors", "has no model.safetensors; write one"),
        ("weights", "lacks 16 weights that config.json requires, for example encoder.layer.1"),
        ("special", r"has no sub-word for mask \(\[MASK\] or <mask>\)"),
        ("rows", "has 137 sub-words, but the encoder embeds 100"),
    ],
)
def test_a_folder_that_holds_no_encoder_is_told(
    source: Source, dataset: Path, tmp_path: Path, damage: str, message: str
) -> None:
    """No run is left behind."""
    place = broken(shutil.copytree(source("bert"), tmp_path / "source"), damage)
    with pytest.raises(ValueError, match=message):
        train(dataset, tmp_path / "run", given(place))
    assert not list(tmp_path.glob("run/*"))


def test_a_name_of_the_hub_needs_a_network_once(
    source: Source, dataset: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, quick_end: None
) -> None:
    """The error says so, and what to do; what was fetched is trained like any folder."""
    import huggingface_hub
    from huggingface_hub.errors import LocalEntryNotFoundError

    def offline(*_: object, **__: object) -> str:
        raise LocalEntryNotFoundError("cannot find the files on the hub\nand more")

    monkeypatch.setattr(huggingface_hub, "snapshot_download", offline)
    with pytest.raises(
        ValueError, match=r"'hub:me/bert' cannot be downloaded .*\(cannot find the files on the hub\); dow"
    ):
        train(dataset, tmp_path / "run", given("hub:me/bert"))
    assert not (tmp_path / "run").exists()
    monkeypatch.setattr(huggingface_hub, "snapshot_download", lambda *_, **__: str(source("bert")))
    train(dataset, tmp_path / "run", given("hub:me/bert"), stop_after=1)
    monkeypatch.setattr(huggingface_hub, "snapshot_download", offline)
    assert train(dataset, tmp_path / "run", resume=True)["encoder"]["encoder"] == "hub:me/bert"


def test_a_folder_is_written_with_a_slash(
    source: Source, dataset: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One without might be an encoder's name; one that is not there is told."""
    monkeypatch.chdir(source("bert").parent)
    assert find_encoder("./bert") is PretrainedEncoder
    with pytest.raises(ValueError, match=r"there is no encoder 'bert' \(write ./bert for the folder\)"):
        train(dataset, tmp_path / "run", given("bert"))
    with pytest.raises(ValueError, match=r"encoder = './nothing': no such folder"):
        train(dataset, tmp_path / "run", given("./nothing"))


def test_sequences_are_no_longer_than_the_encoder_reads(
    source: Source, dataset: Path, tmp_path: Path, quick_end: None
) -> None:
    """More cannot be asked for; with less, labels of what was cut are lost, that of a token with too many too."""
    with pytest.raises(ValueError, match=r"max_pieces = 384 is more than .* supports; set it to 48 or less"):
        train(dataset, tmp_path / "run", given(source("roberta"), model={"max_pieces": 384}))
    facts = train(dataset, tmp_path / "run", given(source("roberta"), model={"max_pieces": 12}, max_steps=2))
    assert facts["steps"] == 2


def test_a_run_begins_with_the_encoder_and_the_heads_of_another(
    source: Source, dataset: Path, tmp_path: Path, quick_end: None
) -> None:
    """Which need not be told again, and whose source is needed no more."""
    place = shutil.copytree(source("modernbert"), tmp_path / "source")
    train(dataset, tmp_path / "first", given(place, phase=[{"tasks": ["topic.long"], "epochs": 1}]))
    shutil.rmtree(place)
    settings = {**QUICK, "model": {"init": str(tmp_path / "first")}}
    facts = train(dataset, tmp_path / "second", settings, stop_after=1)
    known = RunFolder(tmp_path / "second").settings()
    assert (known.model.encoder, known.model.bag, known.learning_rate) == (str(place), False, 1e-3)
    assert not facts["finished"]
    facts = train(dataset, tmp_path / "second", resume=True)
    assert facts["init"]["new_heads"] == []
    assert "topic.long" in facts["init"]["heads"]
    assert facts["encoder"]["family"] == "modernbert"


def test_settings_have_the_keys() -> None:
    """Values that are not allowed are told."""
    assert Settings(freeze=3).freeze == 3
    for wrong in ({"freeze": "heads"}, {"layer_decay": 0}, {"layer_decay": 1.5}, {"accumulate": 3}):
        with pytest.raises(ValueError, match=next(iter(wrong))):
            make_settings(wrong)

"""A trained model on labels of annotators: python benchmarks/outside.py RUN [--swbd F] [--disflqa F] [--gdtb F].

RUN is the folder of a run of `auxloom train` (OUT/model of `auxloom run`). Its heads, trained on constructed labels,
are applied as they are: nothing is fine-tuned, no threshold is chosen, tokens stay those of the file.
A FILE has one JSON object per line:

- ``--swbd``: Switchboard utterances with `conv`, `tokens`, `reparandum` and `delete` (0 or 1 per token; `delete` holds
  fillers and editing terms too). A document is a conversation. Read as they come, and with the transcriber's
  punctuation left out, as is usual on this corpus (Charniak and Johnson 2001).
- ``--disflqa``: questions with `status`, `tokens` and `tags` (1: to delete). Those of status exact and near count; each
  is a document.
- ``--gdtb``: discourse relations with `doc`, `type`, `label`, `arg1` and `arg2`, texts of tokens divided by blanks.
  Those of type implicit count whose `label` is comparison, contingency, expansion or temporal up to its first dot: that
  is the level-1 class. All others are left out and counted.

Beside the model stand what needs no training (the rule "the same words follow at once", all tokens, the majority class)
and, where --dataset names what the model was trained on, a bag of words trained on the same constructed senses.
Intervals: 95 %, bootstrap over documents.
"""

import argparse
import json
import tempfile
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from labelers.columns import SPAN
from labelers.language.forms import lexicon
from labelers.ragged import BoolArray, IntArray
from labelers.task import SOURCE, Task, write_tasks
from trainer.apply import predict
from trainer.data.dataset import Dataset, Types
from trainer.folder import RunFolder
from trainer.score.bags import BagOfWords
from trainer.score.metrics import Predictions, score
from trainer.score.probes import repeated
from trainer.score.rows import folded, read_rows, sample

TAGS, FORM, SENSE = "disfluency.tags", "connective", "connective.sense"
SENSES = ("Comparison", "Contingency", "Expansion", "Temporal")
CLEAN = ("exact", "near")  # questions whose tags give the original question back
BAG_ROWS = 50_000

Record = Mapping[str, Any]


@dataclass(frozen=True)
class Result:
    """What one way of predicting says about the gold labels: one line of a table."""

    gold: str
    name: str
    labels: IntArray
    """int64 [I]: classes."""
    predicted: IntArray
    """int64 [I]."""
    documents: IntArray
    """int64 [I]: number of each label's document."""

    def rated(self, metric: str, classes: Sequence[str]) -> str:
        """Return a metric and its interval as text."""
        task = Task(
            name="", labeler="", version=1, kind="token", sequences=(), target="", metric=metric, classes=tuple(classes)
        )
        rows = np.arange(len(self.labels))
        found = score(Predictions(task, self.labels, self.predicted, np.empty(0), self.documents, rows))
        if found.value is None:
            return "-"
        interval = "" if found.low is None else f" [{found.low:.3f}, {found.high:.3f}]"
        return f"{found.value:.3f}{interval}"


def records(path: Path, *keys: str) -> Iterator[Record]:
    """Yield the records of a file.

    Raises:
        ValueError: a line is no JSON object, or lacks a key.
    """
    with path.open(encoding="utf-8") as file:
        for number, line in enumerate(file, 1):
            try:
                record = json.loads(line)
            except json.JSONDecodeError as error:
                raise ValueError(f"{path}, line {number}: no JSON") from error
            missing = [key for key in keys if not isinstance(record, dict) or key not in record]
            if missing:
                raise ValueError(f"{path}, line {number}: lacks {', '.join(missing)}")
            yield record


def heads(run: Path, *names: str) -> dict[str, Task]:
    """Return those of the named tasks that the run's model has a head for.

    Raises:
        FileNotFoundError: the folder holds no run.
        ValueError: it has none of them.
    """
    path = RunFolder(run).tasks
    if not path.exists():
        raise FileNotFoundError(f"{run} holds no run of auxloom (it has no {path.name}); give RUN of `auxloom train`")
    known = {task.name: task for task in map(Task.from_json, json.loads(path.read_text("utf-8")))}
    found = {name: known[name] for name in names if name in known}
    if not found:
        raise ValueError(f"the model in {run} has no head for {' or '.join(names)}; it has {', '.join(known)}")
    return found


def plain(task: Task, **columns: Any) -> Task:
    """Return a task of the run over the plain columns of an annotated file, which has no views, turns or roles."""
    none: dict[str, Any] = {"status": "", "reasons": (), "weight": None, "swap": None, "roles": False, "mode": "own"}
    return replace(task, sequences=(SOURCE,), **none, **columns)


@contextmanager
def laid_out(table: pa.Table, tasks: Sequence[Task]) -> Iterator[Path]:
    """Give the rows the layout of a dataset, for as long as they are needed; all are in the split ``train``."""
    with tempfile.TemporaryDirectory() as name:
        folder, schema = Path(name) / "set", write_tasks(table.schema, tasks)
        (folder / "train").mkdir(parents=True)
        file = str(folder / "train" / "data-00000-of-00001.arrow")
        with pa.OSFile(file, "wb") as sink, pa.ipc.new_stream(sink, schema) as writer:
            writer.write_table(table.cast(schema))
        (folder / "auxloom.json").write_text("{}")
        yield folder


def apply(run: Path, folder: Path) -> dict[str, Predictions]:
    """Return what the run's model says about the rows, by the name of the task."""
    return {item.task.name: item for item in predict(run, folder, split="train")}


def tagged(run: Path, rows: Sequence[Record], document: Sequence[str], golds: Mapping[str, str]) -> list[Result]:
    """Compare the tags with gold labels.

    Args:
        run: the folder of the run.
        rows: with `tokens`.
        document: the name of each row's document.
        golds: what to call a gold label -> its key in the rows, 0 or 1 per token.
    """
    task = plain(heads(run, TAGS)[TAGS], target="tags")
    labels = {name: [row[key] for row in rows] for name, key in golds.items()}
    types, tags = Types(), [[0] * len(row["tokens"]) for row in rows]
    columns = {
        "tokens": pa.array([row["tokens"] for row in rows], pa.list_(pa.string())),
        "document": pa.array(document, pa.string()),
        "tags": pa.array(tags, pa.list_(pa.int8())),  # not scored: they say which tokens to tag
    }
    with laid_out(pa.table(columns), [task]) as folder:
        found = apply(run, folder)[TAGS]
        tokens = Dataset.open(folder).splits["train"].tokens(SOURCE, types)
    if wrong := [i for item in labels.values() for i, row in enumerate(item) if len(row) != tokens.lengths[i]]:
        raise ValueError(f"record {wrong[0]} has not as many labels as tokens")
    kept = np.isin(tokens.owners, found.rows)  # a row that is longer than the encoder reads gets no tags
    say_lost(len(rows) - len(np.unique(found.rows)))
    words = np.array([any(map(str.isalnum, text)) for text in types.codes], bool)
    rule = repeated(folded(types)[tokens.values], tokens.owners, words[tokens.values])[kept]
    results = []
    for name, item in labels.items():
        gold = np.concatenate([np.asarray(row, np.int64) for row in item])[kept]
        for way, said in ways(task, found.predicted, rule).items():
            results.append(Result(name, way, gold, said.astype(np.int64), found.documents))
    return results


def spoken(row: Record) -> Record:
    """Return a record without the tokens that hold no letter or digit, which nobody says.

    Example:
        >>> spoken({"conv": 1, "tokens": ["I", ",", "I"], "delete": [1, 1, 0]})
        {'conv': 1, 'tokens': ['I', 'I'], 'delete': [1, 0]}
    """
    kept = [place for place, token in enumerate(row["tokens"]) if any(map(str.isalnum, token))]
    return {key: [value[place] for place in kept] if isinstance(value, list) else value for key, value in row.items()}


def ways(task: Task, predicted: IntArray, rule: BoolArray) -> dict[str, BoolArray]:
    """Return by which ways a token is marked; with a class for the interregnum, the model has two."""
    disfluent = predicted == task.classes.index("D")
    model = {"model: D": disfluent}
    if len(task.classes) > 2:  # noqa: PLR2004  (O and D)
        model["model: all but O"] = predicted > 0
    return model | {"the same words follow at once": rule, "every token": np.ones_like(rule)}


def say_lost(count: int) -> None:
    """Print how many rows were not read, if any."""
    if count:
        print(f"left out: {count} rows that are longer than the model reads, or empty")


def print_tags(results: Sequence[Result]) -> None:
    """Print precision, recall and F1 of marked tokens."""
    print(size(results[0], "tokens"))
    print(f"{'gold':<12}{'predicted':<32}{'gold 1':>8}{'said 1':>8}{'precision':>11}{'recall':>8}  F1")
    for item in results:
        right = int((item.labels * item.predicted).sum())
        gold, said = int(item.labels.sum()), int(item.predicted.sum())
        precision, recall = right / max(said, 1), right / max(gold, 1)
        line = f"{item.gold:<12}{item.name:<32}{gold:>8}{said:>8}{precision:>11.3f}{recall:>8.3f}"
        print(f"{line}  {item.rated('tag_f1', ('O', 'D'))}")


def size(result: Result, unit: str) -> str:
    """Say how many labels there are, of how many documents."""
    return f"{len(result.labels):,} {unit}, {len(np.unique(result.documents)):,} documents"


def level_1(label: str) -> str:
    """Return the level-1 class of a relation's label, or what stands in its place.

    Example:
        >>> level_1("contingency.cause+belief"), level_1("norel")
        ('Contingency', 'Norel')
    """
    return label.partition(".")[0].capitalize()


def wanted(relation: Record) -> bool:
    """Tell whether a relation is implicit and of one of the four classes."""
    return relation["type"] == "implicit" and level_1(relation["label"]) in SENSES


def relations(run: Path, path: Path, dataset: Path | None) -> list[Result]:
    """Compare the senses that the connective heads say with those of implicit relations."""
    known = list(records(path, "doc", "type", "label", "arg1", "arg2"))
    rows = list(filter(wanted, known))
    others = Counter(level_1(r["label"]) if r["type"] == "implicit" else r["type"] for r in known if not wanted(r))
    print("left out: " + (", ".join(f"{name} {count}" for name, count in others.most_common()) or "none"))
    tasks = [plain(task, target="label", spans=("arg1", "arg2")) for task in heads(run, SENSE, FORM).values()]
    gold = np.array([SENSES.index(level_1(r["label"])) for r in rows], np.int64)
    with laid_out(_pairs(rows), tasks) as folder:
        found = apply(run, folder)
        said = {f"model: {name}": senses(item) for name, item in found.items()}
        read = next(iter(found.values())).rows
        documents = next(iter(found.values())).documents
        majority = np.bincount(gold[read], minlength=len(SENSES)).argmax()
        said[f"always {SENSES[majority]}, their majority"] = np.full(len(read), majority)
        if dataset:
            said |= learnt(own_dataset(run, dataset), Dataset.open(folder), read)
    say_lost(len(rows) - len(read))
    return [Result("level 1", name, gold[read], item, documents) for name, item in said.items()]


def _pairs(rows: Sequence[Record]) -> pa.Table:
    """Return relations as rows: the first argument, the second behind it."""
    arguments = [(row["arg1"].split(), row["arg2"].split()) for row in rows]
    first = [{"start": 0, "end": len(one)} for one, _ in arguments]
    second = [{"start": len(one), "end": len(one) + len(two)} for one, two in arguments]
    columns = {
        "tokens": pa.array([one + two for one, two in arguments], pa.list_(pa.string())),
        "document": pa.array([row["doc"] for row in rows], pa.string()),
        "label": pa.array([0] * len(rows), pa.int64()),  # not scored: the files know no class of the heads
        "arg1": pa.array(first, SPAN),
        "arg2": pa.array(second, SPAN),
    }
    return pa.table(columns)


def senses(found: Predictions) -> IntArray:
    """Return the likeliest level-1 class, int64 [I]: that of a sense head, or the one whose forms are likeliest in sum.

    A form counts for the class that the lexicon gives it; forms of several classes and `no_connective` count for none.
    """
    classes = found.task.classes
    if set(classes) <= set(SENSES):
        meant = list(classes)
    else:
        of_form = {form.form: form.sense for form in lexicon().forms}
        meant = [of_form.get(name, "") for name in classes]
    table = np.array([[name == sense for sense in SENSES] for name in meant], np.float64)  # [C, 4]
    assert found.probabilities is not None
    result: IntArray = (found.probabilities @ table).argmax(axis=1)
    return result


def own_dataset(run: Path, path: Path) -> Dataset:
    """Open the dataset that the run was trained on.

    Raises:
        ValueError: it was trained on another one.
    """
    dataset = Dataset.open(path)
    if json.loads((run / "run.json").read_text("utf-8"))["dataset"] != dataset.digest:
        raise ValueError(f"the model in {run} was trained on another dataset than {path}; give that one, or none")
    return dataset


def learnt(train: Dataset, outside: Dataset, rows: IntArray) -> dict[str, npt.NDArray[np.int64]]:
    """Return what a bag of words says that was trained on the constructed senses, and their most frequent class."""
    task = next((task for task in train.tasks if task.name == SENSE), None)
    if task is None:
        print(f"{train.path} has no task {SENSE}: no bag of words")
        return {}
    types, split = Types(), train.splits["train"]
    labelled = sample(np.flatnonzero(split.integers(task.target) >= 0), BAG_ROWS, 0)
    known = read_rows(split, task, types, labelled)
    held = read_rows(outside.splits["train"], outside.tasks[0], types, rows)
    index = np.array([SENSES.index(name) for name in task.classes])
    frequent = index[np.bincount(known.labels).argmax()]
    return {
        f"always {SENSES[frequent]}, constructed majority": np.full(len(rows), frequent),
        f"bag of words, {len(known):,} constructed": index[BagOfWords().predict(known, held, 0)],
    }


def print_senses(results: Sequence[Result]) -> None:
    """Print accuracy and macro F1 of the four classes, and how often each is said."""
    counts = np.bincount(results[0].labels, minlength=len(SENSES)).tolist()
    gold = ", ".join(f"{name} {count}" for name, count in zip(SENSES, counts, strict=True))
    print(f"{size(results[0], 'relations')}: {gold}")
    print(f"{'predicted':<44}{'accuracy':<24}{'macro F1':<24}said per class")
    for item in results:
        said = "/".join(map(str, np.bincount(item.predicted, minlength=len(SENSES)).tolist()))
        print(f"{item.name:<44}{item.rated('accuracy', SENSES):<24}{item.rated('macro_f1', SENSES):<24}{said}")


def main(arguments: Sequence[str] | None = None) -> None:
    """Print the tables of the files that are given."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("run", type=Path)
    for name in ("swbd", "disflqa", "gdtb", "dataset"):
        parser.add_argument(f"--{name}", type=Path)
    given = parser.parse_args(arguments)
    if not (given.swbd or given.disflqa or given.gdtb):
        parser.error("give at least one of --swbd, --disflqa and --gdtb")
    if given.swbd:
        rows = list(records(given.swbd, "conv", "tokens", "reparandum", "delete"))
        golds = {"reparandum": "reparandum", "delete": "delete"}
        words = [row for row in map(spoken, rows) if row["tokens"]]
        for title, read in (("", rows), (", punctuation left out", words)):
            print(f"\n{given.swbd.name}{title}")
            print_tags(tagged(given.run, read, [str(row["conv"]) for row in read], golds))
    if given.disflqa:
        every = list(records(given.disflqa, "status", "tokens", "tags"))
        rows = [row for row in every if row["status"] in CLEAN]
        print(f"\n{given.disflqa.name}: {len(rows)} of {len(every)} records are of status {' or '.join(CLEAN)}")
        print_tags(tagged(given.run, rows, list(map(str, range(len(rows)))), {"delete": "tags"}))
    if given.gdtb:
        print(f"\n{given.gdtb.name}: implicit relations of the classes {', '.join(SENSES)}")
        print_senses(relations(given.run, given.gdtb, given.dataset))


if __name__ == "__main__":
    main()

"""Speed of training, as ratios in one run: python benchmarks/train.py DATASET [--transformers PYTHON].

One task of token tags is trained in three ways, in turn and for several rounds, each in a process of its own with one
thread, on the same sequences, vocabulary, rows of a step, width and dropout: auxloom as it is, auxloom without its
features and bags (a plain transformer of 2 x 128), and the Trainer of Hugging Face on a BERT of 2 x 128 with batches
grouped by length. Sub-words count without padding. Seconds are those of the steps, once a few are taken: nothing is
encoded, evaluated or saved in them. That Trainer sorts 50 batches at a time, the longest first: measure a multiple of
50 steps.

With --encoder FOLDER both train the pretrained encoder in it, with the dropout of its configuration.

With --joint, DATASET is one that was built with `views = "woven"`, and nothing else is measured: auxloom at size small
trains four tasks of the view, one of each labeler, and in turn the first of them alone, with the same rows per step.

With --processes nothing else is measured than the encoder of size small by one process and by two, with one thread
each, on the same steps. CPU seconds are those of the first process: their ratio is that of two idle cores, but for what
the processes wait for each other.

PYTHON is an interpreter that has transformers, accelerate, torch (the same version, or the ratio says little) and
numpy; it needs no auxloom. Without one the rows of auxloom alone are printed. Run it on an idle machine; on one in use
read the ratios of CPU seconds.
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

WARM = 10  # steps that are not counted
SIZES = {"layers": 2, "width": 128, "heads": 4, "inner": 512, "max_pieces": 384, "rows": 32}
PLAIN = {"features": False, "bag": False}
JOINT = ("disfluency.tags", "connective.sense", "paraphrase.tags", "masking.word")
IGNORED = -100  # the label of what has none, for cross entropy


@dataclass(frozen=True)
class Job:
    """What a process is to measure."""

    name: str
    dataset: str
    task: str
    steps: int
    folder: str
    encoder: str = ""
    """Folder of a pretrained encoder; "": both begin from scratch."""


class Clock:
    """Seconds and sub-words from the end of the last warm-up step to the end of the last one."""

    def __init__(self, steps: int) -> None:
        self._last = WARM + steps
        self._seen: dict[int, tuple[float, float]] = {}

    def __call__(self, step: int) -> None:
        """Note that a step has ended; a step that is told of again is one already."""
        if step in (WARM, self._last):
            self._seen.setdefault(step, (time.perf_counter(), time.process_time()))

    def found(self, pieces: int) -> dict[str, float]:
        """Return the measures of so many sub-words."""
        (wall, cpu), (wall_end, cpu_end) = self._seen[WARM], self._seen[self._last]
        steps = self._last - WARM
        return {"pieces": pieces, "steps": steps, "seconds": wall_end - wall, "cpu": cpu_end - cpu}


def auxloom(job: Job, model: dict[str, Any], names: Sequence[str] = ()) -> dict[str, float]:
    """Train tasks with auxloom, or that of the job, whose sequences and tags are left in its folder for others."""
    from trainer.data.dataset import Dataset
    from trainer.folder import RunFolder
    from trainer.loop import fit
    from trainer.run import Run

    dataset = Dataset.open(job.dataset)
    tasks = tuple(task for task in dataset.tasks if task.name in (names or [job.task]))
    assert len(tasks) == (len(names) or 1), f"{job.dataset} lacks {names or job.task}"
    settings = settings_of(job, {"encoder": job.encoder} if job.encoder else model)
    folder, watch = Path(job.folder), Watch(job.steps)
    with tempfile.TemporaryDirectory(dir=folder) as out:
        run = Run(Dataset(dataset.path, dataset.digest, tasks, dataset.splits), RunFolder(Path(out)), settings)
        if not names:
            export(run, folder)
        fit(run, WARM + job.steps, lambda done, *_: watch(run, int(done)))
    return watch.found() | {"parameters": parameters(run.model)}


def together(job: Job, count: int) -> dict[str, float]:
    """Train the encoder of size small with so many processes."""
    from trainer.data.dataset import Dataset
    from trainer.folder import RunFolder
    from trainer.loop import fit
    from trainer.processes.opening import TrainJob, open_group
    from trainer.run import Run

    watch, total = Watch(job.steps), WARM + job.steps
    settings = settings_of(job, {"encoder": "small"}, tasks=(job.task,))
    with (
        tempfile.TemporaryDirectory(dir=job.folder) as out,
        open_group(count, TrainJob(job.dataset, out, None, total)) as group,
    ):
        run = Run(Dataset.open(job.dataset), RunFolder(Path(out)), settings, None, group)
        fit(run, total, lambda done, *_: watch(run, int(done)))
    return watch.found() | {"parameters": parameters(run.model)}


def settings_of(job: Job, model: dict[str, Any], **more: Any) -> Any:
    """Return the settings of auxloom for a job."""
    from trainer.settings import make_settings

    last = WARM + job.steps + 1  # a last step, behind which there is an evaluation
    return make_settings(
        {
            "model": {"max_pieces": SIZES["max_pieces"], **model},
            "rows": SIZES["rows"],
            "threads": 1,
            "device": "cpu",
            "max_steps": last,
            "steps_per_epoch": last,
            "save_every": last,
            **more,
        }
    )


class Watch:
    """Notes how far a run of auxloom has come when."""

    def __init__(self, steps: int) -> None:
        self._clock, self._last = Clock(steps), WARM + steps
        self._counts: dict[int, int] = {}

    def __call__(self, run: Any, step: int) -> None:
        """Note that a step has ended."""
        self._counts[step] = run.state.pieces
        self._clock(step)

    def found(self) -> dict[str, float]:
        """Return the measures."""
        return self._clock.found(self._counts[self._last] - self._counts[WARM])


def parameters(model: Any) -> int:
    """Return the number of weights of a torch module."""
    return sum(weight.numel() for weight in model.parameters())


def export(run: Any, folder: Path) -> None:
    """Write the train sequences of the run's first task: sub-words, and of each the tag of the token that it opens."""
    data, (task, *_) = run.data, run.data.tasks
    known, targets = data.splits["train"].read(task.name), data.splits["train"].targets[task.name]
    tags = np.full(len(known.pieces), IGNORED, np.int64)
    owners = np.repeat(targets.where, np.diff(targets.offsets))
    tags[known.offsets[owners] + targets.spans[:, 0]] = targets.values
    pieces, offsets = np.asarray(known.pieces), np.asarray(known.offsets)
    np.savez(folder / "sequences.npz", pieces=pieces, tags=tags, offsets=offsets)
    shape = {"vocabulary": len(data.tokenizer), "classes": len(task.classes), "pad": data.tokenizer.special.pad}
    (folder / "shape.json").write_text(json.dumps(shape))


@dataclass(frozen=True)
class Rows:
    """Sequences for a torch data loader."""

    pieces: npt.NDArray[np.int32]
    tags: npt.NDArray[np.int64]
    offsets: npt.NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.offsets) - 1

    def __getitem__(self, row: int) -> dict[str, npt.NDArray[Any]]:
        part = slice(self.offsets[row], self.offsets[row + 1])
        return {"input_ids": self.pieces[part], "labels": self.tags[part]}


class Collator:
    """Pads rows, and counts the sub-words of each batch."""

    def __init__(self, pad: int) -> None:
        self.pad = pad
        self.counts: list[int] = []

    def __call__(self, rows: list[dict[str, npt.NDArray[Any]]]) -> dict[str, Any]:
        """Return a batch of tensors."""
        import torch

        lengths = np.array([len(row["input_ids"]) for row in rows])
        inside = np.arange(lengths.max()) < lengths[:, None]
        self.counts.append(int(lengths.sum()))
        filled = {"attention_mask": inside.astype(np.int64)}
        for name, pad in (("input_ids", self.pad), ("labels", IGNORED)):
            filled[name] = np.full(inside.shape, pad, np.int64)
            filled[name][inside] = np.concatenate([row[name] for row in rows])
        return {name: torch.from_numpy(values) for name, values in filled.items()}


def classifier(job: Job, shape: dict[str, int]) -> Any:
    """Return what the Trainer trains: the encoder of the job, or a BERT of the sizes of ours, with a head for tags."""
    import transformers

    if job.encoder:
        known = transformers.AutoModelForTokenClassification
        return known.from_pretrained(job.encoder, num_labels=shape["classes"])
    config = transformers.BertConfig(
        vocab_size=shape["vocabulary"],
        hidden_size=SIZES["width"],
        num_hidden_layers=SIZES["layers"],
        num_attention_heads=SIZES["heads"],
        intermediate_size=SIZES["inner"],
        max_position_embeddings=SIZES["max_pieces"],
        hidden_dropout_prob=0.0,
        attention_probs_dropout_prob=0.0,
        classifier_dropout=0.3,
        num_labels=shape["classes"],
        pad_token_id=shape["pad"],
    )
    return transformers.BertForTokenClassification(config)


def hugging_face(job: Job) -> dict[str, float]:
    """Train with the Trainer of transformers."""
    import torch
    import transformers  # type: ignore[import-not-found,unused-ignore]

    torch.set_num_threads(1)
    folder = Path(job.folder)
    shape = json.loads((folder / "shape.json").read_text())
    with np.load(folder / "sequences.npz") as arrays:
        rows = Rows(**arrays)
    model = classifier(job, shape)
    clock, collator = Clock(job.steps), Collator(shape["pad"])

    class Told(transformers.TrainerCallback):  # type: ignore[misc,unused-ignore]
        def on_step_end(self, _: Any, state: Any, *__: Any, **___: Any) -> None:
            clock(state.global_step)

    arguments = transformers.TrainingArguments(
        output_dir=str(folder / "transformers"),
        max_steps=WARM + job.steps,
        per_device_train_batch_size=SIZES["rows"],
        learning_rate=1e-4 if job.encoder else 2e-3,
        optim="adamw_torch_fused",
        use_cpu=True,
        eval_strategy="no",
        save_strategy="no",
        logging_strategy="no",
        report_to="none",
        disable_tqdm=True,
        **grouped(transformers.TrainingArguments),
    )
    trainer = transformers.Trainer(model, arguments, collator, train_dataset=rows, callbacks=[Told()])
    trainer.train()
    return clock.found(sum(collator.counts[WARM : WARM + job.steps])) | {"parameters": parameters(model)}


def grouped(arguments: Any) -> dict[str, Any]:
    """Return the option that batches rows of like length: version 5 of transformers has another name for it."""
    if "group_by_length" in arguments.__dataclass_fields__:
        return {"group_by_length": True}
    return {"train_sampling_strategy": "group_by_length"}


JOBS: dict[str, Callable[[Job], dict[str, float]]] = {
    "auxloom": lambda job: auxloom(job, {}),
    "plain": lambda job: auxloom(job, PLAIN),
    "transformers": hugging_face,
    "one": lambda job: auxloom(job, {"encoder": "small"}, JOINT[:1]),
    "four": lambda job: auxloom(job, {"encoder": "small"}, JOINT),
    "alone": lambda job: together(job, 1),
    "two": lambda job: together(job, 2),
}


def start(job: Job, python: str) -> dict[str, float]:
    """Run a job in a process of its own, and print what it measured."""
    command = [python, __file__, "--job", json.dumps(asdict(job))]
    done = subprocess.run(
        command, check=True, stdout=subprocess.PIPE, text=True, env={**os.environ, "OMP_NUM_THREADS": "1"}
    )
    found: dict[str, float] = json.loads(done.stdout.splitlines()[-1])
    rate, step = found["pieces"] / found["seconds"], found["seconds"] / found["steps"]
    per_cpu = found["pieces"] / found["cpu"]
    print(f"{job.name:14}{rate:10,.0f} sub-words/s {per_cpu:10,.0f} per CPU second {step:8.3f} s/step", flush=True)
    return found


def ratios(rounds: list[dict[str, dict[str, float]]], job: str, other: str, unit: str) -> Iterator[float]:
    """Yield the median over all rounds of a job's units over those of another one, by the clock and by CPU time."""
    for key in ("seconds", "cpu"):
        rates = [{name: found[unit] / found[key] for name, found in item.items()} for item in rounds]
        yield statistics.median(item[job] / item[other] for item in rates)


def chosen(given: argparse.Namespace) -> Sequence[str]:
    """Return the jobs of auxloom that the arguments ask for."""
    if given.joint:
        return "one", "four"
    if given.processes:
        return "alone", "two"
    return ("auxloom",) if given.encoder else ("auxloom", "plain")


def table(rounds: list[dict[str, dict[str, float]]], *, pretrained: bool) -> Iterator[str]:
    """Yield the lines of what was measured."""
    yield f"{'median of the rounds':50}{'by the clock':>14}{'by CPU time':>14}"
    for told, job, other, unit, target in (
        ("plain over transformers, sub-words per second", "plain", "transformers", "pieces", "at least 1"),
        (
            "auxloom over transformers, sub-words per second",
            "auxloom",
            "transformers",
            "pieces",
            "at least 0.95" if pretrained else "",
        ),
        ("auxloom over plain, sub-words per second", "auxloom", "plain", "pieces", ""),
        ("four tasks over one, seconds per step", "one", "four", "steps", "at most 1.3"),
        ("two processes over one, sub-words per second", "two", "alone", "pieces", "at least 1.6"),
    ):
        if {job, other} <= rounds[0].keys():
            wall, cpu = ratios(rounds, job, other, unit)
            yield f"{told:50}{wall:14.2f}{cpu:14.2f}   {target}".rstrip()


def main() -> None:
    """Measure in turn, and print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("dataset", nargs="?", help="a folder that `auxloom build` wrote")
    parser.add_argument("--task", default="disfluency.tags", help="a task of token tags")
    parser.add_argument("--steps", type=int, default=100, help="that are measured")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--encoder", metavar="FOLDER", default="", help="a pretrained encoder that both train")
    parser.add_argument("--transformers", metavar="PYTHON", help="an interpreter that has transformers")
    parser.add_argument("--joint", action="store_true", help="four tasks of a woven view against one of them")
    parser.add_argument("--processes", action="store_true", help="two processes against one")
    parser.add_argument("--jobs", default=",".join(JOBS), help="run only these, separated by commas")
    parser.add_argument("--job", help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.job:
        job = Job(**json.loads(given.job))
        print(json.dumps(JOBS[job.name](job)))
        return
    pythons = dict.fromkeys(chosen(given), sys.executable)
    pythons |= {"transformers": given.transformers} if given.transformers else {}
    pythons = {name: python for name, python in pythons.items() if name in given.jobs.split(",")}
    with tempfile.TemporaryDirectory() as folder:
        rounds = [
            {
                name: start(Job(name, given.dataset, given.task, given.steps, folder, given.encoder), python)
                for name, python in pythons.items()
            }
            for _ in range(given.rounds)
        ]
    print("", *table(rounds, pretrained=bool(given.encoder)), sep="\n")


if __name__ == "__main__":
    main()

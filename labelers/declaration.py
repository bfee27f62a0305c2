"""What a labeler declares: its label columns and its tasks, with one builder for each kind of task."""

from dataclasses import dataclass, replace

import pyarrow as pa

from labelers.task import SECOND, SOURCE, WOVEN, Task

__all__ = ["Declaration", "TaskBuilder"]


@dataclass(frozen=True)
class Declaration:
    """The label columns of a labeler, and its tasks."""

    columns: tuple[pa.Field, ...]
    tasks: tuple[Task, ...]

    def woven(self) -> "Declaration":
        """Return that part of it which a woven view has.

        One token sequence with everybody's edits serves neither a task over two sequences nor the generation of what
        stood in the source, and a second text has no part in it; columns that such tasks alone read are left out with
        them.
        """
        one = [task for task in self.tasks if len(task.sequences) == 1 and SECOND not in task.sequences]
        kept = [task for task in one if not task.generated]
        left_out = {name for task in self.tasks if task not in kept for name in _columns(task)}
        left_out -= {name for task in kept for name in _columns(task)}
        return Declaration(
            tuple(column for column in self.columns if column.name not in left_out),
            tuple(replace(task, sequences=(WOVEN,), mode="joint") for task in kept),
        )


def _columns(task: Task) -> set[str]:
    """Return the columns of its labeler's struct that a task reads."""
    paths = (task.target, *task.spans, task.weight, task.swap, task.exclude, task.hide_roles, task.hide_tokens)
    return {path.removeprefix(f"{task.labeler}.") for path in paths if path and path.startswith(f"{task.labeler}.")}


@dataclass(frozen=True)
class TaskBuilder:
    """Builds the tasks of one labeler (`Labeler.task`), with a method for each kind.

    Columns are given by their names in the labeler's struct, the target first; the last part of a task's name is that
    of its target unless ``name`` is given. ``metric`` is what a report shows first, ``weight`` a column of confidences
    (float32, one per row). Labels in lists are of the type `labelers.columns.class_type`, labels of rows int64.

    Example:
        >>> task = TaskBuilder("polite", 1, "", (), "source").passage("tone", classes=("rude", "kind"))
        >>> task.name, task.target
        ('polite.tone', 'polite.tone')
    """

    labeler: str
    version: int
    paper: str
    reasons: tuple[str, ...]
    sequence: str
    """The sequence that its tasks read when views are separate."""

    def over(self, sequence: str) -> "TaskBuilder":
        """Return a builder of tasks that read another sequence, such as the second text (`labelers.task.SECOND`)."""
        return replace(self, sequence=sequence)

    def token(
        self,
        target: str,
        *,
        classes: tuple[str, ...],
        weight: str | None = None,
        metric: str = "tag_f1",
        name: str = "",
    ) -> Task:
        """Return the task of predicting a class for each token: the target is a list, -1 for none."""
        return self._task("token", target, name, metric, "token", classes=classes, weight=weight)

    def passage(
        self,
        target: str,
        *,
        classes: tuple[str, ...],
        weight: str | None = None,
        metric: str = "macro_f1",
        name: str = "",
    ) -> Task:
        """Return the task of predicting a class for each row, null for none."""
        return self._task("passage", target, name, metric, "passage", classes=classes, weight=weight)

    def segment(
        self,
        target: str,
        *,
        classes: tuple[str, ...],
        weight: str | None = None,
        metric: str = "macro_f1",
        name: str = "",
    ) -> Task:
        """Return the task of predicting a class for each segment: the target is a list, -1 for none."""
        return self._task("segment", target, name, metric, "segment", classes=classes, weight=weight)

    def turn(
        self,
        target: str,
        *,
        classes: tuple[str, ...],
        hide_roles: str | None = None,
        hide_tokens: str | None = None,
        metric: str = "accuracy",
        name: str = "",
    ) -> Task:
        """Return the task of predicting a class for each turn: the target is a list, -1 for none.

        Two columns of booleans hide from the model what reveals the answer: ``hide_roles`` per turn its role token,
        ``hide_tokens`` per token the word.
        """
        task = self._task("turn", target, name, metric, "turn", classes=classes)
        return replace(task, roles=True, hide_roles=self._path(hide_roles), hide_tokens=self._path(hide_tokens))

    def span_pair(
        self,
        target: str,
        *,
        classes: tuple[str, ...],
        spans: tuple[str, str],
        weight: str | None = None,
        metric: str = "macro_f1",
        name: str = "",
    ) -> Task:
        """Return the task of predicting a class for two spans of the view, in columns of `labelers.columns.SPAN`."""
        return self._task("span_pair", target, name, metric, "passage", classes=classes, spans=spans, weight=weight)

    def pair(
        self,
        target: str,
        *,
        classes: tuple[str, ...],
        swap: str | None = None,
        spans: tuple[str, str] | tuple[()] = (),
        level: str = "passage",
        metric: str = "accuracy",
        name: str = "",
    ) -> Task:
        """Return the task of predicting a class for the source together with the view or the second text.

        ``swap`` is a column of booleans: the source comes last. With ``spans`` it reads a span of the source and one of
        the other, ``level`` says of what.
        """
        task = self._task("pair", target, name, metric, level, classes=classes, spans=spans)
        return replace(task, sequences=(SOURCE, self.sequence), swap=self._path(swap))

    def masked_lm(self, draw: str, *, exclude: str, rate: float, roles: bool = False, name: str = "") -> Task:
        """Return the task of predicting the words whose ``draw``, a random byte per token, is below 256 times the rate.

        ``exclude`` is a column of booleans per token: it is never predicted. With ``roles`` a role token opens a turn.
        """
        task = self._task("masked_lm", draw, name, "nats_per_word", "token")
        return replace(task, exclude=self._path(exclude), rate=rate, roles=roles)

    def generation(
        self, target: str, *, span: str | None = None, weight: str | None = None, level: str = "passage", name: str = ""
    ) -> Task:
        """Return the task of writing what stood in the source: in the ``span``, which the view hides, or all of it."""
        task = self._task(
            "generation", target, name, "nats_per_word", level, spans=(span,) if span else (), weight=weight
        )
        return task if span else replace(task, target="tokens")

    def _task(
        self,
        kind: str,
        target: str,
        name: str,
        metric: str,
        level: str,
        *,
        classes: tuple[str, ...] = (),
        spans: tuple[str, ...] = (),
        weight: str | None = None,
    ) -> Task:
        """Return a task over the labeler's own view; a target that is called as the labeler gives it that name."""
        return Task(
            name=name or (target if target == self.labeler else f"{self.labeler}.{target}"),
            labeler=self.labeler,
            version=self.version,
            kind=kind,
            sequences=(self.sequence,),
            target=f"{self.labeler}.{target}",
            spans=tuple(f"{self.labeler}.{span}" for span in spans),
            classes=classes,
            status=f"{self.labeler}.status",
            reasons=self.reasons,
            weight=self._path(weight),
            level=level,
            metric=metric,
            paper=self.paper,
        )

    def _path(self, column: str | None) -> str | None:
        """Return the path of a column from the row."""
        return None if column is None else f"{self.labeler}.{column}"

"""Labelers that raise: who, where and at which line; and rows that go on without them."""

import json
import re
from collections import Counter
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from passages import passages
from small import built, files, manifest, rows, text, write
from toy_labelers import Beheading, Fragile, Stutter

from labelers.edits import View
from labelers.labeler import Corpus, Proposal, Request
from labelers.passages import PassageBatch
from labelers.task import FRAMEWORK_REASONS, status_reason
from pipelines.folder.schema import declare
from pipelines.rows.errors import RaisedError, RowErrors
from pipelines.rows.labelling import label_rows
from pipelines.verify import verify

TEXTS = [line for line in text(40).splitlines() if line]
BOOM = "Then BOOM it went , they say ."
UNIT = {"bytes": 20_000}
LABELERS = ["toy_labelers:Fragile", "toy_labelers:Stutter", "toy_labelers:Beheading"]


def label(batch: PassageBatch, errors: RowErrors | None, *, joint: bool = False) -> list[dict[str, Any]]:
    """Return the rows of two labelers that work and one that raises on BOOM."""
    labelers = [Fragile(), Stutter(), Beheading()]
    corpus = Corpus(pool=passages(TEXTS[:5], batch.vocabulary), classes={"roles": ()})
    schema = declare(labelers, corpus, joint=joint, keep={})
    found = label_rows(
        batch, labelers, corpus, schema, seed=0, joint=joint, conflicts=Counter(), errors=errors
    ).to_pylist()
    return list(found)


@pytest.mark.parametrize("joint", [False, True])
def test_a_labeler_abstains_from_the_rows_on_which_it_raises(joint: bool) -> None:  # noqa: FBT001
    """The status says error, lists are empty, all else is null; no other row and no other labeler notices."""
    places = [0, 7, 8, 20, 39]
    lines = [BOOM if i in places else line for i, line in enumerate(TEXTS)]
    errors = RowErrors()
    found = label(passages(lines), errors, joint=joint)
    clean = label(passages(TEXTS), None, joint=joint)
    for i, row in enumerate(found):
        if i in places:
            assert row["fragile"] == {"status": 100, "turns": None}
            assert row["stutter"]["status"] != 100
        else:
            assert row == clean[i]
    (example,) = errors.to_json().values()
    assert example["row"] in {f"d{i}/0" for i in places}
    assert re.fullmatch(r"KeyError: 'no such thing' \(toy_labelers.py, line \d+\)", example["text"])


def test_the_row_to_show_does_not_depend_on_the_order() -> None:
    """Batches come as they come; the smallest digest of an id wins."""
    names = [f"a{i}/0" for i in range(20)]
    kept = []
    for order in (names, names[::-1]):
        errors = RowErrors()
        for name in order:
            errors.add("x", name, "it raised")
        other = RowErrors()
        other.merge(errors.to_json())
        kept.append(other.to_json())
    assert kept[0] == kept[1]


def test_an_error_names_the_line_of_the_labelers_own_code() -> None:
    """Not that of a library it calls; the dataset keeps no path and no address."""

    class Calling(Fragile):
        def propose(self, *args: Any, **kwargs: Any) -> Any:
            pa.array([object()])

    batch = passages(["one two ."])
    with pytest.raises(RaisedError, match=r"test_errors\.py, line \d+\)") as error:
        label_rows(
            batch,
            [Calling()],
            Corpus(classes={"roles": ()}),
            declare([Calling()], Corpus(), joint=False, keep={}),
            seed=0,
            joint=False,
            conflicts=Counter(),
        )
    assert "0x" in error.value.text
    assert str(Path(__file__)) in error.value.text
    assert "0x..." in error.value.kept
    assert "/" not in error.value.kept.rpartition("(")[2]


def test_an_error_in_a_woven_view_names_the_document_of_its_row() -> None:
    """The row is looked for as it was labelled: with requests for a woven view, not for one of the labeler's own."""

    class Weaving(Stutter):
        def propose(self, request: Request) -> Proposal:
            assert request.joint
            return super().propose(request)

        def label(self, request: Request, proposal: Proposal, view: View) -> dict[str, pa.Array]:
            assert request.batch.vocabulary.find("BOOM") not in request.batch.codes
            return super().label(request, proposal, view)

    batch = passages([*TEXTS[:7], BOOM, *TEXTS[7:]])
    schema = declare([Weaving()], Corpus(), joint=True, keep={})
    with pytest.raises(RaisedError) as error:
        label_rows(batch, [Weaving()], Corpus(), schema, seed=0, joint=True, conflicts=Counter())
    assert error.value.document == batch.documents[7]


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a text with five lines on which a labeler raises, in two units."""
    lines = text(700).splitlines()
    for place in (50, 51, 120, 350, 351):
        lines[place] = BOOM
    return write(tmp_path_factory.mktemp("source"), "\n".join(lines))


def test_a_build_says_what_raised(source: Path, tmp_path: Path) -> None:
    """It fails by default; with on_error = abstain rows are counted, and one of them is told, also by the manifest."""
    failed = built(source, tmp_path / "failed", unit=UNIT, **{"with": LABELERS})
    assert failed.exit_code == 1
    assert all(re.search(r"KeyError: 'no such thing' \(.*toy_labelers\.py, line \d+\)", t) for t in failed.failures)
    report = built(source, tmp_path / "out", unit=UNIT, on_error="abstain", **{"with": LABELERS})
    assert report.exit_code == 0
    abstained = Counter(row["fragile"]["status"] for split in report.splits for row in rows(tmp_path / "out", split))
    assert abstained[100] == 5
    assert (
        sum(book["labelers"]["fragile"]["abstained"].get("error", 0) for book in report.books["splits"].values()) == 5
    )
    (warning,) = [item for item in report.warnings if item.startswith("labeler fragile failed on 5 rows")]
    example = manifest(tmp_path / "out")["errors"]["fragile"]
    assert example["text"] in warning
    assert example["row"] in warning
    assert verify(tmp_path / "out") == []


@pytest.mark.parametrize("tables", [{"run": {"batch": 3}}, {"run": {"batch": 100}}])
def test_no_batch_decides_what_is_kept_of_an_error(source: Path, tmp_path: Path, tables: dict[str, Any]) -> None:
    """The bytes are the same, the row to show included."""
    common = {"unit": UNIT, "on_error": "abstain", "with": LABELERS}
    built(source, tmp_path / "one", **common)
    built(source, tmp_path / "two", **common, **tables)
    assert files(tmp_path / "one") == files(tmp_path / "two")
    marks = [json.loads(path.read_bytes()) for path in (tmp_path / "one" / "stats").glob("*.json")]
    assert sum("errors" in mark for mark in marks) == 2


def test_statuses_of_the_framework_are_no_labelers() -> None:
    """They have names of their own; a status between is an error."""
    assert {status: status_reason(status, ()) for status in FRAMEWORK_REASONS} == FRAMEWORK_REASONS
    with pytest.raises(ValueError, match="status 103 has no reason; there are short"):
        status_reason(103, ("short",))

"""The tables of a recipe, each with its keys, their defaults and what they allow."""

from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field

__all__ = [
    "INPUT_PLACES",
    "DedupTable",
    "InputTable",
    "LabelKind",
    "LabelTable",
    "PassageTable",
    "PlanTable",
    "RunTable",
    "SplitTable",
    "StoreTable",
    "Table",
    "TextTable",
    "UnitTable",
]

FieldType = Literal["string", "int64", "float64", "bool"]
INPUT_PLACES = ("files", "train", "validation", "test")
"""Keys of [input] that say where it lies."""

LabelKind = Literal["token", "passage", "multilabel", "segment", "turn", "pair", "regression", "arc"]


class Table(BaseModel):
    """A table of the recipe: frozen, no unknown keys."""

    model_config = ConfigDict(frozen=True, extra="forbid", validate_by_name=True, validate_by_alias=True)


def _listed(value: Any) -> Any:
    """Let one path stand for a list of one."""
    return [value] if isinstance(value, str) else value


Paths = Annotated[tuple[str, ...], BeforeValidator(_listed)]


def _one_or_more(value: Any) -> Any:
    """Let one value stand for a list of one."""
    return [value] if isinstance(value, str | int | float) else value


Values = Annotated[tuple[str | int | float, ...], BeforeValidator(_one_or_more), Field(min_length=1)]


class InputTable(Table):
    """Where some of the text is and how its records are read."""

    files: Paths = ()
    """Files, folders or globs; where others have a split that is given, these are train."""
    train: Paths = ()
    validation: Paths = ()
    test: Paths = ()
    text: str = "text"
    """Name of the field with the text."""
    tokens: str = "tokens"
    """Name of the field with tokens that are split already."""
    id: str = "id"
    turns: str = "turns"
    second: str = ""
    """Name of the field with a second text, or its tokens, beside the first; "": records have none."""
    keep: Mapping[str, FieldType] = Field(default_factory=dict)
    """Further fields that go into each row, with their types."""
    where: Mapping[str, Values] = Field(default_factory=dict)
    """Which records are read: those that have one of these values at each of these paths."""
    labels: Mapping[str, str] = Field(default_factory=dict)
    """Column of a label in these files, where it is not [labels.NAME] column; "": these files have none."""
    offsets: Literal["codepoint", "utf16", "byte"] = "codepoint"
    """What the start and end of a labelled span count."""
    format: Literal["", "conll", "conllu", "table"] = ""
    """How files of columns are read: tokens below each other with blank lines between sentences, or a table with a
    header. "": as the ending says, and .tsv as the first lines look."""
    columns: tuple[str, ...] = ()
    """conll: names of the columns; none: the first is tokens, the last tags. table: of one without a header."""
    record: Literal["auto", "sentence", "document"] = "auto"
    """conll: what a record is; auto: a document where the file marks where one begins, else a sentence."""
    encoding: str = "utf-8"
    paragraphs: Literal["line", "blank"] = "line"
    """What a document of a .txt file is: a line, or a paragraph between blank lines."""
    max_record_bytes: int = Field(1_000_000, ge=1)
    limit: int = Field(0, ge=0)
    """Read no more than this many records of each input file; 0 reads all."""
    licence: str = ""
    """Of text and labels; "": unknown. It changes no file but plan.json; the card of an exported model states it."""


class LabelTable(Table):
    """[labels.NAME]: labels that people made, in a column of the input."""

    column: str = ""
    """Path in a record, such as ``turns.act``; "": the name of the label."""
    kind: LabelKind = "token"
    """token: a tag for each token, or spans; passage: a class for the record; multilabel: several; segment, turn: a
    class for each; pair: a class for the two texts; regression: a number; arc: the head of each token."""
    classes: tuple[str, ...] = ()
    """None given: all that occur."""
    scheme: Literal["auto", "bio", "iob1", "bioes", "none"] = "auto"
    """token: how tags mark spans; none: they do not. auto: as the tags of all files look."""
    metric: str = ""
    """"": span_f1 for spans, accuracy for tags of which none is O, else that of the kind."""
    level: Literal["passage", "token"] = "passage"
    """regression: what has a number."""
    relations: str = ""
    """arc: path of the relations of tokens to their heads; "": they have no names."""
    on: str = ""
    """A labeler whose view the task is trained on too; it is always evaluated on the source."""


class TextTable(Table):
    """The language of the text, and what its line breaks mean."""

    lang: Literal["en"] = "en"
    newline: Literal["space", "break"] = "space"
    """What a single line break inside a document is: a space, or the end of a segment, as a blank line always is."""
    normalise: Literal["none", "transcript"] = "none"
    """transcript: lower case without punctuation, as speech is written down; labels follow their tokens."""


class PassageTable(Table):
    """How documents are cut into rows."""

    max_tokens: int = Field(128, ge=8, le=2048)


class SplitTable(Table):
    """Which documents are held out."""

    validation: float = Field(0.05, ge=0, lt=1)
    test: float = Field(0.05, ge=0, lt=1)
    group: str = ""
    """What stays on one side: "" the record's own id, else blocks of 64 kB; "file"; or a kept field."""


class DedupTable(Table):
    """Equal documents and passages."""

    documents: bool = False
    """Use the first of records with equal text only."""
    held_out: bool = True
    """Leave out train passages without human labels that equal a labelled one of validation or test."""


class UnitTable(Table):
    """How the input is cut into units of work."""

    bytes: int = Field(0, ge=0)
    """About so many bytes of input per unit; 0: total / 64, between 1 and 64 MiB."""


class PlanTable(Table):
    """What a build finds out before its first shard."""

    from_: str = Field("", alias="from")
    """An earlier OUT whose classes and pool are used again."""
    max_classes: int = Field(64, ge=2)
    pool_documents: int = Field(2048, ge=1)


class StoreTable(Table):
    """How object stores are reached, beside what the environment and the URI say; changes no byte of a dataset."""

    endpoint_override: str = ""
    """Host and port of a server that speaks S3."""
    scheme: Literal["", "http", "https"] = ""
    region: str = ""
    role: str = ""
    """ARN of a role to take on, with the credentials of the environment."""
    proxy: str = ""
    """``http://HOST:PORT``, without credentials."""
    anonymous: bool = False
    """Sign no request: for public buckets."""
    connect_timeout: float = Field(0, ge=0)
    """Seconds; 0: the client's own."""
    request_timeout: float = Field(0, ge=0)
    retries: int = Field(0, ge=0)
    """How often a request is made at most; 0: 8 times, which takes about a minute."""

    def settings(self) -> dict[str, str]:
        """Return what is set, as the query of a URI says it."""
        found = {name: getattr(self, name) for name in type(self).model_fields}
        return {name: str(value).lower() if value is True else f"{value}" for name, value in found.items() if value}


class RunTable(Table):
    """How the build runs; changes no byte of it."""

    workers: int = Field(1, ge=1)
    runner: str = "local"
    """local, dask, dataflow, direct, flink, portable, prism or spark; or the full class name of a Beam runner."""
    beam: Mapping[str, Any] = Field(default_factory=dict)
    """Options for the runner."""
    batch: int = Field(2048, ge=1)
    """Documents that are labelled at a time."""

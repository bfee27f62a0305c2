"""`auxloom profile`."""

from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any, Literal

import typer

from pipelines.commands.options import AsJson, Set
from pipelines.display.terminal import print_json, say

__all__ = ["COMMAND", "EXAMPLE"]

EXAMPLE = "auxloom profile disfluency calls.jsonl --out repairs.toml"

_LISTED = 8  # fillers that are printed


def profile(
    labeler: Annotated[Literal["disfluency"], typer.Argument(help="The labeler that the profile is for.")],
    files: Annotated[list[str], typer.Argument(metavar="FILE", help="Files, folders or globs with annotated repairs.")],
    out: Annotated[str | None, typer.Option(help="File to write the profile to. [default: print it]")] = None,
    column: Annotated[
        str, typer.Option(help="The column with the tags.", show_default="the one that marks repairs")
    ] = "",
    reparandum: Annotated[list[str] | None, typer.Option(help="A tag that marks reparanda. Repeatable.")] = None,
    interregnum: Annotated[
        list[str] | None, typer.Option(help="A tag that marks interregna or fillers. Repeatable.")
    ] = None,
    overrides: Set = None,
    as_json: AsJson = False,
) -> None:
    """Estimate a profile of self-repairs from annotated speech, for the option `profile` of a labeler.

    These tags are recognised: RM for reparanda, with F, E and D for interregna (Shriberg); reparandum and interregnum;
    EDITED, INTJ and PRN; D and I.
    """
    from labelers.language.repair_learning import learn
    from pipelines.commands.options import recipe_of
    from pipelines.input.find import find_files
    from pipelines.labels.repair_files import read_marked

    recipe = recipe_of(files, {"input": {}}, overrides or [])
    found, _ = find_files(recipe.input)
    marked = [
        read_marked(file, recipe.input[file.input], column, reparandum or [], interregnum or []) for file in found
    ]
    learnt = learn((item for file in marked for item in file.utterances), ", ".join(file.name for file in marked))
    if out:
        Path(out).write_text(learnt.to_toml(), encoding="utf-8")
    if as_json:
        print_json({"labeler": labeler, "out": out, "profile": learnt.model_dump(mode="json")})
    elif not out:
        say(learnt.to_toml().rstrip())
    else:
        for line in [*map(_file, marked), *_lines(learnt)]:
            say(line)
        say(f'wrote {out}; a recipe uses it with [labelers.disfluency] profile = "{out}"')


def _file(marked: Any) -> str:
    """Say how a file was read."""
    beside = f"interregna {', '.join(marked.interregnum)}" if marked.interregnum else "no class of interregna"
    return (
        f"{marked.name}: {len(marked.utterances):,} utterances; column {marked.column}: reparanda "
        f"{', '.join(marked.reparandum)}, {beside}"
    )


def _lines(learnt: Any) -> Iterator[str]:
    """Say what was counted."""
    share = f"{learnt.rate:.1%} of the utterances have one"
    yield f"{learnt.repairs:,} reparanda in {learnt.utterances:,} utterances of {learnt.words:,} fluent words; {share}"
    total = sum(learnt.everywhere)
    kinds = zip(learnt.kinds.items(), learnt.everywhere, strict=True)
    for (name, shape), rate in kinds:
        sizes = ", ".join(f"{size} {share:.1%}" for size, share in enumerate(shape.lengths, 1))
        yield f"  {name}: {rate / total:.1%}; words {sizes}; editing phrase {shape.interregnum:.1%}"
    yield f"  comma after: {learnt.comma:.1%}; reparanda in a row: {', '.join(f'{w:.1%}' for w in learnt.chain)}"
    yield f"  editing phrases: {_listed(learnt.phrases) or 'none'}"
    if fillers := learnt.fillers:
        yield f"  fillers: {fillers.opening:.1%} of the utterances begin with one: {_listed(fillers.first)}"
        yield f"    one follows {fillers.everywhere / 10:.1f}% of the words: {_listed(fillers.phrases)}"
    else:
        yield "  fillers: none"
    often = sorted(learnt.starts.items(), key=lambda item: (-sum(item[1]), item[0]))[:8]
    yield "  most often before: " + ", ".join(f"{word} {sum(rates) / 10:.1f} %" for word, rates in often)


def _listed(phrases: Any) -> str:
    """Return the most frequent phrases with their numbers."""
    return ", ".join(f"{name} {n:.0f}" for name, n in list(phrases.items())[:_LISTED])


COMMAND = profile

"""WordNet: a tiny database in its format, read by NLTK without a file, gives the concepts that need no context."""

import builtins
from collections.abc import Mapping, Sequence
from pathlib import Path

import nltk
import pytest
from passages import passages

from labelers.finding import load
from labelers.labeler import Corpus, Resource
from labelers.language.wordnet import read_wordnet

LICENCE = "  1 This line stands for the licence.  \n"
KINDS = {"noun": "n", "verb": "v", "adj": "a", "adv": "r"}
SYNSETS = {
    "noun": [
        ["motorcar", "automobile", "auto"],
        ["auto", "self"],
        ["men", "workforce", "work_force"],
        ["man", "adult_male"],
        ["geese", "wildfowl", "game_bird"],
        ["goose"],
        ["ar", "are", "hundred_square_metres"],
        ["dozes", "naps", "short_sleep", "forty_winks"],
    ],
    "verb": [["be", "exist"], ["doze", "nap"]],
    "adj": [["afloat(p)", "adrift(p)", "floating"], ["huge", "vast"], ["Huge"]],
    "adv": [["but", "merely", "barely"], ["galore(ip)", "aplenty"], ["and_so", "whereupon"]],
}
EXCEPTIONS = {"noun": "men man\ngeese goose\n", "verb": "are be\n"}


def database(synsets: Mapping[str, Sequence[Sequence[str]]], folder: str = "dict/") -> dict[str, bytes]:
    """Return the content of the files of a WordNet database, by path."""
    files: dict[str, bytes] = {}
    for part, kind in KINDS.items():
        data, places = LICENCE.encode(), {}
        for words in synsets[part]:
            listed = " ".join(f"{word} 0" for word in words)
            for word in words:
                places.setdefault(word.partition("(")[0].lower(), []).append(len(data))
            frames = "01 + 02 00 " if part == "verb" else ""
            line = f'{len(data):08d} 04 {kind} {len(words):02x} {listed} 000 {frames}| a gloss; "a use"  \n'
            data += line.encode()
        lines = (
            f"{lemma} {kind} {len(found)} 0 {len(found)} 0 {' '.join(f'{place:08d}' for place in found)}  \n"
            for lemma, found in sorted(places.items())
        )
        files |= {f"data.{part}": data, f"index.{part}": (LICENCE + "".join(lines)).encode()}
        files[f"{part}.exc"] = EXCEPTIONS.get(part, "").encode()
    return {folder + name: content for name, content in files.items()}


def test_only_names_that_need_no_context_are_used() -> None:
    """One lemma, one sense over all parts of speech, no word of grammar, no inflected form, no bound place."""
    names = {concept.names for concept in read_wordnet(database(SYNSETS))}
    assert names == {("motorcar", "automobile"), ("workforce", "work force"), ("man", "adult male"),
                     ("wildfowl", "game bird"), ("short sleep", "forty winks"), ("doze", "nap"),
                     ("merely", "barely")}  # fmt: skip
    types = {concept.type for concept in read_wordnet(database(SYNSETS))}
    assert types == {"noun.04", "verb.04", "adv.04"}


def test_nouns_are_found_in_the_plural() -> None:
    """Number is kept."""
    maker = load("paraphrase", wordnet=Resource("wn", database(SYNSETS)))
    batch = passages(["Two motorcars came ."])
    shown = {" ".join(maker.apply(batch, Corpus(), seed=seed).to_pylist()[0]["tokens"]) for seed in range(40)}
    assert "Two automobiles came ." in shown


def test_words_outside_ascii_are_read() -> None:
    """Offsets count bytes, whatever the characters."""
    synsets = SYNSETS | {"noun": [["cafetière", "naïveté"], ["matinée", "fête_champêtre"]]}
    names = [concept.names for concept in read_wordnet(database(synsets)) if concept.type == "noun.04"]
    assert names == [("cafetière", "naïveté"), ("matinée", "fête champêtre")]


def test_no_file_is_opened_and_nltk_is_left_as_it_was(monkeypatch: pytest.MonkeyPatch) -> None:
    """The content is handed over; NLTK's search path, which the whole process shares, stays what it is."""
    files, before = database(SYNSETS), list(nltk.data.path)

    def refuse(*_: object, **__: object) -> None:
        raise AssertionError("a file was opened")

    with monkeypatch.context() as patch:
        patch.setattr(builtins, "open", refuse)
        patch.setattr(Path, "open", refuse)
        assert read_wordnet(files)
    assert nltk.data.path == before


def test_a_folder_without_wordnet_is_refused() -> None:
    """The message says what is missing, what was found, and what to give."""
    with pytest.raises(
        ValueError, match=r"data.noun, .* missing \(found readme\); give the folder that contains data.noun"
    ):
        read_wordnet({"readme": b""})
    files = database(SYNSETS)
    del files["dict/index.verb"]
    with pytest.raises(ValueError, match=r"no WordNet database: index.verb missing \(found adj.exc"):
        read_wordnet(files)


@pytest.mark.parametrize(
    ("name", "data"),
    [
        ("data.noun", b"what is this"),
        ("index.noun", b"what is this\n"),
        ("data.adv", b"\xff\xfe"),
        ("index.adv", b"short\n"),
        ("noun.exc", b"\n"),
    ],
)
def test_a_broken_database_is_refused(name: str, data: bytes) -> None:
    """What NLTK cannot read is one error that says so."""
    files = database(SYNSETS) | {f"dict/{name}": data}
    with pytest.raises(ValueError, match="the WordNet database cannot be read: "):
        read_wordnet(files)

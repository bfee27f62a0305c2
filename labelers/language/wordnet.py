"""WordNet's concepts, read by NLTK from the content of the database's files.

NLTK opens corpora only in folders on its search path, which belongs to the whole process. A labeler is handed the
content of files instead, which the plan has hashed; so here NLTK's reader is given that content.
"""

import io
from collections.abc import Iterator, Mapping
from typing import BinaryIO, TextIO

from nltk.corpus.reader.wordnet import Lemma, Synset, WordNetCorpusReader, WordNetError
from nltk.data import PathPointer

from labelers.language.dictionary import FUNCTION_WORDS, Concept, clean_names

__all__ = ["read_wordnet"]

_PARTS = {"n": "noun", "v": "verb", "a": "adj", "s": "adj", "r": "adv"}
"""NLTK's parts of speech, and how the files of each are called."""

_NEEDED = tuple(
    name for part in dict.fromkeys(_PARTS.values()) for name in (f"data.{part}", f"index.{part}", f"{part}.exc")
)

_LEXNAMES = "".join(f"{number:02d} {number:02d} 0\n" for number in range(100)).encode()
"""The file ``lexnames``, which distributions of the database leave out: a lexicographer file is named by its number."""

_KEPT = 20_000
"""Synsets after which NLTK's memory of those that it has read is emptied: all of them together take 300 MB."""


class _Content(PathPointer):  # type: ignore[misc]
    """The files of a folder, or one of them, in memory."""

    def __init__(self, files: Mapping[str, bytes], name: str = "") -> None:
        self._files, self._name = files, name

    def open(self, encoding: str | None = None) -> TextIO | BinaryIO:
        """Return a stream of the file."""
        stream = io.BytesIO(self._files[self._name])
        return io.TextIOWrapper(stream, encoding) if encoding else stream

    def file_size(self) -> int:
        """Return the length of the file."""
        return len(self._files[self._name])

    def join(self, fileid: str) -> "_Content":
        """Return a file of the folder."""
        return _Content(self._files, fileid)


class _Reader(WordNetCorpusReader):  # type: ignore[misc]
    """NLTK's reader over content in memory, of any version of WordNet."""

    def open(self, file: str) -> TextIO | BinaryIO:
        """Open a file without the check that it lies in a folder on NLTK's search path: it lies in none."""
        folder: _Content = self.root
        return folder.join(file).open(self.encoding(file))

    def map_wn(self, version: str = "wordnet") -> None:
        """Return no mapping to another version: it serves other languages, and stands among NLTK's downloads."""

    def concepts(self) -> Iterator[Concept]:
        """Yield each synset with those of its names that are unambiguous without context."""
        for part in "nvar":
            for number, synset in enumerate(self.all_synsets(part)):
                if number % _KEPT == 0:
                    self._synset_offset_cache.clear()
                yield _concept(self, synset)


def read_wordnet(files: Mapping[str, bytes]) -> tuple[Concept, ...]:
    """Read from WordNet's database the concepts whose names are unambiguous without context.

    A name must be the base form of one lemma with one sense over all parts of speech, no word of grammar and no
    inflected form of another lemma ("are", "men"), not begin with a word of grammar ("and so", "on that") and not be
    bound to a place in the sentence ("galore", which WordNet marks); a concept needs two such names. Its type is its
    part of speech and the number of WordNet's lexicographer file.

    Args:
        files: content of ``data.noun``, ``index.noun``, ``noun.exc`` and so on for verb, adj and adv, by path.

    Raises:
        ValueError: a file is missing, or holds what NLTK cannot read.
    """
    found = {path.rsplit("/", 1)[-1]: data for path, data in files.items()}
    missing = [name for name in _NEEDED if name not in found]
    if missing:
        raise ValueError(
            f"no WordNet database: {', '.join(missing)} missing (found {', '.join(sorted(found)[:5]) or 'nothing'}); "
            "give the folder that contains data.noun, index.noun, noun.exc and those of verb, adj and adv"
        )
    try:
        # a reader of other languages; without one NLTK would warn
        reader = _Reader(_Content({**found, "lexnames": _LEXNAMES}), omw_reader="")
        return tuple(concept for concept in reader.concepts() if len(concept.names) > 1)
    except (WordNetError, ArithmeticError, AssertionError, LookupError, StopIteration, ValueError) as error:
        raise ValueError(f"the WordNet database cannot be read: {type(error).__name__} {error}".strip()) from error


def _concept(reader: _Reader, synset: Synset) -> Concept:
    """Return a synset with those of its names that are unambiguous without context."""
    part, file = _PARTS[synset.pos()], synset.lexname()
    names = (lemma.name().replace("_", " ") for lemma in synset.lemmas() if _alone(reader, lemma))
    return Concept(f"{part}:{file}:{synset.offset():08d}", clean_names(names), f"{part}.{file}")


def _alone(reader: _Reader, lemma: Lemma) -> bool:
    """Tell whether nothing but its synset is meant wherever the form of a lemma stands."""
    if lemma.syntactic_marker() or lemma.name().partition("_")[0] in FUNCTION_WORDS:
        return False
    # all synsets of the form and of what it may be an inflected form of, over all parts of speech
    return bool(reader.synsets(lemma.name()) == [lemma.synset()])

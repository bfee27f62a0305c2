"""Sentence splitting of auxloom, spaCy's sentencizer and NLTK's Punkt: python benchmarks/sentences.py CONLLU...

Reads gold sentences from CoNLL-U files and prints precision, recall and F1 of the boundaries inside documents, counted
in characters that are no white space. A document is a `# newdoc`, its sentences joined by a space and its paragraphs
(`# newpar`) by a blank line; with `--joined` by a space too, as where line breaks were lost; with `--paragraphs` each
paragraph is a document.
"""

import argparse
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np

from labelers.text.segmenter import read_texts

Boundaries = Callable[[str], set[int]]


def documents(path: Path, opening: tuple[str, ...]) -> Iterator[list[list[str]]]:
    """Yield the paragraphs of each document, lists of sentences."""
    paragraphs: list[list[str]] = [[]]
    for line in path.read_text(encoding="utf-8").splitlines():
        if line.startswith(opening) and any(paragraphs):
            yield paragraphs
            paragraphs = [[]]
        elif line.startswith("# newpar"):
            paragraphs.append([])
        if line.startswith("# text = "):
            paragraphs[-1].append(" ".join(line.removeprefix("# text = ").split()))
    yield paragraphs


def solid(text: str) -> int:
    """Return how many characters are no white space."""
    return len("".join(text.split()))


def ends(paragraphs: list[list[str]]) -> set[int]:
    """Return where sentences end, the last one left out."""
    return set(np.cumsum([solid(text) for sentences in paragraphs for text in sentences])[:-1].tolist())


def auxloom(text: str) -> set[int]:
    """Return the boundaries that auxloom finds."""
    batch = read_texts([text], max_tokens=1_000_000)
    places = np.cumsum([len(token) for token in batch.vocabulary.strings(batch.codes).to_pylist()])
    return set(places[batch.segments[1:] - 1].tolist())


def spacy_sentencizer() -> Boundaries:
    """Return a splitter that asks spaCy's rule-based sentencizer."""
    import spacy

    nlp = spacy.blank("en")
    nlp.add_pipe("sentencizer")
    return lambda text: {solid(text[: sentence.end_char]) for sentence in nlp(text).sents} - {solid(text)}


def punkt() -> Boundaries:
    """Return a splitter that asks NLTK's Punkt with its default, untrained parameters."""
    from nltk.tokenize.punkt import PunktSentenceTokenizer

    tokenizer = PunktSentenceTokenizer()
    return lambda text: {solid(text[:end]) for _, end in tokenizer.span_tokenize(text)} - {solid(text)}


def main() -> None:
    """Print a table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("files", nargs="+", type=Path)
    way = parser.add_mutually_exclusive_group()
    way.add_argument("--joined", action="store_true")
    way.add_argument("--paragraphs", action="store_true")
    options = parser.parse_args()
    opening = ("# newdoc", "# newpar") if options.paragraphs else ("# newdoc",)
    between = " " if options.joined else "\n\n"
    gold = [paragraphs for path in options.files for paragraphs in documents(path, opening)]
    splitters = {"auxloom": auxloom, "spaCy sentencizer": spacy_sentencizer(), "NLTK Punkt": punkt()}
    print(
        f"{sum(len(sentences) for paragraphs in gold for sentences in paragraphs)} sentences in {len(gold)} documents"
    )
    print(f"{'splitter':<20} precision  recall     F1")
    for name, split in splitters.items():
        pairs = [(ends(item), split(between.join(map(" ".join, filter(None, item))))) for item in gold]
        right = sum(len(true & found) for true, found in pairs)
        precision = right / max(1, sum(len(found) for _, found in pairs))
        recall = right / max(1, sum(len(true) for true, _ in pairs))
        f1 = 2 * precision * recall / max(precision + recall, 1e-9)
        print(f"{name:<20} {precision:9.3f} {recall:7.3f} {f1:6.3f}")


if __name__ == "__main__":
    main()

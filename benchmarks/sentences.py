"""Sentence splitting of auxloom, spaCy's sentencizer and NLTK's Punkt: python benchmarks/sentences.py CONLLU...

Reads gold sentences from CoNLL-U files and prints precision, recall and F1 of the boundaries inside documents; a
document is a `# newdoc` or, with `--paragraphs`, a `# newpar`, its sentences joined by one space.
"""

import argparse
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np

from pipelines.segment import read_texts

Boundaries = Callable[[str], set[int]]


def documents(path: Path, opening: tuple[str, ...]) -> Iterator[list[str]]:
    """Yield the sentences of each document."""
    sentences: list[str] = []
    for line in path.read_text(encoding="utf-8").splitlines():
        if line.startswith(opening) and sentences:
            yield sentences
            sentences = []
        if line.startswith("# text = "):
            sentences.append(" ".join(line.removeprefix("# text = ").split()))
    yield sentences


def ends(sentences: list[str]) -> set[int]:
    """Return where sentences end in the joined text, the last one left out."""
    return set((np.cumsum([len(text) + 1 for text in sentences]) - 1)[:-1].tolist())


def auxloom(text: str) -> set[int]:
    """Return the boundaries that auxloom finds."""
    batch = read_texts([text], max_tokens=1_000_000)
    tokens = batch.vocabulary.strings(batch.codes).to_pylist()
    places = np.cumsum([len(token) + space for token, space in zip(tokens, batch.spaces.tolist(), strict=True)])
    return {int(places[start - 1] - batch.spaces[start - 1]) for start in batch.segments[1:]}


def spacy_sentencizer() -> Boundaries:
    """Return a splitter that asks spaCy's rule-based sentencizer."""
    import spacy

    nlp = spacy.blank("en")
    nlp.add_pipe("sentencizer")
    return lambda text: {sentence.end_char for sentence in nlp(text).sents} - {len(text)}


def punkt() -> Boundaries:
    """Return a splitter that asks NLTK's Punkt with its default, untrained parameters."""
    from nltk.tokenize.punkt import PunktSentenceTokenizer

    tokenizer = PunktSentenceTokenizer()
    return lambda text: {end for _, end in tokenizer.span_tokenize(text)} - {len(text)}


def main() -> None:
    """Print a table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("files", nargs="+", type=Path)
    parser.add_argument("--paragraphs", action="store_true")
    options = parser.parse_args()
    opening = ("# newdoc", "# newpar") if options.paragraphs else ("# newdoc",)
    gold = [sentences for path in options.files for sentences in documents(path, opening)]
    splitters = {"auxloom": auxloom, "spaCy sentencizer": spacy_sentencizer(), "NLTK Punkt": punkt()}
    print(f"{sum(map(len, gold))} sentences in {len(gold)} documents")
    print(f"{'splitter':<20} precision  recall     F1")
    for name, split in splitters.items():
        pairs = [(ends(sentences), split(" ".join(sentences))) for sentences in gold]
        right = sum(len(true & found) for true, found in pairs)
        precision = right / max(1, sum(len(found) for _, found in pairs))
        recall = right / max(1, sum(len(true) for true, _ in pairs))
        f1 = 2 * precision * recall / max(precision + recall, 1e-9)
        print(f"{name:<20} {precision:9.3f} {recall:7.3f} {f1:6.3f}")


if __name__ == "__main__":
    main()

"""Injected repairs beside real ones: python benchmarks/repairs.py swbd_open.jsonl [--folds 6] [--seed 1] [--show 20].

The FILE has one utterance per line: `conv`, `tokens`, and `labels` (RM a reparandum; F, E and D fillers, editing terms
and discourse markers; all else is fluent). Fillers that follow no reparandum are left out, and so is what breaks off at
the end of an utterance with nothing behind it. Without reparanda and interregna an utterance with repairs is a
carrier: the labeler disfluency makes each carrier disfluent again, and what it makes is compared with what was said.

Conversations are divided into folds. The carriers of a fold are made disfluent with a profile that is learnt on the
other folds, and with n-grams of these. Printed are distributions of both sides, and how well a logistic regression over
hashed n-grams of words, and of words with their tags, tells real from injected in conversations that it has not seen,
as they are written and in small letters without marks: 0.5 would be perfect injections.

A second table is about fillers: all utterances of six fluent words or more beside what the learnt profile makes of them
at its own rates, with fillers and without.
"""

import argparse
import json
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from sklearn.feature_extraction import FeatureHasher
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import accuracy_score, roc_auc_score

from labelers.disfluency import Disfluency
from labelers.edits import weave
from labelers.labeler import Corpus, Request, Resource
from labelers.language.casing import upper_first
from labelers.language.repair_gold import Annotated, fillers, kind_of, reparanda, written
from labelers.language.repair_learning import learn
from labelers.language.repair_profile import KINDS, read_profile
from labelers.passages import PassageBatch
from labelers.ragged import running_total
from labelers.vocabulary import Vocabulary

TAGS = {"RM": "D", "F": "I", "E": "I", "D": "I"}
LONGEST = 4  # tokens of an n-gram of tags
BUCKETS = 2**18

Options = Mapping[str, Any]
WAYS: dict[str, Options] = {
    "uniform": {"profile": "uniform"},
    "conversational": {"profile": "conversational"},
    "learnt": {"fillers": 0.0},
}
FILLED: dict[str, Options] = {"with fillers": {}, "without": {"fillers": 0.0}}
LEAST = 6  # fluent words of an utterance in the table of fillers


@dataclass(frozen=True)
class Utterance:
    """An utterance without fillers outside of repairs."""

    name: str
    conversation: int
    tokens: tuple[str, ...]
    tags: tuple[str, ...]

    @property
    def carrier(self) -> tuple[str, ...]:
        """Its fluent tokens; the first one has the capital that its first word has."""
        kept = [token for token, tag in zip(self.tokens, self.tags, strict=True) if tag == "O"]
        if kept and self.tokens[0][:1].isupper():
            kept[0] = upper_first(kept[0])
        return tuple(kept)


def tagged(record: Mapping[str, Any]) -> Annotated:
    """Return the tokens of a record with the tags of the labeler."""
    return Annotated(record["tokens"], [TAGS.get(label, "O") for label in record["labels"]])


def read(path: Path) -> Iterator[tuple[Utterance, Annotated]]:
    """Yield the utterances of a file: as they are compared, and as they are annotated."""
    for number, line in enumerate(path.read_text(encoding="utf-8").splitlines()):
        record = json.loads(line)
        found = tagged(record)
        tokens, tags = plain(found.tokens, found.tags)
        yield Utterance(f"{record['conv']}/{number}", record["conv"], tokens, tags), found


def plain(
    tokens: Sequence[str], tags: Sequence[str], *, whole: bool = False
) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Leave out what breaks off at the end and, unless they are wanted, fillers behind no reparandum.

    Example:
        >>> plain(["uh", "I", "uh", "I", "went", "and", "."], ["I", "D", "I", "O", "O", "D", "O"])
        (('I', 'uh', 'I', 'went', '.'), ('D', 'I', 'O', 'O', 'O'))
    """
    words = [at for at, tag in enumerate(tags) if tag == "O" and any(map(str.isalnum, tokens[at]))]
    last, kept, before = words[-1] if words else -1, [], "O"
    for at, tag in enumerate(tags):
        if tag == "O" or (at < last and (tag == "D" or before != "O" or whole)):
            kept.append(at)
            before = tag
    return tuple(tokens[at] for at in kept), tuple(tags[at] for at in kept)


def batch_of(names: Sequence[str], texts: Sequence[Sequence[str]], vocabulary: Vocabulary) -> PassageBatch:
    """Return passages of one segment each."""
    offsets = running_total(np.array([len(text) for text in texts], np.int64))
    none = np.empty(0, np.int64)
    return PassageBatch(
        vocabulary=vocabulary,
        ids=list(names),
        documents=[name.partition("/")[0] for name in names],
        codes=vocabulary.encode(token for text in texts for token in text),
        offsets=offsets,
        spaces=np.ones(offsets[-1], bool),
        segments=offsets[:-1],
        segment_offsets=np.arange(len(texts) + 1),
        turns=none,
        turn_offsets=np.zeros(len(texts) + 1, np.int64),
        roles=none,
    )


def inject(
    carriers: Sequence[Utterance], pool: Sequence[Utterance], labeler: Disfluency, seed: int
) -> dict[str, Utterance]:
    """Make carriers disfluent; those that the labeler leaves alone are left out."""
    vocabulary = Vocabulary()
    batch = batch_of([item.name for item in carriers], [item.carrier for item in carriers], vocabulary)
    corpus = Corpus(pool=batch_of([item.name for item in pool], [item.carrier for item in pool], vocabulary))
    request = Request(batch, corpus, labeler.draws(seed))
    proposal = labeler.propose(request)
    view = weave(batch, proposal.edits)
    tags = labeler.label(request, proposal, view)["tags"].to_pylist()
    made = {}
    for row, item in enumerate(carriers):
        tokens = vocabulary.strings(view.codes[slice(*view.offsets[row : row + 2])]).to_pylist()
        if proposal.status[row] == 0:
            names = [labeler.classes[max(tag, 0)] for tag in tags[row]]
            made[item.name] = Utterance(item.name, item.conversation, tuple(tokens), tuple(names))
    return made


def learnt(annotated: Sequence[Annotated]) -> Resource:
    """Return the file of a profile that is learnt on utterances."""
    return Resource("learnt", {"": learn(annotated).to_toml().encode()})


def injected(found: Sequence[tuple[Utterance, Annotated]], fold: Callable[[int], int], seed: int) -> dict[str, Any]:
    """Return what each way makes of the carriers, by the name of the utterance."""
    made: dict[str, dict[str, Utterance]] = {way: {} for way in WAYS}
    for number in sorted({fold(item.conversation) for item, _ in found}):
        own = [item for item, _ in found if fold(item.conversation) == number and "D" in item.tags]
        pool = [item for item, _ in found if fold(item.conversation) != number and len(item.carrier) > 1]
        profile = learnt([gold for item, gold in found if fold(item.conversation) != number])
        for way, options in WAYS.items():
            labeler = Disfluency(rate=1.0, deletions=False, **({"profile": profile} | dict(options)))
            made[way] |= inject(own, pool, labeler, seed)
    return made


def filled(
    found: Sequence[tuple[Utterance, Annotated]], fold: Callable[[int], int], seed: int
) -> tuple[dict[str, Utterance], dict[str, dict[str, Utterance]]]:
    """Return whole utterances, and what the learnt profile makes of all of them at its own rates."""
    real, made = {}, {way: dict[str, Utterance]() for way in FILLED}
    gold = {item.name: annotated for item, annotated in found}
    for number in sorted({fold(item.conversation) for item, _ in found}):
        own = [item for item, _ in found if fold(item.conversation) == number and words_of(item) >= LEAST]
        for item in own:
            tokens, tags = plain(gold[item.name].tokens, gold[item.name].tags, whole=True)
            real[item.name] = Utterance(item.name, item.conversation, tokens, tags)
        pool = [item for item, _ in found if fold(item.conversation) != number and len(item.carrier) > 1]
        profile = learnt([annotated for item, annotated in found if fold(item.conversation) != number])
        rate = read_profile(profile).rate
        for way, options in FILLED.items():
            labeler = Disfluency(rate=rate, deletions=False, profile=profile, **dict(options))
            unchanged = {item.name: replace(item, tokens=item.carrier, tags=("O",) * len(item.carrier)) for item in own}
            made[way] |= unchanged | inject(own, pool, labeler, seed)
    return real, made


def words_of(item: Utterance) -> int:
    """Return how many fluent words an utterance has."""
    return sum(tag == "O" and any(map(str.isalnum, token)) for token, tag in zip(item.tokens, item.tags, strict=True))


def filler_shares(items: Sequence[Utterance]) -> dict[str, float]:
    """Return where fillers stand, and how many editing phrases stand behind a reparandum."""
    counts: Counter[str] = Counter()
    words = 0
    for item in items:
        parts = written(Annotated(item.tokens, item.tags))
        words += words_of(item)
        alone = list(fillers(parts))
        counts["opening"] += bool(alone) and not alone[0].place
        counts["inside"] += sum(1 for one in alone if one.place)
        counts["behind"] += sum(bool(one.phrase) for one in reparanda(parts))
    every = counts["opening"] + counts["inside"] + counts["behind"]
    return {
        "utterances that begin with a filler": counts["opening"] / len(items),
        "fillers inside, per 100 words": 100 * counts["inside"] / words,
        "editing phrases and fillers that follow a reparandum": counts["behind"] / every,
    }


def bare(item: Utterance) -> Utterance:
    """Return an utterance in small letters without marks, as speech is often written down."""
    kept = [at for at, token in enumerate(item.tokens) if any(map(str.isalnum, token))]
    tokens, tags = (tuple(values[at] for at in kept) for values in (item.tokens, item.tags))
    return Utterance(item.name, item.conversation, tuple(map(str.lower, tokens)), tags)


def features(item: Utterance, *, tags: bool) -> list[str]:
    """Return n-grams of words, or of words with their tags, and of tags."""
    units = [f"{token}/{tag}" if tags else token for token, tag in zip(item.tokens, item.tags, strict=True)]
    found = [" ".join(units[at : at + n]) for n in (1, 2, 3) for at in range(len(units) - n + 1)]
    if tags:
        found += [
            "#" + "".join(item.tags[at : at + n]) for n in range(1, LONGEST + 1) for at in range(len(units) - n + 1)
        ]
    return found


def told_apart(
    real: Sequence[Utterance], fake: Sequence[Utterance], fold: Callable[[int], int], *, tags: bool
) -> tuple[float, float]:
    """Return AUC and accuracy of a linear model that tells real from injected, by conversations."""
    both = [*real, *fake]
    truth = np.repeat([1, 0], [len(real), len(fake)])
    hashed = FeatureHasher(BUCKETS, input_type="string").transform(features(item, tags=tags) for item in both)
    folds = np.array([fold(item.conversation) for item in both])
    scores = np.zeros(len(both))
    for number in np.unique(folds):
        model = LogisticRegression(C=0.3, solver="liblinear", random_state=0)
        model.fit(hashed[folds != number], truth[folds != number])
        scores[folds == number] = model.decision_function(hashed[folds == number])
    return float(roc_auc_score(truth, scores)), float(accuracy_score(truth, scores > 0))


def distributions(items: Sequence[Utterance]) -> dict[str, float]:
    """Return shares of lengths, kinds, places, marks and phrases, and reparanda per 100 fluent words."""
    counts: Counter[str] = Counter()
    words = total = 0
    for item in items:
        parts = written(Annotated(item.tokens, item.tags))
        fluent = [part.text.lower() for part in parts if part.tag == "O" and not part.mark]
        words += len(fluent)
        for one in reparanda(parts):
            total += 1
            counts[f"{min(len(one.words), 4)} words"] += 1
            counts[kind_of(one.words, fluent[one.place :])] += 1
            counts["at the first word"] += one.place == 0
            counts["at the second"] += one.place == 1
            counts["editing phrase"] += bool(one.phrase)
            counts["comma after"] += one.comma
            counts["in a row"] += one.link > 0
    names = [f"{n} words" for n in range(1, 5)]
    names += [*KINDS, "in a row", "at the first word", "at the second", "editing phrase", "comma after"]
    return {name: counts[name] / total for name in names} | {"per 100 words": 100 * total / words}


def main() -> None:
    """Print distributions, and how well a model tells real from injected."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("file", type=Path)
    parser.add_argument("--folds", type=int, default=6)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--show", type=int, default=0, help="print so many utterances of each side")
    options = parser.parse_args()
    found = list(read(options.file))

    def fold(conversation: int) -> int:
        return conversation % int(options.folds)

    made = injected(found, fold, options.seed)
    everywhere = set.intersection(*(set(items) for items in made.values()))
    real = {item.name: item for item, _ in found if item.name in everywhere}
    print(f"{len(real)} utterances with repairs in {len({item.conversation for item in real.values()})} conversations")
    table = {"real": distributions(list(real.values()))}
    table |= {way: distributions([items[name] for name in real]) for way, items in made.items()}
    print(f"{'':<20}" + "".join(f"{way:>16}" for way in table))
    for name in table["real"]:
        print(f"{name:<20}" + "".join(f"{column[name]:>16.3f}" for column in table.values()))
    for name, change, tags in (
        ("words", None, False),
        ("words and tags", None, True),
        ("words, no marks", bare, False),
        ("words and tags, no marks", bare, True),
    ):
        for way, items in made.items():
            sides = [[side[key] for key in real] for side in (real, items)]
            said, fake = ([change(item) for item in side] for side in sides) if change else sides
            auc, accuracy = told_apart(said, fake, fold, tags=tags)
            print(f"{name:<28}{way:<16} AUC {auc:.3f}  accuracy {accuracy:.3f}")
    whole, spoken = filled(found, fold, options.seed)
    columns = {"real": filler_shares(list(whole.values()))}
    columns |= {way: filler_shares([items[name] for name in whole]) for way, items in spoken.items()}
    print(f"{len(whole)} utterances of {LEAST} fluent words or more")
    print(f"{'':<54}" + "".join(f"{way:>14}" for way in columns))
    for name in columns["real"]:
        print(f"{name:<54}" + "".join(f"{column[name]:>14.3f}" for column in columns.values()))
    for way, items in spoken.items():
        said, fake = ([bare(side[name]) for name in whole] for side in (whole, items))
        for name, tags in (("words, no marks", False), ("words and tags, no marks", True)):
            auc, accuracy = told_apart(said, fake, fold, tags=tags)
            print(f"{name:<28}{way:<16} AUC {auc:.3f}  accuracy {accuracy:.3f}")
    show(real, made, options.show)


def show(real: Mapping[str, Utterance], made: Mapping[str, Mapping[str, Utterance]], count: int) -> None:
    """Print utterances of each side."""
    for name in sorted(real, key=lambda name: name[::-1])[:count]:
        print()
        for way, item in {"real": real[name], **{way: items[name] for way, items in made.items()}}.items():
            text = " ".join(
                token if tag == "O" else f"{token}/{tag}" for token, tag in zip(item.tokens, item.tags, strict=True)
            )
            print(f"{way:<16}{text}")


if __name__ == "__main__":
    main()

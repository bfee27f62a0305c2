"""Counting a profile of repairs in annotated utterances."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from labelers.language.repair_gold import (
    FLUENT,
    Annotated,
    Filler,
    Reparandum,
    Written,
    akin,
    fillers,
    kind_of,
    reparanda,
    same_head,
    shared,
    written,
)
from labelers.language.repair_profile import KINDS, UNLISTED, Band, Fillers, KindShape, RepairProfile, word_class

__all__ = ["LEAST", "learn"]

LEAST = 50
"""Reparanda that a profile is counted in, at least."""

_BANDS = (8, 16, 1000)  # words of the longest utterance of each band
_LONGEST = 6  # words of a reparandum; longer ones count as these
_MOST = 3  # places of an utterance, and reparanda of a place
_STEM = 8  # letters
_PRIOR = 30  # words whose worth of a wider class's rates stands behind those of a word or a class
_PRIOR_REPAIRS = 4  # reparanda, likewise
_KNOWN = 3  # repairs before a word that has rates of its own, at least
_PHRASES, _PHRASE_WORDS = 16, 4  # editing phrases that are kept, and tokens of their longest
_ROUND = 4


@dataclass
class _Counts:
    """What is counted."""

    utterances: Counter[int] = field(default_factory=Counter)
    places: dict[int, Counter[int]] = field(default_factory=lambda: {band: Counter() for band in range(len(_BANDS))})
    words: Counter[str] = field(default_factory=Counter)
    starts: Counter[tuple[str, str]] = field(default_factory=Counter)
    """(word, kind)."""
    at: Counter[int] = field(default_factory=Counter)
    """Reparanda by the number of words before them."""
    openings: tuple[Counter[str], Counter[str]] = field(default_factory=lambda: (Counter(), Counter()))
    """First and second words of utterances."""
    chain: Counter[int] = field(default_factory=Counter)
    lengths: dict[str, Counter[int]] = field(default_factory=lambda: {kind: Counter() for kind in KINDS})
    phrase_of: Counter[str] = field(default_factory=Counter)
    cut_of: Counter[str] = field(default_factory=Counter)
    phrases: Counter[str] = field(default_factory=Counter)
    commas: Counter[tuple[str, bool]] = field(default_factory=Counter)
    stems: Counter[int] = field(default_factory=Counter)
    first: Counter[bool] = field(default_factory=Counter)
    new: Counter[int] = field(default_factory=Counter)
    head: Counter[bool] = field(default_factory=Counter)
    behind: Counter[tuple[str, bool]] = field(default_factory=Counter)
    """Words that a reparandum shares with its repair, and whether it goes on behind them."""
    to: Counter[tuple[str, bool]] = field(default_factory=Counter)
    """The words that the repair says next, and whether the reparandum goes on to them."""
    alternates: dict[str, Counter[str]] = field(default_factory=dict)
    followed: Counter[str] = field(default_factory=Counter)
    """Words that another one of the utterance follows."""
    fillers: Counter[tuple[str, bool]] = field(default_factory=Counter)
    """(phrase, whether it begins the utterance)."""
    filled: Counter[str] = field(default_factory=Counter)
    """The words behind which fillers stand."""
    filler_commas: Counter[tuple[str, bool]] = field(default_factory=Counter)


def learn(utterances: Iterable[Annotated], source: str = "") -> RepairProfile:
    """Count how repairs are made.

    Raises:
        ValueError: there are fewer than `LEAST` reparanda.
    """
    counts = _Counts()
    for utterance in utterances:
        _count(counts, written(utterance))
    total = sum(sum(lengths.values()) for lengths in counts.lengths.values())
    if total < LEAST:
        raise ValueError(
            f"{total} reparanda are marked, but a profile requires {LEAST} or more; give more annotated text"
        )
    return _profile(counts, total, source)


def _count(counts: _Counts, items: Sequence[Written]) -> None:
    """Count one utterance."""
    fluent = [item.text.lower() for item in items if item.tag == FLUENT and not item.mark]
    if not fluent:
        return
    found = [item for item in reparanda(items) if item.place < len(fluent)]  # not those that nothing follows
    band = next(number for number, most in enumerate(_BANDS) if len(fluent) <= most or most == _BANDS[-1])
    places = len({item.place for item in found})
    counts.utterances[band] += 1
    counts.places[band][min(places, _MOST)] += 1
    counts.words.update(fluent)
    for words, word in zip(counts.openings, fluent[:2], strict=False):
        words[word] += 1
    counts.chain.update(min(links, _MOST) for links in Counter(item.place for item in found).values())
    for item in found:
        _count_one(counts, item, fluent[item.place :])
    counts.followed.update(fluent[:-1])
    for filler in fillers(items):
        if filler.place < len(fluent):
            _count_filler(counts, filler)


def _count_filler(counts: _Counts, filler: Filler) -> None:
    """Count one filler."""
    counts.fillers[filler.phrase, not filler.place] += 1
    counts.filler_commas["behind", filler.closed] += 1
    if filler.place:
        counts.filled[filler.behind] += 1
        counts.filler_commas["before", filler.comma] += 1


def _count_one(counts: _Counts, item: Reparandum, follows: Sequence[str]) -> None:
    """Count one reparandum."""
    kind, size = kind_of(item.words, follows), len(item.words)
    counts.starts[follows[0], kind] += 1
    counts.at[item.place] += 1
    counts.lengths[kind][min(size, _LONGEST)] += 1
    counts.phrase_of[kind] += bool(item.phrase)
    counts.commas["before" if item.phrase else "plain", item.comma] += 1
    if item.phrase:
        counts.commas["behind", item.closed] += 1
        counts.phrases[item.phrase] += 1
    last = item.words[-1]
    if last.endswith("-"):
        counts.cut_of[kind] += 1
        counts.stems[min(max(len(last) - 1, 1), _STEM)] += 1
    if kind != "restart":
        counts.behind.update((word, place < size) for place, word in enumerate(follows[:size], 1))
        counts.to.update((word, place < size) for place, word in enumerate(follows[1 : size + 1], 1))
    if kind == "substitute":
        _count_substitute(counts, item.words, follows)
    elif kind == "restart" and size > 1:
        counts.head[same_head(item.words[0], follows[0])] += 1


def _count_substitute(counts: _Counts, words: Sequence[str], follows: Sequence[str]) -> None:
    """Count where a substitute differs from its repair, and which words are exchanged."""
    kept = shared(words, follows)
    if len(words) > 1:
        counts.first[not kept] += 1
    if kept:
        counts.new[min(len(words) - kept, _MOST)] += 1
    at = kept if kept < len(words) else 0
    one, other = words[at], follows[at] if at < len(follows) else ""
    if other and not one.endswith("-") and akin(one, other):
        counts.alternates.setdefault(other, Counter())[one] += 1


def _profile(counts: _Counts, total: int, source: str) -> RepairProfile:
    """Return the profile that follows from the counts."""
    utterances = sum(counts.utterances.values())
    repaired = {band: utterances_ - counts.places[band][0] for band, utterances_ in counts.utterances.items()}
    rate = sum(repaired.values()) / utterances
    everywhere, classes, starts = _rates(counts)
    kinds = {
        kind: KindShape(
            lengths=_weights(counts.lengths[kind], _LONGEST),
            interregnum=_share(counts.phrase_of[kind], sum(counts.lengths[kind].values())),
            cut=_share(counts.cut_of[kind], sum(counts.lengths[kind].values())) if kind != "cut" else 1.0,
        )
        for kind in KINDS
    }
    return RepairProfile(
        source=source,
        utterances=utterances,
        words=sum(counts.words.values()),
        repairs=total,
        rate=round(rate, _ROUND),
        bands=tuple(_band(counts, band, most, rate) for band, most in enumerate(_BANDS)),
        chain=_weights(counts.chain, _MOST),
        opening=_openings(counts, everywhere, classes, starts),
        comma=_of(counts.commas, "plain"),
        comma_before_phrase=_of(counts.commas, "before"),
        comma_behind_phrase=_of(counts.commas, "behind"),
        stems=_weights(counts.stems, _STEM),
        first=_share(counts.first[True], sum(counts.first.values())),
        new=_weights(counts.new, _MOST),
        head=_share(counts.head[True], sum(counts.head.values())),
        kinds=kinds,
        phrases=_phrases(counts.phrases),
        everywhere=everywhere,
        goes_on=_of_all(counts.behind),
        goes_on_behind=_going_on(counts.behind),
        goes_on_to=_going_on(counts.to),
        classes=classes,
        starts=starts,
        alternates=_alternates(counts),
        fillers=_fillers(counts, utterances),
    )


def _phrases(counts: Mapping[str, int]) -> dict[str, float]:
    """Return the phrases that were said more than once, the most frequent first."""
    kept = [item for item in counts.items() if item[1] > 1 and len(item[0].split()) <= _PHRASE_WORDS]
    return {phrase: float(n) for phrase, n in sorted(kept, key=lambda item: (-item[1], item[0]))[:_PHRASES]}


def _fillers(counts: _Counts, utterances: int) -> Fillers | None:
    """Return where fillers stand, drawn towards the class of the word before as `_rates` are; None where few are."""
    first, others = (
        _phrases({phrase: n for (phrase, opens), n in counts.fillers.items() if opens is wanted})
        for wanted in (True, False)
    )
    if not first or not others:
        return None
    openings = sum(n for (_, opens), n in counts.fillers.items() if opens)
    every = sum(counts.filled.values()) / sum(counts.followed.values())
    of_class, filled_of_class = Counter[str](), Counter[str]()
    for table, total in ((counts.followed, of_class), (counts.filled, filled_of_class)):
        for word, n in table.items():
            total[f":{word_class(word)}"] += n
    behind: dict[str, float] = {}
    for filled, followed, least in ((filled_of_class, of_class, 0), (counts.filled, counts.followed, _KNOWN)):
        for name in sorted(followed):
            if filled[name] >= least and followed[name] >= _PRIOR and (name[0] == ":" or _is_closed(name)):
                wide = behind.get(f":{word_class(name)}", 1000 * every)
                behind[name] = round((1000 * filled[name] + _PRIOR * wide) / (followed[name] + _PRIOR), 2)
    return Fillers(
        opening=_share(openings, utterances),
        everywhere=round(1000 * every, 2),
        comma_before=_of(counts.filler_commas, "before"),
        comma_behind=_of(counts.filler_commas, "behind"),
        first=first,
        phrases=others,
        behind=behind,
    )


def _band(counts: _Counts, band: int, most: int, rate: float) -> Band:
    """Return what is known of utterances of one band."""
    places, n = counts.places[band], counts.utterances[band]
    return Band(
        words=most,
        rate=_share(n - places[0], n) if n else round(rate, _ROUND),
        places=_weights(Counter({k: v for k, v in places.items() if k}), _MOST),
    )


def _share(some: int, n: int) -> float:
    """Return a share, 0 of nothing."""
    return round(some / n, _ROUND) if n else 0.0


def _of(counts: Mapping[tuple[str, bool], int], name: str) -> float:
    """Return the share of yes among what is counted of a name."""
    return _share(counts[name, True], counts[name, True] + counts[name, False])


def _weights(counts: Mapping[int, int], most: int) -> tuple[float, ...]:
    """Return the shares of 1, 2, ... without the zeros behind the last; all of 1 where nothing was counted."""
    n = sum(counts.values())
    if not n:
        return (1.0,)
    shares = [round(counts.get(size, 0) / n, _ROUND) for size in range(1, most + 1)]
    while not shares[-1]:
        shares.pop()
    return tuple(shares)


_Rates = tuple[float, float, float, float]


def _rates(counts: _Counts) -> tuple[_Rates, dict[str, _Rates], dict[str, _Rates]]:
    """Return how often reparanda of each kind stand before a word: of all words, by class, and by word.

    What was seldom counted follows what is known of its class, and the class follows all. Words of open
    classes have the rates of their class.
    """
    of_class: Counter[str] = Counter()
    for word, n in counts.words.items():
        of_class[word_class(word)] += n
    starts_of_class: Counter[tuple[str, str]] = Counter()
    for (word, kind), n in counts.starts.items():
        starts_of_class[word_class(word), kind] += n
    n = sum(counts.words.values())
    wide = [sum(v for (_, kind), v in counts.starts.items() if kind == name) / n for name in KINDS]
    common = sorted(name for name, count in of_class.items() if count >= _PRIOR)
    classes = {name: _smoothed(starts_of_class, name, of_class[name], wide) for name in common}
    known: Counter[str] = Counter()
    for (word, _), count in counts.starts.items():
        known[word] += count
    frequent = sorted(word for word, count in known.items() if count >= _KNOWN and _is_closed(word))
    words = {w: _smoothed(counts.starts, w, counts.words[w], classes.get(word_class(w), wide)) for w in frequent}
    return _thousandths(wide), _all_thousandths(classes), _all_thousandths(words)


def _of_all(counts: Mapping[tuple[str, bool], int]) -> float:
    """Return how often reparanda go on."""
    return _share(sum(n for (_, more), n in counts.items() if more), sum(counts.values()))


def _going_on(counts: Mapping[tuple[str, bool], int]) -> dict[str, float]:
    """Return how often reparanda go on, by classes of words and by words, drawn towards their class as `_rates` are."""
    of_class: Counter[tuple[str, bool]] = Counter()
    for (word, more), n in counts.items():
        of_class[f":{word_class(word)}", more] += n
    every = _of_all(counts)
    found: dict[str, float] = {}
    for table, least in ((of_class, _KNOWN), (counts, 2 * _KNOWN)):
        for name in sorted({name for name, _ in table}):
            some, n = table[name, True], table[name, True] + table[name, False]
            wide = found.get(f":{word_class(name)}", every) if table is counts else every
            if n >= least:
                found[name] = round((some + _PRIOR_REPAIRS * wide) / (n + _PRIOR_REPAIRS), _ROUND)
    return found


def _smoothed(starts: Mapping[tuple[str, str], int], name: str, n: int, wide: Sequence[float]) -> list[float]:
    """Return the rates of a word or a class, drawn towards those of what it belongs to."""
    return [(starts[name, kind] + _PRIOR * of_wide) / (n + _PRIOR) for kind, of_wide in zip(KINDS, wide, strict=True)]


def _thousandths(rates: Sequence[float]) -> _Rates:
    """Return rates of a thousand words."""
    repeat, cut, substitute, restart = (round(1000 * rate, 2) for rate in rates)
    return repeat, cut, substitute, restart


def _all_thousandths(rates: Mapping[str, Sequence[float]]) -> dict[str, _Rates]:
    """Return the rates of a thousand words of each name."""
    return {name: _thousandths(values) for name, values in rates.items()}


def _openings(
    counts: _Counts, everywhere: _Rates, classes: Mapping[str, _Rates], starts: Mapping[str, _Rates]
) -> tuple[float, float]:
    """Return how many times more often than elsewhere repairs begin at the first and the second word.

    Each is compared with what its words predict: many begin with "I", before which speakers start anew anywhere.
    """

    def expected(words: Counter[str]) -> float:
        rates = ((n, starts.get(word, classes.get(word_class(word), everywhere))) for word, n in words.items())
        return sum(n * sum(rate) for n, rate in rates)

    first, second = map(expected, counts.openings)
    rest = expected(counts.words) - first - second
    elsewhere = sum(counts.at.values()) - counts.at[0] - counts.at[1]
    usual = elsewhere / rest if elsewhere and rest else 0.0
    found = [counts.at[place] / here / usual if here and usual else 1.0 for place, here in enumerate((first, second))]
    return round(found[0], 2), round(found[1], 2)


def _alternates(counts: _Counts) -> dict[str, dict[str, float]]:
    """Return what was said in the place of words, of those of closed classes and their forms alone."""
    found = {}
    for word in sorted(counts.alternates):
        others = {other: float(n) for other, n in sorted(counts.alternates[word].items()) if _is_closed(other)}
        if _is_closed(word) and others:
            found[word] = others
    return found


def _is_closed(word: str) -> bool:
    """Return whether a word stands in a closed class."""
    return word_class(word).rstrip("'") not in UNLISTED

"""Dropping rows against weighting them, by what a linear head learns: python benchmarks/weigh_connectives.py FILE.txt.

Builds the connective labels of the file with ``sampling`` "level" and "weight", fits a linear model on the words of the
two arguments, and tests all of them on the same held-out documents, labelled with "level" under several seeds. Needs
scikit-learn.
"""

import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt
from level_connectives import documents
from scipy.sparse import csr_matrix
from sklearn.feature_extraction import FeatureHasher
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import f1_score

from labelers.connective import Connective
from labelers.passages import PassageBatch
from labelers.text.segmenter import Segmenter

SEEDS, FOLDS, COST = 5, 4, 1.0
Rows = tuple[csr_matrix, npt.NDArray[np.int64], npt.NDArray[np.float64], npt.NDArray[np.int64]]


def rows(batch: PassageBatch, sampling: str, seed: int) -> Rows:
    """Return (features, class, weight, fold of the document) of the rows labelled between segments."""
    table = Connective(sampling=sampling).apply(batch, seed=seed).to_pylist()
    keys, kept = (batch.keys % np.uint64(1_000_003)).astype(np.int64), []
    for number, row in enumerate(table):
        if row["connective"] is not None:
            kept.append((list(words(row)), row["connective"], row.get("weight", 1.0), int(keys[number]) % FOLDS))
    text, label, weight, fold = zip(*kept, strict=True)
    x = FeatureHasher(1 << 13, input_type="string", alternate_sign=False).transform(text)
    return x, np.array(label), np.array(weight), np.array(fold)


def words(row: dict[str, object]) -> Iterator[str]:
    """Yield the words of the arguments, told apart, and the words that each opens with."""
    tokens: Sequence[str] = row["tokens"]  # type: ignore[assignment]
    for name in ("arg1", "arg2"):
        span: dict[str, int] = row[name]  # type: ignore[assignment]
        part = [token.lower() for token in tokens[span["start"] : span["end"]]]
        yield from (f"{name} {token}" for token in sorted(set(part)))
        yield from (f"{name} {' '.join(part[:size])} opens" for size in (1, 2))
    yield f"{name} asks {part[-1]}"


def main(path: str) -> None:
    """Print accuracy and macro F1 on held-out documents, mean over the folds."""
    batch = Segmenter().segment(list(documents(Path(path))))[0]
    tests = [rows(batch, "level", seed) for seed in range(1, SEEDS + 1)]
    level, weight = rows(batch, "level", 0), rows(batch, "weight", 0)
    ones = np.ones(len(weight[1]))
    arms = {"level": (*level,), "weight": (*weight,), "all rows, unweighted": (*weight[:2], ones, weight[3])}
    print(f"{'trained on':22} {'rows':>6} {'accuracy':>9} {'macro F1':>9}   (tested on {SEEDS} levelled draws)")
    for name, (x, y, w, fold) in arms.items():
        scores = []
        for held in range(FOLDS):
            train = fold != held
            scale = w[train] / w[train].mean()
            model = LogisticRegression(C=COST, max_iter=60, tol=1e-2).fit(x[train], y[train], sample_weight=scale)
            for tx, ty, _, tf in tests:
                guess = model.predict(tx[tf == held])
                scores.append(((guess == ty[tf == held]).mean(), f1_score(ty[tf == held], guess, average="macro")))
        accuracy, macro = np.mean(scores, axis=0)
        print(f"{name:22} {len(y):6} {accuracy:9.4f} {macro:9.4f}", flush=True)
    prior = np.mean([np.bincount(test[1]).max() / len(test[1]) for test in tests])
    print(f"{'most frequent class':22} {'':6} {prior:9.4f}")


if __name__ == "__main__":
    main(*sys.argv[1:])

"""Open a built dataset with the installed release of datasets and compare it with what pyarrow reads; no other import.

Usage: python open_dataset.py FOLDER
"""

import sys
import tempfile
from pathlib import Path

import datasets
import pyarrow as pa

CLASSES = (("connective", "connective", "no_connective"), ("mood", "label", "good"))
"""A labeler or label of people, the column of its class, and one of the classes."""


def has_names(features: datasets.Features, struct: str, column: str, name: str) -> bool:
    """Return whether classes have their names, where there are any."""
    return struct not in features or name in features[struct][column].names


def rows(folder: Path, split: str) -> list[dict]:
    """Return the rows of a split as pyarrow reads them."""
    found = []
    for file in sorted((folder / split).glob("data-*.arrow")):
        with pa.memory_map(str(file)) as source:
            found += pa.ipc.open_stream(source).read_all().to_pylist()
    return found


def check(folder: Path) -> None:
    """Raise unless both ways of opening give the same rows, with class names."""
    loaded = datasets.load_from_disk(str(folder))
    with tempfile.TemporaryDirectory() as cache:
        read = datasets.load_dataset(str(folder), cache_dir=cache)
        for split in loaded:
            expected = rows(folder, split)
            for other in (loaded[split], read[split]):
                if other.to_list() != expected:
                    raise SystemExit(f"datasets {datasets.__version__}: rows of {split} differ from what pyarrow reads")
            features = loaded[split].features
            if read[split].features != features or not all(has_names(features, *place) for place in CLASSES):
                raise SystemExit(f"datasets {datasets.__version__}: features of {split} differ")
    print(f"datasets {datasets.__version__} opens {folder.name}: { ({k: len(v) for k, v in loaded.items()}) }")


if __name__ == "__main__":
    check(Path(sys.argv[1]))

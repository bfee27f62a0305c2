"""Check that a built dataset opens in given releases of Hugging Face datasets, each in an environment of its own.

Usage: python tests/compatibility/datasets_versions.py 2.14.7 3.6.0 newest
"""

import json
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).parents[2]
# Old releases need libraries of their time: pyarrow 21 removed what datasets 2 imports, hub 1 and pandas 3 likewise.
OF_THEIR_TIME = ["pyarrow<20", "numpy<2.3", "huggingface-hub<1", "pandas<3"]
TEXT = "The lamp went out in the long corridor. {} we found our way to the door by touch alone. Nobody said a word.\n"


def environment(version: str) -> Path:
    """Return the Python of an environment that holds that release, made once."""
    folder = ROOT / f".venv-datasets-{version}"
    python = folder / "bin" / "python"
    if not (folder / "installed").exists():
        subprocess.run([sys.executable, "-m", "venv", folder], check=True)
        packages = ["datasets"] if version == "newest" else [f"datasets=={version}", *OF_THEIR_TIME]
        subprocess.run([python, "-m", "pip", "install", "--quiet", *packages], check=True)
        (folder / "installed").touch()
    return python


def build(folder: Path, views: str) -> Path:
    """Build a small dataset with all labelers and return where it lies."""
    text = folder / "text.txt"
    words = ["However,", "But", "So", "Then", "And", "Quietly"]
    text.write_text("".join(TEXT.format(words[i % 6]) for i in range(600)), encoding="utf-8")
    out = folder / views
    command = [sys.executable, "-m", "pipelines.cli", "build", text, "--out", out, "--views", views]
    subprocess.run([str(part) for part in command], check=True, cwd=ROOT)
    return out


LABELS = {"ner": "token:tags", "mood": "passage", "topics": "multilabel", "long": "regression", "tree": "arc:heads"}


def build_labelled(folder: Path) -> list[Path]:
    """Build a dataset with labels of people and a layer of each kind, and return it, the layers and all in one."""
    records = [
        {
            "id": f"r{i}",
            "tokens": [*TEXT.format("So").replace(".", " .").split(), str(i)],
            "mood": ("good", "bad")[i % 2],
            "topics": ["sea", "art"][: i % 3],
            "long": i / 7,
        }
        for i in range(200)
    ]
    for record in records:
        size = len(record["tokens"])
        record |= {"tags": ["B-x", "I-x", *["O"] * (size - 2)], "heads": [0] * size}
    source, out, whole = folder / "gold.jsonl", folder / "labelled", folder / "merged"
    source.write_text("".join(json.dumps(record) + "\n" for record in records), encoding="utf-8")
    labels = [word for name, kind in LABELS.items() for word in ("--label", f"{name}={kind}")]
    for words in (
        ["build", source, "--out", out, "--with", "masking", *labels],
        ["label", out, "--with", "connective", "--with", "disfluency", "--name", "more"],
        ["join", out, source, "--label", "again=token:tags"],
        ["merge", out, "--out", whole],
    ):
        command = [sys.executable, "-m", "pipelines.cli", *words]
        subprocess.run([str(part) for part in command], check=True, cwd=ROOT)
    return [out, out / "layers" / "more", out / "layers" / "again", whole]


def main(versions: list[str]) -> None:
    """Open all layouts in every release; the first failure ends the run."""
    with tempfile.TemporaryDirectory() as name:
        built = [build(Path(name), views) for views in ("separate", "woven")] + build_labelled(Path(name))
        for version in versions:
            for folder in built:
                reader = Path(__file__).with_name("open_dataset.py")
                subprocess.run([environment(version), reader, folder], check=True)


if __name__ == "__main__":
    main(sys.argv[1:])

"""Where a pretrained encoder lies: a folder, or a repository of the hub that is fetched into one."""

import json
import re
from pathlib import Path
from typing import Any

__all__ = ["FAMILIES", "HUB", "is_source", "licence_of", "source_of"]

HUB = "hub:"
"""What names a repository of the hub begin with; nothing else is ever downloaded."""

FAMILIES = ("bert", "roberta", "xlm-roberta", "electra", "distilbert", "deberta", "deberta-v2", "modernbert")
"""The types of models that are known to run."""

_WEIGHTS = ("model.safetensors", "model.safetensors.index.json")
_FILES = ("config.json", "tokenizer.json", "model*.safetensors", "model.safetensors.index.json", "README.md")

_FRONT = re.compile(r"\A---\s*\n(.*?)\n---", re.DOTALL)
_LICENCE = re.compile(r"^licen[sc]e:[ \t]*(?:\n\s*-)?[ \t]*([^\n\[\]]+)$", re.MULTILINE)


def is_source(name: str) -> bool:
    """Tell whether ``[model] encoder`` names a pretrained encoder: a path has a slash.

    Example:
        >>> [name for name in ("tiny", "./minilm", "hub:me/bert", "my.module:Class") if is_source(name)]
        ['./minilm', 'hub:me/bert']
    """
    return name.startswith(HUB) or "/" in name


def source_of(name: str) -> Path:
    """Return the folder of a pretrained encoder, whole and of a family that is known.

    Raises:
        ValueError: there is none, it cannot be fetched, or something is missing in it.
    """
    folder = _fetched(name) if name.startswith(HUB) else Path(name)
    if not folder.is_dir():
        raise ValueError(f"encoder = {name!r}: no such folder; give one with config.json, tokenizer.json and weights")
    config = _config(folder, name)
    if (family := config.get("model_type")) not in FAMILIES:
        raise ValueError(f"encoder = {name!r} has the type {family!r}; supported types are {', '.join(FAMILIES)}")
    if not (folder / "tokenizer.json").is_file():
        raise ValueError(
            f"encoder = {name!r} has no tokenizer.json; write one: "
            "transformers.AutoTokenizer.from_pretrained(NAME).save_pretrained(FOLDER)"
        )
    if not any((folder / file).is_file() for file in _WEIGHTS):
        pickles = sorted(path.name for path in folder.glob("*.bin")) + sorted(path.name for path in folder.glob("*.pt"))
        found = f" ({pickles[0]} is a pickle, which can run arbitrary code when it is loaded)" if pickles else ""
        raise ValueError(
            f"encoder = {name!r} has no model.safetensors{found}; write one: "
            "transformers.AutoModel.from_pretrained(NAME).save_pretrained(FOLDER)"
        )
    return folder


def licence_of(folder: Path) -> str:
    """Return the licence that the card of a pretrained encoder states in its head, or its configuration; "" if none."""
    card = folder / "README.md"
    head = _FRONT.match(card.read_text(encoding="utf-8", errors="replace")) if card.is_file() else None
    if head and (found := _LICENCE.search(head[1])):
        return found[1].strip().strip("'\"")
    stated = _config(folder, str(folder)).get("license", "")
    return stated if isinstance(stated, str) else ""


def _config(folder: Path, name: str) -> dict[str, Any]:
    """Return the configuration in a folder."""
    try:
        found: dict[str, Any] = json.loads((folder / "config.json").read_bytes())
    except FileNotFoundError:
        raise ValueError(f"encoder = {name!r} has no config.json, so it is not a pretrained encoder") from None
    except ValueError as error:
        raise ValueError(f"encoder = {name!r}: config.json is not valid JSON ({error})") from None
    return found


def _fetched(name: str) -> Path:
    """Return the folder of a repository of the hub, downloaded if it is not there."""
    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import HfHubHTTPError, HFValidationError, LocalEntryNotFoundError

    try:
        return Path(snapshot_download(name.removeprefix(HUB), allow_patterns=list(_FILES)))
    except (HFValidationError, HfHubHTTPError, LocalEntryNotFoundError, OSError) as error:
        reason = str(error).strip().partition("\n")[0]
        raise ValueError(
            f"encoder = {name!r} cannot be downloaded from the hub and is not in its cache ({reason}); download it on "
            "a "
            "machine with a network, and give its folder: encoder = './FOLDER'"
        ) from None

"""spaCy is loaded without torch, and finds a torch that is loaded later; each in a process of its own.

Torch would cost every worker 190 MB and a second.
"""

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[1]
TOKENISE = """
import sys
from labelers.language.light_spacy import import_spacy, tokenizer
from labelers.text.segmenter import read_texts
print([token.text for token in tokenizer("en")("Well, I'd go.")])
read_texts(["However, nobody on the wet stones said where he'd gone."])
print("torch" in sys.modules)
"""


def run(code: str) -> list[str]:
    """Tokenise, which loads no torch, then run some code in the same process, and return the lines that it printed."""
    words = [sys.executable, "-W", "error", "-c", TOKENISE + code]
    done = subprocess.run(words, check=False, capture_output=True, text=True, cwd=ROOT)
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("['Well', ',', 'I', \"'d\", 'go', '.']\n")
    assert done.stdout.splitlines()[1] == "False"
    return done.stdout.splitlines()[2:]


def test_a_torch_model_works_in_a_pipeline_all_the_same() -> None:
    """As with a transformer pipeline of a user's own: torch is loaded, then a layer of thinc wraps it."""
    code = """
import numpy, torch, thinc.compat, thinc.util
from thinc.api import PyTorchWrapper
layer = PyTorchWrapper(torch.nn.Linear(3, 2))
made, back = layer.begin_update(numpy.ones((4, 3), "f"))
print(made.shape, back(made).shape)
print(thinc.compat.has_torch, thinc.util.has_torch, thinc.util.torch is torch, thinc.compat.torch is torch)
print(any("light_spacy" in type(finder).__module__ for finder in sys.meta_path), type(torch.__loader__).__name__)
print([token.text for token in tokenizer("en")("I'd go")])
"""
    assert run(code) == [
        "(4, 2) (4, 3)",
        "True True True True",
        "False SourceFileLoader",
        "['I', \"'d\", 'go']",
    ]


def test_whoever_asks_thinc_for_torch_is_told_the_truth() -> None:
    """The question loads torch; other names that are not there are still missing."""
    code = """
import thinc.compat, thinc.util
print(hasattr(thinc.compat, "no_such_name"), "torch" in sys.modules)
from thinc.compat import has_torch, torch_version
print(has_torch, torch_version.release[:1], "torch" in sys.modules, thinc.util.has_torch)
"""
    assert run(code) == ["False False", "True (2,) True True"]


def test_a_torch_that_does_not_load_is_told_as_such() -> None:
    """The error is that of torch, whoever asks; thinc goes without it."""
    code = """
import importlib.util, thinc.compat, thinc.util
class Broken:
    @staticmethod
    def create_module(spec): return None
    @staticmethod
    def exec_module(module): raise ImportError("libtorch is broken")
class Finder:
    @staticmethod
    def find_spec(name, path, target=None):
        return importlib.util.spec_from_loader(name, Broken()) if name == "torch" else None
sys.meta_path.insert(1, Finder)
try:
    import torch
except ImportError as error:
    print(error)
print(thinc.compat.has_torch, thinc.util.has_torch)
"""
    assert run(code) == ["libtorch is broken", "False False"]


def test_a_process_that_has_torch_keeps_it() -> None:
    """Then spaCy is loaded as ever."""
    words = "import torch\nfrom labelers.language.light_spacy import import_spacy\nimport_spacy()\nimport thinc.compat"
    code = f"{words}\nprint(thinc.compat.has_torch)"
    done = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True, cwd=ROOT)
    assert done.stdout == "True\n"

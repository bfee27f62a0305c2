"""Finding connectives: which strings of a closed lexicon of forms are used to link two clauses or sentences.

Most forms have other uses ("and" joins nouns, "so" is a degree word). A form is matched by a trie over token types, and
a linear model over its context decides, after Pitler and Nenkova (2009) and Lin, Ng and Kan (2014), without a parser:
https://aclanthology.org/P09-2004, https://doi.org/10.1017/S1351324912000307. `benchmarks/connectives.py` measures it and
made its weights.
"""

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache, cached_property
from importlib.resources import files

import numpy as np
import numpy.typing as npt

from labelers.passages import BoolArray, IntArray, PassageBatch, Vocabulary

__all__ = ["TEMPLATES", "THRESHOLD", "Atoms", "Form", "Lexicon", "Matches", "Model", "atoms", "find_connectives", "lexicon", "match", "model", "table"]

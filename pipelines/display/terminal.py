"""What commands print: lines, warnings, errors and JSON."""

import json
import sys
from typing import Any, NoReturn

from rich.console import Console
from rich.text import Text

__all__ = ["ERR", "OUT", "fail", "print_json", "say", "warn"]

OUT, ERR = Console(), Console(stderr=True)


def say(text: str) -> None:
    """Print a line as it is."""
    OUT.print(text, highlight=False, markup=False, soft_wrap=True)


def warn(text: str) -> None:
    """Print a line on standard error as it is."""
    ERR.print(text, highlight=False, markup=False, soft_wrap=True)


def print_json(value: Any) -> None:
    """Print a value as one line of JSON."""
    sys.stdout.write(json.dumps(value, ensure_ascii=False, default=str) + "\n")


def fail(message: str) -> NoReturn:
    """Tell of a mistake of the user and leave."""
    if "--json" in sys.argv[1:]:
        print_json({"error": message})
    else:
        ERR.print(Text.assemble(("error:", "bold red"), " ", message), highlight=False, soft_wrap=True)
    sys.exit(2)

"""Draw docs/show.svg, the picture of a row that the README links to: python docs/picture.py."""

import io
import re
import tempfile
from pathlib import Path

from rich.console import Console

from pipelines.display.show import show_rows
from pipelines.preview import preview
from pipelines.recipes.recipe import make_recipe

TEXT = "The doctor closed the clinic early. However, the nurse kept the lamp burning for the last visitors.\n"
SEED = 167


def main() -> None:
    """Preview the row in colour and write it as an SVG image, without the web font that rich refers to."""
    console = Console(record=True, width=80, force_terminal=True, color_system="standard", file=io.StringIO())
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "clinic.txt")
        path.write_text(TEXT, encoding="utf-8")
        rows, tasks = preview(make_recipe({"seed": SEED, "input": {"files": [str(path)]}}), 1)
    show_rows(rows, tasks, console)
    svg = console.export_svg(title=f"auxloom show {path.name} -n 1 --seed {SEED}")
    svg = svg.replace("<text ", '<text xml:space="preserve" ')  # some programs drop spaces at the edges else
    target = Path(__file__).with_name("show.svg")
    target.write_text(re.sub(r"\s*@font-face \{.*?\}", "", svg, flags=re.DOTALL), encoding="utf-8")


if __name__ == "__main__":
    main()

"""References: every number has its paper."""

import re
from pathlib import Path

import pytest

from labelers.finding import load, names

ROOT = Path(__file__).parents[1]
PAPERS = ROOT / "docs" / "papers.md"
PAGES = sorted(path for path in (ROOT / "docs").rglob("*.md") if path != PAPERS)


def known() -> set[str]:
    """Return the numbers that the list of papers explains."""
    line = r'^\| <a id="(\d+)"></a>\[\1\] \| [^|]*[A-Z][^|]+ \| [^|]*\d{4}'
    return set(re.findall(line, PAPERS.read_text(encoding="utf-8"), re.MULTILINE))


@pytest.mark.parametrize("page", PAGES, ids=lambda path: path.stem)
def test_a_number_in_the_docs_leads_to_its_paper(page: Path) -> None:
    """It is a link, to a line that is there."""
    text = page.read_text(encoding="utf-8")
    links = re.findall(r"\[\[(\d+)\]\]\((?:\.\./)?papers\.md#\1\)", text)
    assert len(links) == len(
        re.findall(r"(?<!\[)\[\d{2,3}\](?!\])|\[\[\d+\]\]", re.sub(r"```.*?```", "", text, flags=re.DOTALL))
    )
    assert set(links) <= known()


def test_the_papers_of_labelers_are_listed_and_named() -> None:
    """What is printed names authors and year beside the number."""
    papers = [load(name).paper for name in names()]
    found = {number for paper in papers for number in re.findall(r"\[(\d+)\]", paper)}
    assert found
    assert found <= known()
    assert [paper for paper in papers if paper and not re.match(r".*[A-Z][a-z]+.* \d{4}", paper)] == []


def test_numbers_in_docstrings_are_listed() -> None:
    """A number beside a name or at the end of a sentence."""
    text = "\n".join(
        path.read_text(encoding="utf-8") for room in ("labelers", "trainer") for path in (ROOT / room).rglob("*.py")
    )
    assert set(re.findall(r"[a-z0-9)] \[(\d{2,3})\][.\"]", text)) <= known()

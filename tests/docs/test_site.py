"""The documents as a site: built whole, with nothing that a reader's browser fetches elsewhere."""

import re
import tomllib
from html.parser import HTMLParser
from pathlib import Path

import pytest

from docs import build
from tests.support.documents import site_pages
from tests.support.jobs import ROOT
from tests.test_house import tracked


class Fetched(HTMLParser):
    """What a browser fetches to show a page."""

    def __init__(self) -> None:
        super().__init__()
        self.places: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = dict(attrs)
        if tag in ("script", "img", "iframe", "source"):
            self.places.append(given.get("src") or "")
        if tag == "link" and given.get("rel") in ("stylesheet", "preload", "preconnect", "icon"):
            self.places.append(given.get("href") or "")


def test_every_document_is_in_the_navigation() -> None:
    named = {
        str(path.relative_to(ROOT))
        for path in tracked()
        if path.suffix in (".md", ".ipynb") and "tests" not in path.parts
    }
    listed = build.pages(tomllib.loads(build.CONFIG.read_text("utf-8"))["project"]["nav"])
    assert {str(build.source_of(page).relative_to(ROOT)) for page in listed} == named
    assert len(set(listed)) == len(listed) and len(site_pages()) > 14


def test_pages_keep_their_places_and_links(tmp_path: Path) -> None:
    linked = build.gather(tmp_path)
    for page in site_pages():
        written = (ROOT / page).read_text("utf-8").replace(".ipynb)", ".md)")
        assert (tmp_path / page).read_text("utf-8") == written, page
    notebook = (tmp_path / "examples" / "notebooks" / "label_a_folder.md").read_text("utf-8")
    assert "](../../docs/results.md)" in notebook and "```python" in notebook
    picture = re.search(r"!\[png\]\((label_a_folder_files/\S+\.png)\)", notebook)
    assert picture and (tmp_path / "examples" / "notebooks" / picture[1]).stat().st_size > 1000
    assert ROOT / "docs" / "report.png" in linked and ROOT / "cluster.yaml" in linked
    assert all((tmp_path / path.relative_to(ROOT)).is_file() for path in linked)


def test_a_link_to_a_notebook_leads_to_its_page() -> None:
    to = ROOT / "docs" / "page.md"
    sources = {build.source_of("examples/notebooks/label_a_folder.md")}
    text = "[look](../examples/notebooks/label_a_folder.ipynb#curves) and ![p](report.png)"
    done, linked = build.relinked(text, to, sources)
    assert "[look](../examples/notebooks/label_a_folder.md#curves)" in done
    assert linked == [ROOT / "docs" / "report.png"] and "![p](report.png)" in done


@pytest.fixture(scope="module")
def site() -> Path:
    assert build.main() == 0
    return ROOT / "out" / "site"


@pytest.mark.slow
def test_a_page_fetches_nothing_from_elsewhere(site: Path) -> None:
    """The gate's ``make site`` has built it before; a quick look at what came out."""
    pages = list(site.rglob("*.html"))
    assert len(pages) > 18
    for page in pages:
        parser = Fetched()
        parser.feed(page.read_text("utf-8"))
        assert parser.places
        assert [place for place in parser.places if re.match(r"(\w+:)?//", place)] == [], page


@pytest.mark.slow
def test_the_api_page_has_signatures_and_descriptions(site: Path) -> None:
    text = (site / "docs" / "api" / "index.html").read_text("utf-8")
    assert "load_bundle" in text and "trust_code" in text and "Raises:" in text
    assert ":::" not in text

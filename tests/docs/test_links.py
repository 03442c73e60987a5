"""Links of every document lead to a file and a heading that are there; paths in code exist.

``make site`` holds the same of the site, where headings have other names for odd characters.
"""

import json
import re
from functools import lru_cache
from pathlib import Path
from urllib.parse import unquote

import pytest

from tests.support.documents import prose
from tests.support.jobs import ROOT
from tests.test_house import tracked

PATH = r"`((?:emotion_core|tests|docs|examples|jobs|deploy|benchmarks)/[\w./-]*)`"
# the only places on the web that documents link; nobody asks them here
ELSEWHERE = {
    "https://keepachangelog.com/en/1.1.0/",
    # told of in the source, or matching what was seen
    "https://github.com/ray-project/ray/issues/41258",
    "https://github.com/ray-project/ray/issues/53727",
    "https://github.com/ray-project/ray/issues/62746",
    "https://github.com/ray-project/ray/pull/60983",
}


@lru_cache
def documents() -> tuple[Path, ...]:
    found = [path for path in tracked() if path.suffix in (".md", ".ipynb")]
    return tuple(sorted(found))


def text_of(document: Path) -> str:
    text = document.read_text(encoding="utf-8")
    if document.suffix == ".md":
        return text
    cells = json.loads(text)["cells"]
    return "\n\n".join("".join(c["source"]) for c in cells if c["cell_type"] == "markdown")


def links(document: Path) -> list[str]:
    return re.findall(r"\]\(([^)\s]+)\)", prose(text_of(document)))


@lru_cache
def anchors(document: Path) -> frozenset[str]:
    """What GitHub calls the headings of a document."""
    found: list[str] = []
    for title in re.findall(r"^#+ (.+)$", prose(text_of(document)), re.MULTILINE):
        plain = re.sub(r"[^\w\- ]", "", title.strip().lower()).replace(" ", "-")
        before = found.count(plain)
        found.append(f"{plain}-{before}" if before else plain)
    return frozenset(found)


def named(path: Path) -> str:
    return str(path.relative_to(ROOT))


def test_all_documents_are_looked_at() -> None:
    names = {named(path) for path in documents()}
    assert {"README.md", "CHANGELOG.md", "docs/labelling.md", "docs/troubleshooting.md"} <= names
    assert {"examples/notebooks/label_a_folder.ipynb", "examples/models/README.md"} <= names
    assert "emotion_core/models/shipped/voice/README.md" in names
    assert sum(len(links(path)) for path in documents()) > 60


@pytest.mark.parametrize("document", documents(), ids=named)
def test_links_lead_somewhere(document: Path) -> None:
    wrong = []
    for link in links(document):
        place, _, anchor = link.partition("#")
        target = (document.parent / unquote(place)).resolve() if place else document
        if re.match(r"\w+:", link):
            if link not in ELSEWHERE:
                wrong.append(f"{link}: a new place on the web: look at it, and name it above")
        elif not target.exists():
            wrong.append(f"{link}: not there")
        elif anchor and anchor not in anchors(target):
            wrong.append(f"{link}: no such heading")
    assert wrong == []


@pytest.mark.parametrize("document", documents(), ids=named)
def test_paths_in_code_exist(document: Path) -> None:
    gone = [each for each in re.findall(PATH, text_of(document)) if not (ROOT / each).exists()]
    assert gone == []

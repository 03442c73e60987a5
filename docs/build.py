"""The documents as a site: ``python -m docs.build`` (``make site``), into ``out/site``.

The pages lie where a reader of the repository finds them, and link each other there. So the site
is built from a copy with the same layout: what ``zensical.toml`` names in its ``nav``, the files
that those pages link, and the notebooks as Markdown. No text is written twice.
"""

import re
import shutil
import subprocess
import sys
import tomllib
from collections.abc import Collection
from pathlib import Path
from urllib.parse import unquote

ROOT = Path(__file__).resolve().parents[1]
CONFIG = ROOT / "zensical.toml"
LINK = re.compile(r"\]\((?!\w+:|#)(?P<place>[^)#\s]+)(#[^)\s]*)?\)")


def pages(nav: object) -> list[str]:
    """Every page of a ``nav``, in its order, as a path from the root of the repository."""
    if isinstance(nav, str):
        return [nav]
    assert isinstance(nav, dict | list)
    return [
        page for each in (nav.values() if isinstance(nav, dict) else nav) for page in pages(each)
    ]


def source_of(page: str) -> Path:
    """The file that a page is made from: itself, or the notebook of that name."""
    notebook = (ROOT / page).with_suffix(".ipynb")
    return notebook if notebook.is_file() else ROOT / page


def markdown(source: Path, out: Path) -> str:
    """The text of a page; the pictures of a notebook go into the folder of ``out``."""
    if source.suffix != ".ipynb":
        return source.read_text(encoding="utf-8")
    from nbconvert import MarkdownExporter

    text, extra = MarkdownExporter().from_filename(
        str(source), resources={"output_files_dir": f"{out.stem}_files"}
    )
    for name, content in extra["outputs"].items():
        (out.parent / name).parent.mkdir(exist_ok=True)
        (out.parent / name).write_bytes(content)
    return str(text)


def relinked(text: str, source: Path, pages_of: Collection[Path]) -> tuple[str, list[Path]]:
    """A page with links to notebooks as links to their pages, and the other files that it links.

    Args:
        text: Markdown, whose links are relative to ``source``.
        source: the file it stands in.
        pages_of: what pages are made from.
    """
    linked: list[Path] = []

    def as_page(link: re.Match[str]) -> str:
        target = (source.parent / unquote(link["place"])).resolve()
        if target in pages_of:
            return link[0].replace(".ipynb", ".md")
        if target.is_file():
            linked.append(target)
        return link[0]

    return LINK.sub(as_page, text), linked


def gather(to: Path) -> list[Path]:
    """Copies the pages and what they link below ``to``; returns what was linked beside pages."""
    project = tomllib.loads(CONFIG.read_text(encoding="utf-8"))["project"]
    sources = {source_of(page): page for page in pages(project["nav"])}
    linked: list[Path] = []
    for source, page in sources.items():
        out = to / page
        out.parent.mkdir(parents=True, exist_ok=True)
        text, more = relinked(markdown(source, out), source, sources)
        out.write_text(text, encoding="utf-8")
        linked += more
    for target in linked:
        copy = to / target.relative_to(ROOT)
        copy.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(target, copy)
    return linked


def main() -> int:
    """Builds the site anew; a warning is an error."""
    project = tomllib.loads(CONFIG.read_text(encoding="utf-8"))["project"]
    for folder in ("docs_dir", "site_dir"):
        shutil.rmtree(ROOT / project[folder], ignore_errors=True)
    gather(ROOT / project["docs_dir"])
    command = [sys.executable, "-m", "zensical", "build", "--strict", "--clean"]
    command += ["--config-file", str(CONFIG)]
    done = subprocess.run(
        command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    )
    print(done.stdout, end="")
    # what the reader of docstrings complains of is no warning to Zensical
    return done.returncode or int("griffe: " in done.stdout)


if __name__ == "__main__":
    sys.exit(main())

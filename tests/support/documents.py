"""The pages of the documentation, and the commands on them."""

import re
import tomllib
from functools import lru_cache

from docs.build import CONFIG, pages
from tests.support.jobs import ROOT

# What a line of a fence, or a piece of inline code, begins with when it is a command.
_PROGRAM = (
    r"(?:\.venv/bin/|~/\S+/bin/)?(?:python|emotion-core|make|ray|docker|kubectl|sbatch|pip|ruff"
    r"|git|bash|export|benchmarks/\w+\.sh|examples/\w+\.sh)(?=\s|$)"
)
# Inline code is often a name in a sentence: a command there is one with options, or installs.
_INLINE = (
    r"make [\w-]+$|(?:python|emotion-core|benchmarks/\w+\.sh|pip|kubectl|make) "
    r".*(?:-|[A-Z]{2}|\.\w|')"
)


@lru_cache
def site_pages() -> tuple[str, ...]:
    """Every page of the site that is Markdown, as a path from the root; notebooks are run whole."""
    project = tomllib.loads(CONFIG.read_text(encoding="utf-8"))["project"]
    return tuple(page for page in pages(project["nav"]) if (ROOT / page).is_file())


def fences(text: str) -> list[tuple[str, str]]:
    """Language (or nothing) and content of each fenced block."""
    return re.findall(r"^```([^\n`]*)\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)


def prose(text: str) -> str:
    """A page without its fenced blocks."""
    return re.sub(r"^```[^\n`]*\n.*?^```$", "", text, flags=re.MULTILINE | re.DOTALL)


def commands(page: str) -> list[str]:
    """The commands of a page in their order: one line each, without comments."""
    text = (ROOT / page).read_text(encoding="utf-8")
    found = []
    for language, block in fences(text):
        if language in ("", "bash", "sh", "console"):
            for line in block.replace("\\\n", " ").splitlines():
                command = _plain(re.sub(r"(?<=\s)#.*", "", line))
                if re.match(_PROGRAM, command):
                    found.append(command)
    for code in re.findall(r"`([^`]+)`", prose(text)):
        if re.match(_INLINE, _plain(code)):
            found.append(_plain(code))
    return found


def _plain(words: str) -> str:
    return " ".join(words.split())

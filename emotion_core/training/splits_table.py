"""The splits as a table."""

from rich.markup import escape
from rich.table import Table

from emotion_core.corpora.explained import EXPLAINED, FACTS
from emotion_core.corpora.protocols import PROTOCOLS


def splits_table() -> Table:
    """What ``--split`` takes and when to use it, for ``--list-splits``."""
    table = Table(show_lines=True, caption="docs/protocols.md has who is tested in which fold")
    table.add_column("split", no_wrap=True, style="bold")
    table.add_column("who is where, of which corpus, published by, when to use it")
    for each in EXPLAINED:
        facts, folds = FACTS.get(each.corpora), PROTOCOLS.get(each.name, ())
        about = (
            f"{each.corpora}: {facts.people}, {len(facts.classes)} classes; {facts.source}"
            if facts
            else each.corpora
        )
        together = "" if each.apart else "\n[yellow]does not keep speakers apart[/]"
        several = f", {each.name}:all for the {len(folds)} folds" if len(folds) > 1 else ""
        table.add_row(
            escape(each.spec),
            f"{escape(each.sides)}{several}{together}\n{escape(about)}\n"
            f"[dim]{escape(each.source)}[/]\n{escape(each.use)}",
        )
    return table

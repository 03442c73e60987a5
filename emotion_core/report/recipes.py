"""The recipes as a table."""

from rich.markup import escape
from rich.table import Table

from emotion_core.recipes import RECIPES


def recipes_table() -> Table:
    """What there is to train, for ``--list-recipes``."""
    table = Table(show_lines=True)
    table.add_column("recipe", no_wrap=True, style="bold")
    table.add_column("what it is, and its source", ratio=1)
    table.add_column("labels", no_wrap=True)
    table.add_column("protocol")
    table.add_column("published")
    for recipe in RECIPES.values():
        table.add_row(
            recipe.name,
            f"{escape(recipe.summary)}\n[dim]source: {escape(recipe.source)}[/]",
            recipe.label_set,
            recipe.split,
            escape(recipe.published or "no figure"),
        )
    return table

"""The recipes as a table."""

from rich.markup import escape
from rich.table import Table

from emotion_core.recipes import RECIPES


def recipes_table() -> Table:
    """What there is to train, for ``--list-recipes``."""
    # two columns: five would not fit into 80 characters
    table = Table(show_lines=True)
    table.add_column("recipe", no_wrap=True, style="bold")
    table.add_column("what it is, its source, labels and protocol, published figure")
    for recipe in RECIPES.values():
        table.add_row(
            recipe.name,
            f"{escape(recipe.summary)}\n[dim]{escape(recipe.source)}[/]\n"
            f"{recipe.label_set}, {recipe.split}; {escape(recipe.published or 'no figure')}",
        )
    return table

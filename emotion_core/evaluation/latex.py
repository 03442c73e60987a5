"""The tables that ``evaluate`` shows, for a paper: LaTeX with ``booktabs``."""

from collections.abc import Sequence

from rich.table import Table
from rich.text import Text

# What LaTeX would take for its own (after the end of a row also a bracket and an asterisk), and
# what an old one cannot set.
_SIGNS = {
    "\\": r"\textbackslash{}", "{": r"\{", "}": r"\}", "$": r"\$", "&": r"\&", "#": r"\#",
    "%": r"\%", "_": r"\_", "^": r"\textasciicircum{}", "~": r"\textasciitilde{}",
    "<": r"\textless{}", ">": r"\textgreater{}", "|": r"\textbar{}", "[": "{[}", "]": "{]}",
    "*": "{*}", "±": r"$\pm$", "·": r"$\cdot$", "…": r"\dots{}",
}  # fmt: skip
_ALIGNED = {"right": "r", "center": "c"}
_HEAD = "% written by emotion-core; needs \\usepackage{booktabs}\n"


def latex_document(tables: Sequence[Table]) -> str:
    """Tables as ``table`` environments, for ``input`` into a document.

    Args:
        tables: as ``report.evaluation_tables`` gives them. A last row that is headed ``+-`` joins
            the one before it: mean ± deviation.
    """
    return _HEAD + "\n".join(_environment(table) for table in tables)


def escaped(text: str) -> str:
    """Any text as LaTeX sets it, on one line."""
    return "".join(_SIGNS.get(sign, sign) for sign in " ".join(text.split()))


def _environment(table: Table) -> str:
    ends = {place for place, row in enumerate(table.rows) if row.end_section}
    columns = [[_plain(cell) for cell in column.cells] for column in table.columns]
    rows = _joined([list(cells) for cells in zip(*columns, strict=True)])
    lines = []
    for place, cells in enumerate(rows):
        lines.append(f"{' & '.join(map(escaped, cells))} \\\\")
        lines += [r"\midrule"] if place in ends and place < len(rows) - 1 else []
    title, below = _plain(table.title), _plain(table.caption).replace("+-", "±")
    heads = " & ".join(escaped(_plain(column.header)) for column in table.columns)
    aligned = "".join(_ALIGNED.get(column.justify, "l") for column in table.columns)
    return "\n".join(
        [
            r"\begin{table}",
            r"\centering",
            *([f"\\caption{{{escaped(title)}}}"] if title else []),
            f"\\begin{{tabular}}{{{aligned}}}",
            r"\toprule",
            f"{heads} \\\\",
            r"\midrule",
            *lines,
            r"\bottomrule",
            r"\end{tabular}",
            *([f"\\par\\smallskip\\footnotesize {escaped(below)}"] if below else []),
            r"\end{table}",
            "",
        ]
    )


def _joined(rows: list[list[str]]) -> list[list[str]]:
    if not rows or rows[-1][0] != "+-":
        return rows
    pairs = zip(rows[-2][1:], rows[-1][1:], strict=True)
    both = [f"{mean} ± {std}" if mean and std not in ("", "-") else mean for mean, std in pairs]
    return [*rows[:-2], ["mean ± deviation", *both]]


def _plain(cell: object) -> str:
    """What is read of a cell, a title or a caption."""
    if cell is None:
        return ""
    return cell.plain if isinstance(cell, Text) else Text.from_markup(str(cell)).plain

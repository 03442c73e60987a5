"""What every picture shares: colours, and the way to PNG bytes."""

import io

from matplotlib.figure import Figure
from matplotlib.text import Text

from emotion_core.text import printable

BLUE, ORANGE, GREY, DARK = "#1f5fa8", "#d9711c", "#8a8a8a", "#202020"
_DPI = 130


def png(figure: Figure) -> bytes:
    """The figure as a PNG; the same figure gives the same bytes.

    Its titles may hold names of strangers. So may names along an axis, through ``literal``.
    """
    for text in figure.findobj(Text):
        text.set_text(literal(text.get_text()))
    buffer = io.BytesIO()
    # no version in the file: it would differ between machines
    figure.savefig(buffer, format="png", dpi=_DPI, metadata={"Software": None})
    return buffer.getvalue()


def literal(text: str) -> str:
    """``text`` for a picture: matplotlib would set what stands between two ``$`` as mathematics."""
    lines = (printable(line) for line in text.split("\n"))
    return "\n".join(lines).replace("\\$", "$").replace("$", "\\$")

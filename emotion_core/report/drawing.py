"""What every picture shares: colours, and the way to PNG bytes."""

import io

from matplotlib.figure import Figure

BLUE, ORANGE, GREY, DARK = "#1f5fa8", "#d9711c", "#8a8a8a", "#202020"
_DPI = 130


def png(figure: Figure) -> bytes:
    """The figure as a PNG; the same figure gives the same bytes."""
    buffer = io.BytesIO()
    # no version in the file: it would differ between machines
    figure.savefig(buffer, format="png", dpi=_DPI, metadata={"Software": None})
    return buffer.getvalue()

"""One colour per emotion, the same in every picture and page.

The palette is Okabe and Ito's ("Color Universal Design", 2008), which people with any of the common
kinds of colour blindness can tell apart; neutral is grey instead of black.
"""

from collections.abc import Sequence
from types import MappingProxyType

EMOTION_COLOURS = MappingProxyType(
    {
        "neutral": "#999999",
        "calm": "#56B4E9",
        "happy": "#F0E442",
        "sad": "#0072B2",
        "angry": "#D55E00",
        "fearful": "#CC79A7",
        "disgust": "#009E73",
        "surprised": "#E69F00",
    }
)

# CSS that goes over the colour: who cannot tell colours apart sees these. Neutral is plain.
_LINES, _DARK = "repeating-linear-gradient", "rgba(0,0,0,.33)"
PATTERNS = MappingProxyType(
    {
        "calm": f"{_LINES}(0deg, {_DARK} 0 1px, transparent 1px 6px)",
        "happy": f"radial-gradient({_DARK} 1.5px, transparent 2px) 0 0/7px 7px",
        "sad": f"{_LINES}(45deg, {_DARK} 0 2px, transparent 2px 7px)",
        "angry": f"{_LINES}(-45deg, {_DARK} 0 3px, transparent 3px 6px)",
        "fearful": f"{_LINES}(90deg, {_DARK} 0 1px, transparent 1px 5px)",
        "disgust": f"{_LINES}(45deg, {_DARK} 0 1px, transparent 1px 6px), "
        f"{_LINES}(-45deg, {_DARK} 0 1px, transparent 1px 6px)",
        "surprised": f"{_LINES}(90deg, {_DARK} 0 4px, transparent 4px 12px)",
    }
)

# none of the colours above, and dark to light to dark: they also differ in a grey print
STATUS_COLOURS = MappingProxyType({"ok": "#3F7F93", "degraded": "#C9B178", "failed": "#7A3B3B"})

_OTHER = "#404040"


def colour_of(label: str) -> str:
    """The colour of an emotion, or dark grey for a label that is none of the canonical ones."""
    return EMOTION_COLOURS.get(label, _OTHER)


def ink_on(colour: str) -> str:
    """Black or white, whichever is read better on ``#rrggbb`` (contrast as WCAG 2.2 has it)."""
    parts = (int(colour[at : at + 2], 16) / 255 for at in (1, 3, 5))
    red, green, blue = (c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in parts)
    luminance = 0.2126 * red + 0.7152 * green + 0.0722 * blue
    return "#000" if (luminance + 0.05) ** 2 > 0.05 * 1.05 else "#fff"


def style_rules(labels: Sequence[str]) -> str:
    """CSS: the class ``e0`` wears the colour and pattern of the first label, and so on."""
    rules = []
    for place, label in enumerate(labels):
        colour, pattern = colour_of(label), PATTERNS.get(label)
        ground = f"{pattern}, {colour}" if pattern else colour
        ink = ink_on(colour)
        rules.append(f".e{place} {{ background: {ground}; color: {ink}; fill: {colour}; }}")
    return "\n".join(rules)

"""One colour per emotion, the same in every picture and page.

The palette is Okabe and Ito's ("Color Universal Design", 2008), which people with any of the common
kinds of colour blindness can tell apart; neutral is grey instead of black.
"""

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

# none of the colours above, and dark to light to dark: they also differ in a grey print
STATUS_COLOURS = MappingProxyType({"ok": "#3F7F93", "degraded": "#C9B178", "failed": "#7A3B3B"})

_OTHER = "#404040"


def colour_of(label: str) -> str:
    """The colour of an emotion, or dark grey for a label that is none of the canonical ones."""
    return EMOTION_COLOURS.get(label, _OTHER)

"""Whether a window holds a voice at all."""

from emotion_core.labelling.windows import Piece
from emotion_core.sound.speech import FRAME_S

# With less speech a window is not asked as a voice: Silero's own least length of speech. Of 120
# windows of made-up music one in fifteen held a false frame or some (0.19 s at most), none so much.
LEAST_SPEECH_S = 0.25
# Of windows that are themselves not much longer, this share.
_LEAST_SHARE = 0.5


def has_voice(window: Piece) -> bool:
    """Whether somebody speaks in a window; yes where nobody looked for speech."""
    if window.speech_s is None:
        return True
    length_s = window.end_s - window.start_s
    return len(window.speech_s) * FRAME_S >= min(LEAST_SPEECH_S, _LEAST_SHARE * length_s)

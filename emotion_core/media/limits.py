"""What one file may take: what its headers claim decides how much memory and time is used."""

from av.audio.frame import AudioFrame
from av.audio.stream import AudioStream
from av.stream import Stream

from emotion_core.errors import ClipError

# Pixels of a picture of a video: 8192 x 8192 is just below, and a decoder holds a dozen of them.
MOST_VIDEO_PIXELS = 70_000_000
# Pixels of a still: telephones take up to 108 million.
MOST_STILL_PIXELS = 120_000_000
# What a child that decodes may map. 8K video takes half of it.
MOST_BYTES = 6 << 30
# What it may write to a file. It writes none, but its messages go to the worker's log.
MOST_WRITTEN = 64 << 20
# Time in which a file holds nothing, all together: an hour is a pause, more a broken time stamp.
MOST_GAPS_S = 3600.0
# What becomes one row of features is a clip: a sentence, a scene. What is longer is for labelling,
# which goes through a file of any length; of a clip the rest is left out.
MOST_CLIP_S = 3600.0
MOST_CLIP_PICTURES = 512 << 20  # bytes of all pictures of a clip together
# Sound as microphones and telephones give it.
_RATES = range(2_000, 768_001)  # Hz
_MOST_CHANNELS = 64


def refuse_large(width: int, height: int, most: int) -> None:
    """Raises ``ClipError`` for a picture of more than ``most`` pixels."""
    if width * height > most:
        raise ClipError(
            "decode", f"unreadable: a picture of {width} x {height} pixels is too large"
        )


def plausible(audio: Stream) -> bool:
    """Whether a sound stream's rate and channels are such as there are in the world."""
    assert isinstance(audio, AudioStream)
    return _plausible(audio.rate, audio.channels)


def plausible_frame(frame: AudioFrame) -> bool:
    """The same of what comes out of a decoder, which may change in the middle of a file."""
    return _plausible(frame.sample_rate, frame.layout.nb_channels)


def _plausible(rate: int, channels: int) -> bool:
    return rate in _RATES and 0 < channels <= _MOST_CHANNELS

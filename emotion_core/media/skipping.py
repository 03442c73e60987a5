"""Pictures that nobody looks at and no other picture leans on are not decoded."""

from __future__ import annotations  # av's Packet is generic in its stubs only

from collections import deque
from typing import Any

from av.packet import Packet
from av.video.frame import VideoFrame
from av.video.stream import VideoStream

from emotion_core.media.container import Damage, Facts
from emotion_core.media.lengths import seconds
from emotion_core.media.shown import ShownPictures

# H.264 reorders over at most 16 pictures.
_REMEMBERED = 33


class Skipping:
    """Tells the decoder of each packet whether its picture may be left out.

    Of H.264 only, which marks the pictures that others lean on, and says so in every one of them
    (HEVC does for pictures of one temporal layer). With what is left out, the other pictures are
    the same to the last bit.

    Args:
        stream: to be decoded, opened.
        facts: of its file.
        shown: what is still looked for. In AVI, whose pictures are told apart by counting them
            (``PictureClock``), none is left out.
    """

    def __init__(self, stream: VideoStream, facts: Facts, shown: ShownPictures[VideoFrame]):
        self._decoder = stream.codec_context
        self._base, self._origin_s = stream.time_base, facts.origin_s
        self._applies = self._decoder.name == "h264" and facts.format != "avi"
        self._shown = shown
        self._begun: deque[float] = deque(maxlen=_REMEMBERED)

    def see(self, packet: Packet[Any], damage: Damage) -> None:
        """To be told of each packet before it is decoded."""
        if not self._applies:
            return
        needless = not damage.packets["video"] and self._needless(packet)
        self._decoder.skip_frame = "NONREF" if needless else "DEFAULT"

    def _needless(self, packet: Packet[Any]) -> bool:
        """Whether the picture is shown at none of the times that are looked for.

        It is shown until a picture that is known by now begins, or for less: pictures that lean on
        later ones come behind them. Without one before it, it may be the first of the file, which
        stands for all times before it too.
        """
        start_s = seconds(packet.pts, self._base, self._origin_s)
        if start_s is None:
            return False
        after = min((each for each in self._begun if each > start_s), default=None)
        behind = any(each < start_s for each in self._begun)
        self._begun.append(start_s)
        return behind and after is not None and not self._shown.looks_for(start_s, after)

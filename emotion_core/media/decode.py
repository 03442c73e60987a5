"""A file becomes pictures and sound, whatever it is."""

import os
from collections.abc import Iterator
from dataclasses import replace
from itertools import islice

import numpy as np

from emotion_core.errors import ClipError
from emotion_core.media.audio import read_sound
from emotion_core.media.container import Facts, read_facts
from emotion_core.media.limits import MOST_CLIP_PICTURES, MOST_CLIP_S
from emotion_core.media.sampling import span_times
from emotion_core.media.stills import read_still, still_size
from emotion_core.media.types import DecodePlan, Media, MediaInfo
from emotion_core.media.upright import fitted_size, resize
from emotion_core.media.video import read_pictures, stack


def probe(path: str) -> MediaInfo:
    """What a file holds. Its content decides, not its name.

    Raises:
        ClipError: ``unreadable``, ``empty`` (no bytes) or ``gone`` (no file).
    """
    still = still_info(path)
    return still if still is not None else read_facts(path).info


def decode(path: str, plan: DecodePlan) -> Media:
    """Take what ``plan`` asks for out of a file.

    All of it at once, so there is a limit: of more than ``MOST_CLIP_S`` seconds, or of pictures of
    more than ``MOST_CLIP_PICTURES`` bytes together, the rest is left out, and ``warnings`` say so.
    ``stream`` has no such limits.

    What the file lacks is empty in the result: judging that is the caller's business.

    Args:
        path: a local file: video, sound, still image, or one line of ``fer2013.csv``.
        plan: pictures and sound to take.

    Raises:
        ClipError: stage ``decode``; ``unreadable``, ``empty`` or ``gone`` before the colon. Also
            when there is a stream that was asked for, but nothing of it can be decoded and there is
            nothing else.
    """
    still = still_info(path)
    if still is not None:
        return decode_still(path, still, plan)
    facts = read_facts(path)
    until_s = plan.start_s + MOST_CLIP_S
    bounded = replace(plan, end_s=until_s if plan.end_s is None else min(plan.end_s, until_s))
    frames, times, decoder, warnings = _pictures(path, facts, bounded)
    audio = np.empty(0, np.float32)
    if plan.sample_rate is not None:
        audio, more = read_sound(path, facts, plan.sample_rate, bounded.start_s, bounded.end_s)
        warnings += more
    if plan.end_s is None:
        heard_s = plan.start_s + len(audio) / (plan.sample_rate or 1)
        warnings += _beyond(facts, until_s, heard_s, warnings)
    if len(frames) == 0 and len(audio) == 0:
        refuse_damaged(warnings)
    return Media(
        info=facts.info,
        frames=frames,
        frame_times_s=times,
        audio=audio,
        sample_rate=plan.sample_rate or 0 if len(audio) else 0,
        decoder=decoder if len(frames) else "",
        warnings=tuple(warnings),
    )


def _beyond(facts: Facts, until_s: float, heard_s: float, warnings: list[str]) -> list[str]:
    """One line when there is more of a file than was taken, and nothing else says so."""
    told_s = facts.info.duration_s
    # headers may know of less than there is
    if told_s > until_s or (heard_s >= until_s > told_s):
        return [f"clip: longer than {MOST_CLIP_S:g} s: label it, here the rest is left out"]
    if facts.early and not any("stops at" in line for line in warnings):
        # the pictures that were asked for lie before the place where the file ends
        return ["file: bytes are missing at its end"]
    return []


def still_info(path: str) -> MediaInfo | None:
    """The headers of a still image, None when the file is something else.

    Raises:
        ClipError: ``empty``, ``gone``, or a damaged still.
    """
    try:
        if os.stat(path).st_size == 0 and os.path.isfile(path):
            raise ClipError("decode", "empty: the file has no bytes")
        size = still_size(path)
    except FileNotFoundError:
        raise ClipError("decode", "gone: there is no such file") from None
    except OSError as error:
        raise ClipError("decode", f"unreadable: {error.strerror or error}") from error
    return None if size is None else MediaInfo("image", 0.0, *size, 0.0, False)


def decode_still(path: str, info: MediaInfo, plan: DecodePlan) -> Media:
    """A still image as media: one picture at time 0, no sound."""
    pictures = []
    if plan.video is not None:
        picture = read_still(path)
        size = fitted_size(picture.shape[1], picture.shape[0], plan.video.max_side)
        pictures = [resize(picture, size)]
    return Media(
        info=info,
        frames=stack(pictures),
        frame_times_s=np.zeros(len(pictures)),
        audio=np.empty(0, np.float32),
        sample_rate=0,
        decoder="pillow" if pictures else "",
    )


def picture_times(facts: Facts, plan: DecodePlan) -> Iterator[float]:
    """Times of the pictures that a plan takes from a file, however it is then read."""
    if plan.video is None or facts.video is None:
        return iter(())
    end_s = facts.video.end_s if plan.end_s is None else min(facts.video.end_s, plan.end_s)
    specs = (plan.video, *plan.also)
    return span_times(specs, plan.start_s, end_s, facts.info.fps, plan.span_s, plan.short_s)


def refuse_damaged(warnings: list[str]) -> None:
    """Raise when nothing was read and the warnings say why."""
    reasons = [line for line in warnings if not line.startswith("decoder:")]
    if reasons:
        raise ClipError("decode", f"unreadable: nothing could be decoded ({'; '.join(reasons)})")


def _pictures(
    path: str, facts: Facts, plan: DecodePlan
) -> tuple[np.ndarray, np.ndarray, str, list[str]]:
    if plan.video is None or facts.video is None:
        return stack([]), np.empty(0), "", []
    width, height = fitted_size(facts.info.width, facts.info.height, plan.video.max_side)
    most = max(1, MOST_CLIP_PICTURES // max(1, 3 * width * height))
    wanted = picture_times(facts, plan)
    times = np.fromiter(islice(wanted, most), np.float64)
    too_many = next(wanted, None) is not None
    frames, times, decoder, warnings = read_pictures(
        path, facts, times, plan.video.max_side, plan.decoder
    )
    if too_many:
        text = f"video: {most} pictures of {width} x {height} are enough, the rest is left out"
        warnings.append(text)
    return frames, times, decoder, warnings

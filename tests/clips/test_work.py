"""How a clip's trouble becomes its row."""

import logging

import numpy as np
import pytest

from emotion_core.clips.each import each
from emotion_core.clips.work import ClipWork, Outcome
from emotion_core.errors import ClipError
from emotion_core.media.types import DecodePlan, Media, MediaInfo
from emotion_core.recipes.specs import VideoSpec


def work(name: str) -> ClipWork:
    return ClipWork({"clip_id": name, "uri": f"/videos/{name}.mp4"})


def media(kind="video", frames=2, samples=100, has_audio=True, warnings=(), level=0.1) -> Media:
    return Media(
        info=MediaInfo(kind, 2.0, 8, 8, 25.0, has_audio),
        frames=np.zeros((frames, 8, 8, 3), np.uint8),
        frame_times_s=np.arange(frames, dtype=float),
        audio=np.full(samples, level, np.float32),
        sample_rate=16000 if samples else 0,
        decoder="pyav",
        warnings=tuple(warnings),
    )


def test_one_clip_in_trouble_does_not_touch_the_others(caplog):
    def step(item):
        if item.clip["clip_id"] == "cut":
            raise ClipError("decode", "timeout: more than 5 s")
        if item.clip["clip_id"] == "bug":
            raise ValueError("shapes\n do not match")
        return item.with_(decoder="pyav")

    with caplog.at_level(logging.WARNING):
        a, cut, bug, b = each([work(n) for n in ("a", "cut", "bug", "b")], "decode", step)
    assert (a.decoder, b.decoder) == ("pyav", "pyav")
    assert cut.outcome == Outcome("failed", "decode", ("timeout",), "timeout: more than 5 s")
    assert bug.outcome == Outcome("failed", "decode", ("error",), "ValueError: shapes do not match")
    # a fault of ours must be findable, a damaged file must not fill the log
    assert "bug.mp4" in caplog.text and "cut.mp4" not in caplog.text


def test_a_failed_clip_is_left_alone_by_later_steps():
    failed = work("a").with_(outcome=Outcome().fail("decode", "crash", "crash: signal 11"))
    (after,) = each([failed], "faces", lambda item: item.with_(decoder="wrong"))
    assert after == failed


def test_a_file_that_cannot_be_fetched_is_gone():
    outcome = Outcome().fail_with(ClipError("fetch", "no such key"), "decode")
    assert (outcome.stage, outcome.reasons) == ("fetch", ("gone",))


def test_reasons_add_up_and_a_failure_stays_one():
    outcome = Outcome().degrade("decode", "no_audio", "silent").degrade("faces", "no_face", "empty")
    assert outcome == Outcome("degraded", "decode", ("no_audio", "no_face"), "silent; empty")
    failed = outcome.fail("label", "empty", "nothing left")
    assert (failed.status, failed.stage) == ("failed", "label")
    assert failed.degrade("x", "cut", "y").status == "failed"


@pytest.mark.parametrize(
    ("found", "modality", "status", "reasons"),
    [
        (media(), "audio-visual", "ok", ()),
        (media(samples=0, has_audio=False), None, "degraded", ("no_audio",)),
        (media(samples=0, has_audio=False), "video", "ok", ()),  # its corpus says it is silent
        (media(level=1e-5), None, "degraded", ("no_audio",)),  # labelling hears no silence either
        (media(level=1e-5, frames=0), "audio", "failed", ("empty",)),
        (media(kind="audio", frames=0), "audio", "ok", ()),
        (media(kind="image", frames=1, samples=0, has_audio=False), None, "ok", ()),
        (media(frames=0, samples=0), None, "failed", ("empty",)),
        (media(warnings=["audio: stops at 1 s of 2 s"]), None, "degraded", ("cut",)),
        (media(warnings=["decoder: decord cannot open it"]), None, "ok", ()),
    ],
)
def test_what_decoding_says_of_a_clip(found, modality, status, reasons):
    from emotion_core.preprocessing.decode import judge

    outcome = judge(Outcome(), found, DecodePlan(VideoSpec(), 16000), modality)
    assert (outcome.status, outcome.reasons) == (status, reasons)

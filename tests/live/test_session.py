"""A session answers as labelling does, keeps up by dropping, and obeys."""

import io
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from emotion_core.clips.work import Segment
from emotion_core.errors import ClipError, UsageError
from emotion_core.faces.types import Detections
from emotion_core.labelling.ensemble import Query
from emotion_core.labelling.step import LabelOptions, LabelStep
from emotion_core.live.opening import Timing
from emotion_core.live.session import LiveSession
from emotion_core.live.state import Snapshot
from emotion_core.models.bundle import load_bundle
from tests.support.labelling import OneFace, untrained, work_on
from tests.support.live_sources import HASTY, LOSSLESS, CuttingServer, Kept, playing
from tests.support.media_clips import write_clip

OPTIONS = LabelOptions(fps=10.0, any_sound=True)


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return untrained(tmp_path_factory.mktemp("model") / "model")


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """9.2 seconds, in which sound ends before the pictures."""
    path = tmp_path_factory.mktemp("clip") / "clip.mp4"
    return write_clip(path, frames=230, faint=True, sound_s=8.5)


def labeller(model: Path, detector: object = None, options: LabelOptions = OPTIONS) -> LabelStep:
    return LabelStep([load_bundle(str(model))], detector or OneFace(), options)


def facts(segments: list[Segment]) -> list[tuple]:
    return [
        (s.start_s, s.end_s, s.track_id, s.modalities, s.face_box, s.face_time_s, s.speaking)
        for s in segments
    ]


def shown(session: LiveSession, seconds: float = 200.0) -> list[Snapshot]:
    """All snapshots up to the last one."""
    found: list[Snapshot] = []
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        snapshot = session.newest(found[-1].number if found else 0, 1.0)
        if snapshot is not None:
            found.append(snapshot)
            if snapshot.figures.source == "ended":
                return found
    raise AssertionError("it does not end")


def test_a_file_is_answered_as_labelling_answers(model: Path, clip: Path) -> None:
    step, kept = labeller(model), Kept()
    with playing(step, clip, LOSSLESS, kept) as (session, _):
        snapshots = shown(session)
        newest = session.newest(0, 0.0)
        assert newest is not None
        history = newest.moments
        session.join()
    (done,) = step([work_on(clip)])
    step.decoder.close()

    assert facts(kept.got) == facts(list(done.segments)) and len(kept.got) >= 4
    for one, other in zip(kept.got, done.segments, strict=True):
        np.testing.assert_allclose(one.probabilities, other.probabilities, atol=1e-5)
    assert kept.seen is not None
    got = step.result(work_on(clip), kept.seen, kept.got)
    assert replace(got, segments=(), seconds=0) == replace(done, segments=(), seconds=0)
    # the timeline: each answer once, at the middle of its window
    assert [moment.who for moment in history] == [s.track_id for s in done.segments]
    assert [m.time_s for m in history] == [(s.start_s + s.end_s) / 2 for s in done.segments]
    assert sum((each.moments for each in snapshots), ()) == history
    assert snapshots[-1].figures.dropped == 0


def test_a_snapshot_is_fit_to_be_shown(model: Path, clip: Path) -> None:
    step = labeller(model, options=replace(OPTIONS, exact=True))
    with playing(step, clip) as (session, _):
        last = shown(session)[-1]
        labels = session.labels

    assert Image.open(io.BytesIO(last.picture)).size == (96, 64)
    (face,) = last.faces
    assert face.box == pytest.approx((0.3, 0.2, 0.4, 0.7), abs=0.01)
    assert sum(face.probabilities) == pytest.approx(1, abs=1e-4)
    assert face.emotion == labels[int(np.argmax(face.probabilities))]
    assert face.speaking, "the sound is of whoever is there alone"
    assert last.voice is not None and last.voice.who == face.track_id
    numbers = last.figures
    assert numbers.latency_s > 0 and numbers.latency_95_s >= 0 and numbers.pictures_per_s > 0


class Slow(OneFace):
    """As slow as a machine that cannot keep up."""

    def detect(self, images: np.ndarray) -> list[Detections]:
        until = time.monotonic() + 0.5
        while time.monotonic() < until:
            pass
        return super().detect(images)


def test_what_cannot_be_kept_up_with_is_dropped_and_nothing_waits(model: Path, clip: Path) -> None:
    """A picture takes half a second here, ten come in a second."""
    kept = Kept()
    with playing(labeller(model, Slow()), clip, Timing(), kept) as (session, _):
        snapshots = shown(session)
    last = snapshots[-1].figures

    assert last.dropped >= 40
    answered = {each.time_s for each in snapshots}
    assert max(answered) > 8, "it is at the end when the file is"
    # waiting counts: the picture before, and as much again until this one is looked at
    assert last.latency_95_s < 30
    assert {s.start_s for s in kept.got} >= {0.0, 2.0, 4.0}, "every window is answered"
    assert all("audio" in s.modalities for s in kept.got if s.end_s <= 8), "no sound is dropped"


def test_paused_it_stands_still_and_stopped_it_ends(model: Path, clip: Path) -> None:
    kept = Kept()
    with playing(labeller(model), clip, Timing(), kept) as (session, _):
        number = 0
        while not (now := session.newest(number, 30)) or now.time_s < 0.5:
            number = now.number if now else number
        session.pause()
        while (now := session.newest(number, 30)) and now.figures.source != "paused":
            number = now.number
        assert now is not None
        session.resume()
        while (now := session.newest(number, 30)) and now.figures.source != "playing":
            number = now.number
        assert now is not None
        session.stop()
        session.stop()
        assert session.join(60)
        last = session.newest(0, 0)

    assert last is not None and last.figures.source == "ended"
    assert kept.got and kept.got[-1].end_s < 9.2, "what came until then is answered"


def test_a_stream_that_comes_back_goes_on(model: Path, tmp_path: Path) -> None:
    path = write_clip(tmp_path / "clip.ts", frames=100, faint=True, format="mpegts")
    content = path.read_bytes()
    kept = Kept()
    step, cuts = labeller(model), (len(content) // 2,)
    with (
        CuttingServer(content, cuts) as server,
        playing(step, server.url, HASTY, kept) as (session, _),
    ):
        told, number = list[str](), 0
        while len(told) < 4:
            snapshot = session.newest(number, 60)
            assert snapshot is not None
            number = snapshot.number
            if told[-1:] != [snapshot.figures.source]:
                told.append(snapshot.figures.source)
        session.stop()
        session.join()

    assert told == ["playing", "reconnecting", "playing", "reconnecting"]
    starts = [segment.start_s for segment in kept.got]
    assert starts == sorted(starts) and starts


def test_models_that_only_hear_have_a_picture_beside_them(tmp_path: Path, clip: Path) -> None:
    from emotion_core.recipes import load_recipe

    model = untrained(tmp_path / "voice", ("audio",), load_recipe("voice-small"))
    step = LabelStep([load_bundle(str(model))], None, OPTIONS)
    with playing(step, clip) as (session, _):
        last = shown(session)[-1]

    assert last.picture and not last.faces and last.voice is not None


def test_sound_that_nobody_wants_is_not_heard(model: Path, clip: Path) -> None:
    kept = Kept()
    with playing(labeller(model), clip, LOSSLESS, kept, audio="none") as (session, _):
        last = shown(session)[-1]

    assert last.voice is None
    assert {s.modalities for s in kept.got} == {("face",)}


def test_an_error_of_the_models_ends_it_and_is_told(model: Path, clip: Path) -> None:
    class Broken(OneFace):
        calls = 0

        def detect(self, images: np.ndarray) -> list[Detections]:
            self.calls += 1
            if self.calls > 5:
                raise RuntimeError("no face will ever be found")
            return super().detect(images)

    step = labeller(model, Broken())
    with pytest.raises(RuntimeError, match="no face will"), playing(step, clip) as (session, _):
        last = shown(session)[-1]
    assert "error" in last.figures.note


def test_a_window_that_fails_is_told_and_the_others_are_answered(model: Path, clip: Path) -> None:
    step, kept = labeller(model), Kept()
    answers = step.ensemble.answers

    def failing(queries: Sequence[Query]) -> list[Segment]:
        if queries and queries[0].start_s == 2.0:
            raise ClipError("predict", "the model gave no number")
        return answers(queries)

    step.ensemble.answers = failing  # type: ignore[method-assign]
    with playing(step, clip, LOSSLESS, kept) as (session, _):
        notes = {snapshot.figures.note for snapshot in shown(session)}

    told = "no answer about 2 s: the model gave no number"
    assert told in notes, "the page says so"
    assert {segment.start_s for segment in kept.got} == {0.0, 4.0, 6.0}
    assert kept.seen is not None
    outcome = step.result(work_on(clip), kept.seen, kept.got).outcome
    assert outcome.status == "degraded" and told in (outcome.error or "")
    assert "error" in outcome.reasons


def test_a_bad_source_is_wrong_usage(model: Path, tmp_path: Path) -> None:
    text = tmp_path / "text.mp4"
    text.write_text("words " * 1000)
    step = labeller(model)
    with pytest.raises(UsageError, match="text.mp4: unreadable"), playing(step, text):
        pass


def test_nothing_of_it_needs_ray() -> None:
    script = (
        "import sys\n"
        "import emotion_core.live.opening, emotion_core.live.saving\n"
        "print([name for name in sys.modules if name.split('.')[0] == 'ray'])\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, timeout=300
    )
    assert done.stdout.strip() == "[]", done.stdout + done.stderr


@pytest.mark.slow
def test_memory_is_flat(model: Path, tmp_path: Path) -> None:
    """Five minutes, as fast as it goes."""
    path = write_clip(tmp_path / "long.mp4", frames=1500, fps=5, faint=True, rate=16000)
    options = replace(OPTIONS, fps=2.0)
    page = 4096
    held: list[tuple[float, int]] = []
    with playing(labeller(model, options=options), path) as (session, _):
        number = 0
        while snapshot := session.newest(number, 60):
            number = snapshot.number
            pages = int(Path("/proc/self/statm").read_text().split()[1])
            held.append((snapshot.time_s, page * pages))
            if snapshot.figures.source == "ended":
                break
    after = [held_bytes for time_s, held_bytes in held if 60 < time_s < 120]
    later = [held_bytes for time_s, held_bytes in held if time_s > 240]

    assert held[-1][0] > 290
    assert np.median(later) - np.median(after) < 8 << 20

"""Videos with boxes and words on them, read back."""

from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest

from emotion_core.clips.clip import Clip, manifest_table
from emotion_core.clips.work import ClipWork, Segment
from emotion_core.exports.command import Format, main
from emotion_core.exports.drawn import Places
from emotion_core.exports.labelled import Stretch
from emotion_core.labelling.tables import LabelTables
from emotion_core.report.colours import colour_of

FPS, SECONDS, RATE = 10, 3, 16_000


def write_video(path: Path, width: int, height: int, sound: bool, every_s: int = 0) -> None:
    fps = Fraction(1, every_s) if every_s else FPS
    with av.open(str(path), "w") as out:
        pictures = out.add_stream("libx264", rate=fps)
        pictures.width, pictures.height, pictures.pix_fmt = width, height, "yuv420p"
        voice = out.add_stream("aac", rate=RATE, layout="mono") if sound else None
        for number in range(FPS * SECONDS):
            frame = av.VideoFrame.from_ndarray(np.full((height, width, 3), 200, np.uint8))
            frame.pts, frame.time_base = number, 1 / Fraction(fps)
            out.mux(pictures.encode(frame))
        out.mux(pictures.encode(None))
        if voice is not None:
            tone = 0.3 * np.sin(np.arange(RATE * SECONDS) / 20).astype(np.float32)
            heard = av.AudioFrame.from_ndarray(tone[None], format="fltp", layout="mono")
            heard.sample_rate = RATE
            out.mux(voice.encode(heard))
            out.mux(voice.encode(None))


def labelled(folder: Path, path: Path) -> str:
    """Somebody in the left half for the first two seconds, and a voice for all three."""
    answer = np.array([0.9, 0.1], np.float32)
    info = path.stat()
    clip = Clip(str(path), info.st_size, str(info.st_mtime_ns))
    segments = (
        Segment(0, 2, 0, (0.1, 0.3, 0.4, 0.8), 0.9, 1.0, answer, ("face",)),
        Segment(0, 3, None, None, None, None, answer[::-1], ("audio",)),
    )
    (row,) = manifest_table([clip]).to_pylist()
    work = ClipWork(row).with_(segments=segments, n_tracks=1, duration_s=3.0)
    LabelTables(str(folder), ("happy", "sad"), "model").write([work])
    return str(folder)


@pytest.mark.parametrize(("width", "height", "sound"), [(160, 120, True), (1280, 722, False)])
def test_boxes_are_there_while_somebody_is(
    tmp_path: Path, width: int, height: int, sound: bool
) -> None:
    write_video(tmp_path / "clip.mp4", width, height, sound)
    out = tmp_path / "out"
    main(labelled(tmp_path / "labels", tmp_path / "clip.mp4"), str(out), [Format.video])
    with av.open(str(out / "video" / "clip.mp4")) as made:
        assert bool(made.streams.audio) == sound
        frames = list(made.decode(video=0))
    assert len(frames) == FPS * SECONDS and max(frames[0].width, frames[0].height) <= 640
    assert frames[-1].time == pytest.approx(SECONDS - 1 / FPS, abs=0.06)
    happy = np.array([int(colour_of("happy")[i : i + 2], 16) for i in (1, 3, 5)])
    for frame in frames:
        picture = frame.to_ndarray(format="rgb24").astype(int)
        left = round(0.1 * frame.width)
        middle = picture[round(0.5 * frame.height), left - 1 : left + 3]
        boxed = np.abs(middle - happy).max(axis=1).min() < 60
        assert boxed == (frame.time < 2.0), frame.time
        assert picture[-15:].std() > 10, "the voice is told below"
    if sound:
        with av.open(str(out / "video" / "clip.mp4")) as made:
            heard = np.concatenate([f.to_ndarray()[0] for f in made.decode(audio=0)])
        assert len(heard) / 44_100 == pytest.approx(SECONDS, abs=0.1)
        assert np.abs(heard[44_100:88_200]).max() > 0.2


def test_slides_keep_their_size(tmp_path: Path) -> None:
    """One picture every eight seconds: the first two seconds hold none that is drawn."""
    write_video(tmp_path / "clip.mp4", 640, 360, sound=False, every_s=8)
    main(labelled(tmp_path / "labels", tmp_path / "clip.mp4"), str(tmp_path / "o"), [Format.video])
    with av.open(str(tmp_path / "o" / "video" / "clip.mp4")) as made:
        (pictures,) = made.streams.video
        assert (pictures.width, pictures.height) == (640, 360)


def test_a_box_moves_between_the_places_that_are_known() -> None:
    def stretch(start_s: float, box_s: float | None, left: float) -> Stretch:
        box = None if box_s is None else (left, 0.2, left + 0.1, 0.4)
        return Stretch("person 0", start_s, start_s + 2, "happy", 0.9, False, (1.0,), box, box_s)

    lane = [stretch(0, 1.0, 0.2), stretch(2, 3.0, 0.4)]
    known = Places(lane)
    assert known.at(2.0) == pytest.approx((0.3, 0.2, 0.4, 0.4))
    assert known.at(0.0) == pytest.approx((0.2, 0.2, 0.3, 0.4)), "before the first it waits"
    assert known.at(9.0) == pytest.approx((0.4, 0.2, 0.5, 0.4))
    assert Places([stretch(0, None, 0.2)]).at(0.0) is None

"""Two people side by side: the sound goes to the one whose mouth goes with it, or to nobody."""

from pathlib import Path

import numpy as np
import pytest

from benchmarks.speakers import FPS, Composite, Talk, judge, read, write
from emotion_core.errors import UsageError
from emotion_core.labelling.how import Labelling
from emotion_core.labelling.step import LabelOptions, LabelStep
from emotion_core.labelling.windows import Windowing
from tests.support.labelling import untrained, work_on
from tests.support.small_recipes import small


@pytest.fixture(scope="module")
def step() -> LabelStep:
    return Labelling(("voice", "face"), LabelOptions(speakers=True)).step()


@pytest.fixture(scope="module")
def talks(corpora: Path) -> tuple[Talk, Talk]:
    wild = corpora / "clips" / "wild"
    one, other = (read(str(wild / name)) for name in ("liveportrait_d11.mp4", "lipnet_swiz3n.mpg"))
    return Talk(one.speaker, one.frames[: 4 * FPS], one.sound[: 4 * 16_000]), other


@pytest.mark.parametrize("side", [0, 1])
def test_the_sound_goes_to_who_speaks(step, talks, tmp_path, side):
    one, other = talks
    seen = (one, other) if side == 0 else (other, one)
    made = Composite("own", one.speaker, *seen, one.sound, side)
    (done,) = step([work_on(write(made, tmp_path / "two.mkv"))])
    (heard,) = [s for s in done.segments if "audio" in s.modalities]
    found = judge(made, heard.start_s, heard.end_s, heard.face_box)
    assert found is not None and found.given and found.right
    assert (done.outcome.status, done.notes) == ("ok", ("several_people",))
    speaking = {s.modalities: s.speaking for s in done.segments}
    assert set(speaking) == {("face",), ("audio", "face")}
    assert speaking["audio", "face"] > 0.35 > speaking["face",] - 0.1


def test_a_voice_from_elsewhere_is_nobody_s(step, talks, tmp_path):
    one, other = talks
    made = Composite("off-screen", "x", other, other, one.sound, None)
    (done,) = step([work_on(write(made, tmp_path / "two.mkv"))])
    assert [s.modalities for s in done.segments] == [("face",), ("face",), ("audio",)]
    assert done.segments[-1].speaking is None


def test_models_are_shown_the_same_with_mouths_as_without(step, corpora):
    """One person who speaks: the same answers."""
    path = corpora / "clips" / "wild" / "lipnet_swiz3n.mpg"
    (found,) = step([work_on(path)])
    (plain,) = Labelling(("voice", "face")).step()([work_on(path)])
    assert len(found.segments) == len(plain.segments) == 1
    (one,), (other,) = found.segments, plain.segments
    assert one.speaking is not None and other.speaking is None
    assert (one.modalities, one.face_box) == (other.modalities, other.face_box)
    np.testing.assert_array_equal(one.probabilities, other.probabilities)


def test_models_that_do_not_hear_tell_no_speakers(tmp_path):
    faces = str(untrained(tmp_path / "faces", ("face",), small("fer-cnn")))
    with pytest.raises(UsageError, match="--speakers .* leave it out"):
        Labelling((faces,), LabelOptions(Windowing(), speakers=True)).check()

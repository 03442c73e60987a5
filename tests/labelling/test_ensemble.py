"""Several models asked together: each from its own features, weighted alike."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from emotion_core.errors import UsageError
from emotion_core.labelling.ensemble import Ensemble
from emotion_core.labelling.rows import video_rows
from emotion_core.labelling.step import LabelOptions, LabelStep
from emotion_core.labelling.views import pictures_for, samplings
from emotion_core.labelling.windows import FaceObservation, Piece, Windowing
from emotion_core.media.sampling import sample_times, span_times
from emotion_core.models.bundle import load_bundle
from emotion_core.recipes import load_recipe
from emotion_core.recipes.specs import VideoSpec
from emotion_core.sound.features import audio_features
from tests.support.labelling import LABELS, OneFace, labelled, untrained, what_was_seen, work_on
from tests.support.media_clips import write_clip
from tests.support.small_recipes import small

RATE = 16000


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    folder = tmp_path_factory.mktemp("models")
    sound = small("audio-cnn1d")
    return {
        "sound": untrained(folder / "sound", ("audio",), sound),
        "low sound": untrained(
            folder / "low", ("audio",), replace(sound, audio=replace(sound.audio, sample_rate=8000))
        ),
        "faces": untrained(folder / "faces", ("face",), small("fer-cnn")),
        "both": untrained(folder / "both", ("audio", "face"), small("timedist-blstm")),
        "eight": untrained(folder / "eight", ("audio", "face"), small("strip-cnn-lstm")),
    }


def ensemble(models: dict[str, Path], *names: str) -> Ensemble:
    return Ensemble([load_bundle(str(models[name])) for name in names])


def window(views: tuple[VideoSpec, ...], people: int = 1, rate: int = RATE) -> Piece:
    """Four seconds of noise, and noise for faces in six pictures."""
    rng = np.random.default_rng(3)
    times = tuple((np.arange(6) + 0.5) * 4 / 6)

    def crop(view: VideoSpec) -> np.ndarray:
        shape = (view.face_size,) * 2 + (() if view.grey else (3,))
        return rng.integers(0, 255, shape, np.uint8)

    observations = tuple(
        FaceObservation(time, who, (0, 0, 1, 1), 0.9, tuple(crop(view) for view in views))
        for time in times
        for who in range(people)
    )
    audio = rng.normal(0, 0.1, 4 * rate).astype(np.float32)
    return Piece(0.0, 4.0, audio, rate, times, observations)


def answers(asked: Ensemble, piece: Piece) -> list:
    return asked.answers(list(asked.queries(piece, 25.0)))


def test_sound_and_face_of_two_models_are_averaged(models):
    both = ensemble(models, "sound", "faces")
    piece = window(both.views)
    (together,) = answers(both, piece)
    (heard,) = answers(ensemble(models, "sound"), replace(piece, observations=()))
    (seen,) = answers(ensemble(models, "faces"), piece)
    np.testing.assert_allclose(together.audio_probabilities, heard.probabilities, atol=1e-6)
    np.testing.assert_allclose(together.face_probabilities, seen.probabilities, atol=1e-6)
    mean = (heard.probabilities + seen.probabilities) / 2
    np.testing.assert_allclose(together.probabilities, mean, atol=1e-6)
    assert np.abs(heard.probabilities - seen.probabilities).max() > 1e-3
    assert together.modalities == ("audio", "face")


def test_a_model_of_both_beside_one_of_sound_answers_with_both_and_with_each(models):
    asked = ensemble(models, "sound", "both")
    piece = window(asked.views)
    (together,) = answers(asked, piece)
    (heard,) = answers(ensemble(models, "sound"), replace(piece, observations=()))
    (joint,) = answers(ensemble(models, "both"), piece)
    np.testing.assert_allclose(
        together.audio_probabilities,
        (heard.probabilities + joint.audio_probabilities) / 2,
        atol=1e-6,
    )
    np.testing.assert_allclose(together.face_probabilities, joint.face_probabilities, atol=1e-6)
    np.testing.assert_allclose(
        together.probabilities, (heard.probabilities + joint.probabilities) / 2, atol=1e-6
    )


def test_in_a_crowd_the_model_of_sound_has_a_row_of_its_own(models):
    asked = ensemble(models, "sound", "faces")
    found = answers(asked, window(asked.views, people=2))
    assert [(s.track_id, s.modalities) for s in found] == [
        (0, ("face",)), (1, ("face",)), (None, ("audio",))
    ]  # fmt: skip


def test_the_order_of_the_models_does_not_matter(models):
    one, other = ensemble(models, "sound", "faces"), ensemble(models, "faces", "sound")
    assert one.model_id == other.model_id
    assert one.model_id not in {bundle.model_id for bundle in one.models}
    for ours, theirs in zip(
        answers(one, window(one.views)), answers(other, window(other.views)), strict=True
    ):
        np.testing.assert_array_equal(ours.probabilities, theirs.probabilities)
    assert ensemble(models, "sound").model_id == load_bundle(str(models["sound"])).model_id


def test_each_model_gets_features_of_its_own_recipe(models, monkeypatch):
    asked = ensemble(models, "sound", "both")
    heard = {}
    for member in asked._members:
        name = member._bundle.recipe.name
        make = member._features
        member._features = lambda sounds, make=make, name=name: heard.setdefault(name, make(sounds))
    piece = window(asked.views)
    list(asked.queries(piece, 25.0))
    assert set(heard) == {"audio-cnn1d", "timedist-blstm"}
    for name, (matrix,) in heard.items():
        np.testing.assert_array_equal(matrix, audio_features(piece.audio, small(name).audio))


def test_models_of_different_sample_rates_hear_the_same_sound(models):
    asked = ensemble(models, "sound", "low sound")
    assert asked.sample_rate == RATE
    tone = 0.3 * np.sin(2 * np.pi * 500 * np.arange(4 * RATE) / RATE).astype(np.float32)
    piece = replace(window(()), audio=tone)
    low = next(member for member in asked._members if member.sample_rate == 8000)
    direct = 0.3 * np.sin(2 * np.pi * 500 * np.arange(4 * 8000) / 8000).astype(np.float32)
    given = low.sound(piece)
    expected = audio_features(direct, low._bundle.recipe.audio)
    assert given.shape == expected.shape
    # the strongest band is the same all along, but for the filter's first and last steps
    inner = slice(8, -8)
    mel = slice(low._bundle.recipe.audio.n_mfcc, None)
    np.testing.assert_array_equal(
        given[inner, mel].argmax(axis=1), expected[inner, mel].argmax(axis=1)
    )


def test_models_that_do_not_fit_are_refused(models):
    with pytest.raises(UsageError, match="other classes.*one label set"):
        ensemble(models, "both", "eight")
    with pytest.raises(UsageError, match="twice"):
        ensemble(models, "sound", "sound")
    whole = VideoSpec(detect=False)
    with pytest.raises(UsageError, match="cannot be combined"):
        samplings([VideoSpec(), whole], None)


def test_two_models_on_a_real_video(models, demo):
    done = labelled(models["sound"], models["faces"], path=demo / "wild" / "holiday clip #2.mp4")
    assert what_was_seen(done) == [(0.0, 0, ("audio", "face"))]
    assert done.outcome.status == "ok"
    (segment,) = done.segments
    mean = (segment.audio_probabilities + segment.face_probabilities) / 2
    np.testing.assert_allclose(segment.probabilities, mean, atol=1e-6)
    memo = labelled(models["sound"], models["faces"], path=demo / "wild" / "voice memo.m4a")
    assert what_was_seen(memo) == [(0.0, None, ("audio",))]


@pytest.mark.parametrize(
    ("name", "seen"), [("sound", [(0.0, None, ("audio",))]), ("faces", [(0.0, 0, ("face",))])]
)
def test_a_recipe_without_pictures_or_without_sound_works_alone(models, demo, name, seen):
    done = labelled(models[name], path=demo / "wild" / "holiday clip #2.mp4")
    assert what_was_seen(done) == seen
    assert done.outcome.status == "ok"
    assert (done.no_face_s is None, done.no_sound_s is None) == (name == "sound", name == "faces")


def test_a_model_that_counts_pictures_gets_as_many_as_it_counts(models, demo):
    """Its clips are cut into seconds of five pictures: fewer would put faces to other sounds."""
    done = labelled(models["eight"], path=demo / "wild" / "holiday clip #2.mp4")
    assert what_was_seen(done) == [(0.0, 0, ("audio", "face"))]
    recipe = load_recipe("strip-cnn-lstm")
    few = pictures_for(recipe, (0.5, 1.5, 2.5, 3.5), 0.0, 4.0, 25.0)
    assert few == [0.5] * 5 + [1.5] * 5 + [2.5] * 5 + [3.5] * 5
    dense = VideoSpec(sampling="fps", fps=25, max_frames=1000)
    many = pictures_for(recipe, tuple(sample_times(dense, 0, 20, 25)), 0.0, 20.0, 25.0)
    np.testing.assert_allclose(many, (np.arange(100) + 0.5) / 5, atol=0.021)


def test_every_model_finds_its_own_pictures_among_those_looked_at():
    few, many = VideoSpec(count=6), VideoSpec(sampling="fps", fps=5.0, max_side=480)
    one, other = samplings([few, many], None)
    assert (one, other) == (few, replace(many, max_side=640))
    times = tuple(span_times([one, other], 0.0, 4.0, 25.0))
    assert len(times) == 26
    shown = pictures_for(load_recipe("timedist-blstm"), times, 0.0, 4.0, 25.0)
    assert shown == sample_times(few, 0.0, 4.0, 25.0).tolist()
    (asked,) = samplings([few, many], 12.0)
    assert (asked.sampling, asked.fps, asked.max_frames > 10_000) == ("fps", 12.0, True)
    assert samplings([], 12.0) == ()


def test_labels_of_the_panel_are_the_models(models):
    assert ensemble(models, "sound", "faces").labels == LABELS


def test_music_is_not_asked_as_a_voice(models, tmp_path):
    """A tone instead of a voice: the face answers alone, and the row says why."""
    path = write_clip(tmp_path / "tune.mp4", frames=50, faint=True)
    bundles = [load_bundle(str(models[name])) for name in ("sound", "faces")]
    done = LabelStep(bundles, OneFace())([work_on(path)])[0]
    assert (done.outcome.status, done.outcome.reasons) == ("degraded", ("no_speech",))
    assert what_was_seen(done) == [(0.0, 0, ("face",))]
    assert (done.speech_s, done.no_speech_s) == (0, pytest.approx(2, abs=0.05))
    (anyhow,) = LabelStep(bundles, OneFace(), LabelOptions(any_sound=True))([work_on(path)])
    assert (anyhow.outcome.status, anyhow.speech_s) == ("ok", None)
    assert what_was_seen(anyhow) == [(0.0, 0, ("audio", "face"))]
    (heard,) = LabelStep(bundles[:1], None)([work_on(path)])
    assert (heard.outcome.status, heard.outcome.reasons) == ("degraded", ("no_speech",))
    assert heard.segments == () and heard.duration_s == pytest.approx(2, abs=0.05)
    (row,) = video_rows([heard], LABELS).to_pylist()
    assert row["no_speech_s"] == row["duration_s"] and row["emotion"] is None


def test_only_windows_with_speech_are_asked_as_voices_however_they_are_decoded(models, corpora):
    """Speech from 0.6 to 2.2 s of three: the same frames in chunks of 0.5 and of 1 s."""
    path = corpora / "clips" / "wild" / "lipnet_lrwp9a.mpg"
    found = []
    for windowing in (Windowing(0.5, 0.5), Windowing(1.0, 0.5)):
        options = LabelOptions(windowing)
        found.append(labelled(models["low sound"], path=path, options=options))
    short, long = found
    assert short.speech_s == long.speech_s == pytest.approx(1.7, abs=0.2)
    assert [s.start_s for s in short.segments] == [0.5, 1.0, 1.5, 2.0]
    assert short.speech_s + short.no_speech_s == pytest.approx(short.duration_s)

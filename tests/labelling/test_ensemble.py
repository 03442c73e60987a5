"""Several models asked together: each from its own features, weighted alike."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from emotion_core.errors import UsageError
from emotion_core.labelling.ensemble import Panel
from emotion_core.labelling.looking import common_view, pictures_for
from emotion_core.labelling.windows import Piece, Sight, Windowing
from emotion_core.media.sampling import sample_times
from emotion_core.models.bundle import load_bundle
from emotion_core.recipes import load_recipe
from emotion_core.recipes.specs import VideoSpec
from emotion_core.sound.features import audio_features
from tests.support.labelling import LABELS, labelled, untrained, what_was_seen
from tests.support.small_recipes import small

RATE = 16000


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    folder = tmp_path_factory.mktemp("models")
    ears = small("audio-cnn1d")
    return {
        "ears": untrained(folder / "ears", ("audio",), ears),
        "low ears": untrained(
            folder / "low", ("audio",), replace(ears, audio=replace(ears.audio, sample_rate=8000))
        ),
        "eyes": untrained(folder / "eyes", ("face",), small("fer-cnn")),
        "both": untrained(folder / "both", ("audio", "face"), small("timedist-blstm")),
        "eight": untrained(folder / "eight", ("audio", "face"), small("strip-cnn-lstm")),
    }


def panel(models: dict[str, Path], *names: str) -> Panel:
    return Panel([load_bundle(str(models[name])) for name in names])


def window(eyes: tuple[VideoSpec, ...], people: int = 1, rate: int = RATE) -> Piece:
    """Four seconds of noise, and noise for faces in six pictures."""
    rng = np.random.default_rng(3)
    times = tuple((np.arange(6) + 0.5) * 4 / 6)

    def crop(eye: VideoSpec) -> np.ndarray:
        shape = (eye.face_size,) * 2 + (() if eye.grey else (3,))
        return rng.integers(0, 255, shape, np.uint8)

    sights = tuple(
        Sight(time, who, (0, 0, 1, 1), 0.9, tuple(crop(eye) for eye in eyes))
        for time in times
        for who in range(people)
    )
    audio = rng.normal(0, 0.1, 4 * rate).astype(np.float32)
    return Piece(0.0, 4.0, audio, rate, times, sights)


def answers(asked: Panel, piece: Piece) -> list:
    return asked.answers(list(asked.questions(piece, 25.0)))


def test_sound_and_face_of_two_models_are_averaged(models):
    both = panel(models, "ears", "eyes")
    piece = window(both.eyes)
    (together,) = answers(both, piece)
    (heard,) = answers(panel(models, "ears"), replace(piece, sights=()))
    (seen,) = answers(panel(models, "eyes"), piece)
    np.testing.assert_allclose(together.audio_probabilities, heard.probabilities, atol=1e-6)
    np.testing.assert_allclose(together.face_probabilities, seen.probabilities, atol=1e-6)
    mean = (heard.probabilities + seen.probabilities) / 2
    np.testing.assert_allclose(together.probabilities, mean, atol=1e-6)
    assert np.abs(heard.probabilities - seen.probabilities).max() > 1e-3
    assert together.modalities == ("audio", "face")


def test_a_model_of_both_beside_one_of_sound_answers_with_both_and_with_each(models):
    asked = panel(models, "ears", "both")
    piece = window(asked.eyes)
    (together,) = answers(asked, piece)
    (heard,) = answers(panel(models, "ears"), replace(piece, sights=()))
    (joint,) = answers(panel(models, "both"), piece)
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
    asked = panel(models, "ears", "eyes")
    found = answers(asked, window(asked.eyes, people=2))
    assert [(s.face_id, s.modalities) for s in found] == [
        (0, ("face",)), (1, ("face",)), (None, ("audio",))
    ]  # fmt: skip


def test_the_order_of_the_models_does_not_matter(models):
    one, other = panel(models, "ears", "eyes"), panel(models, "eyes", "ears")
    assert one.model_id == other.model_id
    assert one.model_id not in {bundle.model_id for bundle in one.bundles}
    for ours, theirs in zip(
        answers(one, window(one.eyes)), answers(other, window(other.eyes)), strict=True
    ):
        np.testing.assert_array_equal(ours.probabilities, theirs.probabilities)
    assert panel(models, "ears").model_id == load_bundle(str(models["ears"])).model_id


def test_each_model_gets_features_of_its_own_recipe(models, monkeypatch):
    asked = panel(models, "ears", "both")
    heard = {}
    for judge in asked._judges:
        name = judge._bundle.recipe.name
        make = judge._features
        judge._features = lambda sounds, make=make, name=name: heard.setdefault(name, make(sounds))
    piece = window(asked.eyes)
    list(asked.questions(piece, 25.0))
    assert set(heard) == {"audio-cnn1d", "timedist-blstm"}
    for name, (matrix,) in heard.items():
        np.testing.assert_array_equal(matrix, audio_features(piece.audio, small(name).audio))


def test_models_of_different_sample_rates_hear_the_same_sound(models):
    asked = panel(models, "ears", "low ears")
    assert asked.sample_rate == RATE
    tone = 0.3 * np.sin(2 * np.pi * 500 * np.arange(4 * RATE) / RATE).astype(np.float32)
    piece = replace(window(()), audio=tone)
    low = next(judge for judge in asked._judges if judge.sample_rate == 8000)
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
        panel(models, "both", "eight")
    with pytest.raises(UsageError, match="twice"):
        panel(models, "ears", "ears")
    whole = VideoSpec(detect=False)
    with pytest.raises(UsageError, match="cannot be combined"):
        common_view([VideoSpec(), whole], Windowing(), None)


def test_two_models_on_a_real_video(models, demo):
    done = labelled(models["ears"], models["eyes"], path=demo / "wild" / "holiday clip #2.mp4")
    assert what_was_seen(done) == [(0.0, 0, ("audio", "face"))]
    assert done.outcome.status == "ok"
    (segment,) = done.segments
    mean = (segment.audio_probabilities + segment.face_probabilities) / 2
    np.testing.assert_allclose(segment.probabilities, mean, atol=1e-6)
    memo = labelled(models["ears"], models["eyes"], path=demo / "wild" / "voice memo.m4a")
    assert what_was_seen(memo) == [(0.0, None, ("audio",))]


@pytest.mark.parametrize(
    ("name", "seen"), [("ears", [(0.0, None, ("audio",))]), ("eyes", [(0.0, 0, ("face",))])]
)
def test_a_recipe_without_pictures_or_without_sound_works_alone(models, demo, name, seen):
    done = labelled(models[name], path=demo / "wild" / "holiday clip #2.mp4")
    assert what_was_seen(done) == seen
    assert done.outcome.status == "ok"
    assert (done.no_face_s is None, done.no_sound_s is None) == (name == "ears", name == "eyes")


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


def test_pictures_looked_at_serve_the_model_that_needs_most():
    few, many = VideoSpec(count=6), VideoSpec(sampling="fps", fps=5.0, max_side=480)
    view = common_view([few, many], Windowing(4.0, 2.0), None)
    assert (view.sampling, view.fps, view.max_side) == ("fps", 5.0, 640)
    assert common_view([few, VideoSpec(count=6, face_size=48)], Windowing(), None).count == 6
    alone = common_view([replace(few, count=8)], Windowing(10.0, 5.0), None)
    assert (alone.sampling, alone.count) == ("uniform", 2)  # in a chunk of 2.5 s
    capped = common_view([VideoSpec(sampling="stride", max_frames=32)], Windowing(40, 40), None)
    assert capped.max_frames == 4  # 32 in ten chunks of 4 s
    asked = common_view([few], Windowing(), 12.0)
    assert (asked.sampling, asked.fps, asked.max_frames > 10_000) == ("fps", 12.0, True)
    assert common_view([], Windowing(), 12.0) is None


def test_labels_of_the_panel_are_the_models(models):
    assert panel(models, "ears", "eyes").labels == LABELS

"""What training changes at random: faces, features of sound, spectrograms."""

from dataclasses import replace

import librosa
import numpy as np
import pytest

from emotion_core.models.samples import Sample
from emotion_core.recipes import RECIPES
from emotion_core.recipes.specs import AudioSpec, TrainSpec
from emotion_core.sound.features import audio_features
from emotion_core.training.augment import augment, augment_audio, change_speed
from emotion_core.training.augment_faces import augment_faces
from emotion_core.training.augment_sound import (
    HUM_DB,
    HUM_FALL_DB,
    augment_decibel,
    band_hertz,
    hum,
    played_at,
)
from tests.support.synthetic_features import SMALL, face, sound

MEL = AudioSpec(kind="logmel", n_mels=80, n_fft=512, hop_length=160, scale="none")
STRONG = TrainSpec(rotation=20, zoom=0.2, erasing=1.0)


def arrays(sample: Sample) -> tuple[np.ndarray, np.ndarray]:
    """Sound and first face."""
    assert sample.audio is not None and sample.faces[0] is not None
    return sample.audio, sample.faces[0]


def test_augmentation_is_the_same_for_the_same_seed_only() -> None:
    rng = np.random.default_rng(0)
    sample = Sample(sound(1, rng), (face(1, rng), None, face(2, rng)), 1)
    before = arrays(sample)[0].copy(), arrays(sample)[1].copy()
    one, again, other = (augment(sample, np.random.default_rng(seed), SMALL) for seed in (1, 1, 2))
    assert one.label == 1 and one.faces[1] is None
    for mine, same, different, original, kept in zip(
        arrays(one), arrays(again), arrays(other), arrays(sample), before, strict=True
    ):
        np.testing.assert_array_equal(mine, same)
        assert not np.array_equal(mine, different)
        assert mine.dtype == original.dtype and mine.shape[1:] == original.shape[1:]
        np.testing.assert_array_equal(original, kept)  # the stored features stay as they are
    assert augment(Sample(None, ()), np.random.default_rng(0), SMALL) == Sample(None, ())


def test_speed_changes_length_and_keeps_the_ends() -> None:
    ramp = np.linspace(0, 1, 50, dtype=np.float32)[:, None]
    slow, fast = change_speed(ramp, 0.8), change_speed(ramp, 1.25)
    assert len(slow) == 62 and len(fast) == 40
    for changed in (slow, fast):
        np.testing.assert_allclose(changed[:, 0], np.linspace(0, 1, len(changed)), atol=1e-6)
    assert len(change_speed(ramp[:1], 1.2)) == 1


def test_masks_hide_at_most_their_share() -> None:
    matrix = np.random.default_rng(0).normal(5, 1, (200, 40)).astype(np.float32)
    hidden = []
    for seed in range(30):
        changed = augment_audio(matrix, np.random.default_rng(seed))
        assert np.abs(changed.mean() - 5) < 0.3, "masks hold the mean, not zero"
        hidden.append(np.mean([(row == row[0]).all() for row in np.diff(changed, axis=0)]))
    assert 0.02 < np.mean(hidden) < 0.3


@pytest.mark.parametrize("spec", [TrainSpec(), STRONG])
def test_faces_of_a_clip_are_changed_alike(spec: TrainSpec) -> None:
    picture = face(4, np.random.default_rng(1))
    for seed in range(5):
        first, none, second = augment_faces(
            (picture, None, picture), np.random.default_rng(seed), spec
        )
        assert none is None and first is not None
        np.testing.assert_array_equal(first, second)
        assert first.shape == picture.shape and first.dtype == np.uint8
    (grey,) = augment_faces((picture[:, :, 0],), np.random.default_rng(1), spec)
    assert grey is not None and grey.shape == (16, 16)


def test_a_face_is_turned_and_zoomed_about_its_middle() -> None:
    bar = np.zeros((33, 33), np.uint8)
    bar[14:19, 4:29] = 200  # lies
    turned = []
    for seed in range(40):
        (found,) = augment_faces((bar,), np.random.default_rng(seed), TrainSpec(rotation=45))
        assert found is not None
        down, right = np.nonzero(found > found.min() + 60)
        turned.append(np.degrees(np.arctan(np.polyfit(right, down, 1)[0])))
        # moved by a twelfth of its side at most, whatever the angle
        assert abs(right.mean() - 16) < 4 and abs(down.mean() - 16) < 4
    assert np.abs(turned).max() <= 50 and np.abs(turned).max() > 30
    assert min(turned) < -10 and max(turned) > 10
    zoomed = [
        (found > found.min() + 60).sum()
        for seed in range(40)
        for found in augment_faces((bar,), np.random.default_rng(seed), TrainSpec(zoom=0.3))
        if found is not None
    ]
    assert min(zoomed) < 0.7 * (bar > 0).sum() and max(zoomed) > 1.3 * (bar > 0).sum()


def test_a_part_of_a_face_is_hidden_as_often_as_the_recipe_says() -> None:
    noise = np.random.default_rng(0).integers(0, 255, (48, 48), np.uint8)

    def hidden(erasing: float) -> np.ndarray:
        """Share of each picture's pixels that equal their right neighbour, above what noise has."""
        shares = []
        for seed in range(60):
            (found,) = augment_faces(
                (noise,), np.random.default_rng(seed), TrainSpec(erasing=erasing)
            )
            assert found is not None
            shares.append((np.diff(found.astype(int), axis=1) == 0).mean())
        return np.array(shares)

    never, half, always = (hidden(share) for share in (0.0, 0.5, 1.0))
    assert (always - never > 0.01).mean() > 0.9
    assert 0.25 < (half - never > 0.01).mean() < 0.75
    assert 0.05 < (always - never).mean() < 0.2, "a seventh on average"


def test_a_spectrogram_is_played_faster_as_its_sound_would_be() -> None:
    """Against librosa: a chord resampled, and its spectrogram warped."""
    rng = np.random.default_rng(0)
    t = np.arange(2 * 16000) / 16000
    tones = [np.sin(2 * np.pi * f * t) * (1 + np.sin(2 * np.pi * 3 * t)) for f in (440, 1500, 3000)]
    chord = (0.1 * sum(tones) + 0.003 * rng.standard_normal(len(t))).astype(np.float32)
    for speed in (0.9, 1.12):
        faster = librosa.resample(chord, orig_sr=16000 * speed, target_sr=16000)
        truth = audio_features(faster, MEL)
        warped = played_at(audio_features(chord, MEL), speed, MEL)
        assert abs(len(warped) - len(truth)) <= 2
        # over time the three tones swell: mean levels of the bands tell where they lie
        away = np.abs(warped.mean(axis=0) - truth.mean(axis=0))[:72]
        still = np.abs(audio_features(chord, MEL).mean(axis=0) - truth.mean(axis=0))[:72]
        assert away.mean() < 0.6 * still.mean(), (away.mean(), still.mean())
    np.testing.assert_allclose(played_at(truth, 1.0, MEL), truth, atol=1e-3)


def test_a_spectrogram_keeps_its_range() -> None:
    matrix = audio_features(
        (0.1 * np.random.default_rng(0).standard_normal(16000)).astype(np.float32), MEL
    )
    before = matrix.copy()
    levels = []
    for seed in range(40):
        changed = augment_decibel(matrix, np.random.default_rng(seed), MEL)
        assert changed.dtype == np.float32 and changed.shape[1] == 80
        assert 0.8 * len(matrix) < len(changed) < 1.25 * len(matrix)
        assert np.isfinite(changed).all()
        levels.append(np.median(changed) - np.median(matrix))
    assert min(levels) < -4 and max(levels) > 4, "louder and softer"
    np.testing.assert_array_equal(matrix, before)  # the stored features stay as they are
    one, two = (
        augment(Sample(matrix), np.random.default_rng(3), RECIPES["voice-small"]).audio
        for _ in range(2)
    )
    np.testing.assert_array_equal(one, two)
    assert one is not None
    np.testing.assert_array_equal(one, augment_decibel(matrix, np.random.default_rng(3), MEL))
    scaled = replace(RECIPES["voice-small"], audio=replace(MEL, scale="standardise"))
    other = augment(Sample(matrix), np.random.default_rng(3), scaled).audio
    assert other is not None and not np.array_equal(one, other)


@pytest.mark.parametrize("name", ["fusion", "voice-encoder", "voice-finetune"])
def test_what_an_encoder_heard_stays_in_step_with_its_speeds(name: str) -> None:
    recipe = RECIPES[name]
    heard = np.random.default_rng(0).standard_normal((36, 20)).astype(np.float16)
    picture = face(1, np.random.default_rng(1), 48, grey=True)
    changed = augment(Sample(heard, (picture,)), np.random.default_rng(2), recipe)
    assert changed.audio is heard
    assert changed.faces[0] is not None and not np.array_equal(changed.faces[0], picture)


def test_hum_is_deep_and_falls_with_every_octave() -> None:
    hertz = band_hertz(MEL)
    for seed in range(20):
        found = hum(np.float32(10.0), np.random.default_rng(seed), MEL)
        assert found.dtype == np.float32 and found.shape == (80,)
        assert 10 + HUM_DB[0] <= found[0] <= 10 + HUM_DB[1]
        octaves = np.log2(hertz[-1] / hertz[5])
        low, high = (fall * octaves for fall in HUM_FALL_DB)
        assert low - 1e-3 <= found[5] - found[-1] <= high + 1e-3

"""The reference features, and the batched path that must agree with them."""

import warnings
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from emotion_core.errors import ClipError, UsageError
from emotion_core.recipes.specs import AudioSpec
from emotion_core.sound.features import audio_features, standardise
from emotion_core.sound.gpu import BatchedAudioFeatures

MFCC = AudioSpec()
RAW = replace(MFCC, scale="none")
SPECS = {
    "mfcc": MFCC,
    "raw": RAW,
    "trimmed": replace(MFCC, trim_db=30.0),
    "less hum": replace(MFCC, highpass_hz=100.0, trim_db=30.0),
    "logmel": AudioSpec(kind="logmel"),
    "raw logmel": AudioSpec(kind="logmel", scale="none"),
    "alexnet": AudioSpec(n_mfcc=20, n_mels=128, n_fft=2048, hop_length=512),
    "both, min-max": AudioSpec(kind="mfcc+logmel", n_mels=40, scale="minmax"),
    "cut": replace(MFCC, max_frames=20),
}
RATE = MFCC.sample_rate


def voice(seconds: float, seed: int = 0) -> np.ndarray:
    """Something speech-like: a gliding tone with overtones, in syllables, over faint noise."""
    generator = np.random.default_rng(seed)
    t = np.arange(int(seconds * RATE)) / RATE
    pitch = np.cumsum(120 + 40 * np.sin(2 * np.pi * (0.7 + 0.1 * seed) * t)) / RATE
    tone = sum(np.sin(2 * np.pi * k * pitch) / k for k in range(1, 30))
    syllables = np.clip(np.sin(2 * np.pi * 3 * t + seed), 0, None)
    return (0.1 * tone * syllables + 1e-4 * generator.normal(size=len(t))).astype(np.float32)


@pytest.fixture(autouse=True)
def no_warnings():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        yield


def test_shape_is_frames_by_coefficients() -> None:
    features = audio_features(voice(2.0), MFCC)
    assert features.shape == (1 + 2 * RATE // MFCC.hop_length, MFCC.n_mfcc)
    assert features.dtype == np.float32
    assert audio_features(voice(2.0), SPECS["logmel"]).shape[1] == MFCC.n_mels


def test_raw_mfcc_are_librosas() -> None:
    import librosa

    audio = voice(1.0)
    expected = librosa.feature.mfcc(
        y=audio, sr=16000, n_mfcc=24, n_mels=64, n_fft=512, hop_length=256
    )
    assert np.array_equal(audio_features(audio, RAW), expected.T)


@pytest.mark.parametrize("top_db", [10.0, 35.0])
def test_a_trimmed_spectrogram_is_librosas(top_db: float) -> None:
    """To the last bit, though its ``effects`` and ``feature`` are not what is called."""
    import librosa

    spec = replace(SPECS["raw logmel"], n_mels=80, trim_db=top_db)
    audio = np.concatenate([np.zeros(1000, np.float32), voice(1.3), np.zeros(9999, np.float32)])
    for samples in (audio, audio[:700], audio[:2500], np.zeros(3000, np.float32)):
        kept, _ = librosa.effects.trim(samples, top_db=top_db)
        kept = np.pad(kept, (0, max(0, spec.n_fft - len(kept))))
        power = librosa.feature.melspectrogram(
            y=kept, sr=RATE, n_mels=80, n_fft=spec.n_fft, hop_length=spec.hop_length
        )
        assert np.array_equal(audio_features(samples, spec), librosa.power_to_db(power).T)


def test_raw_mfcc_by_the_textbook() -> None:
    """Window, power, mel bands, decibel, cosine transform, for one frame in the middle."""
    import librosa
    from scipy.fft import dct
    from scipy.signal import get_window

    audio = voice(1.0)
    frame = 30
    start = frame * 256 - 256
    spectrum = np.fft.rfft(audio[start : start + 512] * get_window("hann", 512))
    bands = librosa.filters.mel(sr=16000, n_fft=512, n_mels=64) @ np.abs(spectrum) ** 2
    expected = dct(10 * np.log10(bands), norm="ortho")[:24]
    assert audio_features(audio, RAW)[frame] == pytest.approx(expected, abs=1e-2)


def test_standardised_per_coefficient() -> None:
    features = audio_features(voice(2.0), MFCC).astype(np.float64)
    assert features.mean(axis=0) == pytest.approx(np.zeros(24), abs=1e-6)
    assert features.std(axis=0) == pytest.approx(np.ones(24), abs=1e-5)


def test_a_constant_coefficient_becomes_zero() -> None:
    matrix = np.array([[1, 0.1], [3, 0.1], [5, 0.1]], dtype=np.float32)
    assert standardise(matrix) == pytest.approx(
        np.array([[-1.2247449, 0], [0, 0], [1.2247449, 0]]), abs=1e-6
    )


def test_rounding_is_not_blown_up_to_a_signal() -> None:
    noise = np.random.default_rng(0).normal(-100, 1e-5, (50, 3))
    assert np.abs(standardise(noise)).max() < 0.01


def test_trim_cuts_silence_at_both_ends() -> None:
    quiet = np.zeros(RATE, dtype=np.float32)
    sound = np.concatenate([quiet, voice(1.0), quiet])
    trimmed = audio_features(sound, SPECS["trimmed"])
    assert len(audio_features(sound, MFCC)) == 1 + 3 * RATE // 256
    assert len(trimmed) < 1.2 * RATE // 256


def test_hum_is_gone_before_a_sound_is_trimmed_and_heard() -> None:
    quiet = np.zeros(RATE, dtype=np.float32)
    sound = np.concatenate([quiet, voice(1.0), quiet])
    hum = 0.05 * np.sin(2 * np.pi * 50 * np.arange(3 * RATE) / RATE).astype(np.float32)
    kept = replace(SPECS["raw logmel"], trim_db=30.0)
    without = replace(kept, highpass_hz=100.0)
    hummed = audio_features(sound + hum, kept)
    assert len(hummed) == 1 + 3 * RATE // 256  # nothing is as quiet as that
    clean, cleared = (audio_features(each, without) for each in (sound, sound + hum))
    assert len(cleared) == len(clean) < 1.2 * RATE // 256
    loud = clean > clean.max() - 40
    assert np.abs(cleared - clean)[loud].mean() < 1


@pytest.mark.parametrize("hertz", [50, 60])
def test_hum_that_nothing_is_heard_above_is_no_sound(hertz: int) -> None:
    """Nor is a level: features of what a filter leaves of them would be features of nothing."""
    t = np.arange(RATE) / RATE
    hum = 5e-4 * np.sin(2 * np.pi * hertz * t)
    spec = SPECS["less hum"]
    for sound in (hum, np.full(RATE, 0.3)):
        audio = sound.astype(np.float32)
        for features in (audio_features(audio, spec), *BatchedAudioFeatures(spec)([audio])):
            assert features.shape == (0, spec.coefficients)
        assert len(audio_features(audio, replace(spec, highpass_hz=None)))


@pytest.mark.parametrize("hz", [0.0, -3.0, 9.0, 8000.0, float("nan")])
def test_a_filter_that_leaves_nothing(hz: float) -> None:
    with pytest.raises(UsageError, match="highpass_hz .*: at least 10 and below 8000"):
        AudioSpec(highpass_hz=hz)


def test_longer_clips_keep_their_end() -> None:
    audio = voice(2.0)
    assert np.array_equal(audio_features(audio, SPECS["cut"]), audio_features(audio, MFCC)[-20:])
    assert len(audio_features(audio[:2000], SPECS["cut"])) == 1 + 2000 // 256


@pytest.mark.parametrize("name", SPECS)
@pytest.mark.parametrize("samples", [0, 1, 100, 511, 512, 3000])
def test_silent_and_short_clips(name: str, samples: int) -> None:
    spec = SPECS[name]
    for audio in (np.zeros(samples, dtype=np.float32), voice(1.0)[:samples]):
        reference = audio_features(audio, spec)
        (batched,) = BatchedAudioFeatures(spec)([audio])
        # what does not move lies below every frequency
        heard = samples and (spec.highpass_hz is None or np.ptp(audio) > 0)
        frames = 1 + max(samples, spec.n_fft) // spec.hop_length if heard else 0
        assert reference.shape == batched.shape == (min(frames, spec.max_frames or frames),
                                                    spec.coefficients)  # fmt: skip
        assert np.isfinite(reference).all() and np.isfinite(batched).all()
        assert reference.dtype == batched.dtype == np.float32
        if not audio.any() and spec.scale == "standardise":
            assert not reference.any() and not batched.any()


def tolerance(spec: AudioSpec) -> float:
    """1e-3 deviations, or 1e-2 dB of numbers that go up to several hundred."""
    return 1e-2 if spec.scale == "none" else 1e-3


@pytest.mark.parametrize("name", SPECS)
def test_batched_agrees_with_librosa(name: str) -> None:
    spec = SPECS[name]
    clips = [voice(seconds, seed) for seed, seconds in enumerate((1.3, 0.4, 2.7, 0.05))]
    for clip, batched in zip(clips, BatchedAudioFeatures(spec)(clips), strict=True):
        reference = audio_features(clip, spec)
        assert batched.shape == reference.shape
        assert np.abs(batched - reference).max() < tolerance(spec)


@pytest.mark.parametrize("name", ["raw", "raw logmel", "trimmed"])
def test_a_clip_does_not_depend_on_its_batch(name: str) -> None:
    """Faint beside loud, short beside long: neither padding nor a neighbour's peak leaks in."""
    compute = BatchedAudioFeatures(SPECS[name])
    clips = [voice(0.7) * 1e-4, voice(2.0, 1), np.zeros(0, np.float32), voice(0.7, 2)]
    for clip, batched in zip(clips, compute(clips), strict=True):
        assert batched == pytest.approx(compute([clip])[0], abs=1e-4)


def test_frames_behind_the_end_do_not_set_the_range() -> None:
    """A click on the last sample is louder in the padding's first frame than in any of its own."""
    click = voice(0.5)[: 256 * 20 + 255] * 1e-5
    click[-1] = 1.0
    compute = BatchedAudioFeatures(SPECS["raw logmel"])
    batched = compute([click, voice(1.0)])[0]
    assert np.abs(batched - audio_features(click, SPECS["raw logmel"])).max() < 1e-2


def test_the_order_is_kept_over_several_batches() -> None:
    clips = [voice(seconds, seed) for seed, seconds in enumerate((0.5, 1.5, 1.0, 0.2, 0.9))]
    small = BatchedAudioFeatures(RAW, batch_samples=2 * RATE)
    for one, two in zip(small(clips), BatchedAudioFeatures(RAW)(clips), strict=True):
        assert one == pytest.approx(two, abs=1e-4)
    assert BatchedAudioFeatures(RAW)([]) == []


def test_the_same_twice() -> None:
    clips = [voice(0.5), voice(0.8, 1)]
    first, second = (BatchedAudioFeatures(MFCC)(clips) for _ in range(2))
    assert all(np.array_equal(one, two) for one, two in zip(first, second, strict=True))


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_samples_that_are_no_numbers(value: float) -> None:
    audio = voice(0.2)
    audio[100] = value
    for compute in (
        lambda: audio_features(audio, MFCC),
        lambda: BatchedAudioFeatures(MFCC)([audio]),
    ):
        with pytest.raises(ClipError, match="NaN or infinite") as caught:
            compute()
        assert caught.value.stage == "audio"


def test_settings_that_cannot_be() -> None:
    for spec, message in (
        (AudioSpec(kind="plp"), "choose one of mfcc, logmel"),
        (AudioSpec(n_mfcc=80, n_mels=40), "at least as many mel bands"),
    ):
        with pytest.raises(UsageError, match=message):
            audio_features(voice(0.1), spec)
        with pytest.raises(UsageError, match=message):
            BatchedAudioFeatures(spec)


def test_nothing_is_loaded_before_it_is_used_nor_what_is_not() -> None:
    import subprocess
    import sys

    code = (
        "import sys, emotion_core.sound.features, emotion_core.sound.padding\n"
        "print({'librosa', 'torch'} & set(sys.modules))\n"
        "import numpy as np\n"
        "from emotion_core.recipes.specs import AudioSpec\n"
        "for kind in ('mfcc', 'logmel'):\n"
        "    sound = np.sin(np.arange(9000.0)).astype(np.float32)\n"
        "    spec = AudioSpec(kind=kind, trim_db=30.0, highpass_hz=80.0)\n"
        "    emotion_core.sound.features.audio_features(sound, spec)\n"
        "slow = {'sklearn', 'pandas', 'librosa.effects', 'librosa.core.pitch', 'torch'}\n"
        "print('librosa.core.spectrum' in sys.modules, slow & set(sys.modules))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines() == ["set()", "True set()"]


@pytest.mark.parametrize("name", SPECS)
def test_batched_agrees_with_librosa_on_real_speech(corpora: Path, name: str) -> None:
    import soundfile

    spec = SPECS[name]
    files = sorted((corpora / "corpora").rglob("*.flac"))[::120]
    clips = [soundfile.read(path, dtype="float32")[0] for path in files]
    assert len(clips) == 16
    for clip, batched in zip(clips, BatchedAudioFeatures(spec)(clips), strict=True):
        reference = audio_features(clip, spec)
        assert batched.shape == reference.shape
        assert np.abs(batched - reference).max() < tolerance(spec)

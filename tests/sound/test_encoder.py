"""Features of pretrained speech encoders: what transformers itself says, whatever the batch."""

import json
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
import transformers

from emotion_core.errors import ClipError, UsageError
from emotion_core.recipes.specs import AudioSpec
from emotion_core.sound.backends import batch_features
from emotion_core.sound.encoder import SpeechEncoder
from emotion_core.sound.pretrained import FAMILIES, memory_bytes, resolve
from tests.support.encoders import LAYERS, RATE, WIDTH, noise, spec_of, write_family, write_whisper
from tests.support.jobs import environment

torch.set_num_threads(1)


@pytest.fixture(scope="module")
def whisper(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_whisper(tmp_path_factory.mktemp("whisper"))


@pytest.fixture(scope="module")
def wav2vec2(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_family(tmp_path_factory.mktemp("wav2vec2"), "wav2vec2")


def by_layer(matrix: np.ndarray) -> np.ndarray:
    return matrix.reshape(len(matrix), -1, WIDTH).transpose(1, 0, 2)


def test_whisper_of_30_s_is_what_transformers_says(whisper: Path) -> None:
    sound = noise(30.0)
    encoder = SpeechEncoder(spec_of(whisper, steps=1500))
    extractor = transformers.WhisperFeatureExtractor.from_pretrained(whisper)
    model = transformers.models.whisper.modeling_whisper.WhisperEncoder.from_pretrained(whisper)
    given = extractor(sound, sampling_rate=RATE, return_tensors="pt").input_features
    with torch.no_grad():
        states = model.eval()(given, output_hidden_states=True).hidden_states
    (matrix,) = encoder([sound])
    assert matrix.dtype == np.float16 and matrix.shape == (1500, (LAYERS + 1) * WIDTH)
    assert len(states) == LAYERS + 1
    for layer, expected in zip(by_layer(matrix), states, strict=True):
        np.testing.assert_allclose(layer, expected[0].numpy(), atol=5e-3)


def test_whisper_hears_a_short_clip_without_padding(whisper: Path) -> None:
    """0.8 s are 40 frames of theirs, not the first 40 of 1,500."""
    sound = noise(0.8)
    (alone,) = SpeechEncoder(spec_of(whisper, steps=40))([sound])
    padded = np.pad(sound, (0, 30 * RATE - len(sound)))
    (among,) = SpeechEncoder(spec_of(whisper, steps=1500))([padded])
    # before the first layer nothing but the clip's last frames has seen the padding
    np.testing.assert_allclose(by_layer(alone)[0, :38], by_layer(among)[0, :38], atol=5e-3)
    assert np.abs(by_layer(alone)[1, :38] - by_layer(among)[1, :38]).max() > 0.01


@pytest.mark.parametrize("family", [f for f in FAMILIES if f != "whisper"])
@pytest.mark.parametrize("norm", ["group", "layer"])
def test_other_families_are_what_transformers_says(family: str, norm: str, tmp_path: Path) -> None:
    stable = {"do_stable_layer_norm": True} if norm == "layer" else {}
    if family == "data2vec-audio":
        norm, stable = "layer", {}  # it knows no other
    folder = write_family(tmp_path / family, family, feat_extract_norm=norm, **stable)
    sound = noise(0.5)
    encoder = SpeechEncoder(spec_of(folder, steps=5, layers=(1, LAYERS)))
    extractor = transformers.AutoFeatureExtractor.from_pretrained(folder)
    model = transformers.AutoModel.from_pretrained(folder).eval()
    given = extractor(sound, sampling_rate=RATE, return_tensors="pt").input_values
    with torch.no_grad():
        states = model(given, output_hidden_states=True).hidden_states
        pool = torch.nn.functional.adaptive_avg_pool1d
        expected = [pool(states[n].transpose(1, 2), 5)[0].T.numpy() for n in (1, LAYERS)]
    (matrix,) = encoder([sound])
    np.testing.assert_allclose(by_layer(matrix), np.stack(expected), atol=5e-3)


def test_a_clip_does_not_depend_on_the_others(whisper: Path, wav2vec2: Path) -> None:
    clips = [noise(seconds, seed) for seed, seconds in enumerate((0.5, 1.1, 0.5, 0.02, 1.1))]
    for folder in (whisper, wav2vec2):
        encoder = SpeechEncoder(spec_of(folder))
        together = encoder(clips)
        for clip, matrix in zip(clips, together, strict=True):
            np.testing.assert_array_equal(encoder([clip])[0], matrix)
        batched = SpeechEncoder(spec_of(folder), batch_s=60)  # as on a GPU
        lengths = {(place, 1.0): len(clip) for place, clip in enumerate(clips)}
        assert sorted(map(len, batched._batches(lengths))) == [1, 2, 2]
        for one, other in zip(batched(clips), together, strict=True):
            np.testing.assert_allclose(one, other, atol=5e-3)


def test_every_clip_has_as_many_steps(whisper: Path) -> None:
    encoder = SpeechEncoder(spec_of(whisper, steps=24, layers=(2, 0)))
    for seconds in (0.01, 0.3, 2.0, 31.0):
        (matrix,) = encoder([noise(seconds)])
        assert matrix.shape == (24, 2 * WIDTH) and np.isfinite(matrix).all()
    assert encoder([np.zeros(0, np.float32)])[0].shape == (0, 2 * WIDTH)


def test_a_clip_is_heard_at_several_speeds(whisper: Path) -> None:
    """One speed behind the other, each what the encoder makes of sound of that speed."""
    t = np.arange(RATE) / RATE
    tone = np.sin(2 * np.pi * 400 * t).astype(np.float32)
    higher = np.sin(2 * np.pi * 500 * t[: round(RATE / 1.25)]).astype(np.float32)
    both = SpeechEncoder(spec_of(whisper, steps=4, speeds=(1.0, 1.25)))
    alone = SpeechEncoder(spec_of(whisper, steps=4))
    (matrix,) = both([tone])
    assert matrix.shape == (2 * 4, (LAYERS + 1) * WIDTH)
    np.testing.assert_array_equal(matrix[:4], alone([tone])[0])
    # away from the ends, which resampling rings at
    np.testing.assert_allclose(matrix[5:7], alone([higher])[0][1:3], atol=2e-2)
    assert np.abs(matrix[5:7].astype(np.float32) - matrix[1:3]).max() > 0.1
    assert both([np.zeros(0, np.float32)])[0].shape == (0, (LAYERS + 1) * WIDTH)
    for speeds in ((), (0.0,), (1.0,) * 17, (9.0,)):
        with pytest.raises(UsageError, match="audio speeds"):
            SpeechEncoder(spec_of(whisper, speeds=speeds))


def test_long_sound_is_encoded_in_pieces(whisper: Path) -> None:
    """65 s are three pieces, and each is what it is alone."""
    encoder = SpeechEncoder(spec_of(whisper, steps=3, layers=(1,)))
    sound = noise(65.0)
    (matrix,) = encoder([sound])
    means = [SpeechEncoder(replace(encoder.spec, steps=1))([p]) for p in np.array_split(sound, 3)]
    np.testing.assert_allclose(matrix, np.concatenate([m for (m,) in means]), atol=5e-3)


def test_silence_at_both_ends_is_cut(whisper: Path) -> None:
    sound = noise(1.0)
    quiet = np.pad(sound, RATE) + noise(3.0, 1) * 1e-4
    kept, trimmed = (SpeechEncoder(spec_of(whisper, trim_db=db)) for db in (None, 35.0))
    near = np.abs(trimmed([quiet])[0] - kept([sound])[0]).mean()
    assert near < 0.5 * np.abs(kept([quiet])[0] - kept([sound])[0]).mean()


def test_hum_is_gone_before_it_is_heard(whisper: Path) -> None:
    sound = noise(1.0)
    hum = 0.5 * np.sin(2 * np.pi * 50 * np.arange(RATE) / RATE).astype(np.float32)
    kept, cleared = (SpeechEncoder(spec_of(whisper, highpass_hz=hz)) for hz in (None, 100.0))
    near = np.abs(cleared([sound + hum])[0] - cleared([sound])[0]).mean()
    assert near < 0.2 * np.abs(kept([sound + hum])[0] - kept([sound])[0]).mean()
    between = cleared([sound, np.full(RATE, 0.3, np.float32), sound])
    assert [len(matrix) for matrix in between] == [len(between[0]), 0, len(between[0])]
    np.testing.assert_array_equal(between[2], between[0])


def test_the_encoder_of_a_whole_whisper(tmp_path: Path, whisper: Path) -> None:
    whole = write_whisper(tmp_path / "whole", alone=False)
    one, other = (SpeechEncoder(spec_of(folder)) for folder in (whole, whisper))
    np.testing.assert_array_equal(one([noise(0.7)])[0], other([noise(0.7)])[0])
    assert one.spec.weights_hash != other.spec.weights_hash, "of another file"


def test_what_features_record(whisper: Path) -> None:
    asked = spec_of(whisper)
    found = resolve(asked)
    assert found == resolve(found)
    assert (found.width, found.layers, found.revision) == (WIDTH, tuple(range(LAYERS + 1)), None)
    assert found.coefficients == (LAYERS + 1) * WIDTH
    assert found.weights_hash is not None and len(found.weights_hash) == 64
    plain = AudioSpec()
    assert resolve(plain) is plain
    assert memory_bytes(found) > 160 << 20
    assert isinstance(batch_features(found, "librosa", "cpu"), SpeechEncoder)


def test_weights_in_several_files(tmp_path: Path, whisper: Path) -> None:
    model = transformers.models.whisper.modeling_whisper.WhisperEncoder.from_pretrained(whisper)
    folder = tmp_path / "shards"
    model.save_pretrained(folder, max_shard_size="40KB")
    (folder / "preprocessor_config.json").write_bytes(
        (whisper / "preprocessor_config.json").read_bytes()
    )
    assert len(list(folder.glob("*.safetensors"))) > 1
    sharded, single = (SpeechEncoder(spec_of(each)) for each in (folder, whisper))
    np.testing.assert_array_equal(sharded([noise(0.5)])[0], single([noise(0.5)])[0])
    assert sharded.spec.weights_hash != single.spec.weights_hash


def test_damaged_sound_is_the_clip_s_trouble(whisper: Path) -> None:
    with pytest.raises(ClipError, match="NaN or infinite"):
        SpeechEncoder(spec_of(whisper))([np.array([0, np.nan, 0], np.float32)])


def copied(whisper: Path, place: Path) -> Path:
    place.mkdir()
    for path in whisper.iterdir():
        (place / path.name).write_bytes(path.read_bytes())
    return place


def edit_config(place: Path, **values: object) -> None:
    config = json.loads((place / "config.json").read_text())
    (place / "config.json").write_text(json.dumps({**config, **values}))


def pickled_only(place: Path) -> None:
    (place / "model.safetensors").rename(place / "pytorch_model.bin")


def with_code(place: Path) -> None:
    """A model that would run the code beside it."""
    edit_config(place, model_type="own", auto_map={"AutoConfig": "own.Config"})
    (place / "own.py").write_text(f"open({str(place / 'ran')!r}, 'w')\nclass Config: pass\n")


def without_a_weight(place: Path) -> None:
    from safetensors.torch import load_file, save_file

    weights = load_file(place / "model.safetensors")
    del weights["layers.1.fc1.weight"]
    save_file(weights, place / "model.safetensors", {"format": "pt"})


@pytest.mark.parametrize(
    ("harm", "words"),
    [
        (pickled_only, "has no model.safetensors, and other weights are not read"),
        (with_code, "cannot be used"),
        (lambda place: edit_config(place, model_type="bert"), "is a bert: known here are"),
        (lambda place: (place / "config.json").unlink(), "cannot be used .*needs config.json"),
        (lambda place: (place / "preprocessor_config.json").unlink(), "cannot be used"),
        (lambda place: (place / "model.safetensors").write_bytes(b"no"), "cannot be used"),
        (without_a_weight, r"no weights for layers.1.fc1.weight"),
    ],
)
def test_folders_that_are_no_encoder(
    harm: Callable[[Path], object], words: str, whisper: Path, tmp_path: Path
) -> None:
    place = copied(whisper, tmp_path / "encoder")
    harm(place)
    with pytest.raises(UsageError, match=words) as error:
        SpeechEncoder(spec_of(place))
    assert "\n" not in str(error.value)
    assert not (place / "ran").exists()


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"layers": (0, 4)}, r"has layers 0 to 3, not \[0, 4\]"),
        ({"layers": ()}, r"has layers 0 to 3, not \[\]"),
        ({"sample_rate": 8000}, "hears 16000 Hz, not 8000: --option audio.sample_rate=16000"),
        ({"weights_hash": "0" * 64}, "holds weights .*, needed are 000000000000"),
        ({"scale": "standardise"}, "are not scaled"),
        ({"steps": 0}, "steps 0: at least 1"),
    ],
)
def test_settings_that_do_not_go(changes: dict, words: str, whisper: Path) -> None:
    with pytest.raises(UsageError, match=words):
        SpeechEncoder(spec_of(whisper, **changes))


def test_places_that_are_not_there(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="no folder .*nowhere' with an encoder"):
        resolve(spec_of(tmp_path / "nowhere"))
    with pytest.raises(UsageError, match="need one: --option audio.encoder"):
        resolve(AudioSpec(kind="encoder", scale="none"))


def test_a_folder_is_known_by_its_whole_path(
    whisper: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Workers may stand elsewhere."""
    monkeypatch.chdir(whisper.parent)
    found = resolve(spec_of(Path(whisper.name)))
    assert found.encoder == str(whisper.resolve())


def test_without_the_extra(monkeypatch: pytest.MonkeyPatch, whisper: Path) -> None:
    monkeypatch.setitem(sys.modules, "transformers", None)
    with pytest.raises(UsageError, match=r"pip install 'emotion-core\[encoders\]'"):
        resolve(spec_of(whisper))


HUB = """
import sys
from emotion_core.errors import UsageError
from emotion_core.recipes.specs import AudioSpec
from emotion_core.sound.pretrained import resolve

for name in sys.argv[1:]:
    try:
        found = resolve(resolve(AudioSpec(kind="encoder", encoder=name, scale="none")))
        print(found.encoder, found.revision, found.width, found.weights_hash)
    except UsageError as error:
        print("usage:", error)
"""


def test_the_hub_s_cache_is_enough_without_a_network(whisper: Path, tmp_path: Path) -> None:
    """``HF_HOME`` as the hub's own client lays it out, and ``HF_HUB_OFFLINE``."""
    commit = "0123456789abcdef0123456789abcdef01234567"
    repository = tmp_path / "hub" / "models--somebody--small-whisper"
    (repository / "snapshots").mkdir(parents=True)
    copied(whisper, repository / "snapshots" / commit)
    (repository / "refs").mkdir()
    (repository / "refs" / "main").write_text(commit)
    done = subprocess.run(
        [sys.executable, "-c", HUB, "somebody/small-whisper", "nobody/nothing"],
        env=environment(HF_HOME=str(tmp_path), HF_HUB_OFFLINE="1"),
        capture_output=True,
        text=True,
        timeout=120,
    )
    kept, missing = done.stdout.splitlines()
    digest = resolve(spec_of(whisper)).weights_hash
    assert kept == f"somebody/small-whisper {commit} {WIDTH} {digest}"
    assert missing.startswith("usage: encoder 'nobody/nothing' is no folder here, and the hub")
    assert done.stderr == ""


def test_whisper_base(corpora: Path) -> None:
    """The real one: layers of their known sizes, of a real clip."""
    import soundfile

    spec = spec_of(corpora / "models" / "whisper-base-encoder", trim_db=35.0, steps=24)
    encoder = SpeechEncoder(spec)
    assert (encoder.spec.width, encoder.spec.layers) == (512, tuple(range(7)))
    clip = sorted((corpora / "corpora" / "ravdess").rglob("*.flac"))[0]
    sound, _ = soundfile.read(clip, dtype="float32")
    (matrix,) = encoder([sound])
    assert matrix.shape == (24, 7 * 512) and np.isfinite(matrix).all()
    deviation = matrix.reshape(24, 7, 512).astype(np.float32).std(axis=(0, 2))
    assert deviation == pytest.approx([0.72, 0.30, 0.31, 0.37, 0.81, 1.21, 1.24], abs=0.02)

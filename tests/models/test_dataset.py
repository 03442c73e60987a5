"""From Parquet parts to samples and batches."""

from dataclasses import asdict, replace
from pathlib import Path

import numpy as np
import pytest
import torch

from emotion_core import storage
from emotion_core.errors import UsageError
from emotion_core.models.batches import make_batch
from emotion_core.models.dataset import audio_length, load_features
from emotion_core.models.made import completed, feature_settings, require_features
from emotion_core.models.samples import Sample
from emotion_core.recipes.specs import AudioSpec, VideoSpec
from tests.support.synthetic_features import SMALL, face, png, rows, write_features


def small_rows():
    return rows(speakers=("03", "01", "02"), emotions=("happy", "calm", "sad"))


def test_what_is_written_is_what_is_read(tmp_path: Path) -> None:
    given = small_rows()
    given[4]["faces"] = [None, given[4]["faces"][1]]
    features = load_features(write_features(tmp_path / "f", given), SMALL)

    given.sort(key=lambda row: row["uri"])
    assert features.clips["uri"].to_pylist() == [row["uri"] for row in given]
    emotions7 = {"neutral": 0, "calm": 0, "happy": 1, "sad": 2}
    assert features.labels.tolist() == [emotions7[row["emotion"]] for row in given]
    for index, row in enumerate(given):
        sample = features.sample(index)
        np.testing.assert_array_equal(sample.audio, np.stack(row["audio_features"]))
        expected = [None if data is None else png_bytes(data) for data in row["faces"]]
        for got, wanted in zip(sample.faces, expected, strict=True):
            assert (got is None) == (wanted is None)
            if got is not None:
                np.testing.assert_array_equal(got, wanted)
        assert sample.label == features.labels[index]
    assert features.speakers == ["ravdess/01", "ravdess/02", "ravdess/03"]
    assert features.modalities == ("audio", "face")


def png_bytes(data: bytes) -> np.ndarray:
    import io

    from PIL import Image

    return np.asarray(Image.open(io.BytesIO(data)))


def test_rows_that_cannot_be_used_are_counted(tmp_path: Path) -> None:
    given = small_rows()
    given[0] |= {"status": "failed", "audio_features": None, "faces": None, "audio_frames": 0}
    given[1] |= {"emotion": None}
    given[2] |= {"emotion": "bored"}
    given[3] |= {"audio_features": None, "audio_frames": 0, "faces": [None, None]}
    given[4] |= {"audio_features": None, "audio_frames": 0, "status": "degraded"}
    given[5] |= {"faces": None, "status": "degraded"}
    features = load_features(write_features(tmp_path / "f", given), SMALL)

    assert features.left_out == {"failed": 1, "other_emotion": 2, "no_input": 1}
    assert len(features) == 5
    by_uri = dict(zip(features.clips["uri"].to_pylist(), range(5), strict=True))
    silent, unseen = by_uri[given[4]["uri"]], by_uri[given[5]["uri"]]
    assert features.has_audio.sum() == 4 and not features.has_audio[silent]
    assert features.has_faces.sum() == 4 and not features.has_faces[unseen]
    assert features.sample(silent).audio is None
    assert features.sample(unseen).faces == ()
    # what a recipe does not look at is no reason to leave a clip in
    heard = load_features(str(tmp_path / "f"), replace(SMALL, video=None))
    assert heard.left_out["no_input"] == 2 and heard.pictures is None


def test_order_of_parts_does_not_matter(tmp_path: Path) -> None:
    given = small_rows()
    one = load_features(write_features(tmp_path / "one", given), SMALL)
    two = load_features(write_features(tmp_path / "two", given[::-1]), SMALL)
    assert one.clips.equals(two.clips)
    assert one.audio is not None and two.audio is not None
    for row in range(len(one)):
        np.testing.assert_array_equal(one.audio[row], two.audio[row])
    assert one.fingerprint == two.fingerprint


def test_fingerprint_tells_other_features_apart(tmp_path: Path) -> None:
    given = small_rows()
    one = load_features(write_features(tmp_path / "one", given), SMALL)
    fewer = load_features(write_features(tmp_path / "two", given[:-1]), SMALL)
    given[0]["emotion"] = "angry"
    other = load_features(write_features(tmp_path / "three", given), SMALL)
    assert len({one.fingerprint, fewer.fingerprint, other.fingerprint}) == 3


def test_select_takes_rows_in_order(tmp_path: Path) -> None:
    features = load_features(write_features(tmp_path / "f", small_rows()), SMALL)
    chosen = features.select(np.array([7, 0, 3]))
    assert chosen.clips["uri"].to_pylist() == [
        features.clips["uri"][index].as_py() for index in (7, 0, 3)
    ]
    for new, old in enumerate((7, 0, 3)):
        np.testing.assert_array_equal(chosen.sample(new).audio, features.sample(old).audio)
        np.testing.assert_array_equal(chosen.sample(new).faces, features.sample(old).faces)
        assert chosen.labels[new] == features.labels[old]
    mask = features.labels == 1
    assert len(features.select(mask)) == mask.sum() == 3
    assert len(features.select(np.zeros(len(features), bool))) == 0


def test_batches_pad_in_front(tmp_path: Path) -> None:
    features = load_features(write_features(tmp_path / "f", small_rows()), SMALL)
    (samples,) = features.select(np.array([2, 5])).batches()
    batch = make_batch(samples, SMALL.audio, SMALL.video, 20)
    assert batch.audio is not None and batch.faces is not None and features.audio is not None
    assert batch.audio.shape == (2, 20, 6) and batch.faces.shape == (2, 2, 3, 16, 16)
    for index, source in enumerate((2, 5)):
        matrix = features.audio[source]
        np.testing.assert_array_equal(batch.audio[index, -len(matrix) :].numpy(), matrix)
        assert not batch.audio[index, : -len(matrix)].any()
        assert batch.audio_length[index] == len(matrix)
        first = features.sample(source).faces[0]
        assert first is not None
        np.testing.assert_allclose(batch.faces[index, 0].permute(1, 2, 0) * 255, first, atol=1e-4)
    assert batch.label.tolist() == features.labels[[2, 5]].tolist()
    assert batch.face_mask.all() and batch.has_audio.all()
    sizes = [len(batch) for batch in features.select(np.arange(9)).batches(size=4)]
    assert sizes == [4, 4, 1]


def test_longer_sound_is_cut_to_its_end() -> None:
    matrix = np.arange(30, dtype=np.float32).reshape(10, 3)
    batch = make_batch([Sample(matrix), Sample(None)], AudioSpec(n_mfcc=3), None, 4)
    assert batch.audio is not None and batch.faces is None
    np.testing.assert_array_equal(batch.audio[0].numpy(), matrix[-4:])
    assert batch.audio_length.tolist() == [4, 0]
    assert batch.has_audio.tolist() == [True, False]


def test_faces_are_masked_where_there_is_none() -> None:
    rng = np.random.default_rng(0)
    spec = VideoSpec(face_size=16, grey=True)
    samples = [Sample(None, (None, face(1, rng, grey=True), None)), Sample(None, ())]
    batch = make_batch(samples, None, spec, 0)
    assert batch.audio is None and batch.faces is not None
    assert batch.faces.shape == (2, 3, 1, 16, 16)
    assert batch.face_mask.tolist() == [[False, True, False], [False] * 3]
    assert batch.faces.min() >= 0 and 0.5 < batch.faces.max() <= 1
    assert batch.label.dtype == torch.int64 and batch.label.tolist() == [-1, -1]


def test_length_of_sound(tmp_path: Path) -> None:
    features = load_features(write_features(tmp_path / "f", small_rows()), SMALL)
    assert features.audio is not None
    longest = max(len(features.audio[row]) for row in range(len(features)))
    assert audio_length(features, AudioSpec()) == longest
    assert audio_length(features, AudioSpec(max_frames=7)) == 7
    assert audio_length(features, None) == 0


def test_places_without_features(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="no features at .*nowhere.*preprocess"):
        feature_settings(str(tmp_path / "nowhere"))
    storage.start_output(str(tmp_path / "model"), "a model", {"recipe": {}})
    with pytest.raises(UsageError, match="something else than features"):
        load_features(str(tmp_path / "model"), SMALL)
    only_failed = rows(speakers=("01",), emotions=("sad",))
    only_failed[0]["status"] = "failed"
    with pytest.raises(UsageError, match="hold no row .* 1 failed"):
        load_features(write_features(tmp_path / "failed", only_failed), SMALL)


def test_features_of_another_recipe(tmp_path: Path) -> None:
    place = write_features(tmp_path / "f", small_rows())
    with pytest.raises(UsageError, match="audio n_mfcc=6, this recipe needs 24"):
        load_features(place, replace(SMALL, audio=AudioSpec(n_mfcc=24)))
    with pytest.raises(UsageError, match="video face_size=16, this recipe needs 224"):
        load_features(place, replace(SMALL, video=VideoSpec(count=2, face_size=224)))
    settings = {"audio": None, "video": asdict(VideoSpec())}
    with pytest.raises(UsageError, match="have no audio"):
        require_features(settings, replace(SMALL, audio=AudioSpec()), "x")


ENCODED = replace(
    SMALL,
    video=None,
    audio=AudioSpec(kind="encoder", encoder="some/name", revision="c0ffee", weights_hash="ab" * 32,
                    width=3, layers=(1, 2), steps=4, scale="none"),
)  # fmt: skip


def test_half_floats_of_an_encoder_stay_half_floats(tmp_path: Path) -> None:
    given = rows(ENCODED, ("audio",), speakers=("01", "02"))
    given[2] |= {"encoder_features": None, "audio_frames": 0}
    features = load_features(write_features(tmp_path / "f", given, ENCODED), ENCODED)
    assert features.audio is not None and features.audio.values.dtype == np.float16
    assert len(features) == len(given) - 1 and features.left_out["no_input"] == 1
    by_uri = {row["uri"]: row for row in given}
    for number, uri in enumerate(features.clips["uri"].to_pylist()):
        sample = features.sample(number)
        np.testing.assert_array_equal(sample.audio, np.stack(by_uri[uri]["encoder_features"]))
    batch = make_batch([features.sample(0)], ENCODED.audio, None, 20)
    assert batch.audio is not None and batch.audio.dtype == torch.float32


def test_features_know_what_the_encoder_turned_out_to_be(tmp_path: Path) -> None:
    place = write_features(tmp_path / "f", rows(ENCODED, ("audio",), speakers=("01",)), ENCODED)
    settings, known = feature_settings(place), ENCODED.audio
    assert known is not None
    named = replace(known, revision=None, weights_hash=None, width=512, layers=None)
    assert completed(replace(ENCODED, audio=named), settings) == ENCODED
    assert len(load_features(place, replace(ENCODED, audio=named))) == 8
    assert len(load_features(place, replace(ENCODED, audio=replace(named, revision="main")))) == 8
    with pytest.raises(UsageError, match="revision='c0ffee', this recipe needs '1111"):
        load_features(place, replace(ENCODED, audio=replace(named, width=3, revision="1" * 40)))
    # it does not matter where the same weights lie
    moved = replace(ENCODED, audio=replace(known, encoder="/elsewhere", revision=None))
    assert len(load_features(place, moved)) == 8
    for change, words in (
        ({"weights_hash": "cd" * 32}, "weights_hash='abab"),
        ({"layers": (1, 3)}, r"layers=\[1, 2\], this recipe needs \[1, 3\]"),
        (
            {"encoder": "other/name", "weights_hash": None},
            "say --option audio.encoder=some/name",
        ),
        ({"steps": 5}, "steps=4, this recipe needs 5"),
    ):
        with pytest.raises(UsageError, match=words):
            load_features(place, replace(ENCODED, audio=replace(known, **change)))
    assert completed(SMALL, settings) is SMALL
    assert completed(ENCODED, {"audio": None}) is ENCODED


def test_features_that_are_older_than_a_setting_have_its_default(tmp_path: Path) -> None:
    settings = feature_settings(write_features(tmp_path / "f", small_rows()))
    del settings["audio"]["encoder"], settings["audio"]["steps"], settings["audio"]["layers"]
    require_features(settings, SMALL, "x")


def test_damaged_matrices(tmp_path: Path) -> None:
    given = small_rows()
    given[0]["audio_features"][2] = given[0]["audio_features"][2][:4]
    with pytest.raises(UsageError, match="damaged: .*do not all hold 6 numbers"):
        load_features(write_features(tmp_path / "f", given), SMALL)


def test_png_is_lossless() -> None:
    picture = face(3, np.random.default_rng(2))
    np.testing.assert_array_equal(png_bytes(png(picture)), picture)

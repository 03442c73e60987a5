"""``--option`` reaches every part of a recipe."""

from dataclasses import replace
from pathlib import Path

import pytest

from emotion_core.errors import UsageError
from emotion_core.recipes import RECIPES
from emotion_core.recipes.options import of_features, with_options

BASE = RECIPES["timedist-blstm"]
VOICE = RECIPES["voice-encoder"]


def test_every_part_of_a_recipe() -> None:
    assert BASE.audio and BASE.video
    given = ["audio.n_mfcc=13", "video.fps=4", "training.epochs=9", "hidden=8", "network.pool=max",
             "training.augment=false", "audio.trim_db=null", "training.lr=0.5",
             "recipe.label_set=emotions8", "recipe.segment_s=2", "training.epochs=11"]  # fmt: skip
    found = with_options(BASE, given)
    assert found == replace(
        BASE,
        audio=replace(BASE.audio, n_mfcc=13, trim_db=None),
        video=replace(BASE.video, fps=4.0),
        training=replace(BASE.training, epochs=11, augment=False, lr=0.5),
        network_options={"hidden": 8, "pool": "max"},
        label_set="emotions8",
        segment_s=2.0,
    )
    assert of_features(given) == ["audio.n_mfcc=13", "video.fps=4", "audio.trim_db=null"]


def test_an_encoder_and_its_layers() -> None:
    given = ["audio.encoder=some/name", "audio.revision=123", "audio.layers=[1, 2]"]
    found = with_options(VOICE, given).audio
    assert found is not None
    # a revision that looks like a number is a name all the same
    assert (found.encoder, found.revision, found.layers) == ("some/name", "123", (1, 2))


def test_a_folder_has_its_whole_path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "here").mkdir()
    found = with_options(VOICE, ["audio.encoder=here"]).audio
    assert found is not None and found.encoder == str(tmp_path.resolve() / "here")
    assert of_features(["audio.encoder=here"]) == [f"audio.encoder={tmp_path.resolve()}/here"]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("audio.colour=1", "there is no 'colour', only .*n_mfcc"),
        ("recipe.name=x", "there is no 'name', only label_set, segment_s, split"),
        ("sound.n_mfcc=1", "write KEY=VALUE, .* audio, video, training before the KEY"),
        ("audio.=1", "write KEY=VALUE"),
        ("training.epochs=many", "epochs is a whole number"),
        ("training.epochs=1.5", "epochs is a whole number"),
        ("training.epochs=true", "epochs is a whole number"),
        ("training.epochs=0", "a number above 0"),
        ("training.lr=NaN", "a number above 0"),
        ("training.label_smoothing=-0.1", "a number above 0"),
        ("training.label_smoothing=2", "label_smoothing 2.0: from 0 to below 1"),
        ("training.lr=Infinity", "lr inf: a number above 0"),
        ("training.clip_grad_norm=0", "clip_grad_norm 0.0: a number above 0"),
        ("training.keep=first", "keep 'first': choose one of best, last"),
        ("training.augment=1", "augment is true or false"),
        ("training.corpus_shares=0.7", "corpus_shares is an object such as"),
        ('training.corpus_shares={"savee": 2}', "corpus_shares savee 2: a number above 0"),
        ('training.corpus_shares={"savee": "half"}', "corpus_shares savee half: a number above 0"),
        ("audio.trim_db=[1]", "trim_db is a number or null"),
        ("audio.layers=3", "layers is a list or null"),
        ("recipe.label_set=emotions9", "no label set 'emotions9': choose one of emotions7"),
    ],
)
def test_options_that_mean_nothing(text: str, words: str) -> None:
    with pytest.raises(UsageError, match=words):
        with_options(BASE, [text])


def test_the_order_of_fields_that_depend_on_each_other_does_not_matter() -> None:
    given = ["audio.highpass_hz=9000", "audio.sample_rate=44100"]
    assert with_options(BASE, given) == with_options(BASE, given[::-1])
    with pytest.raises(UsageError, match="highpass_hz 9000: at least 10 and below 8000"):
        with_options(BASE, given[:1])


def test_a_part_that_the_recipe_has_not() -> None:
    with pytest.raises(UsageError, match="recipe 'voice-encoder' has no video"):
        with_options(VOICE, ["video.fps=4"])
    assert with_options(BASE, ["training.label_smoothing=0"]).training.label_smoothing == 0

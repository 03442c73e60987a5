"""An encoder that ends early, and the layers above in torch's own words."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from emotion_core.errors import UsageError
from emotion_core.sound.encoder import SpeechEncoder
from emotion_core.sound.pretrained import FAMILIES, load_encoder, resolve
from emotion_core.sound.upper import FAMILIES as TRAINED
from emotion_core.sound.upper import layers_of, upper_weights
from tests.support.encoders import LAYERS, RATE, WIDTH, noise, spec_of, write_family, write_whisper

torch.set_num_threads(1)


@pytest.fixture(scope="module")
def folders(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """A small encoder of every family; those that have two forms, in the second as ``-before``."""
    place = tmp_path_factory.mktemp("encoders")
    others = [family for family in FAMILIES if family != "whisper"]
    before = {"feat_extract_norm": "layer", "do_stable_layer_norm": True}
    return {
        "whisper": write_whisper(place / "whisper"),
        **{
            family: write_family(
                place / family, family,
                feat_extract_norm="layer" if family == "data2vec-audio" else "group",
            )
            for family in others
        },
        **{
            f"{family}-before": write_family(place / f"{family}-before", family, **before)
            for family in others
            if family != "data2vec-audio"
        },
    }  # fmt: skip


FORMS = ("whisper", *(f for f in FAMILIES if f != "whisper"), "wav2vec2-before", "wavlm-before")


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("last", [0, 2])
def test_what_lies_above_the_highest_layer_is_not_computed(
    form: str, last: int, folders: dict[str, Path]
) -> None:
    whole = SpeechEncoder(spec_of(folders[form]))
    short = SpeechEncoder(spec_of(folders[form], layers=(last,)))
    assert (len(layers_of(whole.model)), len(layers_of(short.model))) == (LAYERS, max(last, 1))
    (every,), (one,) = whole([noise(0.5)]), short([noise(0.5)])
    np.testing.assert_array_equal(one, every[:, last * WIDTH : (last + 1) * WIDTH])


def test_every_position_of_a_layer(folders: dict[str, Path]) -> None:
    """0.8 s are 40 positions, as they are."""
    spec = spec_of(folders["whisper"], layers=(1,), steps=None)
    (matrix,) = SpeechEncoder(spec)([noise(0.8)])
    assert matrix.shape == (40, WIDTH) and matrix.dtype == np.float16
    (pooled,) = SpeechEncoder(replace(spec, steps=40))([noise(0.8)])
    np.testing.assert_array_equal(matrix, pooled)
    assert SpeechEncoder(spec)([np.zeros(0, np.float32)])[0].shape == (0, WIDTH)


def test_speeds_take_turns_and_end_together(folders: dict[str, Path]) -> None:
    spec = spec_of(folders["whisper"], layers=(1,), steps=None, speeds=(0.8, 1.0, 1.25))
    (matrix,) = SpeechEncoder(spec)([noise(0.8)])
    turns = matrix.reshape(-1, 3, WIDTH)
    assert len(turns) == 50
    for place, (speed, positions) in enumerate(((0.8, 50), (1.0, 40), (1.25, 32))):
        (alone,) = SpeechEncoder(replace(spec, speeds=(speed,)))([noise(0.8)])
        assert len(alone) == positions and alone.any(axis=1).all()
        np.testing.assert_array_equal(turns[-positions:, place], alone)
        assert not turns[:-positions, place].any()


def test_of_a_long_clip_the_last_half_minute(folders: dict[str, Path]) -> None:
    encoder = SpeechEncoder(spec_of(folders["whisper"], layers=(1,), steps=None))
    sound = noise(31.0)
    (matrix,) = encoder([sound])
    assert len(matrix) == 1500
    np.testing.assert_array_equal(matrix, encoder([sound[-30 * RATE :]])[0])


@pytest.mark.parametrize(
    ("form", "norms"),
    [("whisper", "before+end"), ("hubert", "after"), ("wav2vec2-before", "before")],
)
def test_what_is_filled_in(form: str, norms: str, folders: dict[str, Path]) -> None:
    found = resolve(spec_of(folders[form], layers=(1,), steps=None))
    assert (found.depth, found.heads, found.inner, found.norms) == (LAYERS, 2, 24, norms)
    pooled = resolve(spec_of(folders[form], layers=(1,)))
    assert (pooled.depth, pooled.heads, pooled.inner, pooled.norms) == (None,) * 4


@pytest.mark.parametrize(
    "form", [f for f in FORMS if f.removesuffix("-before") in TRAINED] + ["hubert-before"]
)
def test_weights_by_torch_s_names(form: str, folders: dict[str, Path]) -> None:
    """None is left over, and each is where torch wants it."""
    _, model = load_encoder(resolve(spec_of(folders[form])))
    found = upper_weights(model, 1)
    layer = torch.nn.TransformerEncoderLayer(WIDTH, 2, 24, batch_first=True)
    names = {f"layers.{number}.{name}" for number in (2, 3) for name in layer.state_dict()}
    assert set(found) - {"norm.weight", "norm.bias"} == names
    theirs = sum(weight.numel() for one in layers_of(model)[1:] for weight in one.parameters())
    no_bias = 2 * WIDTH if form == "whisper" else 0  # of the keys
    norm = sum(found[name].numel() for name in found if name.startswith("norm."))
    assert sum(map(torch.numel, found.values())) == theirs + no_bias + norm


def test_encoders_that_cannot_be_trained(folders: dict[str, Path], tmp_path: Path) -> None:
    odd = write_family(tmp_path / "odd", "hubert", hidden_act="relu")
    for folder, family in ((folders["wavlm"], "wavlm"), (odd, "hubert")):
        with pytest.raises(UsageError) as error:
            resolve(spec_of(folder, layers=(1,), steps=None))
        words = str(error.value)
        assert f"is a {family} whose upper layers cannot be trained" in words
        assert "data2vec-audio, hubert, wav2vec2, whisper" in words
        assert "--recipe voice-encoder takes any, frozen" in words and "\n" not in words


@pytest.mark.parametrize("layers", [(LAYERS,), (0, 1), None])
def test_one_layer_below_the_last(layers: tuple | None, folders: dict[str, Path]) -> None:
    with pytest.raises(UsageError, match=r"audio.layers=\[N\] with N from 0 to 2 for encoder"):
        resolve(spec_of(folders["whisper"], layers=layers, steps=None))

"""The network behind a frozen encoder: which layers, which steps, and what is made of them."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from emotion_core.errors import UsageError
from emotion_core.models.networks import build_network
from emotion_core.models.networks.attentive import AttentiveStatistics, LayerMix
from emotion_core.recipes import RECIPES
from emotion_core.recipes.specs import AudioSpec

RECIPE = RECIPES["voice-encoder"]


def test_the_recipe_is_small_beside_its_encoder() -> None:
    network = build_network(RECIPE)
    assert sum(weight.numel() for weight in network.parameters()) < 200_000
    assert RECIPE.audio is not None and RECIPE.audio.coefficients == 5 * 512


def test_layers_are_standardised_and_mixed_by_weights_that_add_up_to_1() -> None:
    rng = np.random.default_rng(0)
    # the second layer's numbers are a hundred times those of the first, around another mean
    given = np.concatenate([rng.normal(0, 1, (8, 6, 3)), rng.normal(50, 100, (8, 6, 3))], axis=2)
    sound = torch.from_numpy(given.astype(np.float32))
    real = torch.ones(8, 6, dtype=torch.bool)
    real[:, :2] = False
    mix = LayerMix(2, 3)
    with torch.no_grad():
        mix.weights[:] = torch.tensor([0.0, np.log(3.0)])
        found = mix(sound, real)
    kept = given[:, 2:]
    standard = (kept - kept.mean((0, 1))) / kept.std((0, 1))
    expected = 0.25 * standard[..., :3] + 0.75 * standard[..., 3:]
    np.testing.assert_allclose(found[:, 2:].numpy(), expected, atol=1e-4)
    assert not found[:, :2].any(), "padding has no part in the statistics"
    # afterwards a clip is standardised by what was seen in training, whatever else it is with
    mix.eval()
    with torch.no_grad():
        torch.testing.assert_close(mix(sound[:1], real[:1]), mix(sound, real)[:1])


def test_one_step_alone_has_no_statistics() -> None:
    mix = LayerMix(1, 3).train()
    sound, real = torch.ones(1, 4, 3), torch.tensor([[False, False, False, True]])
    before = mix.norm.running_mean.clone() if mix.norm.running_mean is not None else None
    assert torch.isfinite(mix(sound, real)).all()
    torch.testing.assert_close(mix.norm.running_mean, before)


def test_pooling_is_a_weighted_mean_and_deviation() -> None:
    torch.manual_seed(0)
    pool = AttentiveStatistics(4, 3)
    steps = torch.randn(2, 5, 4)
    real = torch.tensor([[True] * 5, [False, False, True, True, True]])
    with torch.no_grad():
        found = pool(steps, real)
        for row in range(2):
            kept = steps[row, real[row]]
            weights = pool.score(torch.tanh(pool.hidden(kept)))[:, 0].softmax(dim=0)[:, None]
            mean = (weights * kept).sum(dim=0)
            deviation = (weights * (kept - mean) ** 2).sum(dim=0).sqrt()
            torch.testing.assert_close(found[row], torch.cat([mean, deviation]))
        # nothing of the padding, not even its weight
        other = torch.where(real[:, :, None], steps, 1e3)
        torch.testing.assert_close(pool(other, real), found)


@pytest.mark.parametrize("audio", [AudioSpec(), replace(RECIPE.audio or AudioSpec(), width=None)])
def test_it_needs_layers_of_a_known_width(audio: AudioSpec) -> None:
    with pytest.raises(UsageError, match="'voice-encoder' hears layers of an encoder"):
        build_network(replace(RECIPE, audio=audio))

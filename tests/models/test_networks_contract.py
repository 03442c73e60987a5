"""What every network keeps to: masks, gradients, one clip's answer apart from the others'."""

from dataclasses import replace

import pytest
import torch
from torch import Tensor, nn

from emotion_core.errors import UsageError
from emotion_core.models.batches import make_batch
from emotion_core.models.networks import NETWORKS, Batch, build_network
from emotion_core.models.samples import Sample
from emotion_core.recipes import RECIPES
from emotion_core.recipes.emotions import LABEL_SETS
from emotion_core.recipes.specs import Recipe
from tests.support.small_recipes import SHRINK, frames, samples, small

torch.set_num_threads(1)

# an alias has nothing of its own
NAMES = [
    name
    for name, recipe in RECIPES.items()
    if not any(
        (other.network, other.network_options, other.audio, other.video)
        == (recipe.network, recipe.network_options, recipe.audio, recipe.video)
        for other in list(RECIPES.values())[: list(RECIPES).index(name)]
    )
]
CASES = {
    "both": (True, True),
    "audio": (True, False),
    "face": (False, True),
    "nothing": (False, False),
}


def network(recipe: Recipe) -> nn.Module:
    torch.manual_seed(1)
    return build_network(recipe).eval()


def batch(recipe: Recipe, given: list[Sample]) -> Batch:
    return make_batch(given, recipe.audio, recipe.video, frames(recipe))


def mixed(recipe: Recipe) -> list[Sample]:
    """Both, sound alone, faces alone."""
    return [
        samples(recipe, *CASES[case])[row] for row, case in enumerate(("both", "audio", "face"))
    ]


def test_every_network_is_tried() -> None:
    assert {RECIPES[name].network for name in NAMES} == set(NETWORKS) == set(SHRINK)
    assert len(NAMES) == len(RECIPES) - 3  # the three fusions that have two names


@pytest.mark.parametrize("case", CASES)
@pytest.mark.parametrize("name", NAMES)
def test_every_weight_has_a_gradient_whatever_the_batch_holds(name: str, case: str) -> None:
    """Workers of a distributed training wait for each other's gradients, weight by weight."""
    recipe = small(name)
    net = network(recipe).train()
    given = batch(recipe, samples(recipe, *CASES[case]))
    logits = net(given)
    assert logits.shape == (3, len(LABEL_SETS[recipe.label_set].labels))
    nn.functional.cross_entropy(logits, given.label).backward()
    for weight_name, weight in net.named_parameters():
        assert weight.grad is not None, f"{weight_name} took no part"
        assert torch.isfinite(weight.grad).all(), weight_name
    if case == "both":
        still = [n for n, weight in net.named_parameters() if not weight.grad.any()]  # type: ignore
        # a clip with both is answered by the fusion, not by the heads of a modality alone
        allowed = {"audio.head", "face.head"} if recipe.network == "alexnet-fusion" else set()
        assert {n.rpartition(".")[0] for n in still} <= allowed


@pytest.mark.parametrize("name", NAMES)
def test_a_batch_without_anything_leaves_running_statistics_alone(name: str) -> None:
    recipe = small(name)
    net = network(recipe).train()
    before = {key: value.clone() for key, value in net.named_buffers()}
    net(batch(recipe, samples(recipe, *CASES["nothing"])))
    for key, value in net.named_buffers():
        torch.testing.assert_close(value, before[key], rtol=0, atol=0)
    assert all(module.training for module in net.modules())


@torch.no_grad()
@pytest.mark.parametrize("training", [False, True])
@pytest.mark.parametrize("name", NAMES)
def test_what_is_missing_is_not_looked_at(name: str, training: bool) -> None:
    recipe = small(name)
    net = network(recipe).train(training)
    given = batch(recipe, mixed(recipe))
    other = given
    if given.audio is not None:
        real = (
            torch.arange(given.audio.shape[1]) >= given.audio.shape[1] - given.audio_length[:, None]
        )
        noise = torch.rand_like(given.audio) + 1
        # of a silent clip everything is rubbish
        hidden = ~given.has_audio[:, None] & ~real
        other = replace(other, audio=torch.where(hidden[:, :, None], noise, given.audio))
    if given.faces is not None:
        noise = torch.rand_like(given.faces)
        seen = given.face_mask[:, :, None, None, None]
        other = replace(other, faces=torch.where(seen, given.faces, noise))
    answers = [_seeded(net, each) for each in (given, other)]
    torch.testing.assert_close(*answers, rtol=0, atol=0)


def _seeded(net: nn.Module, given: Batch) -> Tensor:
    torch.manual_seed(4)  # the same dropout
    return net(given)


@torch.no_grad()
@pytest.mark.parametrize("name", NAMES)
def test_a_clip_does_not_depend_on_the_others_of_its_batch(name: str) -> None:
    recipe = small(name)
    net = network(recipe)
    together = net(batch(recipe, mixed(recipe)))
    for row, sample in enumerate(mixed(recipe)):
        alone = net(batch(recipe, [sample]))[0]
        torch.testing.assert_close(alone, together[row], atol=2e-5, rtol=1e-4)


@torch.no_grad()
@pytest.mark.parametrize("name", NAMES)
def test_each_modality_of_the_recipe_counts(name: str) -> None:
    recipe = small(name)
    net = network(recipe)
    whole = batch(recipe, samples(recipe))
    silent, faceless = net(whole.without_audio()), net(whole.without_faces())
    answer = net(whole)
    heard = (answer - silent).abs().amax(dim=1)
    seen = (answer - faceless).abs().amax(dim=1)
    assert bool((heard > 1e-6).all()) == (recipe.audio is not None)
    assert bool((seen > 1e-6).all()) == (recipe.video is not None)


# the padding of a fixed length is part of what was published
ANY_LENGTH = [n for n in NAMES if (audio := RECIPES[n].audio) and audio.max_frames is None]
ONE_WAY = [n for n in NAMES if RECIPES[n].network not in ("timedist-blstm", "strip-cnn-lstm")]


@torch.no_grad()
@pytest.mark.parametrize("name", ANY_LENGTH)
def test_the_length_of_the_padding_does_not_matter(name: str) -> None:
    recipe = small(name)
    net, given = network(recipe), samples(recipe)
    short, long = (make_batch(given, recipe.audio, recipe.video, length) for length in (16, 70))
    torch.testing.assert_close(net(short), net(long), atol=1e-6, rtol=1e-5)


@pytest.mark.parametrize("name", ONE_WAY)
def test_a_network_says_what_its_recipe_lacks(name: str) -> None:
    recipe = replace(RECIPES[name], audio=None, video=None)
    words = f"network '{recipe.network}' (hears|sees): give its recipe an? (Audio|Video)Spec"
    with pytest.raises(UsageError, match=words):
        build_network(recipe)


@pytest.mark.parametrize(
    ("name", "options", "words"),
    [
        (
            "timedist-blstm",
            {"sound": "gru"},
            "no encoder of sound 'gru': choose one of blstm, mean",
        ),
        ("timedist-blstm", {"frame": "dense"}, "no network of faces 'dense': choose one of vgg"),
        ("timedist-blstm", {"time": "mean"}, "no joining over time 'mean': choose one of max, gru"),
        ("alexnet-audio-cnn", {"encoder": "gru"}, "no encoder of sound 'gru': choose one of cnn"),
        ("alexnet-audio-cnn", {"depth": 3}, "does not take its options: .*depth"),
        ("alexnet-fusion-multi", {"fusion": "sum"}, "no fusion 'sum': choose one of concat"),
        ("fer-inception-resnet", {"size": 75}, "size 75 of fer-inception-resnet: at least 112"),
    ],
)
def test_options_that_mean_nothing(name: str, options: dict, words: str) -> None:
    with pytest.raises(UsageError, match=words):
        build_network(replace(RECIPES[name], network_options=options))

"""The published shapes, read off the real networks while they run."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from emotion_core.models.batches import make_batch
from emotion_core.models.networks import Batch, build_network
from emotion_core.models.networks.conv1d import Conv1DStack
from emotion_core.models.networks.faces import BlockCNN
from emotion_core.models.networks.fusion import middle
from emotion_core.models.networks.masking import mean_answer
from emotion_core.models.networks.sequence import AudioLSTM, AudioMean, to_front
from emotion_core.models.networks.strip import strips
from emotion_core.models.networks.visual import FrameResidual, TimeRecurrent
from emotion_core.models.samples import segments
from emotion_core.recipes import RECIPES
from emotion_core.sound.features import audio_features
from tests.support.small_recipes import frames, samples

torch.set_num_threads(1)


def shapes(net: nn.Module, batch: Batch, **modules: str) -> dict[str, tuple[Any, Any]]:
    """Shapes of what goes into and comes out of named modules, without the batch, in one pass."""
    found: dict[str, tuple[Any, Any]] = {}

    def note(name: str) -> Callable[..., None]:
        def hook(module: nn.Module, given: tuple[Tensor, ...], answer: Tensor) -> None:
            found[name] = (tuple(given[0].shape[1:]), tuple(answer.shape[1:]))

        return hook

    hooks = [net.get_submodule(at).register_forward_hook(note(n)) for n, at in modules.items()]
    with torch.no_grad():
        net(batch)
    for hook in hooks:
        hook.remove()
    return found


def run(name: str, count: int = 1, **modules: str) -> dict[str, tuple[Any, Any]]:
    """``shapes`` of a recipe at its full size."""
    recipe = RECIPES[name]
    batch = make_batch(samples(recipe, count=count), recipe.audio, recipe.video, frames(recipe))
    return shapes(build_network(recipe).eval(), batch, **modules)


# --- strip-cnn-lstm ------------------------------------------------------------------------------


def test_a_second_is_a_strip_of_five_and_fifty_frames_of_sound() -> None:
    seen = run("strip-cnn-lstm", strip="video", sound="audio", fusion="fusion", dense="fusion.4")
    assert seen["strip"] == ((3, 64, 320), (200,))
    assert seen["sound"] == ((40, 40), (200,))
    assert seen["fusion"] == ((400,), (8,))
    assert seen["dense"] == ((200,), (8,))

    recipe = RECIPES["strip-cnn-lstm"]
    assert recipe.segment_s == 1.0 and recipe.audio is not None and recipe.video is not None
    matrix = audio_features(np.random.default_rng(0).uniform(-1, 1, 48000), recipe.audio)
    clip = replace(samples(recipe)[0], audio=matrix, faces=samples(recipe)[0].faces * 5)
    cut = segments(clip, recipe)
    assert [len(each.audio) for each in cut if each.audio is not None] == [50, 50, 50]
    assert [len(each.faces) for each in cut] == [5, 5, 5]


def test_strips_are_in_order_of_time_and_black_where_nobody_is() -> None:
    faces = torch.arange(1, 6).float().view(1, 5, 1, 1, 1).expand(1, 5, 3, 4, 4)
    mask = torch.tensor([[True, True, False, True, True]])
    strip = strips(faces, mask)
    assert strip.shape == (1, 3, 4, 20)
    assert strip[0, 1, 2].tolist() == [1.0] * 4 + [2.0] * 4 + [0.0] * 4 + [4.0] * 4 + [5.0] * 4
    # fewer are black behind, of more the five at regular intervals are taken, none is all black
    assert strips(faces[:, :2], mask[:, :2])[0, 0, 0, ::4].tolist() == [1, 2, 0, 0, 0]
    nine = torch.arange(9).float().view(1, 9, 1, 1, 1).expand(1, 9, 3, 4, 4)
    assert strips(nine, torch.ones(1, 9, dtype=torch.bool))[0, 0, 0, ::4].tolist() == [
        0,
        2,
        4,
        6,
        8,
    ]
    assert not strips(faces[:, :0], mask[:, :0]).any()


# --- alexnet-* -----------------------------------------------------------------------------------


@pytest.mark.parametrize("name", [n for n in RECIPES if n.startswith("alexnet-")])
def test_sound_is_20_by_282_and_faces_224_by_224(name: str) -> None:
    recipe = RECIPES[name]
    batch = make_batch(samples(recipe), recipe.audio, recipe.video, frames(recipe))
    if recipe.audio is not None:
        assert batch.audio is not None and batch.audio.shape == (3, 282, 20)
        # seven seconds are the longest that fit; what is longer is cut
        eight_s = np.random.default_rng(0).uniform(-1, 1, 8 * 16000).astype(np.float32)
        assert audio_features(eight_s, recipe.audio).shape == (282, 20)
        assert audio_features(eight_s[:112000], recipe.audio).shape == (281, 20)
    if recipe.video is not None:
        assert batch.faces is not None and batch.faces.shape == (3, 3, 3, 224, 224)
        assert (recipe.video.sampling, recipe.video.every) == ("stride", 10)


def test_alexnet_sees_and_its_second_last_layer_has_4096() -> None:
    seen = run(
        "alexnet-visual", maps="face.encoder.features", encoder="face.encoder", head="face.head"
    )
    assert seen["maps"] == ((3, 224, 224), (256, 6, 6))
    assert seen["encoder"] == ((3, 224, 224), (4096,))
    # heads see every place of every clip, with zeros where there is no face
    assert seen["head"] == ((4096,), (7,))


def test_the_cnn_on_sound_looks_at_a_picture_of_20_by_282() -> None:
    seen = run(
        "alexnet-audio-cnn",
        maps="audio.encoder.features",
        dense="audio.encoder.classifier",
        head="audio.head",
    )
    assert seen["maps"] == ((1, 20, 282), (256, 1, 16))
    assert seen["dense"] == ((1536,), (4096,))
    assert seen["head"] == ((4096,), (7,))


def test_the_lstm_on_sound_has_two_layers_of_128() -> None:
    seen = run("alexnet-audio-lstm", encoder="audio.encoder", head="audio.head")
    assert seen["encoder"][1] == (128,) and seen["head"] == ((128,), (7,))
    lstm = build_network(RECIPES["alexnet-audio-lstm"]).audio.encoder.lstm  # type: ignore
    assert (lstm.input_size, lstm.num_layers, lstm.hidden_size) == (20, 2, 128)


@pytest.mark.parametrize(("encoder", "width"), [("cnn", 8192), ("lstm", 4096 + 128)])
def test_second_last_layers_go_through_three_dense_ones(encoder: str, width: int) -> None:
    name = f"alexnet-fusion-concat-{encoder}"
    seen = run(name, all="fusion.layers")
    assert seen["all"] == ((width,), (7,))
    layers = build_network(RECIPES[name]).fusion.layers  # type: ignore
    dense = [each for each in layers if isinstance(each, nn.Linear)]
    assert [each.out_features for each in dense] == [1024, 256, 7]


def test_the_plain_name_is_the_one_with_the_cnn() -> None:
    for kind in ("concat", "single", "multi"):
        plain, cnn, lstm = (RECIPES[f"alexnet-fusion-{kind}{end}"] for end in ("", "-cnn", "-lstm"))
        assert replace(cnn, name=plain.name) == plain
        assert (plain.network_options["encoder"], lstm.network_options["encoder"]) == (
            "cnn",
            "lstm",
        )
        assert "CNN" not in lstm.summary


def test_the_middle_face_of_the_real_ones() -> None:
    rows = ["1", "11", "111", "01011", "0110", "000", "1000001"]
    expected = ["1", "01", "010", "00010", "0010", "000", "0000001"]
    for row, wanted in zip(rows, expected, strict=True):
        mask = torch.tensor([[digit == "1" for digit in row]])
        assert "".join(str(int(each)) for each in middle(mask)[0]) == wanted


# --- fer-*, audio-cnn1d --------------------------------------------------------------------------


def test_four_blocks_halve_48_pixels() -> None:
    blocks = {f"block{n}": f"frame.blocks.{n}" for n in range(4)}
    seen = run("fer-cnn", head="frame.head", **blocks)
    assert [seen[f"block{n}"] for n in range(4)] == [
        ((1, 48, 48), (64, 24, 24)),
        ((64, 24, 24), (128, 12, 12)),
        ((128, 12, 12), (256, 6, 6)),
        ((256, 6, 6), (512, 3, 3)),
    ]
    assert seen["head"] == ((512 * 3 * 3,), (7,))


@pytest.mark.parametrize("convolutions", [1, 2])
def test_what_a_block_is_made_of(convolutions: int) -> None:
    block_cnn = BlockCNN(1, 48, 7, (64, 128, 256, 512), convolutions, 1024, 0.25, 0.5)
    for block in block_cnn.blocks:
        kinds = [type(layer) for layer in block]
        assert kinds.count(nn.Conv2d) == kinds.count(nn.BatchNorm2d) == convolutions
        assert kinds.count(nn.MaxPool2d) == 1
        assert isinstance(block[-1], nn.Dropout) and block[-1].p == 0.25
    head = block_cnn.head
    assert [each.out_features for each in head if isinstance(each, nn.Linear)] == [1024, 7]
    assert [each.p for each in head if isinstance(each, nn.Dropout)] == [0.5]


def test_the_first_kernels_of_vgg16_are_the_mean_over_the_colours() -> None:
    seen = run("fer-vgg16-grey", maps="frame.features")
    assert seen["maps"] == ((1, 48, 48), (512, 1, 1))
    grey = RECIPES["fer-vgg16-grey"]
    assert grey.video is not None
    colour = replace(grey, video=replace(grey.video, grey=False))
    first = []
    for recipe in (colour, grey):
        torch.manual_seed(6)
        first.append(build_network(recipe).frame.features[0])  # type: ignore
    assert first[0].weight.shape == (64, 3, 3, 3) and first[1].weight.shape == (64, 1, 3, 3)
    torch.testing.assert_close(first[1].weight, first[0].weight.mean(dim=1, keepdim=True))
    torch.testing.assert_close(first[1].bias, first[0].bias)


def test_inception_resnet_and_its_dense_head() -> None:
    seen = run("fer-inception-resnet", backbone="frame.backbone", head="frame.head")
    assert seen["backbone"] == ((3, 128, 128), (1536,))
    assert seen["head"] == ((1536,), (7,))
    head = build_network(RECIPES["fer-inception-resnet"]).frame.head  # type: ignore
    dense = [each.out_features for each in head if isinstance(each, nn.Linear)]
    assert dense == [1024, 512, 256, 128, 7]


def test_twelve_layers_with_three_dropouts() -> None:
    net = build_network(RECIPES["audio-cnn1d"])
    assert isinstance(net.layers, Conv1DStack)
    kinds = [type(each).__name__ for each in net.modules()]
    layers = [kinds.count(kind) for kind in ("Conv1d", "MaxPool1d", "Dropout", "Linear")]
    assert layers == [3, 3, 3, 2] and sum(layers) + 1 == 12  # one takes time out
    audio = RECIPES["audio-cnn1d"].audio
    assert audio is not None and (audio.kind, audio.scale) == ("mfcc+logmel", "minmax")
    assert net.layers.convolutions[0].in_channels == audio.coefficients == 168


# --- what the networks are made of ---------------------------------------------------------------


@torch.no_grad()
def test_a_clip_is_answered_by_the_mean_over_its_faces() -> None:
    logits = torch.tensor([[[2.0, 0.0], [0.0, 3.0], [9.0, 9.0]], [[1.0, 0.0]] * 3])
    mask = torch.tensor([[True, True, False], [False] * 3])
    answer = mean_answer(logits, mask).softmax(dim=1)
    torch.testing.assert_close(answer[0], logits[0, :2].softmax(dim=1).mean(dim=0))
    assert answer[1].tolist() == [0.5, 0.5]


def test_a_wrong_answer_that_is_certain_still_learns() -> None:
    logits = torch.tensor([[[60.0, 0.0]]], requires_grad=True)
    mask = torch.ones(1, 1, dtype=torch.bool)
    nn.functional.cross_entropy(mean_answer(logits, mask), torch.tensor([1])).backward()
    assert logits.grad is not None and logits.grad[0, 0].tolist() == pytest.approx([1.0, -1.0])


@torch.no_grad()
@pytest.mark.parametrize("layer", [nn.GRU, nn.LSTM])
def test_a_recurrent_layer_over_time_passes_over_pictures_without_a_face(layer: Any) -> None:
    torch.manual_seed(2)
    net = TimeRecurrent(FrameResidual(3, 6, (4,)), 6, layer).eval()
    faces, mask = torch.rand(2, 4, 3, 8, 8), torch.tensor([[False, True, False, True], [False] * 4])
    answer = net(faces, mask)
    steps, _ = net.recurrent(net.frame(faces[0, [1, 3]])[None])
    torch.testing.assert_close(answer[0], steps[0, -1])
    assert answer[1].tolist() == [0.0] * 6
    turned = net(faces.flip(1), mask.flip(1))
    assert (turned[0] - answer[0]).abs().max() > 1e-4, "order in time counts"


@torch.no_grad()
def test_the_last_state_of_an_lstm_is_that_of_the_clip_alone() -> None:
    torch.manual_seed(2)
    net = AudioLSTM(5, 7, layers=2)
    audio, length = torch.zeros(2, 9, 5), torch.tensor([9, 4])
    audio[0], audio[1, 5:] = torch.randn(9, 5), torch.randn(4, 5)
    for row in range(2):
        alone, _ = net.lstm(audio[row, -int(length[row]) :][None])
        torch.testing.assert_close(net(audio, length)[row], alone[0, -1])
    assert to_front(audio, length)[1, 4:].abs().sum() == 0


def test_mean_vectors_are_normalised_over_the_real_frames() -> None:
    torch.manual_seed(2)
    net = AudioMean(3, 4, dropout=0.0)
    audio, length = torch.zeros(2, 6, 3), torch.tensor([2, 6])
    real = 50 * torch.randn(8, 3) - 200
    audio[0, 4:], audio[1] = real[:2], real[2:]
    answer = net(audio, length)
    scaled = (real - real.mean(dim=0)) / real.std(dim=0, unbiased=False)
    means = torch.stack([scaled[:2].mean(dim=0), scaled[2:].mean(dim=0)])
    torch.testing.assert_close(answer, torch.relu(net.dense(means)), atol=1e-4, rtol=1e-4)
    # one frame alone has no deviation: the running statistics stand in
    assert torch.isfinite(net(audio[:1], torch.tensor([1]))).all()


def recipe_names(network: str) -> list[str]:
    return [name for name, recipe in RECIPES.items() if recipe.network == network]


def test_variants_of_timedist_blstm_differ_where_they_say() -> None:
    base = RECIPES["timedist-blstm"]
    changed = {
        name: {
            field
            for field in ("audio", "video", "network_options", "training", "split", "label_set")
            if getattr(RECIPES[name], field) != getattr(base, field)
        }
        for name in recipe_names("timedist-blstm")
    }
    assert changed == {
        "timedist-blstm": set(),
        "timedist-blstm-logmel": {"audio"},
        "timedist-mean-mfcc": {"audio", "network_options"},
        "timedist-blstm-residual": {"network_options"},
        "timedist-blstm-gru": {"network_options"},
        "timedist-blstm-lstm": {"network_options"},
    }


def test_weights_of_the_base_network_keep_their_names_and_their_draw() -> None:
    """Models exist: their files are read by these names, and a seed gives the same network."""
    torch.manual_seed(0)
    net = build_network(RECIPES["timedist-blstm"])
    names = list(net.state_dict())
    assert names[0] == "audio.first.forwards.weight_ih_l0" and names[-1] == "fusion.4.bias"
    assert "video.frame.layers.0.weight" in names and len(names) == 48
    total = sum(float(weight.abs().sum()) for weight in net.state_dict().values())
    assert total == pytest.approx(18754.638, rel=1e-5)

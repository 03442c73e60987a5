"""What a network may and may not depend on."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence

from emotion_core.errors import UsageError
from emotion_core.models.batches import make_batch
from emotion_core.models.networks import NETWORKS, Batch, build_network, network_class
from emotion_core.models.networks.sequence import MaskedBLSTM, to_front
from emotion_core.models.networks.visual import FrameVGG, TimeMax
from emotion_core.models.samples import Sample
from emotion_core.recipes.specs import Recipe, VideoSpec
from tests.support.synthetic_features import SMALL, face, sound

RNG = np.random.default_rng(5)
SOUNDS = [sound(emotion, RNG) for emotion in range(4)]
FACES = [(face(emotion, RNG), None, face(emotion, RNG)) for emotion in range(4)]


def network(recipe: Recipe = SMALL) -> nn.Module:
    torch.manual_seed(1)
    return build_network(recipe).eval()


def batch(samples: list[Sample], frames: int = 20, recipe: Recipe = SMALL) -> Batch:
    return make_batch(samples, recipe.audio, recipe.video, frames)


def both() -> list[Sample]:
    return [Sample(a, f, 0) for a, f in zip(SOUNDS, FACES, strict=True)]


def test_logits_have_the_shape_of_the_label_set() -> None:
    assert network()(batch(both())).shape == (4, 7)


@torch.no_grad()
def test_length_of_padding_does_not_matter() -> None:
    net = network()
    short, long = net(batch(both(), 16)), net(batch(both(), 90))
    torch.testing.assert_close(short, long, atol=1e-6, rtol=0)


@torch.no_grad()
def test_a_clip_does_not_depend_on_the_others_of_its_batch() -> None:
    net = network()
    together = net(batch(both()))
    for index, sample in enumerate(both()):
        torch.testing.assert_close(net(batch([sample]))[0], together[index], atol=1e-6, rtol=0)


@torch.no_grad()
def test_order_of_sound_matters_so_padding_is_on_the_right_side() -> None:
    net = network()
    turned = [Sample(s[::-1].copy(), f) for s, f in zip(SOUNDS, FACES, strict=True)]
    assert (net(batch(both())) - net(batch(turned))).abs().max() > 1e-3


@torch.no_grad()
def test_masked_blstm_is_a_packed_bidirectional_lstm() -> None:
    torch.manual_seed(0)
    layer, reference = MaskedBLSTM(5, 7), nn.LSTM(5, 7, batch_first=True, bidirectional=True)
    for name, weight in reference.named_parameters():
        part = layer.backwards if name.endswith("_reverse") else layer.forwards
        weight.copy_(dict(part.named_parameters())[name.removesuffix("_reverse")])
    length = torch.tensor([3, 9, 1, 6])
    padded = torch.zeros(4, 12, 5)
    for row, steps in enumerate(length):
        padded[row, 12 - steps :] = torch.randn(int(steps), 5)
    front = to_front(padded, length)
    assert front.shape == (4, 9, 5)

    answer = layer(front, length)
    packed = pack_padded_sequence(front, length, batch_first=True, enforce_sorted=False)
    expected, _ = pad_packed_sequence(reference(packed)[0], batch_first=True)

    for row, steps in enumerate(length):
        torch.testing.assert_close(answer[row, :steps], expected[row, :steps])


@torch.no_grad()
def test_a_missing_modality_is_not_looked_at() -> None:
    net, whole = network(), batch(both())
    assert whole.audio is not None and whole.faces is not None
    no_faces, no_audio = whole.without_faces(), whole.without_audio()

    other_faces = replace(no_faces, faces=torch.rand_like(whole.faces))
    torch.testing.assert_close(net(no_faces), net(other_faces), atol=0, rtol=0)
    other_audio = replace(no_audio, audio=torch.randn_like(whole.audio))
    torch.testing.assert_close(net(no_audio), net(other_audio), atol=0, rtol=0)
    # and the two differ from each other and from the whole, so each modality does count
    answers = torch.stack([net(whole), net(no_faces), net(no_audio)])
    assert torch.cdist(answers.flatten(1), answers.flatten(1))[[0, 0, 1], [1, 2, 2]].min() > 1e-3


@torch.no_grad()
def test_rows_of_a_mixed_batch_equal_those_of_a_pure_one() -> None:
    net = network()
    mixed = [Sample(SOUNDS[0]), Sample(None, FACES[1]), Sample(SOUNDS[2], FACES[2])]
    alone = torch.cat([net(batch([sample])) for sample in mixed])
    torch.testing.assert_close(net(batch(mixed)), alone, atol=1e-6, rtol=0)


@torch.no_grad()
def test_pictures_without_a_face_are_not_looked_at() -> None:
    net, whole = network(), batch(both())
    assert whole.faces is not None
    faces = whole.faces.clone()
    faces[~whole.face_mask] = 0.7  # the middle picture of each clip
    torch.testing.assert_close(net(whole), net(replace(whole, faces=faces)), atol=0, rtol=0)


@torch.no_grad()
def test_time_max_is_the_largest_answer_of_the_real_faces() -> None:
    frame = FrameVGG(3, out=5, widths=(4,))
    faces, mask = torch.rand(2, 3, 3, 8, 8), torch.tensor([[True, False, True], [False] * 3])
    answer = TimeMax(frame, 5)(faces, mask)
    torch.testing.assert_close(answer[0], frame(faces[0, [0, 2]]).amax(dim=0))
    assert answer[1].tolist() == [0.0] * 5


@pytest.mark.parametrize("kind", ["audio", "face", "both"])
def test_every_parameter_has_a_gradient_whatever_the_batch_holds(kind: str) -> None:
    """Workers of a distributed training wait for each other's gradients, parameter by parameter."""
    net = network().train()
    samples = {
        "audio": [Sample(s) for s in SOUNDS],
        "face": [Sample(None, f) for f in FACES],
        "both": both(),
    }[kind]
    net(batch(samples)).square().sum().backward()
    gradients = {name: weight.grad for name, weight in net.named_parameters()}
    assert all(gradient is not None for gradient in gradients.values())
    assert all(g is not None and torch.isfinite(g).all() for g in gradients.values())
    moved = {name.split(".")[0] for name, g in gradients.items() if g is not None and g.any()}
    expected = {"audio": {"audio"}, "face": {"video"}, "both": {"audio", "video"}}[kind]
    assert moved == expected | {"fusion"}


def test_batches_without_any_face_carry_no_pictures() -> None:
    made = batch([Sample(s) for s in SOUNDS])
    assert made.faces is not None and made.faces.shape == (4, 0, 3, 16, 16)
    assert made.face_mask.shape == (4, 0)
    assert not made.has_faces.any()


@torch.no_grad()
def test_recipes_of_one_modality() -> None:
    heard = replace(SMALL, video=None)
    seen = replace(SMALL, audio=None, video=VideoSpec(count=1, face_size=16, grey=True))
    grey = [Sample(None, (face(e, RNG, grey=True),)) for e in range(3)]
    assert network(heard)(batch([Sample(SOUNDS[0])], recipe=heard)).shape == (1, 7)
    answers = network(seen)(batch(grey, recipe=seen))
    assert answers.shape == (3, 7)
    assert (answers[0] - answers[1]).abs().max() > 1e-4


@torch.no_grad()
def test_modalities_are_hidden_in_training_only() -> None:
    options = {**SMALL.network_options, "modality_dropout": 1.0, "dropout": 0, "fusion_dropout": 0}
    net = network(replace(SMALL, network_options=options))
    whole = batch(both())
    one_left = torch.stack([net(whole.without_faces()), net(whole.without_audio())])
    complete = net(whole)
    torch.manual_seed(3)
    net.train()
    hidden = net(whole)
    for row in range(4):
        distances = (one_left[:, row] - hidden[row]).abs().amax(dim=1)
        assert distances.min() < 1e-6, "one modality was hidden"
        assert (complete[row] - hidden[row]).abs().max() > 1e-4
    # where there is nothing to choose from, nothing is hidden
    torch.testing.assert_close(net(whole.without_faces()), one_left[0])


def test_mean_pooling_is_an_option() -> None:
    options = {**SMALL.network_options, "pool": "mean"}
    net = network(replace(SMALL, network_options=options))
    with torch.no_grad():
        torch.testing.assert_close(net(batch(both(), 16)), net(batch(both(), 50)))
    with pytest.raises(UsageError, match="no pooling 'median': choose one of last, mean"):
        network(replace(SMALL, network_options={"pool": "median"}))


class OwnNetwork(nn.Linear):
    """A user's network."""

    def __init__(self, audio, video, n_classes, bias=True):
        super().__init__(3, n_classes, bias=bias)


def test_networks_by_name() -> None:
    assert set(NETWORKS) >= {"timedist-blstm"}
    recipe = replace(SMALL, network=f"{__name__}:OwnNetwork", network_options={"bias": False})
    own = build_network(recipe)
    assert isinstance(own, OwnNetwork) and own.out_features == 7
    assert set(own.state_dict()) == {"weight"}, "its option was used"
    assert build_network(recipe, 3).state_dict()["weight"].shape == (3, 3)


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("resnet", "no network 'resnet': choose one of alexnet-audio, .*timedist-blstm"),
        ("nowhere.at_all:Net", "cannot be imported"),
        (f"{__name__}:NoSuch", "cannot be imported"),
        ("os:system", "is not a torch.nn.Module class"),
    ],
)
def test_unknown_networks(name: str, words: str) -> None:
    with pytest.raises(UsageError, match=words):
        network_class(name)


def test_options_that_a_network_does_not_take() -> None:
    with pytest.raises(UsageError, match="does not take its options.*depth"):
        build_network(replace(SMALL, network_options={"depth": 4}))

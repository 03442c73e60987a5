"""The fusion networks: what moves in each phase, and who answers which clip."""

from dataclasses import replace

import pytest
import torch
from torch import Tensor, nn

from emotion_core.errors import UsageError
from emotion_core.models.batches import make_batch
from emotion_core.models.networks import Batch, build_network
from emotion_core.models.networks.fusion import AlexNetFusion, WeightedAnswers, middle
from emotion_core.models.networks.masking import mean_answer
from emotion_core.recipes import RECIPES
from tests.support.small_recipes import frames, samples, small

torch.set_num_threads(1)

KINDS = ("concat", "single", "multi")
PHASES = ("audio", "face", "fusion")


def fusion(kind: str, encoder: str = "cnn") -> AlexNetFusion:
    torch.manual_seed(1)
    net = build_network(small(f"alexnet-fusion-{kind}-{encoder}"))
    assert isinstance(net, AlexNetFusion)
    return net


def batch(audio: bool = True, faces: bool = True) -> Batch:
    recipe = small("alexnet-fusion-concat")
    return make_batch(samples(recipe, audio, faces), recipe.audio, recipe.video, frames(recipe))


def step(net: nn.Module, given: Batch) -> dict[str, Tensor]:
    """One step of a training; what moved, by the first part of its name."""
    before = {key: value.clone() for key, value in net.state_dict().items()}
    free = [weight for weight in net.parameters() if weight.requires_grad]
    optimiser = torch.optim.AdamW(free, lr=0.01)
    net.train()
    nn.functional.cross_entropy(net(given), given.label).backward()
    assert all(weight.grad is not None for weight in free)
    optimiser.step()
    return {k: v for k, v in net.state_dict().items() if not torch.equal(v, before[k])}


@pytest.mark.parametrize("name", [n for n in RECIPES if n.startswith("alexnet-fusion")])
def test_recipes_are_trained_alone_and_then_together(name: str) -> None:
    assert RECIPES[name].training.phases == PHASES


@pytest.mark.parametrize("encoder", ["cnn", "lstm"])
@pytest.mark.parametrize("kind", KINDS)
def test_each_stage_moves_its_own_weights(kind: str, encoder: str) -> None:
    net = fusion(kind, encoder)
    for phase in PHASES:
        net.enter(phase)
        free = {name.split(".")[0] for name, w in net.named_parameters() if w.requires_grad}
        assert free == {phase}
        # running statistics too: what is frozen does not gather any
        assert {name.split(".")[0] for name in step(net, batch())} == {phase}


def test_what_each_stage_needs() -> None:
    net = fusion("concat")
    assert net.needs("audio") == ("audio",)
    assert net.needs("face") == ("face",)
    assert net.needs("fusion") == ("audio", "face")
    for call in (net.needs, net.enter):
        with pytest.raises(UsageError, match="no phase 'all': choose one of audio, face, fusion"):
            call("all")


@pytest.mark.parametrize("phase", PHASES)
def test_frozen_parts_are_in_evaluation_mode(phase: str) -> None:
    net = fusion("concat")
    net.train()
    net.enter(phase)
    for part in PHASES:
        modes = {module.training for module in net.get_submodule(part).modules()}
        assert modes == {part == phase}
    assert net.eval() is net and not any(module.training for module in net.modules())
    net.train()
    assert {part for part in PHASES if net.get_submodule(part).training} == {phase}
    assert net.training


@pytest.mark.parametrize("case", [(True, True), (True, False), (False, True), (False, False)])
@pytest.mark.parametrize("phase", PHASES)
@pytest.mark.parametrize("kind", KINDS)
def test_weights_that_move_have_gradients_whatever_the_batch_holds(
    kind: str, phase: str, case: tuple[bool, bool]
) -> None:
    net = fusion(kind).train()
    net.enter(phase)
    given = batch(*case)
    nn.functional.cross_entropy(net(given), given.label).backward()
    for name, weight in net.named_parameters():
        assert (weight.grad is not None) == name.startswith(phase)
        assert weight.grad is None or torch.isfinite(weight.grad).all()
    needed = {"audio": case[0], "face": case[1], "fusion": all(case)}[phase]
    assert any(w.grad is not None and w.grad.any() for w in net.parameters()) == needed


@torch.no_grad()
@pytest.mark.parametrize("kind", KINDS)
def test_one_modality_is_answered_by_its_own_head(kind: str) -> None:
    net, whole = fusion(kind).eval(), batch()
    assert whole.audio is not None and whole.faces is not None
    heard = net.audio(whole.audio, whole.audio_length)
    logits = net.face(whole.faces.flatten(0, 1)).unflatten(0, whole.face_mask.shape)
    seen = mean_answer(logits, whole.face_mask)
    mixed = replace(
        whole,
        has_audio=torch.tensor([True, True, False]),
        face_mask=whole.face_mask & torch.tensor([True, False, True])[:, None],
    )
    for new in (True, False):  # a new network answers as after its last phase
        if not new:
            net.enter("fusion")
            net.eval()
        torch.testing.assert_close(net(whole.without_faces()), heard)
        torch.testing.assert_close(net(whole.without_audio()), seen)
        answer = net(mixed)
        torch.testing.assert_close(answer[1:], torch.stack([heard[1], seen[2]]))
        assert (answer[0] - heard[0]).abs().max() > 1e-4
        assert (answer[0] - seen[0]).abs().max() > 1e-4
    net.enter("audio")
    torch.testing.assert_close(net.eval()(whole), heard)
    assert not net(whole.without_audio()).any()
    net.enter("face")
    torch.testing.assert_close(net.eval()(whole), seen)


@torch.no_grad()
@pytest.mark.parametrize("kind", ["single", "multi"])
def test_answers_are_weighted(kind: str) -> None:
    net, whole = fusion(kind).eval(), batch()
    assert whole.audio is not None and whole.faces is not None
    assert isinstance(net.fusion, WeightedAnswers)
    net.fusion.weight.copy_(torch.tensor([0.75, 0.25]).log())
    mask = middle(whole.face_mask) if kind == "single" else whole.face_mask
    assert mask.sum(dim=1).tolist() == ([1, 1, 1] if kind == "single" else [2, 2, 2])
    heard = net.audio(whole.audio, whole.audio_length).softmax(dim=1)
    pairs = zip(whole.faces, mask, strict=True)
    seen = [net.face(clip[real]).softmax(dim=1).mean(dim=0) for clip, real in pairs]
    torch.testing.assert_close(net(whole).softmax(dim=1), 0.75 * heard + 0.25 * torch.stack(seen))


def test_the_weighting_is_learned() -> None:
    torch.manual_seed(0)
    net = WeightedAnswers()
    label = torch.arange(4)
    right, wrong = 4 * torch.eye(4), 4 * torch.eye(4).roll(1, dims=1)
    optimiser = torch.optim.AdamW(net.parameters(), lr=0.1)
    for _ in range(30):
        optimiser.zero_grad()
        nn.functional.cross_entropy(net(wrong, right), label).backward()
        optimiser.step()
    heard, seen = net.weight.softmax(dim=0).tolist()
    assert heard < 0.1 and seen > 0.9


@torch.no_grad()
def test_concatenated_layers_are_those_before_the_answers() -> None:
    net, whole = fusion("concat").eval(), batch()
    assert whole.audio is not None and whole.faces is not None
    heard = net.audio.encoder(whole.audio, whole.audio_length)
    layer = net.face.encoder(whole.faces.flatten(0, 1)).unflatten(0, whole.face_mask.shape)
    pairs = zip(layer, whole.face_mask, strict=True)
    seen = torch.stack([each[real].mean(dim=0) for each, real in pairs])
    assert (heard.shape, seen.shape) == ((3, 16), (3, 12))
    torch.testing.assert_close(net(whole), net.fusion.layers(torch.cat([heard, seen], dim=1)))  # type: ignore


def test_an_audio_only_training_gives_a_working_model() -> None:
    """The loop leaves out the phases that no clip can take part in; the bundle's network is new."""
    net = fusion("multi", "lstm")
    net.enter("audio")
    given = batch(faces=False)
    for _ in range(40):
        step(net, given)
    stored = {key: value.clone() for key, value in net.state_dict().items()}
    served = build_network(small("alexnet-fusion-multi-lstm"), download=False).eval()
    served.load_state_dict(stored)
    torch.testing.assert_close(served(given), net.eval()(given))
    assert served(given).argmax(dim=1).tolist() == given.label.tolist()

"""A student who also guesses what its teacher hears: the losses, the weights aside, a restart."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import torch.distributed as dist
import torch.multiprocessing as mp
from torch.nn.functional import adaptive_avg_pool1d

from emotion_core.models.batches import make_batch
from emotion_core.models.bundle import BundleInfo, load_bundle, save_bundle
from emotion_core.models.dataset import FeatureSet, in_segments, load_features
from emotion_core.models.networks import build_network
from emotion_core.models.networks.spectrogram import stretches
from emotion_core.recipes import RECIPES, with_training
from emotion_core.recipes.specs import AudioSpec, Recipe
from emotion_core.training.hints import hint_losses, hinted
from emotion_core.training.loop import Training
from emotion_core.training.plan import TrainPlan
from emotion_core.training.snapshot import Snapshot
from emotion_core.training.task import Task, divide
from emotion_core.training.teacher import load_teacher
from tests.support.synthetic_features import rows, write_features

ENCODER = AudioSpec(
    kind="encoder", encoder="e", revision=None, weights_hash="0" * 64, width=6, layers=(1, 2),
    steps=4, speeds=(0.9, 1.0), scale="none",
)  # fmt: skip
TEACHER = replace(
    RECIPES["voice-encoder"], audio=ENCODER, network_options={"hidden": 8, "attention": 4}
)
STUDENT = replace(
    RECIPES["voice-small"],
    audio=AudioSpec(kind="logmel", n_mels=12, scale="none"),
    network_options={"widths": [4, 8], "hidden": 8, "attention": 4},
    training=replace(RECIPES["voice-small"].training, epochs=3, batch_size=32),
)


def test_means_over_stretches() -> None:
    steps, length = torch.randn(2, 9, 3), torch.tensor([9, 6])
    found = stretches(steps, length, 3)
    for row, count in enumerate(length.tolist()):
        whole = adaptive_avg_pool1d(steps[row, :count].T[None], 3)[0].T
        torch.testing.assert_close(found[row], whole)
    # more stretches than steps: neighbours share one
    few = stretches(steps, torch.tensor([9, 2]), 4)
    torch.testing.assert_close(few[1], steps[1, [0, 0, 1, 1]])


def test_a_clip_that_the_teacher_does_not_know_costs_nothing() -> None:
    guess = torch.tensor([[1.0, 2.0], [5.0, 5.0]], requires_grad=True)
    losses = hint_losses(guess, torch.tensor([[0.0, 0.0], [torch.nan, torch.nan]]))
    torch.testing.assert_close(losses.detach(), torch.tensor([2.5, 0.0]))
    losses.sum().backward()
    assert guess.grad is not None and torch.isfinite(guess.grad).all()
    assert not guess.grad[1].any() and guess.grad[0].all()


def test_who_has_nothing_to_guess_is_an_ordinary_student() -> None:
    network, other = build_network(STUDENT), build_network(TEACHER)
    empty: Any = replace(blank(), hints=None)
    told: Any = replace(blank(), hints=np.zeros((1, 4, 6), np.float16))
    spec = STUDENT.training
    assert hinted(network, empty, spec) is None
    assert hinted(network, told, replace(spec, hint=0.0)) is None
    assert hinted(network, told, replace(spec, mixup=0.2)) is None, "mixed clips have no hint"
    assert hinted(other, told, spec) is None, "it cannot guess"
    made = hinted(network, told, spec)
    assert made is not None and made.parts == 4 and made.guess.out_features == 6


def blank() -> FeatureSet:
    nothing: Any = None
    return FeatureSet(nothing, nothing, np.zeros(1, np.int64), None, None, {}, {}, None)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What student and teacher hear, the last speaker only the student; and the teacher."""
    folder = tmp_path_factory.mktemp("hints")
    write_features(folder / "mel", rows(STUDENT, ("audio",)), STUDENT)
    heard = rows(TEACHER, ("audio",), seed=1)
    for row in heard:  # four steps at each of two speeds
        row["encoder_features"] = row["encoder_features"][:8]
    place = write_features(folder / "heard", heard[:-8], TEACHER)
    learned = divide(load_features(place, TEACHER), TEACHER, "elte", 0)
    plan = replace(learned.plan, recipe=with_training(TEACHER, epochs=2))
    state = Training(plan, learned.sides["train"], learned.sides["validation"]).run(lambda _: None)
    assert state is not None
    side = learned.sides["train"]
    info = BundleInfo(
        TEACHER, side.label_set, side.settings, plan.frames, ("audio",), "elte", 0,
        tuple([*side.speakers, *learned.sides["validation"].speakers]),
    )  # fmt: skip
    save_bundle(str(folder / "teacher"), info, state.best, {}, [], "")
    return folder


@pytest.fixture(scope="module")
def task(folder: Path) -> Task:
    return student_s(folder)


def student_s(folder: Path) -> Task:
    teacher = load_teacher(str(folder / "teacher"), str(folder / "heard"))
    found = load_features(str(folder / "mel"), STUDENT)
    return divide(found, STUDENT, "elte", 0, teacher=teacher)


def test_each_clip_has_what_its_teacher_hears(task: Task, tmp_path: Path) -> None:
    side = task.sides["train"]
    assert side.hints is not None and side.hints.shape == (len(side), 4, 6)
    assert side.hints.dtype == np.float16 and task.sides["test"].hints is None
    unknown = np.isnan(side.hints).any(axis=(1, 2))
    last = np.array([speaker == "24" for speaker in side.clips["speaker"].to_pylist()])
    np.testing.assert_array_equal(unknown, last)
    assert side.fingerprint != replace(side, hints=None).fingerprint
    validation = task.sides["validation"]
    both = side.with_clips_of(validation)
    assert both.hints is not None and len(both.hints) == len(both)
    # a refit whose second side the teacher does not know keeps the first one's
    half = side.with_clips_of(replace(validation, hints=None))
    assert half.hints is not None
    np.testing.assert_array_equal(half.hints[: len(side)], side.hints)
    assert np.isnan(half.hints[len(side) :]).all() and len(half.hints) == len(half)
    assert in_segments(side, replace(STUDENT, segment_s=0.1)).hints is None


def test_a_student_that_does_not_want_hints_is_told_none(folder: Path) -> None:
    plain = replace(STUDENT, training=replace(STUDENT.training, hint=0.0))
    teacher = load_teacher(str(folder / "teacher"), str(folder / "heard"))
    found = load_features(str(folder / "mel"), plain)
    side = divide(found, plain, "elte", 0, teacher=teacher).sides["train"]
    assert side.hints is None and side.taught is not None


def test_a_hint_is_the_mix_at_the_speed_as_it_is(task: Task) -> None:
    network = build_network(TEACHER).eval()
    sound = np.random.default_rng(0).normal(0, 1, (8, 12)).astype(np.float32)
    batch = make_batch([_sample(sound)], ENCODER, None, 8)
    told = network.hint(batch)  # type: ignore[operator]
    mix = network.sound.mix  # type: ignore[union-attr]
    as_it_is = torch.from_numpy(sound[4:])[None]
    wanted = mix(as_it_is, torch.ones(1, 4, dtype=torch.bool))  # type: ignore[operator]
    torch.testing.assert_close(told, wanted)


def _sample(sound: np.ndarray) -> Any:
    from emotion_core.models.samples import Sample

    return Sample(sound)


def run(task: Task, recipe: Recipe, resume: Snapshot | None = None) -> list[Snapshot]:
    told: list[Snapshot] = []
    plan = TrainPlan(recipe, task.plan.frames)
    Training(plan, task.sides["train"], task.sides["validation"]).run(told.append, resume)
    return told


def test_a_restart_ends_with_the_same_weights(task: Task) -> None:
    whole = run(task, STUDENT)
    again = run(task, STUDENT, Snapshot.from_files(whole[0].to_files()))
    assert set(whole[-1].aside) == {"weight", "bias"} and len(again) == 2
    for name in ("last", "average", "aside"):
        for key, weight in getattr(whole[-1], name).items():
            torch.testing.assert_close(getattr(again[-1], name)[key], weight, rtol=0, atol=0)
    assert not any("guess" in key for key in whole[-1].best), "it is not shipped"


def _worker(rank: int, folder: Path) -> None:
    torch.set_num_threads(1)
    dist.init_process_group("gloo", f"file://{folder}/meeting", rank=rank, world_size=2)
    task = student_s(folder)
    plan = TrainPlan(with_training(STUDENT, epochs=1), task.plan.frames)
    sides = (task.sides["train"], task.sides["validation"])
    state = Training(plan, *sides, rank, 2).run(lambda _: None)
    assert state is not None
    torch.save((state.last, state.aside, state.history[0].loss), folder / f"worker-{rank}")
    dist.destroy_process_group()


def test_two_workers_guess_with_the_same_weights(folder: Path, task: Task) -> None:
    mp.spawn(_worker, (folder,), nprocs=2)
    (last, aside, loss), (other_last, other_aside, other_loss) = (
        torch.load(folder / f"worker-{rank}") for rank in range(2)
    )
    statistics = ("running_mean", "running_var")  # each worker's own, until they are shared
    for mine, theirs in ((last, other_last), (aside, other_aside)):
        for key, weight in mine.items():
            if not key.endswith(statistics):
                torch.testing.assert_close(theirs[key], weight, rtol=0, atol=0)
    (alone,) = run(task, with_training(STUDENT, epochs=1))
    assert loss == other_loss == pytest.approx(alone.history[0].loss, rel=0.05)


def test_the_guess_gets_better_without_any_label(task: Task) -> None:
    """Of what a linear guess can know; the loss of answers is the same flat one in every epoch."""
    side = task.sides["train"]
    flat = np.full((len(side), len(side.label_set.labels)), 1 / 7, np.float32)
    silent = replace(task, sides={**task.sides, "train": replace(side, taught=flat)})
    recipe = replace(STUDENT, training=replace(STUDENT.training, epochs=12, teacher_share=1.0))
    losses = [row.loss for row in run(silent, recipe)[-1].history]
    assert losses[-1] < losses[0] - 0.1
    alone = replace(recipe, training=replace(recipe.training, hint=0.0))
    floor = [row.loss for row in run(silent, alone)[-1].history]
    assert floor[0] - floor[-1] < losses[0] - losses[-1]


def test_what_guesses_does_not_ship(task: Task, tmp_path: Path) -> None:
    state = run(task, with_training(STUDENT, epochs=1))[-1]
    side = task.sides["train"]
    info = BundleInfo(
        STUDENT, side.label_set, side.settings, task.plan.frames, ("audio",), "elte", 0
    )
    save_bundle(str(tmp_path / "m"), info, state.best, {}, [], "")
    assert load_bundle(str(tmp_path / "m")).predict(next(side.batches(4))).shape[0] == 4

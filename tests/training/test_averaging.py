"""The running mean of weights, decoded pictures that are kept, and the precision of a training."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

from emotion_core.errors import UsageError
from emotion_core.models.dataset import FeatureSet, load_features
from emotion_core.recipes import with_training
from emotion_core.recipes.specs import TrainSpec
from emotion_core.training.averaging import average_of
from emotion_core.training.decoded import DecodedClips
from emotion_core.training.loop import Training
from emotion_core.training.plan import TrainPlan
from emotion_core.training.snapshot import Snapshot
from tests.support.synthetic_features import SMALL, rows, write_features

AVERAGED = with_training(replace(SMALL, audio=None), epochs=6, lr=5e-3, ema=0.9, patience=30)


@pytest.fixture(scope="module")
def features(tmp_path_factory: pytest.TempPathFactory) -> FeatureSet:
    place: Path = tmp_path_factory.mktemp("features")
    write_features(place, rows())
    return load_features(str(place), AVERAGED)


def test_the_mean_of_the_first_steps_and_then_a_decaying_one() -> None:
    network = nn.Linear(1, 1, bias=False)
    mean = average_of(network, 0.9)
    expected = None
    for step in range(200):
        with torch.no_grad():
            network.weight[:] = float(step)
        mean.update_parameters(network)
        kept = min(0.9, (1 + step) / (10 + step))
        expected = float(step) if expected is None else kept * expected + (1 - kept) * step
    assert float(mean.module.weight) == pytest.approx(expected, rel=1e-4)
    # in the long run it lags by the nine steps that a decay of 0.9 means
    assert float(mean.module.weight) == pytest.approx(199 - 9, abs=0.5)


def test_running_statistics_are_averaged_and_counters_copied() -> None:
    network = nn.BatchNorm1d(2)
    mean = average_of(network, 0.5)
    for _ in range(5):
        network(torch.randn(8, 2) + 3)
        mean.update_parameters(network)
    assert int(mean.module.num_batches_tracked) == 5
    assert torch.isfinite(mean.module.running_mean).all()
    assert not torch.equal(mean.module.running_mean, network.running_mean)


def test_the_mean_answers_and_a_stopped_training_goes_on_with_it(features: FeatureSet) -> None:
    plan = TrainPlan(AVERAGED, 0)
    states: list[Snapshot] = []
    whole = Training(plan, features, features).run(states.append)
    assert whole is not None and whole.average
    assert any(not torch.equal(whole.best[name], whole.last[name]) for name in whole.best)
    kept = Snapshot.from_files(states[2].to_files())
    again = Training(plan, features, features).run(lambda _: None, kept)
    assert again is not None
    for mine, other in ((whole.best, again.best), (whole.last, again.last)):
        for name, weight in mine.items():
            torch.testing.assert_close(weight, other[name], rtol=0, atol=0)
    assert [row.validation_uar for row in again.history] == [
        row.validation_uar for row in whole.history
    ]


def test_without_a_mean_the_last_step_answers(features: FeatureSet) -> None:
    last = replace(AVERAGED.training, ema=0.0, keep="last")
    plan = TrainPlan(replace(AVERAGED, training=last), 0)
    state = Training(plan, features, features).run(lambda _: None)
    assert state is not None and not state.average
    for name, weight in state.last.items():
        torch.testing.assert_close(weight, state.best[name], rtol=0, atol=0)


def test_pictures_are_decoded_once_while_there_is_room(features: FeatureSet) -> None:
    sample = features.sample(0)
    size = sum(face.nbytes for face in sample.faces if face is not None)
    clips = DecodedClips(features, most_bytes=size)
    first, again = clips(0), clips(0)
    assert first is again and clips(1) is not clips(1)
    for row in range(len(features)):
        for mine, other in zip(clips(row).faces, features.sample(row).faces, strict=True):
            assert (mine is None) == (other is None)
            if mine is not None and other is not None:
                np.testing.assert_array_equal(mine, other)


def test_a_training_in_bfloat16(features: FeatureSet) -> None:
    kinds = {}
    for precision in ("float32", "bfloat16"):
        plan = TrainPlan(with_training(AVERAGED, epochs=1, precision=precision), 0)
        training = Training(plan, features, features)
        seen: list[torch.dtype] = []
        hook = lambda *given: seen.append(given[2].dtype)  # noqa: E731, B023
        training.network.register_forward_hook(hook)
        state = training.run(lambda _: None)
        assert state is not None and np.isfinite(state.history[0].loss)
        assert all(w.dtype != torch.bfloat16 for w in state.last.values()), "weights stay float32"
        kinds[precision] = seen[0]
    assert kinds == {"float32": torch.float32, "bfloat16": torch.bfloat16}


@pytest.mark.parametrize(
    ("field", "value"), [("precision", "float16"), ("ema", 1.0), ("ema", -0.1)]
)
def test_settings_that_make_no_sense(field: str, value: object) -> None:
    with pytest.raises(UsageError, match=f"training {field}"):
        TrainSpec(**{field: value})  # type: ignore[arg-type]

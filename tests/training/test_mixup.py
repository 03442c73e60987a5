"""Clips that are learned in pairs."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from emotion_core.models.batches import make_batch
from emotion_core.models.dataset import FeatureSet, load_features
from emotion_core.models.networks import Batch
from emotion_core.recipes import with_training
from emotion_core.training.loop import Training
from emotion_core.training.mixup import Pairs, draw_pairs, mix
from emotion_core.training.plan import TrainPlan
from tests.support.synthetic_features import SMALL, rows, write_features


@pytest.fixture(scope="module")
def features(tmp_path_factory: pytest.TempPathFactory) -> FeatureSet:
    given = rows(speakers=("01", "02", "03"))
    for index, row in enumerate(given):
        if index % 3 == 0:
            row["faces"] = None
    return load_features(write_features(tmp_path_factory.mktemp("f"), given), SMALL)


def test_pairs_are_drawn_alike_and_mixed_only_with_their_like(features: FeatureSet) -> None:
    chosen = np.arange(len(features))[::-1]
    one, two = (draw_pairs(chosen, features, 0.4, np.random.default_rng(3)) for _ in range(2))
    np.testing.assert_array_equal(one.rows, chosen)
    assert sorted(one.partners) == sorted(chosen)
    np.testing.assert_array_equal(one.partners, two.partners)
    np.testing.assert_array_equal(one.shares, two.shares)
    assert (one.shares >= 0.5).all() and (one.shares <= 1).all()
    has = features.has_faces
    unlike = has[one.rows] != has[one.partners]
    assert unlike.any() and (one.shares[unlike] == 1).all() and (one.shares[~unlike] < 1).any()
    taken = one.take(np.array([2, 0]))
    assert taken.rows.tolist() == one.rows[[2, 0]].tolist()
    assert taken.shares.tolist() == one.shares[[2, 0]].tolist()


def test_without_mixup_everybody_stays_alone(features: FeatureSet) -> None:
    pairs = draw_pairs(np.arange(4), features, 0.0, np.random.default_rng(3))
    assert pairs.partners.tolist() == [0, 1, 2, 3] and pairs.shares.tolist() == [1] * 4


def batch_of(features: FeatureSet, chosen: list[int]) -> Batch:
    return make_batch([features.sample(row) for row in chosen], SMALL.audio, SMALL.video, 20)


def test_sound_and_faces_are_mixed_by_their_shares(features: FeatureSet) -> None:
    seen, unseen = np.flatnonzero(features.has_faces), np.flatnonzero(~features.has_faces)
    both = batch_of(features, [*seen[:2], unseen[0], *seen[2:4], unseen[1]])
    shares = torch.tensor([0.75, 1.0, 0.5])
    mixed = mix(both, shares)
    assert both.audio is not None and mixed.audio is not None
    assert both.faces is not None and mixed.faces is not None
    assert len(mixed) == 3 and mixed.label.tolist() == both.label[:3].tolist()
    expected = 0.75 * both.audio[0] + 0.25 * both.audio[3]
    torch.testing.assert_close(mixed.audio[0], expected)
    torch.testing.assert_close(mixed.audio[1], both.audio[1])
    torch.testing.assert_close(mixed.faces[0], 0.75 * both.faces[0] + 0.25 * both.faces[3])
    assert mixed.face_mask.tolist() == both.face_mask[:3].tolist()
    assert not mixed.faces[2].any(), "neither has a face"
    longest = max(int(both.audio_length[0]), int(both.audio_length[3]))
    assert mixed.audio_length.tolist()[:2] == [longest, int(both.audio_length[1])]


def test_a_face_that_only_one_of_the_pictures_shows_is_taken_as_it_is(features: FeatureSet) -> None:
    both = batch_of(features, [*np.flatnonzero(features.has_faces)[:2]])
    mask = torch.tensor([[True, False], [True, True]])
    mixed = mix(replace(both, face_mask=mask), torch.tensor([0.7]))
    assert both.faces is not None and mixed.faces is not None
    torch.testing.assert_close(mixed.faces[0, 1], both.faces[1, 1])
    assert mixed.face_mask.tolist() == [[True, True]]


def test_targets_are_of_both_labels() -> None:
    targets = np.eye(3, dtype=np.float32)
    pairs = Pairs(np.array([0, 2]), np.array([1, 2]), np.array([0.6, 0.5], np.float32))
    np.testing.assert_allclose(pairs.mixed(targets), [[0.6, 0.4, 0], [0, 0, 1]], atol=1e-6)


def test_it_learns(features: FeatureSet) -> None:
    recipe = with_training(replace(SMALL, video=None), epochs=30, lr=0.02, mixup=0.4, patience=30)
    state = Training(TrainPlan(recipe, 20), features, features).run(lambda _: None)
    assert state is not None
    assert state.best_row.validation_uar is not None and state.best_row.validation_uar > 0.6

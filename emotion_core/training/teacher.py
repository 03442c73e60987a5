"""Knowledge distillation: a student learns what a teacher says of a clip, beside its label.

Hinton, Vinyals and Dean 2015, "Distilling the knowledge in a neural network". The teacher may hear
other features of the same files. A student of a fold learns from that fold's teacher, and no
teacher may have learned from the people who test the student.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np

from emotion_core.errors import UsageError
from emotion_core.evaluation.folds import Fold, find_folds
from emotion_core.evaluation.speakers import shared_speakers
from emotion_core.models.bundle import Bundle, load_bundle
from emotion_core.models.dataset import FeatureSet, load_features


@dataclass(frozen=True)
class Teacher:
    """Who teaches, and what he hears.

    Attributes:
        split: the protocol of his folds; None for a single model.
        folds: one model each.
        features: what he hears, of all clips that he can speak of.
        trust_code: see ``load_bundle``.
    """

    split: str | None
    folds: tuple[Fold, ...]
    features: FeatureSet
    trust_code: bool = False

    @property
    def settings(self) -> dict[str, str]:
        """What decides his answers: files, as their content is known."""
        places = [fold.models[0] for fold in self.folds]
        ids = [load_bundle(place, trust_code=self.trust_code).model_id for place in places]
        return {"models": "+".join(ids), "features": self.features.fingerprint}

    def fold(self, name: str) -> Fold:
        """The fold that teaches the fold ``name``.

        Raises:
            UsageError: he has folds, but not that one.
        """
        if self.split is None:
            return self.folds[0]
        named = [fold for fold in self.folds if fold.name == name]
        if not named:
            raise UsageError(
                f"--teacher has the folds of {self.split}, none for {name}: train the student with "
                f"--split {self.split}"
            )
        return named[0]


def load_teacher(place: str, features: str, trust_code: bool = False) -> Teacher:
    """The teacher at a URI.

    Args:
        place: a bundle, or a folder of folds.
        features: output of preprocess with the teacher's recipe, of the same files.
        trust_code: see ``load_bundle``.

    Raises:
        UsageError: no model there, or features that are not made for it.
    """
    split, folds = find_folds([place])
    first = load_bundle(folds[0].models[0], trust_code=trust_code)
    return Teacher(split, tuple(folds), load_features(features, first.recipe), trust_code)


def taught(
    sides: Mapping[str, FeatureSet], outside: FeatureSet, teacher: Teacher, name: str
) -> tuple[dict[str, FeatureSet], tuple[str, ...]]:
    """The sides of a training with what the teacher says, and whom he learned from.

    The test side stays as it is. Clips outside the protocol join the training side, with the
    teacher's answer in place of their label, unless they may be of somebody who is tested.

    Args:
        sides: ``train``, ``validation``, ``test``.
        outside: the clips of the same features that the protocol says nothing of.
        teacher: see there.
        name: the fold.

    Raises:
        UsageError: the teacher learned from people of the test side, answers with other classes, or
            knows none of the training clips.
    """
    test = sides["test"]
    bundle = _bundle(teacher, name, sides)
    train, validation = (_with_answers(sides[s], teacher, bundle) for s in ("train", "validation"))
    if train.taught is None:
        raise UsageError("--teacher-features hold none of the student's training clips")
    others = _with_answers(outside.select(_strangers(outside, test)), teacher, bundle, alone=True)
    if others.taught is not None:
        train = train.with_clips_of(others)
    return {"train": train, "validation": validation, "test": test}, bundle.info.speakers


def _bundle(teacher: Teacher, name: str, sides: Mapping[str, FeatureSet]) -> Bundle:
    bundle = load_bundle(teacher.fold(name).models[0], trust_code=teacher.trust_code)
    if met := shared_speakers(bundle.info.speakers, sides["test"].speakers):
        raise UsageError(
            f"--teacher: its model learned from {len(met)} speakers who test the student "
            f"({', '.join(met[:3])}): give folds of the student's own protocol"
        )
    if bundle.label_set != sides["train"].label_set:
        raise UsageError(
            f"--teacher answers with {bundle.label_set.name}, the student with "
            f"{sides['train'].label_set.name}: give both the same recipe.label_set"
        )
    return bundle


def _with_answers(
    clips: FeatureSet, teacher: Teacher, bundle: Bundle, alone: bool = False
) -> FeatureSet:
    """``clips`` with ``taught``; without, where the teacher knows none of them.

    Args:
        clips: the student's.
        teacher, bundle: who is asked; a clip that he does not know has its label instead.
        alone: only those that he knows, and his answer is their label too.
    """
    heard = teacher.features
    places = {clip: row for row, clip in enumerate(heard.clips["clip_id"].to_pylist())}
    rows = np.array([places.get(c, -1) for c in clips.clips["clip_id"].to_pylist()], np.int64)
    known = rows >= 0
    if not known.any():
        return clips
    batches = heard.select(rows[known]).batches()
    said = np.concatenate([bundle.predict(batch) for batch in batches])
    if alone:
        return replace(clips.select(known), labels=said.argmax(axis=1), taught=said)
    answers = np.eye(len(clips.label_set.labels), dtype=np.float32)[clips.labels]
    answers[known] = said
    return replace(clips, taught=answers)


def _strangers(outside: FeatureSet, test: FeatureSet) -> np.ndarray:
    """Which clips are surely not of people who are tested, bool (clips,)."""
    tested = set(test.speakers)
    corpora = set(test.clips["corpus"].to_pylist())
    who = zip(*(outside.clips[name].to_pylist() for name in ("corpus", "speaker")), strict=True)
    return np.array(
        [
            f"{corpus or ''}/{speaker}" not in tested if speaker else corpus not in corpora
            for corpus, speaker in who
        ],
        bool,
    )

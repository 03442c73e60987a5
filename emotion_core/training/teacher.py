"""Knowledge distillation: a student learns what a teacher says of a clip, beside its label.

Hinton, Vinyals and Dean 2015, "Distilling the knowledge in a neural network". The teacher may hear
other features of the same files. A student of a fold learns from that fold's teacher, and no
teacher may have learned from the people who test the student.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
import pyarrow as pa
import torch

from emotion_core.errors import UsageError
from emotion_core.evaluation.answering import judged, require_fit
from emotion_core.evaluation.folds import Fold, find_folds
from emotion_core.evaluation.speakers import shared_speakers
from emotion_core.models.batches import make_batch
from emotion_core.models.bundle import Bundle, load_bundle
from emotion_core.models.dataset import FeatureSet, load_features
from emotion_core.models.samples import Sample
from emotion_core.storage.schemas import VOTES


@dataclass(frozen=True)
class TaughtBy:
    """The model that taught a training.

    Attributes:
        recipe: its name.
        model_id: of the model.
        speakers: ``corpus/speaker`` of everybody whom it learned from.
    """

    recipe: str
    model_id: str
    speakers: tuple[str, ...]


@dataclass(frozen=True)
class Teacher:
    """Who teaches, and what he hears.

    Attributes:
        split: the protocol of his folds; None for a single model.
        folds: one model each.
        features: what he hears, of all clips that he can speak of.
        model_ids: of all folds.
        trust_code: whether his networks may be code of whoever made them.
    """

    split: str | None
    folds: tuple[Fold, ...]
    features: FeatureSet
    model_ids: tuple[str, ...]
    trust_code: bool = False

    @property
    def settings(self) -> dict[str, str]:
        """What decides his answers: files, as their content is known."""
        return {"models": "+".join(self.model_ids), "features": self.features.fingerprint}

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
        trust_code: as ``load_bundle`` takes it.

    Raises:
        UsageError: no model there, or features that are not made for it.
    """
    split, folds = find_folds([place])
    bundles = [load_bundle(fold.models[0], trust_code=trust_code) for fold in folds]
    heard = load_features(features, bundles[0].recipe)
    for bundle in bundles:
        require_fit(bundle, heard, features)
    ids = tuple(bundle.model_id for bundle in bundles)
    return Teacher(split, tuple(folds), heard, ids, trust_code)


def taught(
    sides: Mapping[str, FeatureSet],
    outside: FeatureSet,
    teacher: Teacher,
    name: str,
    hints: bool = False,
) -> tuple[dict[str, FeatureSet], TaughtBy]:
    """The sides of a training with what the teacher says, and who says it.

    The test side stays as it is. Clips outside the protocol join the training side, with the
    teacher's answer in place of their label, unless they may be of somebody who is tested.

    Args:
        sides: ``train``, ``validation``, ``test``.
        outside: the clips of the same features that the protocol says nothing of.
        teacher: see there.
        name: the fold.
        hints: also tell what he hears, where his network can (``FeatureSet.hints``).

    Raises:
        UsageError: the teacher learned from people of the test side, answers with other classes, or
            knows none of the training clips.
    """
    test, bundle = sides["test"], _bundle(teacher, name, sides)

    def asked(clips: FeatureSet) -> tuple[FeatureSet, np.ndarray]:
        answers, told, known = _answers(clips, teacher, bundle, hints)
        return replace(clips, taught=answers, hints=told), known

    train, known = asked(sides["train"])
    if not known.any():
        raise UsageError(
            "--teacher-features hold none of the student's training clips: make them of the same "
            "files as --features; a file is known by its place, its size and when it was changed"
        )
    validation, _ = asked(sides["validation"])
    others, known = asked(outside.select(_strangers(outside, test)))
    assert others.taught is not None
    others = replace(others, labels=others.taught.argmax(axis=1), clips=_unvoted(others.clips))
    others = others.select(known)
    learned = train.with_clips_of(others) if len(others) else train
    by = TaughtBy(bundle.recipe.name, bundle.model_id, bundle.info.speakers)
    return {"train": learned, "validation": validation, "test": test}, by


def _unvoted(clips: pa.Table) -> pa.Table:
    """``clips`` as if nobody had voted."""
    for field in VOTES:
        place = clips.schema.get_field_index(field.name)
        clips = clips.set_column(place, field, pa.nulls(len(clips), field.type))
    return clips


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


def _answers(
    clips: FeatureSet, teacher: Teacher, bundle: Bundle, hints: bool
) -> tuple[np.ndarray, np.ndarray | None, np.ndarray]:
    """What is said of the student's clips, what is heard in them, and in which.

    A clip that the teacher does not know, or cannot judge, has its label instead.

    Returns:
        float32 (clips, classes); float16 (clips, steps, width) where his network tells of it
        (``hint``), else None; bool (clips,).
    """
    heard = teacher.features
    able = judged(bundle, heard)
    ids = enumerate(heard.clips["clip_id"].to_pylist())
    places = {clip: row for row, clip in ids if able[row]}
    rows = np.array([places.get(c, -1) for c in clips.clips["clip_id"].to_pylist()], np.int64)
    known, answers = rows >= 0, clips.one_hot
    if not known.any():
        return answers, None, known
    hints = hints and hasattr(bundle.network, "hint")
    said, told = [], []
    for batch in heard.select(rows[known]).batches():  # one at a time is in memory
        said.append(bundle.predict(batch))
        told += [_hint(bundle, batch)] if hints else []
    answers[known] = np.concatenate(said)
    if not hints:
        return answers, None, known
    heard_in = np.full((len(clips), *told[0].shape[1:]), np.nan, np.float16)
    heard_in[known] = np.concatenate(told)
    return answers, heard_in, known


@torch.no_grad()
def _hint(bundle: Bundle, samples: Sequence[Sample]) -> np.ndarray:
    recipe = bundle.recipe
    batch = make_batch(samples, recipe.audio, recipe.video, bundle.info.audio_frames)
    told = bundle.network.hint(batch)  # type: ignore[operator]
    most = torch.finfo(torch.float16).max
    return np.asarray(told.clamp(-most, most).half())


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

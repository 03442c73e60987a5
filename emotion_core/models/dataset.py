"""Features as a data set: from the Parquet parts of ``preprocess`` to batches of tensors."""

import hashlib
import io
import json
from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from emotion_core import storage
from emotion_core.errors import UsageError
from emotion_core.models.made import completed, feature_settings, require_features
from emotion_core.models.samples import Sample, segment_spans
from emotion_core.recipes.emotions import LABEL_SETS, LabelSet
from emotion_core.recipes.specs import AudioSpec, Recipe
from emotion_core.storage.mapped import LocalCopy, listed
from emotion_core.storage.ragged import Blobs, Ragged
from emotion_core.storage.schemas import MANIFEST, VOTES


@dataclass(frozen=True)
class FeatureSet:
    """Clips with features and labels: labels in memory, sound and pictures in mapped files.

    A set that is selected from another one looks into the same files: it costs indices only.

    Attributes:
        clips: manifest columns, one row a clip, sorted by URI.
        label_set: what ``labels`` index.
        labels: int64 (clips,).
        audio: feature matrices, one a clip, no rows without sound; None when the recipe has none.
        pictures: PNG bytes of each clip's sampled pictures, empty without a face; None when the
            recipe has none.
        settings: how the features were made (``preprocess`` wrote them).
        left_out: rows that are not in the set, by reason: ``failed``, ``other_emotion`` (not in the
            label set, or none given), ``no_input`` (nothing that the recipe works with).
        copy: the files; None where they are not at hand (``light``).
        taught: what a teacher says of each clip, float32 (clips, classes); None without one.
        hints: what a teacher hears in each clip, float16 (clips, steps, width), NaN where he does
            not know it; None where he tells nothing but his answers.
    """

    clips: pa.Table
    label_set: LabelSet
    labels: np.ndarray
    audio: Ragged | None
    pictures: Blobs | None
    settings: dict[str, Any]
    left_out: dict[str, int]
    copy: LocalCopy | None
    taught: np.ndarray | None = None
    hints: np.ndarray | None = None

    def __len__(self) -> int:
        return len(self.labels)

    def select(self, rows: np.ndarray) -> "FeatureSet":
        """These rows (indices, or a mask), in this order."""
        rows = np.flatnonzero(rows) if rows.dtype == bool else np.asarray(rows, np.int64)
        return replace(
            self,
            clips=self.clips.take(pa.array(rows)),
            labels=self.labels[rows],
            audio=None if self.audio is None else self.audio.take(rows),
            pictures=None if self.pictures is None else self.pictures.take(rows),
            taught=None if self.taught is None else self.taught[rows],
            hints=None if self.hints is None else self.hints[rows],
        )

    def with_clips_of(self, other: "FeatureSet") -> "FeatureSet":
        """These clips and then those of ``other``, which was selected from the same features."""
        audio, pictures = self.audio, self.pictures
        if audio is not None and other.audio is not None:
            audio = audio.joined(other.audio)
        if pictures is not None and other.pictures is not None:
            pictures = pictures.joined(other.pictures)
        return replace(
            self,
            clips=pa.concat_tables([self.clips, other.clips]).combine_chunks(),
            labels=np.concatenate([self.labels, other.labels]),
            audio=audio,
            pictures=pictures,
            taught=_both(self.taught, other.taught),
            hints=_hints_of_both(self, other),
        )

    def light(self) -> "FeatureSet":
        """This set as it is sent to other machines: where sound and pictures lie, without them."""
        audio, pictures = self.audio, self.pictures
        if audio is not None:
            audio = audio.over(audio.values[:0])
        if pictures is not None:
            pictures = pictures.over(pictures.data[:0], pictures.spans.values[:0])
        return replace(self, audio=audio, pictures=pictures, copy=None)

    def over(self, copy: LocalCopy) -> "FeatureSet":
        """What became ``light``, with the sound and pictures of another machine's copy."""
        audio, pictures = self.audio, self.pictures
        if audio is not None and copy.matrix is not None:
            audio = audio.over(copy.matrix.values)
        if pictures is not None and copy.blobs is not None:
            pictures = pictures.over(copy.blobs.data, copy.blobs.spans.values)
        return replace(self, audio=audio, pictures=pictures, copy=copy)

    def sample(self, row: int) -> Sample:
        """One clip, its pictures decoded."""
        audio = self.audio[row] if self.audio is not None else None
        faces: tuple[np.ndarray | None, ...] = ()
        if self.pictures is not None:
            grey = bool(self.settings["video"]["grey"])
            faces = tuple(_decode(png, grey) for png in self.pictures[row])
        sound = audio if audio is not None and len(audio) else None
        return Sample(sound, faces, int(self.labels[row]))

    def batches(self, size: int = 64) -> Iterator[list[Sample]]:
        """Every clip in order, ``size`` at a time (the last batch may be smaller)."""
        for start in range(0, len(self), size):
            yield [self.sample(row) for row in range(start, min(start + size, len(self)))]

    @property
    def speakers(self) -> list[str]:
        """``corpus/speaker`` of everybody in the set, sorted; clips without a speaker give none."""
        named = self.clips.filter(pc.is_valid(self.clips["speaker"]))
        pairs = zip(named["corpus"].to_pylist(), named["speaker"].to_pylist(), strict=True)
        return sorted({f"{corpus or ''}/{speaker}" for corpus, speaker in pairs})

    @property
    def one_hot(self) -> np.ndarray:
        """The labels as answers that are sure of them, float32 (clips, classes)."""
        return np.eye(len(self.label_set.labels), dtype=np.float32)[self.labels]

    @cached_property
    def has_audio(self) -> np.ndarray:
        """Which clips have sound, bool (clips,)."""
        return np.zeros(len(self), bool) if self.audio is None else self.audio.lengths > 0

    @cached_property  # mixing asks for both in every step
    def has_faces(self) -> np.ndarray:
        """Which clips show a face in at least one picture, bool (clips,)."""
        return np.zeros(len(self), bool) if self.pictures is None else self.pictures.filled

    @property
    def modalities(self) -> tuple[str, ...]:
        """Which of ``audio`` and ``face`` at least one clip has."""
        present = (("audio", self.has_audio), ("face", self.has_faces))
        return tuple(name for name, mask in present if mask.any())

    @property
    def fingerprint(self) -> str:
        """16 hex digits that change when the clips, their labels, votes or the settings do."""
        digest = hashlib.sha256(json.dumps(self.settings, sort_keys=True).encode())
        digest.update("\n".join(self.clips["clip_id"].to_pylist()).encode())
        digest.update(self.labels.astype("<i8").tobytes())
        votes = [self.clips[field.name] for field in VOTES]
        if any(column.null_count < len(column) for column in votes):
            digest.update(json.dumps([column.to_pylist() for column in votes]).encode())
        if self.taught is not None:
            digest.update(self.taught.astype("<f4").tobytes())
        if self.hints is not None:
            digest.update(self.hints.astype("<f2").tobytes())
        return digest.hexdigest()[:16]


def _both(first: np.ndarray | None, second: np.ndarray | None) -> np.ndarray | None:
    return None if first is None or second is None else np.concatenate([first, second])


def _hints_of_both(first: FeatureSet, second: FeatureSet) -> np.ndarray | None:
    """As ``hints``; NaN for the clips of a set that has none."""
    told = first.hints if first.hints is not None else second.hints
    if told is None:
        return None
    none = [np.full((len(each), *told.shape[1:]), np.nan, told.dtype) for each in (first, second)]
    pairs = zip((first.hints, second.hints), none, strict=True)
    return np.concatenate([nothing if hints is None else hints for hints, nothing in pairs])


def _decode(png: np.ndarray, grey: bool) -> np.ndarray | None:
    from PIL import Image

    if not len(png):
        return None
    return np.asarray(Image.open(io.BytesIO(png.tobytes())).convert("L" if grey else "RGB"))


def load_features(uri: str, recipe: Recipe) -> FeatureSet:
    """Every usable row of the features at ``uri``.

    Sound and pictures are not read into memory, but copied to a folder below ``TMPDIR``
    (``storage.mapped``), which goes when nobody knows the set any more.

    Raises:
        UsageError: no features there, made for another recipe, or no usable row among them.
        StorageError: no room for the copy.
    """
    settings = feature_settings(uri)
    recipe = completed(recipe, settings)
    require_features(settings, recipe, uri)
    matrix = (recipe.audio.column, recipe.audio.coefficients) if recipe.audio else None
    faces = "faces" if recipe.video else None
    source = listed(storage.join(uri, "features"), (*MANIFEST.names, "status"), matrix, faces)
    if not source.files:
        raise UsageError(f"the features at {uri!r} hold no rows: preprocess did not get that far")
    return _usable(LocalCopy(source), recipe, settings, uri)


def _usable(copy: LocalCopy, recipe: Recipe, settings: dict[str, Any], uri: str) -> FeatureSet:
    """Those rows of a copy that ``recipe`` can learn from."""
    label_set, table = LABEL_SETS[recipe.label_set], copy.rows()
    # parts come in any order: the same clips shall give the same batches
    order = pc.sort_indices(table, sort_keys=[("uri", "ascending"), ("member", "ascending")])
    table, places = table.take(order), order.to_numpy().astype(np.int64)
    usable = np.asarray(table["status"].to_pylist()) != "failed"
    found = [label_set.index(emotion) for emotion in table["emotion"].to_pylist()]
    labels = np.array([-1 if label is None else label for label in found], np.int64)
    known = usable & (labels >= 0)
    has = np.zeros(len(table), bool)
    if copy.matrix is not None:
        has |= copy.matrix.lengths[places] > 0
    if copy.blobs is not None:
        has |= copy.blobs.filled[places]
    fed = known & has
    if not fed.any():
        raise UsageError(
            f"the features at {uri!r} hold no row that recipe {recipe.name!r} can use: "
            f"{(~usable).sum()} failed, {(usable & ~known).sum()} without a label of "
            f"{label_set.name}, {(known & ~fed).sum()} without what the recipe looks at"
        )
    left_out = {
        "failed": int((~usable).sum()),
        "other_emotion": int((usable & ~known).sum()),
        "no_input": int((known & ~fed).sum()),
    }
    rows = places[fed]
    return FeatureSet(
        clips=table.filter(pa.array(fed)).select(MANIFEST.names).combine_chunks(),
        label_set=label_set,
        labels=labels[fed],
        audio=None if copy.matrix is None else copy.matrix.take(rows),
        pictures=None if copy.blobs is None else copy.blobs.take(rows),
        settings=settings,
        left_out=left_out,
        copy=copy,
    )


def in_segments(features: FeatureSet, recipe: Recipe) -> FeatureSet:
    """A set whose rows are the segments that a network of ``recipe`` is trained on.

    Each segment has its clip's row and label. Segments without sound and without a face are left
    out.
    """
    if recipe.segment_s is None:
        return features
    audio, pictures = features.audio, features.pictures
    none = np.zeros(len(features), np.int64)
    frames = none if audio is None else audio.lengths
    counts = none if pictures is None else pictures.spans.lengths
    owner: list[int] = []
    sounds: list[slice] = []
    shown: list[slice] = []
    for row, (length, count) in enumerate(zip(frames.tolist(), counts.tolist(), strict=True)):
        for sound, seen in segment_spans(length, count, recipe):
            owner.append(row)
            sounds.append(sound)
            shown.append(seen)
    rows = np.array(owner, np.int64)
    whole = features.select(rows)
    made = replace(
        whole,
        hints=None,  # they are of whole clips
        audio=None if audio is None else audio.cut(rows, sounds),
        pictures=None if pictures is None else pictures.cut(rows, shown),
    )
    return made.select(made.has_audio | made.has_faces)


def audio_length(train: FeatureSet, spec: AudioSpec | None) -> int:
    """Frames that sound is padded to: the recipe's, or the longest clip of the training side."""
    if spec is None:
        return 0
    if spec.max_frames is not None:
        return spec.max_frames
    return int(train.audio.lengths.max()) if train.audio is not None and len(train) else 1

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
from emotion_core.storage.ragged import (
    Ragged,
    any_filled,
    any_of_rows,
    blobs,
    joined,
    list_lengths,
    matrices,
    offsets_of,
    ragged,
)
from emotion_core.storage.schemas import MANIFEST


@dataclass(frozen=True)
class FeatureSet:
    """Clips with features and labels, compact in memory.

    Attributes:
        clips: manifest columns, one row a clip, sorted by URI.
        label_set: what ``labels`` index.
        labels: int64 (clips,).
        audio: feature matrices, one a clip, no rows without sound; None when the recipe has none.
        pictures: PNG bytes, one entry a sampled picture, empty without a face; None when the recipe
            has none.
        picture_offsets: int64 (clips + 1,): which entries of ``pictures`` belong to which clip.
        settings: how the features were made (``preprocess`` wrote them).
        left_out: rows that are not in the set, by reason: ``failed``, ``other_emotion`` (not in the
            label set, or none given), ``no_input`` (nothing that the recipe works with).
        taught: what a teacher says of each clip, float32 (clips, classes); None without one.
    """

    clips: pa.Table
    label_set: LabelSet
    labels: np.ndarray
    audio: Ragged | None
    pictures: Ragged | None
    picture_offsets: np.ndarray
    settings: dict[str, Any]
    left_out: dict[str, int]
    taught: np.ndarray | None = None

    def __len__(self) -> int:
        return len(self.labels)

    def select(self, rows: np.ndarray) -> "FeatureSet":
        """These rows (indices, or a mask), in this order."""
        rows = np.flatnonzero(rows) if rows.dtype == bool else np.asarray(rows, np.int64)
        entries = Ragged(np.arange(self.picture_offsets[-1]), self.picture_offsets).take(rows)
        return replace(
            self,
            clips=self.clips.take(pa.array(rows)),
            labels=self.labels[rows],
            audio=self.audio.take(rows) if self.audio else None,
            pictures=self.pictures.take(entries.values) if self.pictures else None,
            picture_offsets=entries.offsets,
            taught=None if self.taught is None else self.taught[rows],
        )

    def with_clips_of(self, other: "FeatureSet") -> "FeatureSet":
        """These clips and then those of ``other``, which was selected from the same features."""

        def both(one: Ragged | None, two: Ragged | None) -> Ragged | None:
            return None if one is None or two is None else joined(one, two)

        counts = np.concatenate([np.diff(s.picture_offsets) for s in (self, other)])
        return replace(
            self,
            clips=pa.concat_tables([self.clips, other.clips]).combine_chunks(),
            labels=np.concatenate([self.labels, other.labels]),
            audio=both(self.audio, other.audio),
            pictures=both(self.pictures, other.pictures),
            picture_offsets=offsets_of(counts),
            taught=(
                None
                if self.taught is None or other.taught is None
                else np.concatenate([self.taught, other.taught])
            ),
        )

    def sample(self, row: int) -> Sample:
        """One clip, its pictures decoded."""
        audio = self.audio[row] if self.audio is not None else None
        faces: tuple[np.ndarray | None, ...] = ()
        if self.pictures is not None:
            grey = bool(self.settings["video"]["grey"])
            span = range(self.picture_offsets[row], self.picture_offsets[row + 1])
            faces = tuple(_decode(self.pictures[entry], grey) for entry in span)
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
        if self.pictures is None:
            return np.zeros(len(self), bool)
        return any_of_rows(self.pictures.lengths > 0, self.picture_offsets)

    @property
    def modalities(self) -> tuple[str, ...]:
        """Which of ``audio`` and ``face`` at least one clip has."""
        present = (("audio", self.has_audio), ("face", self.has_faces))
        return tuple(name for name, mask in present if mask.any())

    @property
    def fingerprint(self) -> str:
        """16 hex digits that change when the clips, their labels or the settings do."""
        digest = hashlib.sha256(json.dumps(self.settings, sort_keys=True).encode())
        digest.update("\n".join(self.clips["clip_id"].to_pylist()).encode())
        digest.update(self.labels.astype("<i8").tobytes())
        if self.taught is not None:
            digest.update(self.taught.astype("<f4").tobytes())
        return digest.hexdigest()[:16]


def _decode(png: np.ndarray, grey: bool) -> np.ndarray | None:
    from PIL import Image

    if not len(png):
        return None
    return np.asarray(Image.open(io.BytesIO(png.tobytes())).convert("L" if grey else "RGB"))


def load_features(uri: str, recipe: Recipe) -> FeatureSet:
    """Every usable row of the features at ``uri``.

    Raises:
        UsageError: no features there, made for another recipe, or no usable row among them.
    """
    settings = feature_settings(uri)
    recipe = completed(recipe, settings)
    require_features(settings, recipe, uri)
    folder = storage.join(uri, "features")
    parts = [f.uri for f in storage.list_files(folder, frozenset({".parquet"}))]
    if not parts:
        raise UsageError(f"the features at {uri!r} hold no rows: preprocess did not get that far")
    names = [*MANIFEST.names, "status"]
    names += [recipe.audio.column] if recipe.audio else []
    names += ["faces"] if recipe.video else []
    return from_table(storage.read_parquet(parts, names), recipe, settings, uri)


def from_table(table: pa.Table, recipe: Recipe, settings: dict[str, Any], uri: str) -> FeatureSet:
    """Rows of the features table (the columns that ``recipe`` needs) as a ``FeatureSet``."""
    label_set = LABEL_SETS[recipe.label_set]
    # parts come in any order: the same clips shall give the same batches
    table = table.sort_by([("uri", "ascending"), ("member", "ascending")])
    usable = np.asarray(table["status"].to_pylist()) != "failed"
    found = [label_set.index(emotion) for emotion in table["emotion"].to_pylist()]
    labels = np.array([-1 if label is None else label for label in found], np.int64)
    known = usable & (labels >= 0)
    fed = known & _has_input(table, recipe)
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
    kept = table.filter(pa.array(fed))
    pictures, picture_offsets = None, np.zeros(len(kept) + 1, np.int64)
    if recipe.video:
        pictures, picture_offsets = blobs(kept["faces"])
    audio = None
    if recipe.audio:
        try:
            audio = matrices(kept[recipe.audio.column], recipe.audio.coefficients)
        except ValueError as error:
            raise UsageError(f"the features at {uri!r} are damaged: {error}") from error
    return FeatureSet(
        clips=kept.select(MANIFEST.names).combine_chunks(),
        label_set=label_set,
        labels=labels[fed],
        audio=audio,
        pictures=pictures,
        picture_offsets=picture_offsets,
        settings=settings,
        left_out=left_out,
    )


def _has_input(table: pa.Table, recipe: Recipe) -> np.ndarray:
    has = np.zeros(len(table), bool)
    if recipe.audio:
        has |= list_lengths(table[recipe.audio.column]) > 0
    if recipe.video:
        has |= any_filled(table["faces"])
    return has


def in_segments(features: FeatureSet, recipe: Recipe) -> FeatureSet:
    """A set whose rows are the segments that a network of ``recipe`` is trained on.

    Each segment has its clip's row and label. Segments without sound and without a face are left
    out.
    """
    if recipe.segment_s is None:
        return features
    none = Ragged(np.empty((0, 1), np.float32), np.zeros(len(features) + 1, np.int64))
    audio = none if features.audio is None else features.audio
    counts = np.diff(features.picture_offsets)
    owner: list[int] = []
    sounds: list[np.ndarray] = []
    entries: list[np.ndarray] = []
    for row, (frames, count) in enumerate(
        zip(audio.lengths.tolist(), counts.tolist(), strict=True)
    ):
        for sound, pictures in segment_spans(frames, count, recipe):
            owner.append(row)
            sounds.append(audio[row][sound])
            entries.append(features.picture_offsets[row] + np.arange(*pictures.indices(count)))
    made = replace(
        features,
        clips=features.clips.take(pa.array(owner)),
        labels=features.labels[owner],
        taught=None if features.taught is None else features.taught[owner],
        audio=None if features.audio is None else ragged(sounds),
        pictures=(
            None if features.pictures is None else features.pictures.take(np.concatenate(entries))
        ),
        picture_offsets=offsets_of(np.array([len(each) for each in entries])),
    )
    return made.select(made.has_audio | made.has_faces)


def audio_length(train: FeatureSet, spec: AudioSpec | None) -> int:
    """Frames that sound is padded to: the recipe's, or the longest clip of the training side."""
    if spec is None:
        return 0
    if spec.max_frames is not None:
        return spec.max_frames
    return int(train.audio.lengths.max()) if train.audio and len(train) else 1

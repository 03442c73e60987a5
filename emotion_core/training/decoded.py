"""Clips of the training side with their pictures decoded, kept while there is room for them."""

from emotion_core.models.dataset import FeatureSet
from emotion_core.models.samples import Sample

# All of FER2013 are 75 MB, and a tenth of a step of a small network is the decoding of its PNGs.
MOST_BYTES = 1 << 30


class DecodedClips:
    """``features.sample``, which decodes a clip's pictures once only while memory is left.

    Args:
        features: the clips.
        most_bytes: of decoded pictures; clips beyond are decoded each time.
    """

    def __init__(self, features: FeatureSet, most_bytes: int = MOST_BYTES):
        self.features, self.left = features, most_bytes
        self._kept: dict[int, Sample] = {}

    def __call__(self, row: int) -> Sample:
        """One clip. Its arrays are shared: change copies only."""
        if row in self._kept:
            return self._kept[row]
        sample = self.features.sample(row)
        size = sum(face.nbytes for face in sample.faces if face is not None)
        if 0 < size <= self.left:
            self.left -= size
            self._kept[row] = sample
        return sample

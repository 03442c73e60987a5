"""Who is who by likeness: vectors grouped one after the other, in memory that grows with groups."""

from collections.abc import Collection

import numpy as np

# Cosine of two embeddings from which on they are taken for one person's. ArcFace networks give
# strangers 0.0 to 0.3 and one person 0.4 to 0.8; people who were wrongly made one cost more than
# one who stays two, so this is above where the two meet.
ALIKE = 0.5


class Leaders:
    """Sequential leader clustering (Hartigan 1975, Clustering Algorithms, chapter 3).

    A vector joins the group whose mean is most like it, if that is alike enough, and else begins a
    group. So the result depends on the order in which vectors come, and what was joined is never
    parted: two groups that grow towards each other stay two.

    Args:
        threshold: cosine from which on a vector may join a group.
    """

    def __init__(self, threshold: float = ALIKE):
        self._threshold = threshold
        self._sums = np.zeros((0, 0), np.float64)
        self._means = np.zeros((0, 0), np.float32)
        self._count = 0

    def __len__(self) -> int:
        return self._count

    def closest(self, vector: np.ndarray, apart: Collection[int] = ()) -> int | None:
        """The group that ``vector`` may join, None when there is no such group.

        Args:
            vector: float32 (size,), of length 1.
            apart: groups that it certainly does not belong to.
        """
        known = self._means[: self._count]
        if not len(known) or not vector.any():
            return None
        alike = known @ vector
        alike[[group for group in apart if group < len(known)]] = -1.0
        best = int(alike.argmax())
        return best if alike[best] >= self._threshold else None

    def assigned(self, vectors: np.ndarray, apart: Collection[int] = ()) -> list[int | None]:
        """The groups that vectors of different people may join: all at once, each group once.

        The most alike in all go together (Kuhn 1955, the assignment problem).

        Args:
            vectors: float32 (n, size), of length 1 each.
            apart: as for ``closest``.
        """
        known = self._means[: self._count]
        if not len(known) or not len(vectors):
            return [None] * len(vectors)
        from scipy.optimize import linear_sum_assignment

        alike = vectors @ known.T
        alike[:, [group for group in apart if group < len(known)]] = -1.0
        columns = np.flatnonzero((alike >= self._threshold).any(axis=0))
        gain = np.where(alike >= self._threshold, alike, 0.0)[:, columns]
        pairs = linear_sum_assignment(gain, maximize=True)
        found: list[int | None] = [None] * len(vectors)
        for row, column in zip(*(each.tolist() for each in pairs), strict=True):
            if gain[row, column] > 0:
                found[row] = int(columns[column])
        return found

    def join(self, group: int | None, vector: np.ndarray | None, weight: float = 1.0) -> int:
        """Put a vector into a group, or into a new one (None); the group's number, from 0.

        Args:
            group: as ``closest`` gives it.
            vector: float32 (size,), of length 1; None: nothing is known of how it looks.
            weight: above 0; how much it counts for the mean.
        """
        if group is None:
            group, self._count = self._count, self._count + 1
        if vector is not None:
            self._grow(len(vector))
            self._sums[group] += weight * vector
            length = np.linalg.norm(self._sums[group])
            self._means[group] = self._sums[group] / length if length > 0 else 0.0
        return group

    def mean(self, group: int) -> np.ndarray | None:
        """What is like the whole group, float32 (size,), of length 1; None without any vector."""
        known = group < len(self._means) and self._means[group].any()
        return self._means[group].copy() if known else None

    def _grow(self, size: int) -> None:
        if self._count > len(self._sums):
            more = (max(16, 2 * self._count) - len(self._sums), size)
            old = self._sums if self._sums.size else self._sums.reshape(0, size)
            self._sums = np.concatenate([old, np.zeros(more, np.float64)])
            means = self._means if self._means.size else self._means.reshape(0, size)
            self._means = np.concatenate([means, np.zeros(more, np.float32)])

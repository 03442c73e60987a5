"""Feature matrices of different lengths -> one length."""

from collections.abc import Sequence

import numpy as np


def pad_front(matrix: np.ndarray, length: int) -> np.ndarray:
    """Zeros in front, as the ELTE notebook does, so that a recurrent network ends on the sound.

    Args:
        matrix: (frames, coefficients).
        length: frames wanted; of a longer matrix the last ``length`` frames stay.

    Returns:
        (length, coefficients), the type of ``matrix``.
    """
    kept = _last(matrix, length)
    return np.pad(kept, ((length - len(kept), 0), (0, 0)))


def pad_back(matrix: np.ndarray, length: int) -> np.ndarray:
    """Like ``pad_front``, with the zeros behind; here too the last ``length`` frames stay."""
    kept = _last(matrix, length)
    return np.pad(kept, ((0, length - len(kept)), (0, 0)))


def stack_front(
    matrices: Sequence[np.ndarray], length: int | None = None
) -> tuple[np.ndarray, np.ndarray]:
    """A batch of matrices, padded in front.

    Args:
        matrices: at least one, each (frames, coefficients); ``frames`` may be 0.
        length: frames of the result; None takes the longest of the batch.

    Returns:
        The batch (b, length, coefficients), and int64 (b,) how many frames at its end are real.
    """
    if length is None:
        length = max(len(matrix) for matrix in matrices)
    batch = np.stack([pad_front(matrix, length) for matrix in matrices])
    return batch, np.array([min(len(m), length) for m in matrices], dtype=np.int64)


def _last(matrix: np.ndarray, length: int) -> np.ndarray:
    return matrix[max(0, len(matrix) - length) :]

from collections.abc import Callable

import numpy as np
import pytest

from emotion_core.sound.padding import pad_back, pad_front, stack_front

MATRIX = np.array([[1, 2], [3, 4], [5, 6]], dtype=np.float32)


def test_zeros_in_front() -> None:
    padded = pad_front(MATRIX, 5)
    assert padded.tolist() == [[0, 0], [0, 0], [1, 2], [3, 4], [5, 6]]
    assert padded.dtype == np.float32


def test_zeros_behind() -> None:
    assert pad_back(MATRIX, 4).tolist() == [[1, 2], [3, 4], [5, 6], [0, 0]]


@pytest.mark.parametrize("pad", [pad_front, pad_back])
def test_the_end_of_a_longer_one_stays(pad: Callable[[np.ndarray, int], np.ndarray]) -> None:
    assert pad(MATRIX, 2).tolist() == [[3, 4], [5, 6]]
    assert pad(MATRIX, 3).tolist() == MATRIX.tolist()
    assert pad(MATRIX, 0).shape == (0, 2)
    assert pad(MATRIX[:0], 2).tolist() == [[0, 0], [0, 0]]


def test_stack_to_the_longest() -> None:
    batch, lengths = stack_front([MATRIX, MATRIX[:1], MATRIX[:0]])
    assert batch.shape == (3, 3, 2) and batch.dtype == np.float32
    assert lengths.tolist() == [3, 1, 0] and lengths.dtype == np.int64
    assert batch[1].tolist() == [[0, 0], [0, 0], [1, 2]]
    assert not batch[2].any()


def test_stack_to_a_length() -> None:
    batch, lengths = stack_front([MATRIX, MATRIX[:1]], length=2)
    assert batch.tolist() == [[[3, 4], [5, 6]], [[0, 0], [1, 2]]]
    assert lengths.tolist() == [2, 1]

"""Questions that come together are answered together, and none depends on its neighbours."""

import asyncio
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from emotion_core.engine.merging import Merged


class Doubles:
    """Doubles rows, and keeps the size of each batch; holds on to the first until it is told."""

    def __init__(self) -> None:
        self.batches: list[tuple[int, ...]] = []

    def __call__(self, rows: np.ndarray) -> list[float]:
        self.batches.append(rows.shape)
        if (rows < 0).any():
            raise ValueError("below zero")
        return [float(row.sum() * 2) for row in rows]


@pytest.fixture
def executor() -> Iterator[ThreadPoolExecutor]:
    with ThreadPoolExecutor(1) as made:
        yield made


def rows(*values: float, size: int = 1) -> np.ndarray:
    return np.repeat(np.array(values, np.float32)[:, None], size, axis=1)


def asked(merged: Merged, *questions: np.ndarray) -> list:
    async def ask() -> list:
        return await asyncio.gather(*map(merged.ask, questions), return_exceptions=True)

    return asyncio.run(ask())


def test_what_is_asked_together_is_one_batch(executor: ThreadPoolExecutor) -> None:
    doubles = Doubles()
    answers = asked(Merged(doubles, executor, 4), rows(1), rows(2, 3), rows(), rows(4), rows(5))
    assert answers == [[2], [4, 6], [], [8], [10]]
    assert doubles.batches == [(4, 1), (1, 1)]


def test_rows_of_other_shapes_are_other_batches_and_nobody_is_passed_over(
    executor: ThreadPoolExecutor,
) -> None:
    doubles = Doubles()
    answers = asked(Merged(doubles, executor, 4), rows(1), rows(2, size=2), rows(3))
    assert answers == [[2], [8], [6]]
    assert doubles.batches == [(2, 1), (1, 2)]


def test_whole_batches_have_one_size_whoever_asks(executor: ThreadPoolExecutor) -> None:
    doubles = Doubles()
    merged = Merged(doubles, executor, 4, whole=True)
    assert asked(merged, rows(1)) == [[2]]
    assert asked(merged, rows(1, 2, 3, 4, 5)) == [[2, 4, 6, 8, 10]]
    assert doubles.batches == [(4, 1), (8, 1)]


def test_whoever_goes_takes_no_answer_of_others_along(executor: ThreadPoolExecutor) -> None:
    async def ask() -> list:
        merged = Merged(Doubles(), executor, 4)
        gone, stays = (asyncio.ensure_future(merged.ask(rows(n))) for n in (1, 2))
        await asyncio.sleep(0)  # both wait
        gone.cancel()
        return await stays

    assert asyncio.run(ask()) == [4]


def test_a_question_that_fails_fails_alone(executor: ThreadPoolExecutor) -> None:
    first, bad, last = asked(Merged(Doubles(), executor, 4), rows(1), rows(-1), rows(3))
    assert (first, last) == ([2], [6])
    assert isinstance(bad, ValueError) and str(bad) == "below zero"

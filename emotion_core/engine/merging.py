"""Questions that come at the same time, answered together."""

import asyncio
from collections.abc import Callable, Sequence
from concurrent.futures import Executor
from dataclasses import dataclass
from typing import Any

import numpy as np

# From an array of rows to one answer a row.
Answering = Callable[[np.ndarray], Sequence[Any]]


@dataclass(frozen=True, eq=False)
class _Question:
    rows: np.ndarray
    answer: "asyncio.Future[list[Any]]"

    @property
    def kind(self) -> tuple[tuple[int, ...], str]:
        """Only arrays of one kind can be stacked."""
        return self.rows.shape[1:], self.rows.dtype.str


class Merged:
    """Merges what several coroutines ask at the same time into batches.

    Whoever waits longest is in the next batch, and with it whoever asks about rows of the same
    shape and type, as far as the batch reaches. Nothing waits for a batch to become full.

    Args:
        answering: from rows to an answer each; called in ``executor``.
        executor: where it computes; of one thread, or calls of it overlap.
        most: rows of a batch; a question with more of them makes a batch of its own.
        whole: batches are filled up with zeros to a multiple of ``most``. So rows are computed in
            batches of one size, and do not depend on who asks at the same time: a GPU chooses its
            algorithms by the size.
    """

    def __init__(self, answering: Answering, executor: Executor, most: int, whole: bool = False):
        self._answering, self._executor = answering, executor
        self._most, self._whole = most, whole
        self._waiting: list[_Question] = []
        self._worker: asyncio.Task[None] | None = None

    async def ask(self, rows: np.ndarray) -> list[Any]:
        """The answer to each of ``rows``, (n, ...). Raises what ``answering`` raises about them."""
        if not len(rows):
            return []
        loop = asyncio.get_running_loop()
        question = _Question(rows, loop.create_future())
        self._waiting.append(question)
        if self._worker is None or self._worker.done():
            self._worker = loop.create_task(self._work())
        return await question.answer

    async def _work(self) -> None:
        while self._waiting:
            batch = self._next()
            self._waiting = [each for each in self._waiting if each not in batch]
            await self._answer(batch)

    def _next(self) -> list[_Question]:
        first, *others = self._waiting
        batch, room = [first], self._most - len(first.rows)
        for question in others:
            if question.kind == first.kind and len(question.rows) <= room:
                batch.append(question)
                room -= len(question.rows)
        return batch

    async def _answer(self, batch: list[_Question]) -> None:
        rows = np.concatenate([question.rows for question in batch])
        loop = asyncio.get_running_loop()
        try:
            given = await loop.run_in_executor(self._executor, self._answering, self._filled(rows))
        except Exception as error:
            if len(batch) == 1:
                if not batch[0].answer.done():  # whoever asked may have gone
                    batch[0].answer.set_exception(error)
                return
            for question in batch:  # one of them is to blame
                await self._answer([question])
            return
        start = 0
        for question in batch:
            if not question.answer.done():
                question.answer.set_result(list(given[start : start + len(question.rows)]))
            start += len(question.rows)

    def _filled(self, rows: np.ndarray) -> np.ndarray:
        missing = -len(rows) % self._most if self._whole else 0
        if not missing:
            return rows
        return np.concatenate([rows, np.zeros((missing, *rows.shape[1:]), rows.dtype)])

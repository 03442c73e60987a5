"""What many workers share: actors that hold something large, such as models on a GPU, and answer.

A worker asks and waits, so what waits at a server is bounded by the workers, and a server that
falls behind slows them down. Servers answer several workers at once (``Served.answer`` is a
coroutine), to compute together what was asked together.

What is guaranteed: a question whose server dies is asked again, at another one that is up, or at
the same one once Ray has started it anew. A question that was in work at a death is suspected: it
is answered while nothing else is in work, and with a second death it has failed (``crash``); those
beside it are answered. A server that cannot be made ends the job, also where that happens later:
no input is to blame. What is not guaranteed: that an answer is computed only once.
"""

import asyncio
import time
import uuid
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from itertools import count
from typing import Any, Protocol, cast

from emotion_core.engine.adapter import Ending, ending_of
from emotion_core.engine.attempts import attempts_of_worker, died_of, forget
from emotion_core.errors import ClipError, StorageError, UsageError

# Slots that a server takes beside its share of a GPU, by which its number is bounded: no worker can
# take the last of these.
_SLOT = 0.02
# Seconds after which a server that died is asked again.
_AGAIN_S = 0.5
# Questions that one server may hold; each is a worker's that waits.
_MOST_ASKING = 1000


class Served(Protocol):
    """What a server holds."""

    def about(self) -> Any:
        """What a worker must know before it can ask, whatever that is."""

    async def answer(self, what: str, load: Any) -> Any:
        """The answer to a question. Raises ``ClipError`` for one that has none."""


class Server:
    """The actor.

    Args:
        make: makes what it holds, there.
        run: names the servers' run (see ``attempts``).
    """

    def __init__(self, make: Callable[[], Served], run: str):
        self._run = run
        self._account = attempts_of_worker(run)
        self._changed = asyncio.Condition()
        self._in_work, self._alone = 0, False
        self._trouble: Ending | None = None
        try:
            self._served = make()
        except (UsageError, StorageError) as error:
            self._trouble = ending_of(error)  # raised here: Ray's account of a broken actor

    async def about(self) -> tuple[Any, str]:
        """``Served.about``, and the node that it runs on."""
        if self._trouble is not None:
            raise self._trouble
        return self._served.about(), _node()

    async def ask(self, question: str, what: str, load: Any, suspected: bool) -> Any:
        """``Served.answer``.

        Args:
            question: tells it from every other one.
            what, load: see there.
            suspected: a server has died with the question in its hands.
        """
        if self._trouble is not None:
            raise self._trouble
        if suspected and died_of(self._run, question):
            raise ClipError("models", "crash: what answers for the models died of it twice")
        async with self._alone_with(question) if suspected else self._among_others():
            return await self._served.answer(what, load)

    @asynccontextmanager
    async def _among_others(self) -> AsyncIterator[None]:
        async with self._changed:
            await self._changed.wait_for(lambda: not self._alone)
            self._in_work += 1
        try:
            yield
        finally:
            async with self._changed:
                self._in_work -= 1
                self._changed.notify_all()

    @asynccontextmanager
    async def _alone_with(self, question: str) -> AsyncIterator[None]:
        async with self._changed:
            await self._changed.wait_for(lambda: not self._alone)
            self._alone = True
        try:
            async with self._changed:
                await self._changed.wait_for(lambda: not self._in_work)
            self._account.begin({question: f"question {question}"})
            yield
        finally:
            self._account.end(0)
            async with self._changed:
                self._alone = False
                self._changed.notify_all()


@dataclass(frozen=True)
class Servers:
    """Servers that run, or wait for their place; goes into workers as it is.

    Attributes:
        actors: Ray's handles.
    """

    actors: tuple[Any, ...]

    def caller(self) -> "Caller":
        """What a worker asks with."""
        return Caller(self.actors)


@contextmanager
def servers(
    make: Callable[[], Served],
    number: int,
    gpus: float = 0.0,
    resources: dict[str, float] | None = None,
) -> Iterator[Servers]:
    """Servers, as long as the block lasts.

    Args:
        make: makes what each of them holds, there. A ``UsageError`` or ``StorageError`` of it is
            raised where they are asked.
        number: of servers.
        gpus: the share of a GPU that each takes.
        resources: what else each takes of its node.
    """
    import ray

    run = f"served-{uuid.uuid4().hex}"
    kind = ray.remote(Server).options(
        num_cpus=_SLOT,
        num_gpus=gpus or None,
        resources=resources,
        max_restarts=-1,
        max_concurrency=_MOST_ASKING,
    )
    actors = tuple(kind.remote(make, run) for _ in range(number))
    try:
        yield Servers(actors)
    finally:
        for actor in actors:
            ray.kill(cast(Any, actor))
        forget(run)


class Caller:
    """Asks servers: each question goes to the next one of those that are up.

    Where some are up on the node of whoever asks, it is one of these: pictures go to it through
    shared memory, not through the network. So where one node has many CPUs for its servers and
    another few, those of the other wait. For one thread.

    Args:
        actors: Ray's handles.
    """

    def __init__(self, actors: Sequence[Any]):
        self._coming = {actor.about.remote(): actor for actor in actors}
        self._here = _node()
        self._up: list[tuple[Any, bool]] = []  # and whether it is on this node
        self._name, self._numbers = uuid.uuid4().hex, count()
        self.about: Any = None
        while not self._up:
            self._look(None)

    def ask(self, what: str, load: Any) -> Any:
        """``Served.answer`` of one of them.

        Raises:
            ClipError: there is no answer, or servers died of the question twice.
            StorageError: one of them could not be made.
        """
        import ray
        from ray.exceptions import RayActorError, RayTaskError

        number = next(self._numbers)
        if self._coming and number % 16 == 0:
            self._look(0.0)
        question, suspected = f"{self._name}-{number}", False
        while True:
            while not self._up:
                self._look(None)
            best = [each for each in self._up if each[1]] or self._up
            # workers begin at different ones
            asked = best[(number + int(self._name[:8], 16)) % len(best)]
            actor = asked[0]
            try:
                return ray.get(actor.ask.remote(question, what, load, suspected))
            except RayActorError:
                suspected = True
                self._up.remove(asked)
                self._coming[actor.about.remote()] = actor
            except RayTaskError as error:
                raise _ending(error.cause or error) from None

    def _look(self, most_s: float | None) -> None:
        """Who has come up; the first one is waited for, however long, where nobody is up."""
        import ray
        from ray.exceptions import RayActorError, RayTaskError

        wanted = len(self._coming) if self._up else 1
        up, _ = ray.wait(list(self._coming), num_returns=wanted, timeout=most_s)
        for found in up:
            actor = self._coming.pop(found)
            try:
                about, node = ray.get(found)
            except RayActorError:  # it died, and Ray starts it anew
                if not self._up:
                    time.sleep(_AGAIN_S)
                self._coming[actor.about.remote()] = actor
            except RayTaskError as error:
                trouble = error.cause or error
                # the first one: whoever makes a worker's steps takes it for what it is
                raise (trouble if self.about is None else _ending(trouble)) from None
            else:
                self.about = about
                self._up.append((actor, node == self._here))


def _node() -> str:
    import ray

    return ray.get_runtime_context().get_node_id()


def _ending(trouble: BaseException) -> BaseException:
    """What is wrong with a server, not with a question, as what ends a job from within a step."""
    return StorageError(str(trouble)) if isinstance(trouble, UsageError) else trouble

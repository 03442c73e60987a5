"""Which input was in work when a worker died: an input that kills its worker is tried twice.

Ray starts a worker that died again and hands it the same batch, for ever: an input that makes a
library crash, or takes more memory than there is, would hold up its job for good. So each worker
writes down what it has in work, in the key-value store of Ray's head, which outlives it. Started
again, it finds there what it had in work, does that batch input by input, and lets fail what was in
work at two deaths.

What is guaranteed, and what is not:

* A batch's inputs are all under suspicion after the first death. Once one of them was alone in work
  at a death, the earlier deaths are put down to it, and the others are cleared.
* A worker that went down with its node is nobody's fault: a death counts only while the node on
  which it happened is alive. A node that takes its workers down before Ray knows that it goes (a
  spot machine) may count once for what was in work there; an input fails only by two such chances.
* Ray ends workers itself where a node runs out of memory, and it may hit one whose neighbour took
  it. That counts: with two such ends, the job is better off without the input until somebody asks
  for it again (``--retry-failed``).
* A job that is started again counts afresh.
* Only deaths between taking a batch and handing it on count; one while Ray moves results is
  nobody's.

The key-value store is Ray's inner one, in 2.60 without a public name. An actor of our own would
need none, but be one more process on every laptop.
"""

import json
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field, replace
from functools import partial

# Deaths with an input in work after which it is not tried again.
MOST_DEATHS = 2

_NAMESPACE = "emotion-core"


@dataclass(frozen=True)
class Note:
    """What a worker wrote down.

    Attributes:
        node: Ray's id of the machine it runs on.
        in_work: what it has taken and not handed on: ``clip_id`` -> ``uri``.
        deaths: for each death before this life that may be an input's doing: the ``clip_id`` of
            those that may have done it.
        done: inputs that it has handed on, in all its lives.
    """

    node: str
    in_work: dict[str, str] = field(default_factory=dict)
    deaths: tuple[tuple[str, ...], ...] = ()
    done: int = 0

    def after_death(self, node: str, node_lives: bool) -> "Note":
        """What the next life starts with, on ``node``.

        Args:
            node: where it is.
            node_lives: whether the node of the life before is still there.
        """
        deaths, last = self.deaths, tuple(self.in_work)
        if not last or not node_lives:
            return Note(node, {}, deaths, self.done)
        if len(last) == 1:
            deaths = tuple(last if last[0] in death else death for death in deaths)
        return Note(node, {}, (*deaths, last), self.done)


class Attempts:
    """A worker's account of its own: what it has in work, and what died before.

    Args:
        note: what it starts with.
        write: keeps a note, before it returns.
    """

    def __init__(self, note: Note, write: Callable[[Note], None]):
        self._write = write
        self._keep(note)

    def deaths(self, name: str) -> int:
        """Deaths that what is called so may have been to blame for: a ``clip_id``, mostly."""
        return sum(name in death for death in self._note.deaths)

    def begin(self, works: Mapping[str, str]) -> None:
        """These, and no others, are in work from now on: ``clip_id`` -> ``uri``."""
        self._keep(replace(self._note, in_work=dict(works)))

    def end(self, done: int) -> None:
        """Nothing is in work any more, and so many inputs more are done."""
        self._keep(replace(self._note, in_work={}, done=self._note.done + done))

    def _keep(self, note: Note) -> None:
        self._write(note)
        self._note = note


def attempts_of_worker(run: str | None) -> Attempts:
    """The account of the worker that this process is, as its life before left it.

    Args:
        run: which run of which job; None keeps no account (steps that run without Ray).
    """
    if run is None:
        return Attempts(Note(""), lambda note: None)
    import ray

    context = ray.get_runtime_context()
    key, node = f"{run}/{context.get_actor_id()}", context.get_node_id()
    note, before = Note(node), _read(key)
    if before is not None:
        note = before.after_death(node, before.node in _living())
    return Attempts(note, partial(_write, key))


def notes_of(run: str) -> dict[str, Note]:
    """What all workers of a run have written down last, by Ray's id of the worker."""
    from ray.experimental.internal_kv import _internal_kv_list

    keys = [key.decode() for key in _internal_kv_list(f"{run}/", namespace=_NAMESPACE)]
    found = {key.rpartition("/")[2]: _read(key) for key in keys}
    return {worker: note for worker, note in found.items() if note is not None}


def died_of(run: str, name: str) -> bool:
    """Whether a worker of the run died with nothing but this in work, on a node that lives on.

    Args:
        run: which run of which job.
        name: what it had told ``begin``.
    """
    notes = notes_of(run).values()
    held = [note.node for note in notes if name in note.in_work]
    return any((name,) in note.deaths for note in notes) or bool(held and set(held) & _living())


def forget(run: str) -> None:
    """Remove what a run's workers have written down."""
    from ray.experimental.internal_kv import _internal_kv_del

    _internal_kv_del(f"{run}/", del_by_prefix=True, namespace=_NAMESPACE)


def _living() -> set[str]:
    import ray

    return {each["NodeID"] for each in ray.nodes() if each["Alive"]}


def _read(key: str) -> Note | None:
    from ray.experimental.internal_kv import _internal_kv_get

    text: bytes | None = _internal_kv_get(key, namespace=_NAMESPACE)
    if text is None:
        return None
    held = json.loads(text)
    return Note(**{**held, "deaths": tuple(map(tuple, held["deaths"]))})


def _write(key: str, note: Note) -> None:
    from ray.experimental.internal_kv import _internal_kv_put

    _internal_kv_put(key, json.dumps(asdict(note)), namespace=_NAMESPACE)

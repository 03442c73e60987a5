"""What a step asks of the machine that it runs on. Steps declare it, ``plan`` reckons with it."""

from dataclasses import dataclass

from emotion_core.engine.adapter import StepFactory


@dataclass(frozen=True)
class Needs:
    """What one worker takes that runs a step.

    Attributes:
        cpus: CPUs that it keeps busy.
        gpus: the part of a GPU that it takes; 0: it has no use for one.
        memory_bytes: what it alone holds at its most (anonymous memory, its decoder's process
            included), measured on videos from the web. It bounds how many workers a machine gets,
            and goes no further: a worker that asked Ray for memory would wait for ever on a machine
            that has less.
    """

    cpus: float = 1.0
    gpus: float = 0.0
    memory_bytes: int = 0

    def beside(self, other: "Needs") -> "Needs":
        """What a worker takes that runs both steps: it holds what both hold, one is at work."""
        return Needs(
            max(self.cpus, other.cpus),
            self.gpus + other.gpus,
            self.memory_bytes + other.memory_bytes,
        )


@dataclass(frozen=True)
class Variant:
    """One way to run a step.

    Attributes:
        factory: makes the step, inside the worker.
        needs: what that worker takes.
    """

    factory: StepFactory
    needs: Needs


@dataclass(frozen=True)
class DeclaredStep:
    """A step, and what it needs.

    Attributes:
        on_cpu: how it runs without a GPU.
        on_gpu: how it runs on one; None: it has no use for a GPU. Where GPUs are in reach it runs
            there and nowhere else, so that one table never mixes the two.
    """

    on_cpu: Variant
    on_gpu: Variant | None = None

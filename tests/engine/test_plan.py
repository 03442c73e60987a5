"""What is planned from needs and machines: tables of cases, no Ray."""

import subprocess
import sys
from dataclasses import replace
from functools import partial
from pathlib import Path

import pytest

from emotion_core.engine.needs import DeclaredStep, Needs, Variant
from emotion_core.engine.plan import plan
from emotion_core.engine.reach import Node, Reach, count_cpus, reach, room
from emotion_core.errors import UsageError
from emotion_core.labelling.how import Labelling
from emotion_core.labelling.placing import count_servers, plan_group
from emotion_core.labelling.step import label_step
from emotion_core.preprocessing.job import Preprocessing, declared_steps
from emotion_core.recipes import load_recipe
from emotion_core.sound.pretrained import memory_bytes, resolve
from tests.support.encoders import spec_of, write_whisper

BOTH = load_recipe("timedist-blstm")
HOW = Preprocessing(BOTH)
BATCHED = replace(HOW, audio_backend="torchaudio")
HEARD = Preprocessing(replace(BOTH, video=None))
HEAD, CPU_NODE, GPU_NODE = Node(0), Node(16), Node(8, 1)


def alone(*nodes: Node) -> Reach:
    """Nodes to which none will be added."""
    return reach(nodes, nodes)


LAPTOP = alone(Node(2))
LAPTOP_WITH_GPU = alone(Node(8, 1))
CPU_CLUSTER = alone(HEAD, CPU_NODE, CPU_NODE)
GPU_CLUSTER = alone(HEAD, CPU_NODE, GPU_NODE, GPU_NODE)
AT_ZERO = reach([HEAD], [CPU_NODE] * 16 + [GPU_NODE] * 2)
GPUS_AT_ZERO = reach([HEAD, CPU_NODE], [CPU_NODE] * 16 + [GPU_NODE] * 2)
MORE_GPUS_THAN_CPUS = alone(Node(4, 8))
UNTOLD = reach([Node(4)], None)


def steps_of(how: Preprocessing, where: Reach) -> list[list[str]]:
    """Which steps share a worker, and where they compute."""

    def name(factory: partial) -> str:
        words = [str(word) for word in (*factory.args, getattr(factory.func, "__name__", ""))]
        kind = {"DecodeStep": "decode", "_make": "faces", "SoundStep": "sound", "_on_gpu": "sound"}
        step = kind[words[-1]]
        return f"{step} on GPU" if "cuda" in words or words[-1] == "_on_gpu" else step

    return [
        [name(factory) for factory in group.factories] for group in plan(declared_steps(how), where)
    ]


@pytest.mark.parametrize("where", [LAPTOP, CPU_CLUSTER, UNTOLD], ids=["laptop", "CPUs", "untold"])
@pytest.mark.parametrize("how", [HOW, BATCHED])
def test_without_a_gpu_in_reach_all_steps_share_a_worker(how: Preprocessing, where: Reach) -> None:
    assert steps_of(how, where) == [["decode", "faces", "sound"]]


@pytest.mark.parametrize(
    "where",
    [LAPTOP_WITH_GPU, GPU_CLUSTER, AT_ZERO, GPUS_AT_ZERO, MORE_GPUS_THAN_CPUS],
    ids=["laptop", "cluster", "at zero", "GPUs at zero", "more GPUs than CPUs"],
)
def test_with_one_in_reach_its_steps_are_operators_of_their_own(where: Reach) -> None:
    assert steps_of(HOW, where) == [["decode"], ["faces on GPU"], ["sound"]]
    assert steps_of(BATCHED, where) == [["decode"], ["faces on GPU", "sound on GPU"]]
    assert steps_of(HEARD, where) == [["decode", "sound"]], "no use for it"


@pytest.mark.parametrize(
    ("where", "workers", "most"),
    [
        (LAPTOP, [2], [2]),
        (alone(Node(1)), [1], [1]),
        (CPU_CLUSTER, [32], [32]),
        (UNTOLD, [4], [None]),
        (LAPTOP_WITH_GPU, [6, 2, 1], [8, 2, 16]),
        (GPU_CLUSTER, [29, 4, 1], [32, 4, 64]),
        # nothing is there yet: one worker of each waits, and that brings the nodes
        (AT_ZERO, [1, 1, 1], [272, 4, 544]),
        (GPUS_AT_ZERO, [15, 1, 1], [272, 4, 544]),
        # the decoders are not starved by detectors that would wait for them
        (MORE_GPUS_THAN_CPUS, [2, 3, 1], [4, 8, 8]),
        (alone(Node(1, 4)), [1], [1]),
        (alone(Node(1, 1)), [1], [1]),
        (alone(Node(2, 1)), [1, 1, 1], [2, 2, 4]),
    ],
)
def test_workers(where: Reach, workers: list[int], most: list[int | None]) -> None:
    groups = plan(declared_steps(HOW), where)

    assert [group.workers for group in groups] == workers
    assert [group.most for group in groups] == most


ONE_CPU_AND_A_GPU = alone(Node(1, 1))


def test_with_one_cpu_a_gpu_is_used_by_the_one_worker() -> None:
    assert steps_of(HOW, ONE_CPU_AND_A_GPU) == [["decode", "faces on GPU", "sound"]]


def test_steps_that_take_more_than_a_gpu_together_do_not_share_a_worker() -> None:
    whole = replace(BATCHED, gpus_per_detector=1.0)
    assert steps_of(whole, GPU_CLUSTER) == [["decode"], ["faces on GPU"], ["sound on GPU"]]


@pytest.mark.parametrize("share", [0.0, -1.0, 1.5, float("nan")])
def test_a_share_of_a_gpu_that_there_cannot_be_is_refused(share: float) -> None:
    with pytest.raises(UsageError, match="--gpus-per-detector"):
        replace(HOW, gpus_per_detector=share).check()


@pytest.mark.parametrize(
    "where", [LAPTOP, LAPTOP_WITH_GPU, CPU_CLUSTER, GPU_CLUSTER, ONE_CPU_AND_A_GPU]
)
def test_what_starts_fits_at_once(where: Reach) -> None:
    groups = plan(declared_steps(HOW), where)

    assert sum(group.workers * group.needs.cpus for group in groups) <= count_cpus(where.now)
    assert all(group.workers <= room(where.now, group.needs) for group in groups)


@pytest.mark.parametrize(
    ("where", "servers", "workers", "most"),
    [
        (LAPTOP, 0, 2, 2),
        (CPU_CLUSTER, 0, 32, 32),
        # the models are servers' on the GPUs, workers take all other CPUs, on whatever node
        (LAPTOP_WITH_GPU, 2, 7, 7),
        (GPU_CLUSTER, 8, 28, 28),
        (AT_ZERO, 8, 1, 268),
        (GPUS_AT_ZERO, 8, 16, 268),
        (MORE_GPUS_THAN_CPUS, 1, 3, 3),
        (alone(Node(2, 1)), 1, 1, 1),
        (UNTOLD, 0, 4, None),
    ],
)
def test_labelling(where: Reach, servers: int, workers: int, most: int | None) -> None:
    group = plan_group(Labelling(("model",)), where, inputs=1000)

    assert count_servers(where, 1000) == servers
    assert (group.needs.gpus, group.workers, group.most) == (0.0, workers, most)


def test_a_small_job_asks_for_few_servers() -> None:
    assert [count_servers(AT_ZERO, inputs) for inputs in (1, 8, 16, 10_000)] == [1, 2, 4, 8]


def test_with_one_cpu_labelling_has_the_gpu_to_itself() -> None:
    group = plan_group(Labelling(("model",)), ONE_CPU_AND_A_GPU, 1000)

    assert (count_servers(ONE_CPU_AND_A_GPU, 1000), group.needs.gpus, group.workers) == (0, 0.25, 1)


def test_an_encoder_takes_a_gpu_where_there_is_one(tmp_path: Path) -> None:
    audio = resolve(spec_of(write_whisper(tmp_path / "encoder")))
    how = Preprocessing(replace(BOTH, audio=audio))
    assert steps_of(how, LAPTOP) == [["decode", "faces", "sound"]]
    assert steps_of(how, GPU_CLUSTER) == [["decode"], ["faces on GPU", "sound on GPU"]]
    step = declared_steps(how)[-1]
    assert step.on_gpu is not None
    assert (step.on_cpu.needs.cpus, step.on_gpu.needs.gpus) == (1, 0.4)
    # more than torch alone, by what its weights take
    assert step.on_cpu.needs.memory_bytes == (300 << 20) + memory_bytes(audio)
    held = [(0, 0), (1 << 30, 0), (0, 1 << 20)]
    needs = [plan_group(Labelling(("m",)), LAPTOP, 9, *each).needs.memory_bytes for each in held]
    assert needs[1] - needs[0] == 1 << 30 and needs[2] - needs[0] == 1 << 20
    # where servers have the models, workers hold none
    served = [
        plan_group(Labelling(("m",)), GPU_CLUSTER, 9, *each).needs.memory_bytes for each in held
    ]
    assert served[1] == served[0] and served[2] - served[0] == 1 << 20


def test_the_users_share_of_a_gpu_is_what_is_planned() -> None:
    whole = plan(declared_steps(replace(HOW, gpus_per_detector=1.0)), GPU_CLUSTER)

    assert (whole[1].needs.gpus, whole[1].workers) == (1.0, 2)


def test_memory_bounds_the_workers_of_a_machine_and_never_forbids_the_last() -> None:
    hungry = DeclaredStep(Variant(list, Needs(cpus=1, memory_bytes=2 << 30)))

    def workers(gib: int, cpus: int = 8) -> int:
        (group,) = plan([hungry], alone(Node(cpus, memory_bytes=gib << 30)))
        assert group.most == group.workers, "nor may Ray Data add more"
        return group.workers

    assert [workers(64), workers(7), workers(1)] == [8, 3, 1]


def test_fused_steps_hold_what_each_of_them_holds() -> None:
    declared = declared_steps(HOW)
    (fused,) = plan(declared, LAPTOP)

    assert fused.needs.cpus == 1
    assert fused.needs.memory_bytes == sum(s.on_cpu.needs.memory_bytes for s in declared)


def test_every_step_says_what_it_needs() -> None:
    steps = [*declared_steps(HOW), *declared_steps(BATCHED), label_step(Labelling(("m",)).step)]

    for step in steps:
        assert 0 < step.on_cpu.needs.cpus <= 1 and step.on_cpu.needs.gpus == 0
        assert step.on_cpu.needs.memory_bytes >= 50 << 20
    on_gpu = [step.on_gpu.needs.gpus if step.on_gpu else None for step in steps]
    assert on_gpu == [None, 0.4, None, None, 0.4, 0.1, 0.25]


def test_pictures_that_are_faces_already_need_no_gpu() -> None:
    assert BOTH.video is not None
    how = Preprocessing(replace(BOTH, video=replace(BOTH.video, detect=False)))

    assert steps_of(how, GPU_CLUSTER) == [["decode", "faces", "sound"]]


def test_needs_are_declared_and_planned_without_ray() -> None:
    code = (
        "import sys\n"
        "from emotion_core.engine.plan import plan\n"
        "from emotion_core.engine.reach import Node, Reach\n"
        "from emotion_core.preprocessing.decode import decode_step\n"
        "print(len(plan([decode_step(None, None, 'auto', 1)], Reach((Node(2),), None))), "
        "'ray' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["1", "False"]

"""``deploy/`` starts what ``cluster.yaml`` and ``constraints.txt`` say, and lets no stranger in."""

import re
import tomllib
from functools import lru_cache
from pathlib import Path
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).resolve().parent.parent
DEPLOY = ROOT / "deploy"
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
CLUSTER = yaml.safe_load((ROOT / "cluster.yaml").read_text())
# What the machines have: CPUs and GiB of memory, as AWS states them.
MACHINES = {"m6i.xlarge": (4, 16), "c6i.4xlarge": (16, 32), "g5.2xlarge": (8, 32)}


@lru_cache
def manifest(name: str) -> dict[str, Any]:
    return yaml.safe_load((DEPLOY / name).read_text())


def pin(name: str) -> str:
    (version,) = re.findall(rf"^{name}==(.+)$", (ROOT / "constraints.txt").read_text(), re.M)
    return version


def groups() -> dict[str, dict[str, Any]]:
    """The kinds of pods of the job, by the names that ``cluster.yaml`` has for them."""
    cluster = manifest("label.yaml")["spec"]["rayClusterSpec"]
    workers = {group["groupName"]: group for group in cluster["workerGroupSpecs"]}
    return {"head": cluster["headGroupSpec"], **workers}


def pod(kind: str) -> dict[str, Any]:
    return groups()[kind]["template"]["spec"]


def container(kind: str) -> dict[str, Any]:
    (only,) = pod(kind)["containers"]
    return only


def instructions() -> list[tuple[str, str]]:
    """The Dockerfile's instructions and their arguments, continued lines joined."""
    text = (DEPLOY / "Dockerfile").read_text()
    lines = "\n".join(line for line in text.splitlines() if not line.startswith("#"))
    joined = re.sub(r"\\\n\s*", " ", lines)
    return [(n, rest) for n, rest in re.findall(r"^([A-Z]+) (.+)$", joined, re.MULTILINE)]


def test_images_and_versions_are_those_that_were_tested() -> None:
    found = instructions()
    assert ("ARG", f"RAY_VERSION={pin('ray')}") in found
    (base,) = [rest for name, rest in found if name == "FROM"]
    assert base.replace("${RAY_VERSION}", pin("ray")) == CLUSTER["docker"]["image"]
    cluster = manifest("label.yaml")["spec"]["rayClusterSpec"]
    assert cluster["rayVersion"] == pin("ray")
    built = re.findall(r"-t (\S+)", (DEPLOY / "Dockerfile").read_text())
    assert built == [
        f"REGISTRY/emotion-core:{PROJECT['version']}-{kind}" for kind in ("cpu", "gpu")
    ]
    images = {kind: container(kind)["image"] for kind in groups()}
    assert images == {"head": built[0], "cpu": built[0], "gpu": built[1]}


def test_an_image_holds_what_a_node_of_the_launcher_installs() -> None:
    runs = [rest for name, rest in instructions() if name == "RUN"]
    apt = next(rest for rest in runs if "apt-get" in rest)
    launcher = "\n".join(CLUSTER["available_node_types"]["gpu"]["worker_setup_commands"])
    (libraries,) = re.findall(r"--no-install-recommends ([\w. -]+)$", launcher.splitlines()[0])
    assert f"--no-install-recommends {libraries} " in apt
    installs = re.findall(r"pip install ([^&;]+)", " ; ".join(runs))
    assert len(installs) == 3
    for words in installs:  # pinned, or nothing but the package itself
        assert "-c constraints.txt" in words or words.split()[-2:] == ["--force-reinstall", "."]
    extras = re.findall(r"\.\[([\w,]+)\]", " ".join(installs))
    assert set(extras[0].split(",")) <= set(PROJECT["optional-dependencies"])
    swap = next(rest for rest in runs if "ACCELERATOR" in rest)
    assert swap.index("uninstall -y onnxruntime") < swap.index("onnxruntime-gpu")


def test_the_dockerfile_keeps_the_linter_s_rules() -> None:
    """Those of hadolint that apply, by hand: it is not among the tools here."""
    found = instructions()
    assert not [rest for name, rest in found if name == "ADD"], "DL3020"
    assert [rest for name, rest in found if name == "USER"][-1] != "root", "DL3002"
    assert all(rest.startswith("/") for name, rest in found if name == "WORKDIR"), "DL3000"
    assert "pipefail" in dict(found)["SHELL"], "DL4006"
    for run in (rest for name, rest in found if name == "RUN"):
        assert "sudo" not in run and "cd " not in run, "DL3004, DL3003"
        assert run.count("pip install") == run.count("pip install --no-cache-dir"), "DL3042"
        if "apt-get install" in run:
            assert "install -y --no-install-recommends" in run, "DL3014, DL3015"
            assert "rm -rf /var/lib/apt/lists/*" in run, "DL3009"
    ignored = (DEPLOY / "Dockerfile.dockerignore").read_text().split("\n")
    assert "*" in ignored, "nothing goes into the image unnamed"
    for copied in (rest for name, rest in found if name == "COPY"):
        for source in copied.split()[1:-1]:
            assert (ROOT / source).exists() and f"!{source}" in ignored


@pytest.mark.parametrize("kind", ["head", "cpu", "gpu"])
def test_pods_are_the_machines_of_the_launcher(kind: str) -> None:
    there = CLUSTER["available_node_types"][kind]
    machine = pod(kind)["nodeSelector"]["node.kubernetes.io/instance-type"]
    assert machine == there["node_config"]["InstanceType"]
    told = groups()[kind]["rayStartParams"]
    resources = {"CPU": int(told["num-cpus"])}
    if "num-gpus" in told:
        resources["GPU"] = int(told["num-gpus"])
    assert resources == there["resources"]

    cpus, memory = MACHINES[machine]
    requests, limits = (container(kind)["resources"][each] for each in ("requests", "limits"))
    assert cpus / 2 < int(requests["cpu"]) < cpus, "a pod a machine, which keeps some for itself"
    assert memory / 2 < int(requests["memory"].removesuffix("Gi")) < memory
    assert requests["memory"] == limits["memory"], "Ray plans with it"
    assert requests.get("nvidia.com/gpu") == limits.get("nvidia.com/gpu") == resources.get("GPU")


def test_there_are_four_gpus_and_a_pool_of_cpus() -> None:
    counts = {kind: group["replicas"] for kind, group in groups().items() if kind != "head"}
    most = {kind: CLUSTER["available_node_types"][kind]["max_workers"] for kind in counts}
    assert counts["gpu"] == most["gpu"] == 4 and 1 <= counts["cpu"] <= most["cpu"]
    for kind in counts:  # no autoscaler, which a job could not ask what may come
        group = groups()[kind]
        assert group["minReplicas"] == group["replicas"] == group["maxReplicas"]
    assert "enableInTreeAutoscaling" not in manifest("label.yaml")["spec"]["rayClusterSpec"]


def test_strangers_get_in_nowhere() -> None:
    cluster = manifest("label.yaml")["spec"]["rayClusterSpec"]
    assert cluster["authOptions"] == {"mode": "token"}
    account = manifest("account.yaml")
    assert account["metadata"]["annotations"]["eks.amazonaws.com/role-arn"].endswith(
        "/emotion-core"
    )
    text = "".join(path.read_text() for path in DEPLOY.iterdir())
    assert "AWS_SECRET" not in text and "AWS_ACCESS" not in text
    for kind in groups():
        assert pod(kind)["serviceAccountName"] == account["metadata"]["name"]
        assert pod(kind)["securityContext"]["runAsNonRoot"] is True
        assert container(kind)["securityContext"] == {
            "allowPrivilegeEscalation": False, "capabilities": {"drop": ["ALL"]}
        }  # fmt: skip


def test_the_nightly_job_is_the_same_job() -> None:
    assert manifest("nightly.yaml")["spec"]["jobTemplate"] == manifest("label.yaml")["spec"]
    assert manifest("label.yaml")["spec"]["shutdownAfterJobFinishes"] is True

"""``cluster.yaml`` is what Ray's launcher takes, and installs the versions that were tested."""

import copy
import importlib.metadata
import re
import tomllib
from pathlib import Path
from typing import Any

import av
import pytest
import yaml
from ray.autoscaler._private.aws import config as aws
from ray.autoscaler._private.util import prepare_config, validate_config

ROOT = Path(__file__).resolve().parent.parent


@pytest.fixture
def config() -> dict[str, Any]:
    return yaml.safe_load((ROOT / "cluster.yaml").read_text())


@pytest.fixture(scope="module")
def pins() -> dict[str, str]:
    lines = (ROOT / "constraints.txt").read_text().splitlines()
    return dict(line.split("==") for line in lines if line and not line.startswith("#"))


def test_ray_accepts_it(config: dict[str, Any]) -> None:
    validate_config(prepare_config(copy.deepcopy(config)))


def test_ray_would_notice_a_misspelt_key(config: dict[str, Any]) -> None:
    config["available_node_types"]["cpu"]["max_worker"] = 3

    with pytest.raises(Exception, match="max_worker"):
        validate_config(prepare_config(config))


def test_the_head_does_no_work_and_two_pools_do(config: dict[str, Any]) -> None:
    types = prepare_config(config)["available_node_types"]

    assert config["head_node_type"] == "head"
    assert types["head"]["resources"] == {"CPU": 0}
    assert types["head"]["max_workers"] == 0
    assert types["cpu"]["resources"]["CPU"] > 0 and "GPU" not in types["cpu"]["resources"]
    assert types["gpu"]["resources"]["GPU"] == 1
    assert types["cpu"]["max_workers"] + types["gpu"]["max_workers"] == config["max_workers"]


def test_every_node_asks_for_the_token(config: dict[str, Any]) -> None:
    assert "--env RAY_AUTH_MODE=token" in config["docker"]["run_options"]
    assert config["file_mounts"]["/home/ray/.ray/auth_token"] == "~/.ray/auth_token"


def test_a_node_s_role_is_not_to_be_had_by_fetching_an_address(config: dict[str, Any]) -> None:
    for name, node in config["available_node_types"].items():
        assert node["node_config"]["MetadataOptions"]["HttpTokens"] == "required", name


def test_ray_opens_ssh_to_nobody(config: dict[str, Any]) -> None:
    # what it does with a group that it makes, whatever the configuration says
    (ssh,) = [rule for rule in aws._create_default_inbound_rules([], []) if rule["FromPort"] == 22]
    assert ssh["IpRanges"] == [{"CidrIp": "0.0.0.0/0"}], "then security_group would be enough"

    # it makes none, and asks AWS nothing, where every node type has its own
    whole = prepare_config(config)
    for node in whole["available_node_types"].values():
        assert node["node_config"]["SecurityGroupIds"] == ["sg-YOURS"], "to be filled in"
    same = aws._configure_security_group(copy.deepcopy(whole))
    assert same["available_node_types"] == whole["available_node_types"]
    assert "security_group" not in whole["provider"]


def test_strangers_files_are_decoded_by_an_ffmpeg_that_is_kept_up(pins: dict[str, str]) -> None:
    wanted = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["dependencies"]

    assert [each for each in wanted if each.startswith("av")] == ["av>=18.1,<19"]
    for version in (pins["av"], importlib.metadata.version("av")):
        assert numbers(version) >= (18, 1)
    assert numbers(av.ffmpeg_version_info) >= (8, 1, 2), "what PyAV 18.1.0 brings"


def numbers(version: str) -> tuple[int, ...]:
    return tuple(map(int, version.split(".")))


def test_the_image_is_the_ray_that_was_tested(config: dict[str, Any], pins: dict[str, str]) -> None:
    image = re.fullmatch(r"rayproject/ray:(?P<ray>[\d.]+)-py311", config["docker"]["image"])

    assert image and image["ray"] == pins["ray"]


def test_nodes_install_only_pinned_versions(config: dict[str, Any], pins: dict[str, str]) -> None:
    gpu = config["available_node_types"]["gpu"]["worker_setup_commands"]
    commands = [*config["setup_commands"], *config["head_setup_commands"], *gpu]
    installs = [c for command in commands for c in command.split("&&") if "pip install" in c]

    assert installs
    for install in installs:
        assert "-c ~/emotion-core/constraints.txt" in install
    for name in ("boto3", "onnxruntime-gpu", "torch", "torchaudio", "torchvision"):
        assert name in pins
    assert pins["boto3"] == pins["botocore"]  # one version number for both; s3fs holds botocore


def test_gpu_nodes_do_what_all_do_and_swap_onnxruntime(config: dict[str, Any]) -> None:
    gpu = config["available_node_types"]["gpu"]["worker_setup_commands"]

    assert gpu[: len(config["setup_commands"])] == config["setup_commands"]
    swap = gpu[-1]
    assert swap.index("uninstall -q -y onnxruntime") < swap.index("onnxruntime-gpu")


def test_what_is_mounted_is_all_that_installing_needs(config: dict[str, Any]) -> None:
    mounted = [Path(local) for local in config["file_mounts"].values() if local.startswith("./")]
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]

    assert sorted(path.name for path in mounted) == ["constraints.txt", "pyproject.toml"]
    assert all((ROOT / path).is_file() for path in mounted)
    assert "readme" not in project and "dynamic" not in project

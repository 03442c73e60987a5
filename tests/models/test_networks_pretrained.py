"""Weights from elsewhere: which fit, which do not, and what is said when they cannot be had."""

import contextlib
import functools
import http.server
import pickle
import socket
import threading
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import save_file
from torch import nn

from emotion_core.errors import UsageError
from emotion_core.models.networks import build_network
from emotion_core.models.networks.pretrained import averaged_first_kernels, load_pretrained
from emotion_core.recipes import RECIPES
from tests.support.small_recipes import small

torch.set_num_threads(1)


class Quiet(http.server.SimpleHTTPRequestHandler):
    """A file server that writes no log."""

    def log_message(self, format: str, *args: Any) -> None:
        pass


@contextlib.contextmanager
def served(folder: Path) -> Iterator[str]:
    """The address at which the files of ``folder`` are."""
    handler = functools.partial(Quiet, directory=str(folder))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}"
        finally:
            server.shutdown()
            thread.join()


def closed_port() -> int:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return int(found.getsockname()[1])


def dense() -> nn.Sequential:
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(3, 2))


WEIGHTS = {"0.weight": torch.arange(6.0).view(2, 3), "0.bias": torch.ones(2)}


def never() -> dict[str, torch.Tensor]:
    raise AssertionError("nothing is downloaded")


def load(source: str | None, net: nn.Module | None = None, **options: Any) -> nn.Module:
    net = net or dense()
    load_pretrained(net, source, "Dense", **{"download": never, **options})
    return net


def test_none_changes_nothing() -> None:
    torch.testing.assert_close(load(None)[0].weight, dense()[0].weight)  # type: ignore[index]


def test_a_local_file_may_hold_more_than_is_needed(tmp_path: Path) -> None:
    save_file({**WEIGHTS, "head.weight": torch.zeros(1000, 2)}, tmp_path / "w.safetensors")
    net = load(str(tmp_path / "w.safetensors"))
    for key, value in net.state_dict().items():
        torch.testing.assert_close(value, WEIGHTS[key])


def test_a_file_over_http(tmp_path: Path) -> None:
    save_file(WEIGHTS, tmp_path / "w.safetensors")
    with served(tmp_path) as address:
        net = load(f"{address}/w.safetensors")
        with pytest.raises(UsageError, match="no-such.safetensors: .*no such file") as missing:
            load(f"{address}/no-such.safetensors")
    torch.testing.assert_close(net.state_dict()["0.weight"], WEIGHTS["0.weight"])
    assert "give the URI of a .safetensors file" in str(missing.value)


def test_nobody_answers() -> None:
    uri = f"http://127.0.0.1:{closed_port()}/w.safetensors"
    with pytest.raises(UsageError) as raised:
        load(uri)
    message = str(raised.value)
    assert uri in message and "\n" not in message
    assert message.startswith("pretrained weights cannot be read: ")
    assert message.endswith("or no pretrained weights")


@pytest.mark.parametrize(
    ("weights", "words"),
    [
        ({"0.weight": WEIGHTS["0.weight"]}, "does not fit Dense: it has no '0.bias'"),
        ({**WEIGHTS, "0.bias": torch.ones(3)}, r"Dense: '0.bias' is \(3,\), not \(2,\)"),
    ],
)
def test_weights_that_do_not_fit(tmp_path: Path, weights: dict, words: str) -> None:
    save_file(weights, tmp_path / "w.safetensors")
    net = dense()
    with pytest.raises(UsageError, match=words):
        load(str(tmp_path / "w.safetensors"), net)
    torch.testing.assert_close(net[0].weight, dense()[0].weight)


class Trap:
    """Unpickling this makes a file."""

    def __init__(self, place: str):
        self.place = place

    def __reduce__(self) -> Any:
        return (open, (self.place, "w"))


def test_nothing_is_ever_unpickled(tmp_path: Path) -> None:
    sprung = tmp_path / "sprung"
    for name in ("w.pth", "w.safetensors"):
        (tmp_path / name).write_bytes(pickle.dumps(Trap(str(sprung))))
    with pytest.raises(UsageError, match="is neither 'imagenet' nor safetensors: give the URI"):
        load(str(tmp_path / "w.pth"))
    with pytest.raises(UsageError, match="is not a safetensors file"):
        load(str(tmp_path / "w.safetensors"))
    assert not sprung.exists()


def test_what_the_library_publishes() -> None:
    net = load("imagenet", download=lambda: WEIGHTS)
    torch.testing.assert_close(net.state_dict()["0.bias"], WEIGHTS["0.bias"])


def test_a_download_that_fails_says_the_way_out() -> None:
    def broken() -> dict[str, torch.Tensor]:
        raise OSError("Name or service\n not known")

    with pytest.raises(UsageError) as raised:
        load("imagenet", download=broken)
    assert str(raised.value) == (
        "pretrained='imagenet': the weights of Dense cannot be downloaded "
        "(Name or service not known): give the URI of a .safetensors file with the weights, "
        "or no pretrained weights"
    )


def test_kernels_are_averaged_over_the_colours() -> None:
    kernels = torch.rand(4, 3, 5, 5)
    changed = averaged_first_kernels("first")({"first": kernels, "second": torch.ones(1)})
    assert changed["first"].shape == (4, 1, 5, 5)
    torch.testing.assert_close(changed["first"][:, 0], kernels.mean(dim=1))
    assert changed["second"].item() == 1
    assert averaged_first_kernels("first")({}) == {}


# --- the networks that take them -----------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "part", "skipped"),
    [
        ("alexnet-visual", "face.encoder", "classifier.6."),
        ("alexnet-fusion-single", "face.encoder", "classifier.6."),
        ("fer-inception-resnet", "frame.backbone", "classif."),
        ("fer-vgg16-grey", "frame", "classifier."),
    ],
)
def test_networks_take_the_weights_of_their_library(
    tmp_path: Path, name: str, part: str, skipped: str
) -> None:
    recipe = small(name)
    library, sizes = _library(name, recipe.network_options)
    assert any(key.startswith(skipped) for key in library)
    file = str(tmp_path / "published.safetensors")
    save_file(library, file)
    options = {**recipe.network_options, **sizes, "pretrained": file}
    net = build_network(replace(recipe, network_options=options)).get_submodule(part)
    own = {key: value for key, value in net.state_dict().items() if not key.startswith("head.")}
    assert set(own) == {key for key in library if not key.startswith(skipped)}
    for key, value in own.items():
        expected = library[key]
        if name == "fer-vgg16-grey" and key == "features.0.weight":
            expected = expected.mean(dim=1, keepdim=True)
        torch.testing.assert_close(value, expected, rtol=0, atol=0)


def _library(name: str, options: dict[str, Any]) -> tuple[dict[str, torch.Tensor], dict[str, Any]]:
    """Weights by the names of the library's own network, and options that go with their shapes."""
    torch.manual_seed(3)
    if name == "fer-inception-resnet":
        import timm

        return timm.create_model("inception_resnet_v2").state_dict(), {}
    import torchvision

    if name == "fer-vgg16-grey":
        found = torchvision.models.vgg16().state_dict()
        # its dense layers are half a gigabyte, and not used
        return {k: v if "features" in k else v[:1].clone() for k, v in found.items()}, {}
    width = "width" if name == "alexnet-visual" else "face_width"
    return torchvision.models.alexnet().state_dict(), {width: 4096}


@pytest.mark.parametrize("name", ["alexnet-visual", "fer-vgg16-grey"])
def test_torchvision_is_asked_at_its_address(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """No network in tests: the place that torch downloads from leads nowhere."""
    asked: list[str] = []

    def refuse(url: str, *args: Any, **options: Any) -> None:
        asked.append(url)
        assert options["weights_only"] is True and options["check_hash"] is True
        raise OSError("unreachable")

    monkeypatch.setattr("torchvision.models._api.load_state_dict_from_url", refuse)
    recipe = small(name)
    options = {**recipe.network_options, "pretrained": "imagenet"}
    with pytest.raises(UsageError, match=r"cannot be downloaded \(unreachable\): give the URI"):
        build_network(replace(recipe, network_options=options))
    assert len(asked) == 1 and asked[0].startswith("https://download.pytorch.org/models/")


def test_timm_is_asked_for_its_published_weights(monkeypatch: pytest.MonkeyPatch) -> None:
    import timm

    real, asked = timm.create_model, []

    def create(name: str, pretrained: bool = False, **options: Any) -> nn.Module:
        if pretrained:
            asked.append(name)
            raise ConnectionError("offline")
        return real(name, **options)

    monkeypatch.setattr(timm, "create_model", create)
    recipe = small("fer-inception-resnet")
    options = {**recipe.network_options, "pretrained": "imagenet"}
    with pytest.raises(UsageError, match=r"InceptionResNetV2 cannot be downloaded \(offline\)"):
        build_network(replace(recipe, network_options=options))
    assert asked == ["inception_resnet_v2"]


@pytest.mark.parametrize(
    "name", [name for name, recipe in RECIPES.items() if "pretrained" in recipe.network_options]
)
def test_a_network_that_gets_other_weights_downloads_none(name: str) -> None:
    recipe = small(name)
    options = {**recipe.network_options, "pretrained": "s3://nowhere/at-all.safetensors"}
    assert build_network(replace(recipe, network_options=options), download=False)

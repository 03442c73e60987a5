"""A training that begins with the weights of a model instead of random ones."""

from collections.abc import Mapping
from dataclasses import dataclass

from torch import Tensor, nn

from emotion_core.errors import UsageError
from emotion_core.evaluation.speakers import shared_speakers
from emotion_core.models.bundle import load_bundle
from emotion_core.models.dataset import FeatureSet
from emotion_core.models.made import differences
from emotion_core.models.networks import NETWORKS, build_network
from emotion_core.models.networks.finetune import ENCODER
from emotion_core.models.shipped import bundle_uri
from emotion_core.recipes.specs import Recipe
from emotion_core.sound.pretrained import resolve


@dataclass(frozen=True)
class Start:
    """Where a training begins.

    Attributes:
        model_id: of the model.
        weights: those of the model that the network has too, by name and shape.
        fresh: names of the network's others, which begin at random.
        speakers: ``corpus/speaker`` of everybody whom the model learned from.
        otherwise: in which settings its features differ from those to train on, in words.
    """

    model_id: str
    weights: Mapping[str, Tensor]
    fresh: tuple[str, ...]
    speakers: tuple[str, ...]
    otherwise: tuple[str, ...] = ()

    def check(self, test: FeatureSet) -> None:
        """Raises ``UsageError`` where the model learned from people of a test side."""
        if met := shared_speakers(self.speakers, test.speakers):
            raise UsageError(
                f"--init: the model learned from {len(met)} speakers of the test side "
                f"({', '.join(met[:3])}): the figures would say nothing of strangers; start from a "
                "model of other people, or train on --split everybody"
            )


def load_start(model: str, recipe: Recipe, trust_code: bool = False) -> Start:
    """The weights of a model that fit a recipe's network.

    What lies before the answers usually fits; a network with other classes answers anew.

    Args:
        model: URI of a bundle, or the name of a shipped model.
        recipe: what will be trained, ``completed`` by its features.
        trust_code: as ``load_bundle`` takes it.

    Raises:
        UsageError: no bundle there, or less than half of its weights fit.
    """
    bundle = load_bundle(bundle_uri(model), trust_code=trust_code)
    given = bundle.network.state_dict()
    wanted = build_network(recipe, download=False).state_dict()
    fitting = {
        name: weight.cpu()
        for name, weight in given.items()
        if name in wanted and wanted[name].shape == weight.shape
    }
    if sum(weight.numel() for weight in fitting.values()) * 2 < _size(wanted):
        raise UsageError(
            f"--init {model}: the weights of {bundle.recipe.name!r} do not fit the network "
            f"{recipe.network!r} with these options and features: start from the same recipe"
        )
    fresh = tuple(name for name in wanted if name not in fitting)
    otherwise = tuple(
        f"{part} {key} {there} there, {here} here"
        for part in ("audio", "video")
        for key, there, here in differences(bundle.info.features, recipe, part)
        if key not in ("encoder", "revision")  # where it lies: its weights have a key of their own
    )
    return Start(bundle.model_id, fitting, fresh, bundle.info.speakers, otherwise)


def require_begun(recipe: Recipe, start: Start | None) -> None:
    """Check that nothing stays at random for good: what does not learn needs weights to begin with.

    Of networks of this package only: what another one holds that does not learn, its maker knows.

    Raises:
        UsageError: a part of the network neither learns nor is begun with.
    """
    if recipe.network not in NETWORKS or recipe.network_options.get("pretrained"):
        return
    network = build_network(recipe, download=False)
    given = start.weights if start else {}
    fixed = [name for name, w in network.named_parameters() if not w.requires_grad]
    if missing := [name for name in fixed if name not in given]:
        raise UsageError(
            f"{missing[0]} and {len(missing) - 1} other weights of network {recipe.network!r} do "
            "not learn, and would stay random: start from a model that has them (--init face), or "
            "let them learn (--option learn_faces=true)"
        )


def require_pretrained(recipe: Recipe) -> None:
    """Check that the encoder whose layers are trained can be had, before any worker is asked.

    Raises:
        UsageError: it cannot, or holds other weights than made the features.
    """
    audio = recipe.audio
    if recipe.network_options.get("pretrained") != ENCODER or audio is None or not audio.encoded:
        return
    try:
        resolve(audio)
    except UsageError as error:
        raise UsageError(
            f"a training that begins with the encoder's own layers needs it: {error}; where it was "
            "moved, give --option audio.encoder=FOLDER and --option audio.weights_hash="
            f"{audio.weights_hash}"
        ) from error


def begin(network: nn.Module, weights: Mapping[str, Tensor]) -> None:
    """Give a new network these weights; the others stay as they are."""
    network.load_state_dict({**network.state_dict(), **weights})


def _size(weights: Mapping[str, Tensor]) -> int:
    return sum(weight.numel() for weight in weights.values())

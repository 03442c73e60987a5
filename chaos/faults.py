"""The sets of faults, by the names that ``--only`` takes."""

from chaos.disk import DISK
from chaos.exports import EXPORTS
from chaos.gallery import GALLERY
from chaos.kills import KILLS
from chaos.live import LIVE
from chaos.models import MODELS
from chaos.mutation import MUTATION
from chaos.poison import POISON
from chaos.stores import STORES
from chaos.trials import Faults

FAULTS: dict[str, Faults] = {
    "gallery": GALLERY,
    "mutation": MUTATION,
    "models": MODELS,
    "exports": EXPORTS,
    "disk": DISK,
    "poison": POISON,
    "stores": STORES,
    "kills": KILLS,
    "live": LIVE,
}

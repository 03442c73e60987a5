"""The sets of faults, by the names that ``--only`` takes."""

from chaos.gallery import GALLERY
from chaos.kills import KILLS
from chaos.mutation import MUTATION
from chaos.trials import Faults

FAULTS: dict[str, Faults] = {
    "gallery": GALLERY,
    "mutation": MUTATION,
    "kills": KILLS,
}

"""The script behind the figure of SAVEE names options, shares and a protocol that exist."""

import re
import shlex
from dataclasses import replace

import pyarrow as pa
import pytest

from emotion_core.corpora.splits import expand
from emotion_core.models.networks import build_network
from emotion_core.recipes import load_recipe
from emotion_core.recipes.options import with_options
from emotion_core.training.plan import times_drawn
from tests.support.jobs import ROOT


def test_the_options_make_a_recipe() -> None:
    text = (ROOT / "benchmarks" / "savee.sh").read_text()
    lines = "\n".join(re.findall(r"^(?:hear|learn)=\((.*?)\)$", text, re.MULTILINE | re.DOTALL))
    words = shlex.split(lines)
    options = [words[place + 1] for place, word in enumerate(words) if word == "--option"]
    recipe = with_options(load_recipe(words[words.index("--recipe") + 1]), options)
    assert recipe.audio is not None and recipe.audio.highpass_hz == 100
    assert (recipe.label_set, recipe.network_options) == ("emotions7", {"hidden": 512})
    heard = replace(recipe.audio, width=4)
    build_network(replace(recipe, audio=heard), download=False)
    assert len(expand(words[words.index("--split") + 1])) == 4
    clips = pa.table({"corpus": ["ravdess"] * 1440 + ["savee"] * 360})
    often = times_drawn(clips, recipe.training.corpus_shares)
    assert often[-360:].sum() == pytest.approx(0.85 * 1800)

"""What runs on an accelerator keeps its tensors there: on the stand-in the numbers are the processor's."""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
import pytest

from tests.model.conftest import make_captions, make_metric

pytestmark = pytest.mark.slow
ROOT = Path(__file__).parents[2]
CAPTIONS = make_captions(120)
METRIC = make_metric(CAPTIONS, 0.3)


def predictions(encoder: str) -> dict[str, list[float]]:
    """What a fine-tuned model predicts, fitted, saved and read; and the recipe's errors by epoch."""
    from yoin.model.bert import BertRegressor
    from yoin.model.recipe import follow_recipe
    from yoin.options import FitOptions, RecipeOptions

    options = FitOptions(max_epochs=2, batch_size=16, seeds=2, loss="huber", bootstrap=100)
    model = BertRegressor(encoder, options=options)
    model.fit(CAPTIONS, METRIC, weight=np.linspace(0.5, 1.5, len(METRIC)))
    with tempfile.TemporaryDirectory() as folder:
        model.save(Path(folder))
        read = BertRegressor.load(Path(folder))
    recipe = follow_recipe(
        CAPTIONS, METRIC, np.zeros(len(METRIC)), model=f"bert:{encoder}", group=None, weight=None,
        chosen=RecipeOptions(recipe="article"), options=options,
    )  # fmt: skip
    return {
        "fitted": model.predict(CAPTIONS).tolist(),
        "read": read.predict(CAPTIONS).tolist(),
        "recipe": [one.rmse for one in recipe.epochs],
    }


def test_an_accelerator_gives_what_the_processor_gives(tiny_bert: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    script = (
        "import json, sys\nfrom tests import accelerator\nfrom tests.model import test_accelerator\n"
        "from yoin.hub import best_device\n"
        "with accelerator.install():\n"
        "    print(json.dumps([str(best_device()), test_accelerator.predictions(sys.argv[1])]))"
    )
    child = subprocess.run(
        [sys.executable, "-c", script, str(tiny_bert)], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert child.returncode == 0, child.stderr
    device, there = json.loads(child.stdout.splitlines()[-1])
    assert device == "elsewhere"
    monkeypatch.setattr("yoin.model.training.has_bfloat16", lambda device: False)  # the stand-in has none
    here = predictions(str(tiny_bert))
    assert np.ptp(here["fitted"]) > 0
    for name, values in here.items():
        np.testing.assert_allclose(there[name], values, rtol=0, atol=1e-5)
    assert there["read"] == there["fitted"]

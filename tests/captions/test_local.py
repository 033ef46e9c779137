from __future__ import annotations

import asyncio
import gc
import json
import shutil
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from tests.captions import tiny_models
from yoin.captions import attributes, prompts
from yoin.captions.local import Local
from yoin.errors import UsageError
from yoin.options import CaptionOptions, Spec
from yoin.values import Caption, Medium

SHAPES = [(120, 30), (64, 64), (30, 120), (100, 90), (40, 120)]


@pytest.fixture(scope="module")
def media(tmp_path_factory: pytest.TempPathFactory) -> list[Medium]:
    folder = tmp_path_factory.mktemp("media")
    rng = np.random.default_rng(0)
    made = []
    for at, (width, height) in enumerate(SHAPES):
        path = folder / f"{at}.png"
        Image.fromarray(rng.integers(0, 255, (height, width, 3), dtype=np.uint8) // (at + 1)).save(path)
        made.append(Medium(media_id=str(at), path=path, mime="image/png", width=width, height=height, bytes=1))
    return made


@pytest.fixture(scope="module")
def idefics3(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny_models.idefics3(tmp_path_factory.mktemp("models") / "idefics3")


@pytest.fixture(scope="module")
def blip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny_models.blip(tmp_path_factory.mktemp("models") / "blip")


@pytest.fixture(scope="module", autouse=True)
def settled(idefics3: Path, blip: Path) -> None:
    """What is loaded by now is not searched whenever a model is let go of: that took half the time of these tests."""
    gc.collect()
    gc.freeze()


def make(folder: Path | str, **options: object) -> Local:
    return Local(Spec(name="hf", model=str(folder)), CaptionOptions(**{"max_output_tokens": 8, **options}))


def captions(folder: Path, media: list[Medium], **options: object) -> list[Caption]:
    async def run() -> list[Caption]:
        captioner = make(folder, **options)
        try:
            return await asyncio.gather(*(captioner.caption(medium) for medium in media))
        finally:
            await captioner.aclose()

    return asyncio.run(run())


@pytest.mark.parametrize("kind", ["idefics3", "blip"])
def test_a_batch_writes_what_single_calls_write(kind: str, media: list[Medium], request: pytest.FixtureRequest) -> None:
    folder = request.getfixturevalue(kind)
    batch, single = captions(folder, media, workers=5), captions(folder, media, workers=1)
    assert [one.text for one in batch] == [one.text for one in single]
    assert [one.tokens_in for one in batch] == [one.tokens_in for one in single]
    assert len({one.text for one in batch}) > 1  # it looks at the image
    for one in batch:
        assert (one.status, one.reason, one.tokens_out) == ("truncated", "longer than 8 tokens", 8)
        assert set(one.text.split()) <= set(tiny_models.WORDS)
        assert one.seconds > 0


@pytest.mark.parametrize("kind", ["idefics3", "blip"])
def test_a_caption_ends_where_the_model_ends_it(
    kind: str, media: list[Medium], request: pytest.FixtureRequest, tmp_path: Path
) -> None:
    endless = [one.text.split() for one in captions(request.getfixturevalue(kind), media)]
    end = next(word for words in endless for word in words if word != words[0])
    ended = captions(getattr(tiny_models, kind)(tmp_path / kind, ends_with=end), media)
    for words, one in zip(endless, ended, strict=True):
        if end not in words:
            assert (one.status, one.text.split()) == ("truncated", words)
        elif words[0] == end:
            assert (one.status, one.reason, one.text) == ("failed", "empty answer", "")
        else:
            assert (one.status, one.reason) == ("ok", "")
            assert one.text.split() == words[: words.index(end)]
            assert one.tokens_out == words.index(end) + 1
    assert any(one.status == "ok" for one in ended)


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["idefics3", "blip"])
def test_a_blank_answer_is_no_caption(
    kind: str, media: list[Medium], request: pytest.FixtureRequest, tmp_path: Path
) -> None:
    first = captions(request.getfixturevalue(kind), media[:1])[0].text.split()[0]
    silent = getattr(tiny_models, kind)(tmp_path / kind, ends_with=first)
    (made,) = captions(silent, media[:1])
    assert (made.status, made.reason, made.text) == ("failed", "empty answer", "")


def test_a_prompt_decides_what_a_chat_model_writes_and_its_id(
    idefics3: Path, media: list[Medium], tmp_path: Path
) -> None:
    file = tmp_path / "mine.txt"
    file.write_text("a red door", encoding="utf-8")
    other = captions(idefics3, media, prompt=str(file))
    assert [one.text for one in other] != [one.text for one in captions(idefics3, media)]
    assert make(idefics3, prompt=str(file)).prompt_id == prompts.load(str(file)).id
    assert make(idefics3, lang="ja").prompt_id == prompts.load("general", "ja").id


def test_attributes_are_asked_for_in_words(idefics3: Path, blip: Path, media: list[Medium]) -> None:
    schema = attributes.load("general")
    captioner = make(idefics3, attributes="general")
    assert dict(captioner.settings) == {"max_output_tokens": 8, "attributes": schema.id}
    assert captioner.prompt_id == prompts.load("general").id
    chat = captioner._model._chat(1)
    assert f"{prompts.load('general').user}\n\n{schema.instruction} <end_of_utterance>" in chat
    assert make(idefics3, attributes="general", max_output_tokens=None)._model._limit == 25 * len(schema.attributes)
    with pytest.raises(UsageError, match="follows no instructions, so that it cannot fill in attributes"):
        make(blip, attributes="general")


def test_a_model_without_a_chat_template_goes_on_from_the_users_own_text(
    blip: Path, media: list[Medium], tmp_path: Path
) -> None:
    assert make(blip).prompt_id == make(blip, prompt="product").prompt_id == ""
    file = tmp_path / "mine.txt"
    file.write_text("a quiet", encoding="utf-8")
    assert make(blip, prompt=str(file)).prompt_id == prompts.load(str(file)).id
    assert all(one.text.startswith("a quiet ") for one in captions(blip, media, prompt=str(file)))


def test_a_model_that_cannot_be_asked_for_japanese_says_so(blip: Path) -> None:
    with pytest.raises(UsageError, match="cannot be asked for another language; use a model with a chat template"):
        make(blip, lang="ja")


def video(media: list[Medium]) -> Medium:
    frames = tuple(medium.path for medium in media)
    return Medium(
        media_id="v",
        path=Path("lost.mp4"),
        mime="video/mp4",
        width=120,
        height=120,
        bytes=1,
        seconds=3.0,
        frames=frames,
    )


def test_a_chat_model_sees_all_frames_of_a_video_at_once(idefics3: Path, media: list[Medium]) -> None:
    made, image = captions(idefics3, [video(media[:3]), media[0]])
    assert made.status == "truncated"
    assert len(made.text.split()) == 8
    assert made.tokens_in > image.tokens_in
    assert captions(idefics3, [video(media[:3])])[0].text == made.text  # alone as in a mixed batch


def test_other_models_see_one_frame_at_a_time(blip: Path, media: list[Medium]) -> None:
    each = [one.text for one in captions(blip, media)]
    (made,) = captions(blip, [video([*media, media[0]])])
    said = [text if text.endswith(".") else f"{text}." for text in each]
    assert made.text == " ".join(dict.fromkeys(said))
    assert made.tokens_out == 8 * (len(media) + 1)


def test_a_lost_image_does_not_touch_its_batch(blip: Path, media: list[Medium], tmp_path: Path) -> None:
    broken = tmp_path / "broken.png"
    broken.write_bytes(media[0].path.read_bytes()[:200])
    lost = [
        Medium(media_id=name, path=tmp_path / name, mime="image/png", width=120, height=30, bytes=1)
        for name in ("broken.png", "gone.png")
    ]
    nothing = Medium(media_id="v", path=tmp_path / "v.mp4", mime="video/mp4", width=9, height=9, bytes=1, seconds=1.0)
    made = captions(blip, [media[0], *lost, nothing, media[1]], workers=5)
    assert [one.status for one in made] == ["truncated", "failed", "failed", "failed", "truncated"]
    assert "cut off or damaged" in made[1].reason
    assert "FileNotFoundError" in made[2].reason
    assert made[3].reason == "the video has no frames"
    assert [made[0].text, made[4].text] == [one.text for one in captions(blip, media[:2])]


def test_what_the_model_cannot_take_is_one_caption_lost(damaged: Path, media: list[Medium], tmp_path: Path) -> None:
    file = damaged / "processor_config.json"
    settings = json.loads(file.read_text())
    settings["image_processor"]["do_resize"] = False  # now it takes 32 × 32 pixels and nothing else
    file.write_text(json.dumps(settings))
    fits = []
    for at in range(3):
        path = tmp_path / f"{at}.png"
        Image.new("RGB", (32, 32), (90 * at, 50, 200)).save(path)
        fits.append(Medium(media_id=f"fits{at}", path=path, mime="image/png", width=32, height=32, bytes=1))
    made = captions(damaged, [fits[0], media[0], fits[1], fits[2]])
    assert [one.status for one in made] == ["truncated", "failed", "truncated", "truncated"]
    assert "must match" in made[1].reason
    assert [made[0].text, made[2].text, made[3].text] == [one.text for one in captions(damaged, fits)]


def test_an_answer_that_refuses_is_no_caption(blip: Path, media: list[Medium], tmp_path: Path) -> None:
    file = tmp_path / "mine.txt"
    file.write_text("I cannot help with that", encoding="utf-8")  # the model goes on from it, and says it thereby
    (made,) = captions(blip, media[:1], prompt=str(file))
    assert (made.status, made.reason, made.text) == ("refused", "says it cannot help", "")


def test_attributes(idefics3: Path, blip: Path) -> None:
    captioner = make(idefics3, workers=3)
    assert (captioner.name, captioner.provider, captioner.endpoint, captioner.concurrency) == ("hf", "", "", 3)
    assert captioner.settings == {"max_output_tokens": 8}
    plain = make(blip, max_output_tokens=None)
    assert (plain.settings, plain.concurrency) == ({}, 4)
    assert plain.model_version.startswith("blip@")


def test_the_version_follows_the_files_and_not_their_place(blip: Path, tmp_path: Path) -> None:
    version = make(blip).model_version
    copy = tmp_path / "elsewhere" / "blip"
    shutil.copytree(blip, copy)
    assert make(copy).model_version == version
    (copy / "README.md").write_text("Notes.", encoding="utf-8")
    assert make(copy).model_version == version
    other = tiny_models.blip(tmp_path / "trained" / "blip", seed=1)  # the same shapes, other numbers
    assert make(other).model_version not in {version, ""}
    settings = json.loads((copy / "config.json").read_text())
    (copy / "config.json").write_text(json.dumps({**settings, "note": 1}))
    assert make(copy).model_version != version


def test_closing_lets_go_of_the_model(blip: Path, media: list[Medium]) -> None:
    def models() -> int:
        gc.collect()
        return sum(type(thing).__name__ == "BlipForConditionalGeneration" for thing in gc.get_objects())

    async def run() -> list[int]:
        captioner = make(blip)
        await captioner.caption(media[0])
        open_now = models()
        await captioner.aclose()
        return [open_now, models()]

    before = models()
    assert asyncio.run(run()) == [before + 1, before]


def test_closing_stops_what_is_being_written(idefics3: Path, media: list[Medium]) -> None:
    async def run() -> list[Caption | BaseException]:
        captioner = make(idefics3, max_output_tokens=100_000, workers=2)
        calls = [asyncio.create_task(captioner.caption(medium)) for medium in media]
        await asyncio.sleep(0.5)
        await captioner.aclose()
        return await asyncio.gather(*calls, return_exceptions=True)

    for one in asyncio.run(run()):
        assert isinstance(one, asyncio.CancelledError) or (isinstance(one, Caption) and one.status == "failed")


def test_a_call_that_is_given_up_does_not_hold_the_others(blip: Path, media: list[Medium]) -> None:
    async def run() -> Caption:
        captioner = make(blip)
        given_up = asyncio.create_task(captioner.caption(media[0]))
        kept = asyncio.create_task(captioner.caption(media[1]))
        await asyncio.sleep(0)
        given_up.cancel()
        try:
            return await kept
        finally:
            await captioner.aclose()

    assert asyncio.run(run()).text == captions(blip, media[1:2])[0].text


def test_sixteen_bit_weights(media: list[Medium], tmp_path: Path) -> None:
    folder = tiny_models.idefics3(tmp_path / "half", dtype=torch.bfloat16)
    made = captions(folder, media)
    assert {one.status for one in made} == {"truncated"}
    assert len({one.text for one in made}) > 1


@pytest.mark.parametrize(
    ("spec", "says"),
    [
        (Spec(name="hf"), "no local model is named; use hf:FOLDER or hf:REPO"),
        (Spec(name="hf", model="m", base_url="http://127.0.0.1/v1"), "a local model has no address"),
        (Spec(name="hf", model="./no/such/folder"), "there is no folder ./no/such/folder"),
        (Spec(name="hf", model="nobody/nothing-at-all"), "neither a folder here nor a repository that can be reached"),
    ],
)
def test_a_model_that_is_not_there(spec: Spec, says: str) -> None:
    with pytest.raises(UsageError, match=says):
        Local(spec, CaptionOptions())


@pytest.mark.parametrize(
    ("option", "value"),
    [("caption_seed", 1), ("temperature", 1.0), ("top_p", 0.5), ("thinking", "low"), ("media_resolution", "low")],
)
def test_an_option_that_does_not_apply_is_refused(blip: Path, option: str, value: object) -> None:
    flag = "--" + option.replace("_", "-")
    with pytest.raises(UsageError, match=f"a local model takes no {flag}.*; leave out {flag}"):
        make(blip, **{option: value})


def test_a_folder_without_a_model(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"holds no model: it has no config\.json"):
        make(tmp_path)


@pytest.fixture
def damaged(blip: Path, tmp_path: Path) -> Path:
    return shutil.copytree(blip, tmp_path / "damaged")


def change(file: Path, **values: object) -> None:
    file.write_text(json.dumps({**json.loads(file.read_text()), **values}))


def test_code_that_comes_with_a_model_is_never_run(damaged: Path, media: list[Medium]) -> None:
    (damaged / "own.py").write_text("raise SystemExit('it ran')\n")
    auto = {"AutoConfig": "own.C", "AutoProcessor": "own.P", "AutoModelForImageTextToText": "own.M"}
    change(damaged / "config.json", model_type="own", auto_map=auto)
    with pytest.raises(UsageError, match=r"brings code of its own, which is never run|not one that transformers knows"):
        captions(damaged, media[:1])


def test_weights_that_are_not_safetensors(damaged: Path, media: list[Medium]) -> None:
    (damaged / "model.safetensors").unlink()
    torch.save({}, damaged / "pytorch_model.bin")
    with pytest.raises(UsageError, match="no usable weights in the safetensors format"):
        captions(damaged, media)


def test_weights_that_are_cut_off(damaged: Path, media: list[Medium]) -> None:
    weights = damaged / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:-1000])
    with pytest.raises(UsageError, match=r"; (use|download)"):
        captions(damaged, media)
    weights.write_bytes(b"\xff" * 100)
    with pytest.raises(UsageError, match="damaged"):
        make(damaged)


def test_weights_that_are_incomplete(damaged: Path, media: list[Medium]) -> None:
    from safetensors.torch import load_file, save_file

    tensors = load_file(damaged / "model.safetensors")
    tensors.pop(next(name for name in tensors if "crossattention.self.query.weight" in name))
    save_file(tensors, damaged / "model.safetensors", metadata={"format": "pt"})
    with pytest.raises(UsageError, match="incomplete: 1 tensors are not there; download it again"):
        captions(damaged, media)


def test_a_folder_of_another_kind_of_model(damaged: Path, media: list[Medium]) -> None:
    change(damaged / "config.json", model_type="no-such-type")
    with pytest.raises(UsageError, match="not one that transformers knows as image-text-to-text"):
        captions(damaged, media)


def test_a_folder_with_a_processor_of_text_only(damaged: Path) -> None:
    for name in ("processor_config.json", "preprocessor_config.json"):
        (damaged / name).unlink(missing_ok=True)
    with pytest.raises(UsageError, match=r"^captions: the model .*has no (image )?processor"):
        make(damaged)

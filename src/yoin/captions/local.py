"""Captions from a vision-language model on this machine, through Hugging Face's transformers.

``hf:FOLDER`` or ``hf:REPO``: any model that transformers knows as image-text-to-text. Weights are read from safetensors
only, and code that comes with a model is never run. A repository is downloaded once into Hugging Face's cache, unless
``HF_HUB_OFFLINE`` is set; a folder needs no network. torch and transformers are imported when a captioner is made, the
weights read when the first image comes.

A model with a chat template is asked with the prompt. One without, such as BLIP, follows no instructions: a prompt file
of the user's own is given to it as the text to go on from, a built-in prompt not at all.
"""

from __future__ import annotations

import asyncio
import gc
import threading
import time
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING

from PIL import Image

from yoin.captions import attributes, prompts
from yoin.captions.pretrained import find, read_processor, read_weights
from yoin.captions.refusals import is_refusal
from yoin.encoder import quiet
from yoin.errors import UsageError
from yoin.hub import faults, one_line
from yoin.images import ImageError, open_rgb
from yoin.options import CaptionOptions, Spec
from yoin.values import Caption, CaptionStatus, Medium

if TYPE_CHECKING:
    import torch
    from transformers import PreTrainedModel, ProcessorMixin

DEFAULT_BATCH = 4
DEFAULT_TOKENS = 200
_TOKENS_AN_ATTRIBUTE = 25
_TASK = "image-text-to-text"
_WINDOW = 0.01  # seconds that a batch waits for one more call


class Local:
    """Captions images and videos with a local model: greedy, in batches of the calls that wait.

    The same image gets the same caption on the same machine, but for a rare tie that is rounded otherwise in another
    batch.

    Args:
        spec: ``hf:FOLDER`` or ``hf:REPO``.
        options: ``workers`` is the size of a batch, 4 by default; ``max_output_tokens`` is 200 by default, and more
            where many attributes are asked for. Those stand in the prompt, and the answer is read strictly.

    Raises:
        UsageError: there is no such model, its processor cannot be read, or an option does not apply.
        MissingExtraError: torch or transformers is not installed.
    """

    name = "hf"
    provider = ""
    endpoint = ""
    takes_attributes = True

    def __init__(self, spec: Spec, options: CaptionOptions) -> None:
        _require_usable(spec, options)
        self._closed = threading.Event()
        schema = attributes.asked(options)
        prompt = prompts.load(options.prompt, options.lang)
        self._model = _Model(spec.model, prompt, schema, options, self._closed)
        self.model_version = self._model.source.version
        self.prompt_id = self._model.prompt_id
        self.concurrency = options.workers or DEFAULT_BATCH
        chosen = {"max_output_tokens": options.max_output_tokens, "attributes": schema.id if schema else None}
        self.settings: Mapping[str, str | int | float | bool] = {
            name: value for name, value in chosen.items() if value is not None
        }
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="hf")
        self._waiting: list[tuple[Medium, asyncio.Future[Caption]]] = []
        self._server: asyncio.Task[None] | None = None

    async def caption(self, medium: Medium) -> Caption:
        """The caption of an image, or of a video by its frames.

        A model that follows no instructions sees one frame at a time; what it says of them is joined.

        Raises:
            UsageError: the model's weights cannot be read.
        """
        future: asyncio.Future[Caption] = asyncio.get_running_loop().create_future()
        self._waiting.append((medium, future))
        if self._server is None or self._server.done():
            self._server = asyncio.create_task(self._serve())
        return await future

    async def aclose(self) -> None:
        """Stop at the next token and let go of the model."""
        self._closed.set()
        self._thread.shutdown(wait=True, cancel_futures=True)
        if self._server is not None:
            self._server.cancel()
            await asyncio.gather(self._server, return_exceptions=True)
        for _, future in self._waiting:
            future.cancel()
        self._waiting.clear()
        self._model.release()

    async def _serve(self) -> None:
        """Hand the waiting calls to the model's thread, a batch at a time, until none waits."""
        while self._waiting:
            seen = 0
            while seen < len(self._waiting) < self.concurrency:  # as long as more come
                seen = len(self._waiting)
                await asyncio.sleep(_WINDOW)
            batch = [(medium, future) for medium, future in self._waiting[: self.concurrency] if not future.done()]
            del self._waiting[: self.concurrency]
            if batch:
                await self._serve_batch([medium for medium, _ in batch], [future for _, future in batch])

    async def _serve_batch(self, media: list[Medium], futures: list[asyncio.Future[Caption]]) -> None:
        try:
            made = await asyncio.get_running_loop().run_in_executor(self._thread, self._model.captions, media)
            for future, one in zip(futures, made, strict=True):
                if not future.done():
                    future.set_result(one)
        except Exception as error:  # noqa: BLE001 - it is for those who wait for their captions
            for future in futures:
                if not future.done():
                    future.set_exception(error)
        finally:
            for future in futures:
                future.cancel()  # nobody waits for ever; does nothing to those that are done


def _require_usable(spec: Spec, options: CaptionOptions) -> None:
    if not spec.model or spec.base_url:
        problem = "a local model has no address" if spec.base_url else "no local model is named"
        raise UsageError(problem, stage="captions", remedy="use hf:FOLDER or hf:REPO, such as hf:models/smolvlm")
    for name in ("temperature", "top_p", "caption_seed", "thinking", "media_resolution"):
        if getattr(options, name) is not None:
            flag = "--" + name.replace("_", "-")
            raise UsageError(
                f"a local model takes no {flag}: it always writes the likeliest word",
                stage="captions",
                remedy=f"leave out {flag}",
            )


@dataclass(frozen=True, slots=True)
class _Answer:
    text: str = ""
    cut: bool = False  # it came to the length limit
    tokens_in: int = 0
    tokens_out: int = 0
    error: str = ""


class _Model:
    """A model and its processor; the weights are read with the first batch. Used by one thread."""

    def __init__(
        self,
        asked: str,
        prompt: prompts.Prompt,
        schema: attributes.Schema | None,
        options: CaptionOptions,
        closed: threading.Event,
    ) -> None:
        with faults(asked, stage="captions", task=_TASK):
            self.source = find(asked)
            self._processor = read_processor(self.source)
        self._chats = bool(getattr(self._processor, "chat_template", None))
        if self._chats:
            texts = (prompt.system, prompt.user, schema.instruction if schema else "")
            self._text = "\n\n".join(filter(None, texts))  # not every template knows a system's turn
        else:
            self._text = "" if prompt.built_in else prompt.user
        if not self._text and options.lang != "en":
            raise UsageError(
                f"the model {asked} follows no instructions, so that it cannot be asked for another language",
                stage="captions",
                remedy="use a model with a chat template, or leave out --lang",
            )
        if schema is not None and not self._chats:
            raise UsageError(
                f"the model {asked} follows no instructions, so that it cannot fill in attributes",
                stage="captions",
                remedy="use a model with a chat template, or leave out --attributes",
            )
        self.prompt_id = prompt.id if self._text else ""
        self._batch = options.workers or DEFAULT_BATCH
        room = _TOKENS_AN_ATTRIBUTE * len(schema.attributes) if schema else 0
        self._limit = options.max_output_tokens or max(DEFAULT_TOKENS, room)
        self._closed = closed
        self._weights: PreTrainedModel | None = None
        with faults(asked, stage="captions", task=_TASK):  # what the processor is short of shows with any image
            self._inputs([(Image.new("RGB", (64, 64)),)])

    def captions(self, media: Sequence[Medium]) -> list[Caption]:
        """A caption a medium.

        Raises:
            UsageError: the weights cannot be read.
        """
        if self._weights is None:
            with faults(self.source.asked, stage="captions", task=_TASK):
                self._weights = read_weights(self.source)
        started = time.perf_counter()
        jobs: list[tuple[Image.Image, ...]] = []  # the images of each run of the model
        jobs_of: list[range] = []
        losses: list[str] = []
        for medium in media:
            new, fault = self._jobs(medium)
            jobs_of.append(range(len(jobs), len(jobs) + len(new)))
            losses.append(fault)
            jobs += new
        answers: list[_Answer] = []
        for start in range(0, len(jobs), self._batch):
            answers += self._answers(jobs[start : start + self._batch])
        seconds = time.perf_counter() - started
        return [
            self._caption([_Answer(error=fault)] if fault else [answers[job] for job in span], seconds)
            for span, fault in zip(jobs_of, losses, strict=True)
        ]

    def release(self) -> None:
        """Let go of the weights, and of the GPU memory they took."""
        self._weights = None
        gc.collect()
        _empty_cache()

    def _jobs(self, medium: Medium) -> tuple[list[tuple[Image.Image, ...]], str]:
        """What the model is to see of a medium, one run an item; or why there is nothing."""
        most = max(1, medium.width * medium.height)
        try:
            images = tuple(open_rgb(view, max_pixels=most) for view in medium.views)
        except (ImageError, OSError) as error:
            return [], one_line(error)
        if not images:
            return [], "the video has no frames"
        return ([images] if self._chats else [(image,) for image in images]), ""

    def _answers(self, jobs: Sequence[tuple[Image.Image, ...]]) -> list[_Answer]:
        """An answer a job; a batch that fails, for want of memory say, is done again in halves."""
        try:
            return self._generate(jobs)
        except Exception as error:  # noqa: BLE001 - one medium's failure is its record
            if len(jobs) == 1:
                return [_Answer(error=one_line(error))]
        _empty_cache()
        middle = len(jobs) // 2
        return self._answers(jobs[:middle]) + self._answers(jobs[middle:])

    def _generate(self, jobs: Sequence[tuple[Image.Image, ...]]) -> list[_Answer]:
        import torch
        from transformers import StoppingCriteriaList

        model = self._weights
        if model is None or self._closed.is_set():
            return [_Answer(error="stopped")] * len(jobs)
        inputs = {
            name: value.to(model.device, model.dtype if value.is_floating_point() else value.dtype)
            for name, value in self._inputs(jobs).items()
        }
        with quiet(), torch.inference_mode():
            output = model.generate(  # type: ignore[operator]  # (batch, tokens)
                **inputs,
                do_sample=False,
                num_beams=1,
                max_new_tokens=self._limit,
                stopping_criteria=StoppingCriteriaList([self._stop]),
            )
        if self._closed.is_set():
            return [_Answer(error="stopped")] * len(jobs)
        given = inputs.get("input_ids")
        lengths = [0] * len(jobs) if given is None else inputs["attention_mask"].sum(dim=1).tolist()
        if given is not None and torch.equal(output[:, : given.shape[1]], given):  # the prompt comes back in front
            output = output[:, given.shape[1] :]
        return [self._read(row, length) for row, length in zip(output.tolist(), lengths, strict=True)]

    def _inputs(self, jobs: Sequence[tuple[Image.Image, ...]]) -> dict[str, torch.Tensor]:
        """The processor's tensors, padded on the left."""
        processor = self._processor
        if self._chats:
            texts = [self._chat(len(images)) for images in jobs]
            bos = processor.tokenizer.bos_token
            special = not (bos and texts[0].startswith(bos))  # never two beginnings
            made = processor(
                images=[list(images) for images in jobs],
                text=texts,
                padding=True,
                add_special_tokens=special,
                return_tensors="pt",
            )
        elif self._text:
            made = processor(
                images=[images[0] for images in jobs], text=[self._text] * len(jobs), padding=True, return_tensors="pt"
            )
        else:
            made = processor(images=[images[0] for images in jobs], return_tensors="pt")
        return dict(made)

    def _chat(self, images: int) -> str:
        content = [{"type": "image"}] * images + [{"type": "text", "text": self._text}]
        chat = [{"role": "user", "content": content}]
        return str(self._processor.apply_chat_template(chat, add_generation_prompt=True, tokenize=False))  # type: ignore[arg-type]

    def _stop(self, ids: torch.Tensor, scores: object, **_: object) -> torch.Tensor:
        import torch

        return torch.full((ids.shape[0],), self._closed.is_set(), dtype=torch.bool, device=ids.device)

    def _read(self, row: list[int], tokens_in: int) -> _Answer:
        """What the model wrote, from the token ids of one row."""
        starts, ends = _borders(self._weights, self._processor)
        if row and row[0] in starts:
            row = row[1:]
        end = next((at for at, token in enumerate(row) if token in ends), None)
        text = self._processor.tokenizer.decode(row[:end], skip_special_tokens=True)
        return _Answer(
            text=text.strip(),
            cut=end is None and len(row) >= self._limit,
            tokens_in=tokens_in,
            tokens_out=len(row) if end is None else end + 1,
        )

    def _caption(self, answers: Sequence[_Answer], seconds: float) -> Caption:
        text = " ".join(dict.fromkeys(_sentence(one.text, len(answers)) for one in answers if one.text))
        error = next((one.error for one in answers if one.error), "" if text else "empty answer")
        status: CaptionStatus = "ok"
        reason = ""
        if error:
            status, reason = "failed", error
        elif is_refusal(text):
            status, reason = "refused", "says it cannot help"
        elif any(one.cut for one in answers):
            status, reason = "truncated", f"longer than {self._limit} tokens"
        return Caption(
            text=text if status in {"ok", "truncated"} else "",
            status=status,
            reason=reason,
            model_version=self.source.version,
            tokens_in=sum(one.tokens_in for one in answers),
            tokens_out=sum(one.tokens_out for one in answers),
            seconds=seconds,
        )


def _sentence(text: str, of: int) -> str:
    """One of several answers as a sentence of a text."""
    return text if of == 1 or text.endswith((".", "!", "?", "。", "！", "？")) else f"{text}."


def _empty_cache() -> None:
    import torch

    if torch.cuda.is_available():
        torch.cuda.empty_cache()


def _borders(model: PreTrainedModel | None, processor: ProcessorMixin) -> tuple[set[int], set[int]]:
    """The token ids that an answer may start with and that say nothing, and those that end it."""
    config = getattr(model, "config", None)
    text = getattr(config, "text_config", None) or config
    generation = getattr(model, "generation_config", None)
    starts = _ids(getattr(generation, "decoder_start_token_id", None), getattr(text, "bos_token_id", None))
    # BLIP's decoder ends with BERT's separator and names no other end
    ends = _ids(getattr(text, "sep_token_id", None)) or _ids(getattr(generation, "eos_token_id", None))
    return starts, ends or _ids(processor.tokenizer.eos_token_id)


def _ids(*values: int | list[int] | None) -> set[int]:
    return {one for value in values if value is not None for one in ([value] if isinstance(value, int) else value)}

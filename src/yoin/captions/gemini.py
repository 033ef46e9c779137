"""Gemini: through the Developer API with a key, or through Vertex AI with a Google Cloud project.

The package google-genai sends the calls; their answers are read here from the JSON, so that what the package does not
know yet (a new reason to block, say) is recorded by its name. Its retries and redirects are off: the stage paces the
calls, and a redirect would carry the key to another host.
"""

from __future__ import annotations

import asyncio
import re
import time
from collections.abc import Awaitable, Collection, Mapping
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Any, ClassVar, Final, Self, TypeVar

from yoin.captions import attributes, prompts
from yoin.captions.base import Passing, may_call_again
from yoin.captions.gemini_answers import Gone, judge, read, wrong
from yoin.captions.gemini_batch import GeminiBatches
from yoin.captions.gemini_connection import connect, no_token
from yoin.captions.gemini_files import LARGEST, Uploads
from yoin.captions.pictures import pictures
from yoin.captions.vertex_batch import VertexBatches
from yoin.images import ImageError
from yoin.options import CaptionOptions, Spec
from yoin.values import Caption, Medium

if TYPE_CHECKING:
    from google.genai import types

T = TypeVar("T")

DEFAULT_MODEL: Final = "gemini-3.8-flash"

_CONCURRENCY: Final = 32
# A request of the Developer API may have 20 MB, and base64 makes four bytes of three.
_VIDEO_BYTES: Final = 14_000_000
_MOST_TOKENS: Final = 65_536  # that the current models write
_SETTINGS: Final = ("temperature", "top_p", "caption_seed", "max_output_tokens", "thinking", "media_resolution")
# The categories that can be opened. They are: to describe what is in a picture is not to approve of it, and captions
# lost to a filter are not lost at random.
_OPENED: Final = ("HARASSMENT", "HATE_SPEECH", "SEXUALLY_EXPLICIT", "DANGEROUS_CONTENT")


class Gemini:
    """A Gemini model through the Developer API; see `yoin.captions.base.Captioner`.

    The key is GOOGLE_API_KEY, else GEMINI_API_KEY, of the environment or the keyring. Images are sent within the
    request; so is a video (MP4, WebM or QuickTime) of at most 14 MB. A larger one is uploaded first, and of any other
    its frames are sent.

    Raises:
        UsageError: no key, or an option that cannot be.
        MissingExtraError: google-genai is not installed.
    """

    name = "gemini"
    provider = "google"
    takes_attributes = True
    _uploaded: ClassVar[bool] = True  # whether there is a File API
    _videos: ClassVar[dict[str, str]] = {
        "video/mp4": "video/mp4",
        "video/webm": "video/webm",
        "video/quicktime": "video/mov",
    }

    def __init__(self, spec: Spec, options: CaptionOptions) -> None:
        self._introduce(spec, options)
        self._connection = connect(self.name, spec, options, self.concurrency)
        self._config = _config(self._system, options, self._schema)
        self.endpoint = f"{self._connection.host}/{self.model_version}"
        self._cut: dict[str, Caption] = {}  # truncated, and the call with more room still to be made
        self._uploads = Uploads(self._connection.client, self._connection.base_url, self._translated)

    @classmethod
    def unconnected(cls, spec: Spec, options: CaptionOptions) -> Self:
        """One that says what it is, and cannot be asked: it needs no key."""
        made = cls.__new__(cls)
        made._introduce(spec, options)
        return made

    def _introduce(self, spec: Spec, options: CaptionOptions) -> None:
        self.model_version = _model(spec)
        self.concurrency = options.workers or _CONCURRENCY
        self._schema = attributes.asked(options)
        chosen = {name: getattr(options, name) for name in _SETTINGS}
        chosen["attributes"] = self._schema.id if self._schema else None
        self.settings: Mapping[str, str | int | float | bool] = {
            name: value for name, value in chosen.items() if value is not None
        }
        prompt = prompts.load(options.prompt, options.lang)
        self.prompt_id = prompt.id
        self._system, self._user = prompt.system, attributes.with_form(prompt.user, self._schema)
        self._seconds = options.call_timeout
        self._batch_folder = options.batch_folder

    async def caption(self, medium: Medium) -> Caption:
        """The caption of ``medium``, with a second call where ``max_output_tokens`` cut it; see `Captioner`.

        Raises:
            Throttled: the quota is used up.
            Passing: a fault of the server or of the way to it, or no answer in time.
            UsageError: the key, the credentials, the account or the model are not usable.
        """
        parts = await self._read_parts(medium, upload=self._uploaded)
        if isinstance(parts, Caption):
            return parts
        try:
            return await self._answered(medium, parts)
        except Gone:
            self._uploads.forget(medium.media_id)
            raise

    async def write(self, text: str) -> Caption:
        """What the model answers to ``text`` alone, in one call.

        Raises:
            Passing, UsageError: as `caption`.
        """
        from google.genai import types

        alone = {"system_instruction": None, "response_schema": None, "response_json_schema": None,
                 "response_mime_type": None}  # fmt: skip
        return await self._ask([types.Part(text=text)], self._config.model_copy(update=alone))

    def batches(self) -> GeminiBatches:
        """The batch interface; a video that is too large to be sent inline goes as its frames."""
        return GeminiBatches(*self._for_batches())

    def _for_batches(self) -> tuple[Any, ...]:
        parts = partial(self._read_parts, upload=False)
        connection = self._connection
        return connection.client, connection.base_url, self.model_version, self._config, parts, self._translated

    async def aclose(self) -> None:
        """Delete what was uploaded, and close the connections."""
        await self._uploads.aclose()
        await self._connection.aclose()

    async def _answered(self, medium: Medium, parts: list[types.Part]) -> Caption:
        limit = self._config.max_output_tokens
        earlier = self._cut.pop(medium.media_id, None)
        first = earlier or await self._ask(parts, self._config)
        if first.status != "truncated" or limit is None or limit >= _MOST_TOKENS:
            return first
        room = min(max(4 * limit, 4096), _MOST_TOKENS)
        if earlier is None and not await may_call_again(first, room=room):
            return first
        try:
            second = await self._ask(parts, self._config.model_copy(update={"max_output_tokens": room}))
        except Passing:
            self._cut[medium.media_id] = first  # so that the next attempt does not pay for it again
            raise
        better = first if second.status == "failed" else second
        return replace(
            better,
            tokens_in=first.tokens_in + second.tokens_in,
            tokens_out=first.tokens_out + second.tokens_out,
            seconds=first.seconds + second.seconds,
            attempts=2,
        )

    async def _read_parts(self, medium: Medium, *, upload: bool) -> list[types.Part] | Caption:
        """What is sent; a caption where the file cannot be read or an uploaded video not be used."""
        try:
            return await self._parts(medium, upload)
        except (ImageError, OSError) as error:
            return Caption(text="", status="failed", reason=f"the file cannot be read: {type(error).__name__}")

    async def _parts(self, medium: Medium, upload: bool) -> list[types.Part] | Caption:
        from google.genai import types

        mime = self._videos.get(medium.mime, "") if medium.is_video else ""
        if mime and upload and _VIDEO_BYTES < medium.bytes <= LARGEST:
            file = await self._uploads.put(medium, mime)
            if isinstance(file, Caption):
                return file
            if file is not None:
                data = types.FileData(file_uri=file.uri, mime_type=mime)
                return [types.Part(file_data=data), types.Part(text=self._user)]
        whole = mime and medium.bytes <= _VIDEO_BYTES
        sent = [(mime, await asyncio.to_thread(medium.path.read_bytes))] if whole else []
        return [
            *(
                types.Part(inline_data=types.Blob(mime_type=kind, data=data))
                for kind, data in sent or await asyncio.to_thread(pictures, medium)
            ),
            types.Part(text=self._user),
        ]

    async def _ask(self, parts: list[types.Part], config: types.GenerateContentConfig) -> Caption:
        """One call."""
        from google.genai import types

        async def call() -> Caption | Passing:
            answer = await self._connection.client.aio.models.generate_content(
                model=self.model_version, contents=types.Content(role="user", parts=parts), config=config
            )
            response = answer.sdk_http_response
            return read((response.body if response else "") or "", self.model_version)

        started = time.perf_counter()
        more_room = config is not self._config
        named = set(self.settings) - ({"max_output_tokens"} if more_room else set())
        made = await self._translated(call(), settings=named, uploaded=any(part.file_data for part in parts))
        return replace(made, seconds=time.perf_counter() - started)

    async def _translated(
        self,
        work: Awaitable[T | Exception],
        *,
        settings: Collection[str] = (),
        uploaded: bool = False,
        seconds: float | None = None,
    ) -> T | Caption:
        """What it comes to. What this raises has no context: the errors of the packages may quote the key."""
        import httpx2
        from google.auth.exceptions import GoogleAuthError
        from google.genai.errors import APIError

        outcome: T | Caption | Exception
        try:
            async with asyncio.timeout(seconds or self._seconds):
                outcome = await work
        except TimeoutError:
            outcome = Passing(f"no answer within {seconds or self._seconds:g} seconds")
        except httpx2.HTTPError as error:
            outcome = Passing(f"the connection failed: {type(error).__name__}")
        except GoogleAuthError as error:
            outcome = no_token(error)
        except APIError as error:
            outcome = judge(error, model=self.model_version, settings=settings, uploaded=uploaded)
        if isinstance(outcome, Exception):
            raise outcome
        return outcome


class Vertex(Gemini):
    """A Gemini model through Vertex AI; see `yoin.captions.base.Captioner`.

    The project and the location are options, or GOOGLE_CLOUD_PROJECT and GOOGLE_CLOUD_LOCATION (else ``global``).
    Calls are made with the application default credentials, or with the access token in GOOGLE_OAUTH_ACCESS_TOKEN
    where it is set; at an address other than Google's with that token only.

    Raises:
        UsageError: no project, no credentials, or an option that cannot be.
        MissingExtraError: google-genai is not installed.
    """

    name = "vertex"
    _uploaded = False
    _videos = Gemini._videos | {"video/quicktime": "video/quicktime"}

    def batches(self) -> VertexBatches:
        """The batch interface, which reads from a bucket and writes to it."""
        return VertexBatches(self._batch_folder, *self._for_batches())


def models(spec: Spec, options: CaptionOptions) -> list[str]:
    """The names of the models that the key or the project can use for captions, sorted.

    Raises:
        Passing: the service does not answer, or wants fewer calls.
        UsageError: as `Gemini` and `Vertex` raise it.
        MissingExtraError: google-genai is not installed.
    """
    connection = connect(spec.name, spec, options, concurrency=1)
    import httpx2
    from google.auth.exceptions import GoogleAuthError
    from google.genai.errors import APIError

    found: set[str] = set()
    fault: Caption | Exception | None = None
    try:
        for model in connection.client.models.list(config={"page_size": 1000, "query_base": True}):
            actions = model.supported_actions  # Vertex names none
            if model.name and (not actions or "generateContent" in actions):
                found.add(model.name.rpartition("/")[2])
    except httpx2.HTTPError as error:
        fault = Passing(f"the connection failed: {type(error).__name__}")
    except ValueError:  # not JSON, or not of the shape it should have
        fault = Passing("the answer is malformed")
    except GoogleAuthError as error:
        fault = no_token(error)
    except APIError as error:
        fault = judge(error, model=_model(spec), settings=set())
    finally:
        connection.close()
    if isinstance(fault, Caption):  # a request without a medium was rejected
        fault = wrong(fault.reason, "check the address")
    if fault:
        raise fault
    return sorted(found)


def _model(spec: Spec) -> str:
    model = spec.model or DEFAULT_MODEL
    if not re.fullmatch(r"[\w@:/-]+(\.[\w@:/-]+)*", model, re.ASCII):
        raise wrong(f"{model!r} is no model's name", f"give one such as {DEFAULT_MODEL}")
    return model


def _config(system: str, options: CaptionOptions, schema: attributes.Schema | None) -> types.GenerateContentConfig:
    from google.genai import types

    levels = [level.value for level in types.ThinkingLevel if not level.value.endswith("UNSPECIFIED")]
    if options.thinking is not None and options.thinking.upper() not in levels:
        known = ", ".join(levels).lower()
        raise wrong(f"{options.thinking!r} is no thinking level of Gemini", f"use one of: {known}")
    level = None if options.thinking is None else types.ThinkingLevel(options.thinking.upper())
    resolution = options.media_resolution
    return types.GenerateContentConfig(
        system_instruction=system or None,
        temperature=options.temperature,
        top_p=options.top_p,
        seed=options.caption_seed,
        max_output_tokens=options.max_output_tokens,
        thinking_config=types.ThinkingConfig(thinking_level=level) if level else None,
        media_resolution=types.MediaResolution(f"MEDIA_RESOLUTION_{resolution.upper()}") if resolution else None,
        response_mime_type="application/json" if schema else None,
        response_json_schema=dict(schema.response_schema) if schema else None,
        safety_settings=[
            types.SafetySetting(
                category=types.HarmCategory(f"HARM_CATEGORY_{category}"), threshold=types.HarmBlockThreshold.OFF
            )
            for category in _OPENED
        ],
        automatic_function_calling=types.AutomaticFunctionCallingConfig(disable=True),
        automatic_continuation=False,
        should_return_http_response=True,
    )

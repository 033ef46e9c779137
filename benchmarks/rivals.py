"""What else explains texts or asks a network, for explain.py. None of it is needed by Yoin; each is tried if installed.

pip install captum onnx onnxscript onnxruntime shapiq    # shapiq 1.4 and later need Python 3.11
"""

from __future__ import annotations

import contextlib
import io
import logging
import tempfile
import time
import warnings
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import numpy as np
import torch

from yoin import encoder
from yoin.explanations.game import Game
from yoin.explanations.players import split
from yoin.model.shelf import FoldModel

Outputs = Callable[[Sequence[Sequence[int]]], np.ndarray]
Spans = list[tuple[int, int]]
TOKENS_A_BATCH = 2048
STEPS = 50  # of integrated gradients, captum's default


@contextlib.contextmanager
def _hushed() -> Iterator[None]:
    """Without what exporters and optional imports print."""
    logging.disable(logging.WARNING)
    try:
        with warnings.catch_warnings(), contextlib.redirect_stdout(io.StringIO()):
            warnings.simplefilter("ignore")
            yield
    finally:
        logging.disable(logging.NOTSET)


def predicting(model: FoldModel, texts: Sequence[str]) -> Iterator[tuple[str, str]]:
    """(way, finding) of ways to ask the network for ``texts``: calls a CPU second, and the error against fp32."""
    fitted = model._shelf.read(model._folder)._fitted
    (network, scale), tokens = fitted.members[0], fitted.tokens
    ids = tokens.ids(texts)
    pad = fitted.tokenizer.pad_token_id
    asked = {"fp32": lambda: model(list(texts))}
    for way in model.ways:
        asked[way] = lambda way=way: model.quickly(list(texts), way)
    for name, make in {
        "torch.compile, fp32": lambda: _compiled(network, pad),
        "ONNX Runtime, fp32": lambda: _onnx(network, pad, quantised=False),
        "ONNX Runtime, int8 dynamic": lambda: _onnx(network, pad, quantised=True),
    }.items():
        try:
            with _hushed():
                way = make()
        except Exception as error:  # noqa: BLE001 - a rival that cannot be made here is left out, with a word
            yield name, f"left out: {type(error).__name__}: {str(error).splitlines()[0][:80]}"
            continue
        asked[name] = lambda way=way: scale.prediction(way(ids))
    exact = asked["fp32"]()
    for name, ask in asked.items():
        ask()  # made, compiled and warm
        start = time.process_time()
        found = ask()
        seconds = time.process_time() - start
        alike, error = np.corrcoef(found, exact)[0, 1], np.abs(found - exact).mean() / exact.std()
        yield name, f"{len(ids) / seconds:.0f} calls a CPU second, mean error {error:.2%} of the sd, r = {alike:.5f}"


def _padded(network: Callable[..., torch.Tensor], ids: Sequence[Sequence[int]], pad: int) -> np.ndarray:
    """Outputs (n,) in batches of about equally long texts."""
    found = np.empty(len(ids))
    with torch.inference_mode():
        for rows in encoder.batches([len(item) for item in ids], TOKENS_A_BATCH):
            tokens, mask = encoder.padded([ids[row] for row in rows], pad)
            found[rows] = np.asarray(network(tokens, mask))
    return found


def _compiled(network: torch.nn.Module, pad: int) -> Outputs:
    compiled = torch.compile(network, dynamic=True)
    return lambda ids: _padded(compiled, ids, pad)


def _onnx(network: torch.nn.Module, pad: int, *, quantised: bool) -> Outputs:
    import onnxruntime

    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "network.onnx")
        example = torch.ones(2, 9, dtype=torch.long), torch.ones(2, 9, dtype=torch.long)
        example[1][1, 4:] = 0  # a mask without effect would be left out
        shape = {0: torch.export.Dim("texts"), 1: torch.export.Dim("tokens", max=512)}
        program = torch.onnx.export(network, example, dynamo=True, dynamic_shapes=(shape, shape))
        program.save(path)
        if quantised:
            from onnxruntime.quantization import quantize_dynamic

            quantize_dynamic(path, Path(folder, "small.onnx"), per_channel=True)
            path = Path(folder, "small.onnx")
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = torch.get_num_threads()
        session = onnxruntime.InferenceSession(path.read_bytes(), options)
    first, second = (given.name for given in session.get_inputs())

    def run(tokens: torch.Tensor, mask: torch.Tensor) -> np.ndarray:
        return session.run(None, {first: tokens.numpy(), second: mask.numpy()})[0]

    return lambda ids: _padded(run, ids, pad)


def gradients(model: FoldModel) -> Callable[[str], tuple[np.ndarray, Spans, int]]:
    """Captum's integrated gradients of the word embeddings, from mask tokens.

    What is returned gives values, on the network's own scale, and (start, end) of a text's tokens, and calls.

    Raises:
        ModuleNotFoundError: captum is not installed.
    """
    from captum.attr import LayerIntegratedGradients

    fitted = model._shelf.read(model._folder)._fitted
    tokenizer, network = fitted.tokenizer, fitted.members[0][0]
    method = LayerIntegratedGradients(network, network.body.embeddings.word_embeddings)

    def explained(text: str) -> tuple[np.ndarray, Spans, int]:
        told = tokenizer(text, return_tensors="pt", return_offsets_mapping=True, truncation=True)
        tokens, offsets = told["input_ids"], told["offset_mapping"][0].tolist()
        base = torch.full_like(tokens, tokenizer.mask_token_id)
        base[:, 0], base[:, -1] = tokens[:, 0], tokens[:, -1]
        given = method.attribute(
            tokens, base, additional_forward_args=(told["attention_mask"],), n_steps=STEPS, internal_batch_size=25
        )
        return given.sum(dim=-1)[0].detach().numpy(), [(start, end) for start, end in offsets], STEPS

    return explained


def approximators(
    text: str, quickly: Callable[[list[str]], np.ndarray], budgets: Sequence[int], seed: int
) -> Iterator[tuple[str, int, np.ndarray]]:
    """(name, calls, phrase values) by what shapiq offers for Shapley values, for each of ``budgets``.

    Raises:
        ModuleNotFoundError: shapiq is not installed.
    """
    with _hushed():
        import shapiq
    players = split(text)
    game, count = Game(players), len(players.phrases)
    phrase = np.repeat(np.arange(count), [last - first for first, last in players.phrases])

    def value(coalitions: np.ndarray) -> np.ndarray:
        return quickly([game.text(mask) for mask in np.atleast_2d(np.asarray(coalitions, dtype=np.bool_))[:, phrase]])

    made = {
        "KernelSHAP, paired": lambda: shapiq.KernelSHAP(count, pairing_trick=True, random_state=seed),
        "permutations": lambda: shapiq.PermutationSamplingSV(count, random_state=seed),
        "kADD-SHAP": lambda: shapiq.kADDSHAP(count, max_order=2, pairing_trick=True, random_state=seed),
    }
    for name, make in made.items():
        for budget in budgets:
            with _hushed():
                found = make().approximate(budget, value)
            yield name, budget, np.array([found[(player,)] for player in range(count)])

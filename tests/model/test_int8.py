"""Eight-bit numbers against the network itself."""

from __future__ import annotations

import numpy as np
import pytest

pytest.importorskip("torch")
pytest.importorskip("transformers")

import torch
from scipy.stats import spearmanr
from transformers import BertConfig, BertModel

from yoin.explanations.precision import MIN_RANK_CORRELATION
from yoin.model import int8
from yoin.model.int8 import Int8Network, fits, has_int8
from yoin.model.quick import outputs, quick_ways
from yoin.model.training import Network

pytestmark = pytest.mark.skipif(not has_int8(), reason="needs a processor with AVX-512 VNNI")


def network(**settings: object) -> Network:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(3)
        shape = {"hidden_size": 64, "intermediate_size": 256, "num_hidden_layers": 2, "num_attention_heads": 4}
        body = BertModel(BertConfig(vocab_size=200, max_position_embeddings=64, **(shape | settings)))  # type: ignore[arg-type]
        made = Network(body).eval()
        for part in made.modules():  # as trained: biases are not 0, norms not 1, weights far from 0
            if isinstance(part, torch.nn.LayerNorm | torch.nn.Linear):
                torch.nn.init.normal_(part.bias, std=0.1)
            if isinstance(part, torch.nn.LayerNorm):
                torch.nn.init.normal_(part.weight, mean=1.0, std=0.3)
            if isinstance(part, torch.nn.Linear):
                torch.nn.init.normal_(part.weight, std=0.08)
    return made.requires_grad_(False)


def texts(count: int) -> list[list[int]]:
    random = np.random.default_rng(1)
    return [random.integers(200, size=length).tolist() for length in random.integers(2, 60, count)]


def test_near_the_network_itself_for_texts_of_any_length() -> None:
    made, ids = network(), texts(80)
    exact, near = outputs(made, ids, 0), Int8Network(made).outputs(ids)
    assert np.abs(near - exact).max() < 0.35 * exact.std()
    assert np.corrcoef(near, exact)[0, 1] > 0.998


def test_a_text_s_value_does_not_depend_on_what_else_is_asked() -> None:
    quick, ids = Int8Network(network()), texts(60)
    together = quick.outputs(ids)
    np.testing.assert_allclose(quick.outputs(ids[::-1])[::-1], together, rtol=0, atol=1e-3 * together.std())
    np.testing.assert_array_equal(Int8Network(network()).outputs(ids), together)


def test_a_first_token_s_large_numbers_leave_the_others_exact() -> None:
    made, ids = network(), [[199, *text] for text in texts(40)]
    layer = made.body.encoder.layer[0]
    seen: list[torch.Tensor] = []
    hook = layer.intermediate.dense.register_forward_pre_hook(lambda _, given: seen.append(given[0][0, 0]))
    outputs(made, ids[:1], 0)
    hook.remove()
    layer.intermediate.dense.weight[7] = 5 * seen[0] / seen[0].norm()  # only a first token is much like this
    layer.intermediate.dense.bias[7] = -22.0
    active: list[torch.Tensor] = []
    hook = layer.output.dense.register_forward_pre_hook(lambda _, given: active.append(given[0]))
    outputs(made, ids[:1], 0)
    hook.remove()
    assert active[0][0, 0].max() > 3 * active[0][0, 1:].max()
    exact, near = outputs(made, ids, 0), Int8Network(made).outputs(ids)
    assert np.corrcoef(near, exact)[0, 1] > 0.998


def test_a_network_whose_numbers_do_not_fit_into_eight_bits_is_found_out() -> None:
    made, ids = network(), texts(64)
    made.body.encoder.layer[0].intermediate.dense.weight[7] *= 60  # in every token one number far above the others
    exact, near = outputs(made, ids, 0), Int8Network(made).outputs(ids)
    assert spearmanr(near, exact).statistic < MIN_RANK_CORRELATION  # so another way is taken


def test_which_networks_it_is_for() -> None:
    assert fits(network())
    assert not fits(network(hidden_act="relu"))
    assert not fits(network(is_decoder=True))


def test_where_torch_s_operator_is_another_it_is_not_a_way(monkeypatch: pytest.MonkeyPatch) -> None:
    def changed(*_: object) -> torch.Tensor:
        raise RuntimeError("expected other arguments")

    made = network()
    assert has_int8()
    has_int8.cache_clear()
    monkeypatch.setattr(int8._Product, "__call__", changed)
    assert not has_int8()
    assert "int8" not in quick_ways(made)
    has_int8.cache_clear()


def test_nothing_is_left_behind_in_the_network() -> None:
    made = network()
    Int8Network(made)
    assert not any(part._forward_pre_hooks for part in made.modules())


def test_attention_of_any_strength_stays_finite() -> None:
    made, ids = network(), texts(40)
    for strength in (3.0, 1e4):
        made.body.encoder.layer[0].attention.self.query.weight *= strength
        near = Int8Network(made).outputs(ids)
        assert np.isfinite(near).all()
        if strength == 3:
            assert np.corrcoef(near, outputs(made, ids, 0))[0, 1] > 0.99

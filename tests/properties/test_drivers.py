from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import sparse

from tests.drivers.plain import estimate_drivers
from tests.drivers.test_robust import brute_force
from yoin.drivers.concepts import find_concepts
from yoin.drivers.effects import lifts, q_values
from yoin.drivers.tokens import tokenise
from yoin.options import DriverOptions

ENGLISH = "a the no not without text face faces red warm cool palette two 3 dog , . and or of is never".split()
WORDS = st.sampled_from([*ENGLISH, "\n", "-", "文字", "はない", "黒い"])
CAPTIONS = st.lists(st.lists(WORDS, max_size=12).map(" ".join), min_size=1, max_size=25)
FEW = DriverOptions(min_rows=2, min_groups=2)


@settings(deadline=None, max_examples=80)
@given(CAPTIONS)
def test_occurrences_agree_with_the_indicators(captions):
    found = find_concepts(captions, FEW)
    present = found.present.toarray()
    assert len(set(found.labels)) == len(found.labels) == present.shape[1]
    rows = present.sum(axis=0)
    assert ((rows >= 2) & (len(captions) - rows >= 2)).all()
    stands = np.zeros_like(present)
    for row, concept, start, end, negated in found.occurrences.itertuples(index=False):
        assert 0 <= start < end <= len(captions[row])
        assert "\n" not in captions[row][start:end]
        assert "." not in captions[row][start:end]
        if not negated:
            stands[row, found.labels.index(concept)] = 1
    np.testing.assert_array_equal(stands, present)


@settings(deadline=None, max_examples=40)
@given(CAPTIONS, st.randoms(use_true_random=False))
def test_the_order_of_the_rows_does_not_matter(captions, random):
    order = list(range(len(captions)))
    random.shuffle(order)
    one, two = find_concepts(captions, FEW), find_concepts([captions[i] for i in order], FEW)
    assert one.labels == two.labels
    assert one.phrases == two.phrases
    np.testing.assert_array_equal(one.present.toarray()[order], two.present.toarray())


@settings(deadline=None, max_examples=100)
@given(st.lists(st.text(max_size=40), max_size=10))
def test_any_text_is_read(captions):
    tokens = tokenise(captions)
    for row, start, end, surface in zip(tokens.row, tokens.start, tokens.end, tokens.surface, strict=True):
        assert captions[row][start:end]
        assert tokens.surfaces[surface]
    assert (tokens.scope < len(tokens.row)).all()


@settings(deadline=None, max_examples=40)
@given(st.integers(0, 10**6), st.integers(2, 15), st.booleans())
def test_clustered_lifts_agree_with_plain_matrices(seed, groups, weighted):
    rng = np.random.default_rng(seed)
    clusters = np.unique(rng.integers(groups, size=30), return_inverse=True)[1]
    concept = np.concatenate([[1.0, 0.0], rng.integers(2, size=28)])
    y = rng.normal(size=30) + clusters
    weight = rng.uniform(0.5, 2, size=30) if weighted else np.ones(30)
    weight = weight / weight.mean()
    got = lifts(y, sparse.csc_array(concept[:, None]), weight if weighted else None, clusters)
    value, error, df = brute_force(y, np.column_stack([np.ones(30), concept]), clusters, weight)
    assert got.value[0] == pytest.approx(value)
    if df > 1.5:  # below, a block is singular and no p is given
        np.testing.assert_allclose([got.error[0], got.df[0]], [error, df], rtol=1e-5)


@settings(max_examples=settings.default.max_examples // 4)  # each is two analyses
@given(st.integers(0, 10**6), st.floats(0.01, 1000), st.floats(-1000, 1000))
def test_effects_are_in_the_metrics_unit(seed, scale, shift):
    rng = np.random.default_rng(seed)
    captions = [" ".join(rng.choice(["dog", "cat", "no dog", "."], size=3)) for _ in range(40)]
    y, x = rng.normal(size=40), pd.DataFrame({"x": rng.normal(size=40)})
    group = rng.integers(12, size=40)
    one, two = (estimate_drivers(captions, m, features=x, group=group, options=FEW) for m in (y, scale * y + shift))
    table, other = (found.table.set_index("concept").sort_index() for found in (one, two))
    assert list(table.index) == list(other.index)
    in_unit = ["lift", "lift_low", "lift_high", "adjusted", "adjusted_low", "adjusted_high"]
    np.testing.assert_allclose(scale * table[in_unit], other[in_unit], rtol=1e-5, atol=1e-6 * scale)
    np.testing.assert_allclose(table[["p", "q"]], other[["p", "q"]], rtol=1e-4, atol=1e-9)


@given(st.lists(st.floats(0, 1), max_size=20))
def test_q_is_never_under_p_and_keeps_the_order(values):
    p = np.array(values)
    q = q_values(p)
    assert (q >= p - 1e-12).all()
    assert (np.diff(q[np.argsort(p, kind="stable")]) >= -1e-12).all()

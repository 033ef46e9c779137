"""How long do the drivers take? All concepts at once against one by one. Whether to believe them: `planted.py`.

python benchmarks/drivers.py [--rows 10000] [--concepts 300]
"""

from __future__ import annotations

import argparse
import time

import numpy as np
import pandas as pd

import yoin


def speed(rows: int, concepts: int) -> None:
    """Seconds for all concepts, without and with columns and groups; and for a refit a concept, on a sample of ten."""
    rng = np.random.default_rng(0)
    letters = list("bcdfghklmnprst")
    named = ["w" + "".join(rng.choice(letters, 6)) for _ in range(concepts)]
    has = rng.random((rows, concepts)) < np.linspace(0.02, 0.4, concepts)
    captions = [". ".join([*(named[k] for k in np.flatnonzero(row)), "x"]) + "." for row in has]
    features = pd.DataFrame({"year": rng.integers(1930, 2021, rows), "genre": rng.choice(list("abcdefgh"), rows)})
    metric = rng.normal(size=rows)
    group = rng.integers(0, rows // 3, rows)
    spent = {}
    for name, given in (("plain", {}), ("columns", {"features": features}),
                        ("columns and groups", {"features": features, "group": group})):  # fmt: skip
        start = time.perf_counter()
        yoin.estimate_drivers(captions, metric, embed=None, **given)
        spent[name] = time.perf_counter() - start
        print(f"{name}: {spent[name]:.1f} s", flush=True)
    from yoin.drivers.nuisance import cross_fitted

    start = time.perf_counter()
    cross_fitted(features, np.column_stack([metric, has]), None, None, 0)
    together = time.perf_counter() - start
    start = time.perf_counter()
    for k in range(10):
        cross_fitted(features, np.column_stack([metric, has[:, k]]), None, None, 0)
    apart = (time.perf_counter() - start) / 10 * concepts
    print(f"nuisances of {concepts} concepts: {together:.1f} s together, {apart:.0f} s one by one (ten, scaled up)")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=10_000)
    parser.add_argument("--concepts", type=int, default=300)
    given = parser.parse_args()
    speed(given.rows, given.concepts)

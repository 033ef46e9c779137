"""Yoin's drivers beside HypotheSAEs' scores: the same elements of the same pictures, and the same truth.

    python benchmarks/side_by_side.py --hypothesaes PYTHON [--sets 200] [--workers 2] [--only TEXT]

PYTHON belongs to an environment of its own in which the package `hypothesaes` is installed. Yoin reads captions and
says which of them name which element; that, as zeros and ones, and the metric are what its `score_hypotheses` gets. It
takes no other columns, groups or weights, and gives no intervals. Elements are fixed before any metric is drawn, so
that all rows may test them. What counts as a discovery, and what it says:

- Yoin: q < 0.05 (Benjamini-Hochberg), of the mean difference, or with columns of the difference net of them;
- HypotheSAEs: its `Significant` as it comes, that is a coefficient of one regression on all elements (logistic where
  the metric is 0 or 1) with p under 0.1 / elements (Bonferroni); the same with its threshold at 0.05; and a mean
  difference whose t-test has the p under 0.05 that its table shows, which it does not correct.

A discovery is false where the truth of what it says is zero or has the other sign. Where a column is behind both, and
between groups, no element has an effect of its own.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import tempfile
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from functools import partial
from multiprocessing import get_context
from pathlib import Path

import numpy as np
import pandas as pd

import told

LEVELS = {"as it comes": 0.1, "at 0.05": 0.05}
STRONG = [k for k, effect in told.EFFECTS.items() if abs(effect) >= 0.3]


@dataclass(frozen=True)
class Case:
    """What is planted in how many rows; `draw` makes a data set."""

    name: str
    rows: int
    draw: Callable[[np.random.Generator], told.Planted]


def _case(name: str, how: Callable[..., told.Planted], kind: str, rows: int, count: int, **given: bool) -> Case:
    return Case(name, rows, partial(how, kind=kind, rows=rows, count=count, **given))


CASES = (
    _case("nothing, normal", told.nothing, "normal", 300, 30),
    _case("nothing, lognormal", told.nothing, "lognormal", 300, 30),
    _case("nothing, lognormal", told.nothing, "lognormal", 1000, 30),
    _case("nothing, t3", told.nothing, "t3", 300, 30),
    _case("nothing, rare", told.nothing, "rare", 300, 30),
    _case("direct, normal", told.direct, "normal", 300, 16),
    _case("direct, lognormal", told.direct, "lognormal", 300, 16),
    _case("direct, t3", told.direct, "t3", 300, 16),
    _case("direct, normal", told.direct, "normal", 1000, 16),
    _case("column behind both, curve", told.behind, "normal", 300, 12, curve=True),
    _case("column behind both, jump", told.behind, "normal", 300, 12, curve=False),
    _case("between groups", told.between, "normal", 600, 12),
)


def ours(number: int, seed: int) -> tuple[np.ndarray, told.Planted, pd.DataFrame]:
    """What Yoin reads in the captions of one data set (rows, elements), the set, and the drivers by element."""
    import yoin

    rng = np.random.default_rng([seed, number])
    drawn = CASES[number].draw(rng)
    names = {told.ELEMENTS[k][0]: told.ELEMENTS[k] for k in range(drawn.has.shape[1])}
    found = yoin.estimate_drivers(told.tell(rng, drawn.has), drawn.y, concepts=names, **drawn.given)
    said = found.occurrences[~found.occurrences["negated"].astype(bool)]
    read = np.zeros(drawn.has.shape, dtype=np.int8)
    read[said["row_id"].to_numpy(), pd.Index(names).get_indexer(said["concept"])] = 1
    if (read != drawn.has).any():
        raise RuntimeError("a caption was misread: the truth is known of what pictures have")
    return read, drawn, found.table.set_index("concept").loc[list(names)].reset_index()


def score(source: Path, target: Path) -> None:
    """In the other environment: its scores of all data sets, as a table with a row an element and a threshold."""
    from hypothesaes import score_hypotheses

    tables = []
    with np.load(source) as sets:
        for number in range(len(sets.files) // 2):
            read, y = sets[f"read{number}"], sets[f"y{number}"]
            annotations = {str(k): column for k, column in enumerate(read.T.astype(int))}
            for name, level in LEVELS.items():
                facts, table = score_hypotheses(
                    annotations, y, classification=bool(np.isin(y, (0, 1)).all()), corrected_pval_threshold=level
                )
                count, _, threshold = facts["Significant"]
                table = table.assign(set=number, level=name, found=table["regression_pval"] < threshold, r2=facts["r2"])
                if table["found"].sum() != count:
                    raise RuntimeError("it counts other elements as significant than those below its threshold")
                tables.append(table)
    pd.concat(tables).to_csv(target, index=False)


def theirs(python: Path, sets: list[tuple[np.ndarray, np.ndarray]]) -> pd.DataFrame:
    """The scores of all data sets, each with what was read and the metric."""
    with tempfile.TemporaryDirectory() as folder:
        source, target = Path(folder) / "sets.npz", Path(folder) / "scores.csv"
        np.savez(source, **{f"read{n}": read for n, (read, _) in enumerate(sets)},
                 **{f"y{n}": y for n, (_, y) in enumerate(sets)})  # fmt: skip
        command = [str(python), "-W", "ignore", __file__, "--score", str(source), str(target)]
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
        return pd.read_csv(target, dtype={"hypothesis": int}).sort_values(["set", "level", "hypothesis"])


def judged(found: np.ndarray, value: np.ndarray, truth: np.ndarray) -> dict[str, float]:
    """One contender's discoveries in one data set, each entry an element."""
    wrong = np.sign(value) != np.sign(np.round(truth, 9))
    return {
        "any false": float((found & wrong).any()),
        "false of those found": (found & wrong).sum() / max(found.sum(), 1),
        "recall, 0.3 sd and more": float((found & ~wrong)[STRONG].mean()) if truth.any() else np.nan,
        "first element": float(found[0]),
    }


def covered(table: pd.DataFrame, column: str, truth: np.ndarray) -> float:
    """The share of the elements whose interval holds the truth, NaN without any."""
    low, high = (table[f"{column}_{end}"].to_numpy(float) for end in ("low", "high"))
    known = np.isfinite(low)
    return float(((low <= truth) & (truth <= high))[known].mean()) if known.any() else np.nan


def contend(number: int, sets: int, pool: ProcessPoolExecutor, python: Path) -> tuple[dict[str, pd.DataFrame], float]:
    """Each contender's measures, a row a data set; and the R² that HypotheSAEs tells, on the mean."""
    chunk = max(1, sets // 16)
    done = list(pool.map(partial(ours, number), range(sets), chunksize=chunk))
    scores = theirs(python, [(read, drawn.y) for read, drawn, _ in done])
    rows: dict[str, list[dict[str, float]]] = {}
    for place, (_, drawn, table) in enumerate(done):
        main = "adjusted" if "features" in drawn.given else "lift"
        measures = judged((table["q"] < 0.05).to_numpy(), table[main].to_numpy(float), drawn.differences)
        measures["difference covered"] = covered(table, main, drawn.differences)
        measures["coefficient covered"] = covered(table, "unique", drawn.effects)
        rows.setdefault("Yoin", []).append(measures)
        of_set = scores[scores["set"] == place]
        for level, own in of_set.groupby("level", sort=False):
            found, value = own["found"].to_numpy(bool), own["regression_coef"].to_numpy(float)
            rows.setdefault(f"HypotheSAEs, {level}", []).append(judged(found, value, drawn.effects))
        found, value = own["separation_pval"].to_numpy(float) < 0.05, own["separation_score"].to_numpy(float)
        rows.setdefault("HypotheSAEs, t-test", []).append(judged(found, value, drawn.differences))
    return {name: pd.DataFrame(found) for name, found in rows.items()}, float(scores["r2"].mean())


def shown(values: pd.Series) -> str:
    """The mean in percent with its 95% Monte-Carlo interval."""
    known = values.dropna() * 100
    return f"{known.mean():.1f} ± {1.96 * known.std() / np.sqrt(len(known)):.1f}" if len(known) else "–"


def main(sets: int, workers: int, only: str, python: Path) -> None:
    """Every case, as a table."""
    heads = ("any false", "false of those found", "recall, 0.3 sd and more", "first element", "difference covered",
             "coefficient covered")  # fmt: skip
    print("| scenario | rows | contender |", " | ".join(heads), "| R² told |")
    print("| --- " * (len(heads) + 4) + "|")
    os.environ.update(dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), "1"))
    with ProcessPoolExecutor(workers, get_context("spawn")) as pool:
        for number, case in enumerate(CASES):
            if only not in case.name:
                continue
            found, r2 = contend(number, sets, pool, python)
            for name, measures in found.items():
                cells = [shown(measures[head]) if head in measures else "–" for head in heads]
                told_r2 = f"{r2:.3f}" if name.endswith("as it comes") else "–"
                print("|", " | ".join([case.name, str(case.rows), name, *cells, told_r2]), "|", flush=True)
    print(f"\n{sets} data sets a scenario; percent, with 95% Monte-Carlo intervals.")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--hypothesaes", type=Path, metavar="PYTHON")
    parser.add_argument("--sets", type=int, default=200)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--only", default="")
    parser.add_argument("--score", type=Path, nargs=2, help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.score:
        score(*given.score)
    elif given.hypothesaes:
        main(given.sets, given.workers, given.only, given.hypothesaes)
    else:
        parser.error("--hypothesaes PYTHON is needed")

"""The whole run on real data: seconds a stage, peak memory, every rung's R² and the verdict.

    python benchmarks/pipeline.py posters  [--limit N] [--out DIR]
    python benchmarks/pipeline.py videomem [--limit N] [--out DIR]

Prints one block of Markdown for LOG.md. Memory is the sum over the process and its workers of the
proportional set size, sampled twice a second.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import psutil

DATA = Path(os.environ.get("YOIN_TEST_DATA", Path(__file__).parents[2] / "shared" / "data"))
RUNS = {
    "posters": ("posters/posters.csv", "--image", "image", "--metric", "rating", "--features", "year,genres"),
    "videomem": ("videomem/videomem.csv", "--caption", "caption", "--metric", "memorability"),
}


def memory_of_tree(process: psutil.Process) -> int:
    """Bytes that ``process`` and its children hold, shared pages counted once."""
    total = 0
    for member in [process, *process.children(recursive=True)]:
        try:
            total += member.memory_full_info().pss
        except psutil.Error:  # it ended between the two calls
            continue
    return total


def measure(command: list[str]) -> tuple[float, int]:
    """Run ``command``; return its wall seconds and its peak memory in bytes."""
    start, peak = time.perf_counter(), 0
    with subprocess.Popen(command, stdout=subprocess.DEVNULL) as process:
        watched = psutil.Process(process.pid)
        while process.poll() is None:
            try:
                peak = max(peak, memory_of_tree(watched))
            except psutil.NoSuchProcess:
                break
            time.sleep(0.5)
    if process.returncode:
        raise SystemExit(f"{command[:4]} ended with {process.returncode}")
    return time.perf_counter() - start, peak


def main() -> None:
    """Run, measure twice (the second time there is nothing to do) and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", choices=RUNS)
    parser.add_argument("--limit", type=int)
    parser.add_argument("--out", type=Path)
    asked = parser.parse_args()
    table, *options = RUNS[asked.data]
    limit = ["--limit", str(asked.limit)] if asked.limit else []
    with tempfile.TemporaryDirectory() as scratch:
        out = asked.out or Path(scratch) / f"{asked.data}.yoin"
        command = [sys.executable, "-m", "yoin", "run", str(DATA / table), *options, *limit, "--out", str(out)]
        wall, peak = measure(command)
        again, _ = measure(command)
        summary = json.loads((out / "summary.json").read_text("utf-8"))
        seconds = json.loads((out / "study.json").read_text("utf-8"))["stages"]
        size = (out / "report.html").stat().st_size
    commit = subprocess.run(["git", "rev-parse", "--short", "HEAD"], capture_output=True, text=True, check=True).stdout
    shown = ["yoin", "run", table, *options, *limit]
    print(f"`{' '.join(shown)}`, commit {commit.strip()}, {os.cpu_count()} cores, {platform.machine()}\n")
    print(
        f"- rows used {summary['rows']['used']} of {summary['rows']['read']}; metric sd {summary['metric']['sd']:.4f}"
    )
    print(f"- wall {wall:.0f} s; again with nothing to do {again:.2f} s; peak memory {peak / 2**30:.2f} GiB")
    print("- seconds a stage: " + ", ".join(f"{name} {record['seconds']:.1f}" for name, record in seconds.items()))
    print(f"- report {size / 2**20:.1f} MiB; explained {summary['explanations']['captions']} captions")
    signal, drivers = summary["signal"], summary["drivers"]
    print(f"- verdict **{signal['verdict']}**, p {signal['p']:.3f} on {signal['test_rung']}: {signal['reason']}")
    print(f"- drivers {drivers['significant']} of {drivers['tested']} tested\n")
    print("| rung | RMSE | R² | 95% interval | Spearman | seconds |\n| --- | --- | --- | --- | --- | --- |")
    for rung in summary["models"]:
        spearman = "" if rung["spearman"] is None else f"{rung['spearman']:.3f}"
        interval = f"{rung['r2_low']:.4f} to {rung['r2_high']:.4f}"
        print(
            f"| {rung['name']} | {rung['rmse']:.4f} | {rung['r2']:.4f} | {interval} "
            f"| {spearman} | {rung['seconds']:.0f} |"
        )


if __name__ == "__main__":
    main()

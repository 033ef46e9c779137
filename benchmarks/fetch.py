"""Downloading images: Yoin beside a pool of threads and img2dataset, all from one server with 50 ms a request.

    python benchmarks/fetch.py [--urls 2000] [--connections 50] [--repeats 3] [--memory-urls 20000]
                               [--img2dataset PYTHON]

The images are JPEGs of 10 to 300 kB, each with bytes of its own, served over loopback by a process of its own. Every
contender runs in its own process too, in turns, the turns in another order each time:

- `yoin download`: the client alone, to files (streamed and hashed);
- `yoin collect`: the whole stage: validate, decode, hash, store, sync to disk, ledger;
- `threads download`: as many threads as connections, one urllib request each, written to files;
- `threads decode`: the same, each image decoded by Pillow first;
- `img2dataset download` and `img2dataset decode`: its plain-files mode, one process a core, as many threads in all as
  connections, original bytes kept; `--img2dataset` names the Python of an environment where it is installed.

Rate: images ÷ seconds from the first request to the last file written, so that no start-up counts. CPU: user and
system of the process and its children, less those of a run with a single image. Memory: the peak of the process, or of
the processes' sum where there are several. Prints one block of Markdown for LOG.md: medians, and the range.
"""

from __future__ import annotations

import argparse
import asyncio
import gc
import io
import json
import os
import platform
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import psutil
from PIL import Image

DISTINCT = 300  # pictures; the images of all URLs are these with a comment of their own
SMALLEST, LARGEST = 10_000, 300_000  # bytes
_CORES = os.cpu_count() or 1


def make_images(folder: Path) -> None:
    """Write the distinct pictures: noise over gradients, sizes evenly spread over the logarithm."""
    random = np.random.default_rng(42)
    for number in range(DISTINCT):
        wanted = SMALLEST * (LARGEST / SMALLEST) ** ((number + 0.5) / DISTINCT)
        side = (wanted / 0.3) ** 0.5  # about 0.3 bytes a pixel, as posters have
        for _ in range(8):
            height, width = int(side * 1.2), int(side / 1.2)
            down, across = np.mgrid[0:height, 0:width] / np.array([height, width]).reshape(2, 1, 1)
            colours = random.uniform(0, 255, (3, 3))
            light = down[..., None] * colours[0] + across[..., None] * colours[1] + 0.2 * colours[2]
            pixels = light / 2 + random.normal(0, 9, (height, width, 1))
            stream = io.BytesIO()
            Image.fromarray(pixels.clip(0, 255).astype(np.uint8)).save(stream, "JPEG", quality=85)
            data = stream.getvalue()
            if SMALLEST <= len(data) <= LARGEST and abs(len(data) / wanted - 1) < 0.05:
                break
            side *= (wanted / len(data)) ** 0.5
        (folder / f"{number:03}.jpg").write_bytes(data)


class Server(asyncio.Protocol):
    """Just enough HTTP/1.1 for ``GET /<number>.jpg`` after the latency, and ``/stats`` of the requests since."""

    pictures: list[memoryview]
    latency: float
    first = last = delays = 0.0
    count = busy = most = 0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keep the connection's other end."""
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        """Answer a request; they are short enough to come whole, and none comes before the last one's answer."""
        path, close = data.split(b" ", 2)[1], b"connection: close" in data.lower()
        if path == b"/stats":
            facts = {"first": Server.first, "last": Server.last, "count": Server.count, "most": Server.most}
            facts |= {"delay": Server.delays / max(Server.count, 1), "cpu": time.process_time()}
            Server.first = Server.last = Server.delays = 0.0
            Server.count = Server.most = 0
            self._answer([json.dumps(facts).encode()], b"application/json", close)
            return
        number, now = int(path[1:].partition(b".")[0]), time.time()
        Server.first = Server.first or now
        Server.busy += 1
        Server.most = max(Server.most, Server.busy)
        asyncio.get_running_loop().call_later(Server.latency, self._send, number, now, close)

    def _send(self, number: int, asked: float, close: bool) -> None:
        Server.last = time.time()
        Server.delays += Server.last - asked
        Server.count += 1
        Server.busy -= 1
        picture, comment = Server.pictures[number % len(Server.pictures)], f"image {number:09}".encode()
        own = b"\xff\xd8\xff\xfe" + (len(comment) + 2).to_bytes(2, "big") + comment  # start of image, comment segment
        self._answer([own, picture[2:]], b"image/jpeg", close)

    def _answer(self, body: list[bytes | memoryview], kind: bytes, close: bool) -> None:
        length = sum(len(part) for part in body)
        head = b"HTTP/1.1 200 OK\r\nContent-Type: %s\r\nContent-Length: %d\r\n" % (kind, length)
        self._transport.write(b"".join([head, b"Connection: close\r\n\r\n" if close else b"\r\n", *body]))
        if close:
            self._transport.close()


def serve(folder: Path, latency: float) -> None:
    """Serve until killed; print the port first."""
    Server.pictures = [memoryview(path.read_bytes()) for path in sorted(folder.glob("*.jpg"))]
    Server.latency = latency

    async def run() -> None:
        server = await asyncio.get_running_loop().create_server(Server, "127.0.0.1", 0, backlog=2000)
        print(server.sockets[0].getsockname()[1], flush=True)
        await server.serve_forever()

    gc.freeze()
    asyncio.run(run())


def yoin_download(urls: list[str], out: Path, connections: int) -> None:
    """Yoin's client and schedule, with nothing done to what they bring but the move to its name."""
    from yoin.media.http import Client
    from yoin.media.schedule import Schedule
    from yoin.media.shelf import Incoming
    from yoin.options import MediaOptions

    options = MediaOptions(base=out, allow_private=True, connections=connections, per_host=connections)

    async def attempt(url: str) -> object:
        incoming = Incoming(out, options.max_bytes, url)
        await client.get(url, incoming)
        return incoming

    async def settle(url: str, outcome: object, attempts: int) -> None:
        if not isinstance(outcome, Incoming):
            raise TypeError(outcome)
        await asyncio.get_running_loop().run_in_executor(pool, keep, url, outcome)

    def keep(url: str, incoming: Incoming) -> None:
        incoming.path().replace(out / url.rpartition("/")[2])
        incoming.drop()

    async def run() -> None:
        nonlocal client
        client = Client(options)
        schedule = Schedule[str](
            limit=connections, retries=0, backoff=0.5, attempt=attempt, settle=settle, full=lambda: False, seed=42
        )
        for url in urls:
            schedule.add("server", url, at_once=connections)
        await schedule.run()
        await client.aclose()

    client: Client
    with ThreadPoolExecutor(2) as pool:
        asyncio.run(run())


def yoin_collect(urls: list[str], out: Path, connections: int) -> None:
    """The whole stage."""
    import pandas as pd

    from yoin.ledger import Ledger
    from yoin.media import collect
    from yoin.options import MediaOptions

    options = MediaOptions(base=out, allow_private=True, connections=connections, per_host=connections)
    with Ledger(out / "ledger.db") as ledger:
        media = collect(pd.Series(urls, dtype="string"), store=out / "media", ledger=ledger, options=options)
    if len(media.items) != len(urls):
        raise SystemExit(f"only {len(media.items)} of {len(urls)} images: {media.rows['detail'].value_counts()}")


def threads(urls: list[str], out: Path, connections: int, *, decode: bool) -> None:
    """The common way: a pool of threads, one blocking request after another in each."""

    def one(url: str) -> None:
        with urllib.request.urlopen(url, timeout=60) as response:
            data = response.read()
        if decode:
            Image.open(io.BytesIO(data)).load()
        (out / url.rpartition("/")[2]).write_bytes(data)

    with ThreadPoolExecutor(connections) as pool:
        for _ in pool.map(one, urls):
            pass


WORKERS: dict[str, Callable[[list[str], Path, int], None]] = {
    "yoin download": yoin_download,
    "threads download": lambda *given: threads(*given, decode=False),
    "yoin collect": yoin_collect,
    "threads decode": lambda *given: threads(*given, decode=True),
}


@dataclass(frozen=True)
class Figures:
    """One run of one contender."""

    rate: float  # images a second
    cpu: float  # seconds
    memory: float  # MiB
    wall: float  # seconds of the whole process
    most: int  # requests at the same time
    delay: float  # seconds, of the server's answers
    serving: float  # CPU seconds of the server


class Bench:
    """The server, and how a contender is measured against it."""

    def __init__(self, folder: Path, port: int, connections: int, img2dataset: Path | None) -> None:
        self._folder, self._connections, self._img2dataset = folder, connections, img2dataset
        self._server = f"http://127.0.0.1:{port}"
        self.names = list(WORKERS) + (["img2dataset download", "img2dataset decode"] if img2dataset else [])

    def _command(self, name: str, listing: Path, out: Path, count: int) -> list[str]:
        if name in WORKERS:
            return [sys.executable, __file__, "--worker", name, str(listing), str(out), str(self._connections)]
        settings = {
            "url_list": listing, "output_folder": out, "output_format": "files", "resize_mode": "no",
            "processes_count": _CORES, "thread_count": max(1, self._connections // _CORES),
            "number_sample_per_shard": -(-count // _CORES), "skip_reencode": True, "extract_exif": False,
            "disable_all_reencoding": name.endswith("download"), "timeout": 60,
        }  # fmt: skip
        assert self._img2dataset is not None
        program = str(self._img2dataset.parent / "img2dataset")
        return [program, *(f"--{option}={value}" for option, value in settings.items())]

    def _stats(self) -> dict[str, float]:
        with urllib.request.urlopen(f"{self._server}/stats") as response:
            return dict(json.load(response))

    def run(self, name: str, count: int) -> Figures:
        """Download ``count`` images by one contender into an empty folder, and remove them."""
        out, listing = self._folder / "out", self._folder / "urls.txt"
        out.mkdir()
        listing.write_text("".join(f"{self._server}/{number}.jpg\n" for number in range(count)))
        os.sync()  # what the last one wrote is not for this one to wait for
        before = self._stats()
        start, peak = time.perf_counter(), 0
        environment = os.environ | {"NO_ALBUMENTATIONS_UPDATE": "1", "no_proxy": "127.0.0.1"}
        log = self._folder / "log.txt"
        with log.open("wb") as stream:
            process = subprocess.Popen(
                self._command(name, listing, out, count), env=environment, stdout=stream, stderr=stream
            )
            watched, ended = psutil.Process(process.pid), 0
            while not ended:
                peak = max(peak, _memory(watched, alone=name in WORKERS))
                time.sleep(0.02 if name in WORKERS else 0.2)  # to look at a whole tree takes longer
                ended, status, usage = os.wait4(process.pid, os.WNOHANG)
        process.returncode = os.waitstatus_to_exitcode(status)
        wall, stats = time.perf_counter() - start, self._stats()
        found = [path for path in out.rglob("*") if path.is_file()]
        images = sum(path.suffix == ".jpg" for path in found)
        if process.returncode or images != count or stats["count"] != count:
            raise SystemExit(
                f"{name}: exit {process.returncode}, {images} of {count} images, {stats['count']} requests\n"
                + log.read_text(errors="replace")[-2000:]
            )
        last = max(path.stat().st_mtime for path in found)
        shutil.rmtree(out)
        return Figures(
            rate=count / (last - stats["first"]),
            cpu=usage.ru_utime + usage.ru_stime,
            memory=peak / 2**20,
            wall=wall,
            most=int(stats["most"]),
            delay=stats["delay"],
            serving=stats["cpu"] - before["cpu"],
        )


def _memory(process: psutil.Process, *, alone: bool) -> int:
    """Bytes that the process, and unless it is ``alone`` its children, hold now."""
    total = 0
    try:
        for member in [process] if alone else [process, *process.children(recursive=True)]:
            total += member.memory_info().rss
    except psutil.Error:  # one ended between the two calls
        return 0
    return total


def shown(values: list[float], digits: int = 0) -> str:
    """The median and the range."""
    low, high = (f"{value:,.{digits}f}" for value in (min(values), max(values)))
    return f"{statistics.median(values):,.{digits}f} ({low} to {high})"


def report(asked: argparse.Namespace, runs: dict[str, list[Figures]], idle: dict[str, list[float]]) -> None:
    """Print the table: medians and ranges, CPU less that of a run with one image."""
    limit = asked.connections / (asked.latency / 1000)
    cpu = {
        name: [max(0.0, run.cpu - statistics.median(idle[name])) for run in measured] for name, measured in runs.items()
    }
    per_image = {name: statistics.median(values) / asked.urls for name, values in cpu.items()}
    print("| contender | images/s | of the limit | CPU s | CPU ÷ threads' | MiB | process s |")
    print("| --- | --- | --- | --- | --- | --- | --- |")
    for name, measured in runs.items():
        rates, plain = (
            [run.rate for run in measured],
            "decode" if name.split()[1] in {"collect", "decode"} else "download",
        )
        ratio = per_image[name] / per_image[f"threads {plain}"]
        memory, wall = shown([run.memory for run in measured]), shown([run.wall for run in measured], 1)
        share = f"{statistics.median(rates) / limit:.1%}"
        print(f"| {name} | {shown(rates)} | {share} | {shown(cpu[name], 2)} | {ratio:.2f} | {memory} | {wall} |")
    print()
    delays = [run.delay * 1000 for measured in runs.values() for run in measured]
    serving = [run.serving / asked.urls * 1000 for measured in runs.values() for run in measured]
    print(
        f"- limit {limit:,.0f} images/s; the server's true delay {shown(delays, 1)} ms, its CPU"
        f" {shown(serving, 2)} ms an image"
    )
    print("- CPU ms an image: " + ", ".join(f"{name} {seconds * 1000:.2f}" for name, seconds in per_image.items()))
    print("- most requests at once: " + ", ".join(f"{name} {max(r.most for r in rs)}" for name, rs in runs.items()))
    started = ", ".join(f"{name} {statistics.median(values):.2f}" for name, values in idle.items())
    print(f"- CPU seconds of a run with one image, taken off above: {started}")
    for mine, others in (("download", ("threads download", "img2dataset download")),
                         ("collect", ("threads decode", "img2dataset decode"))):  # fmt: skip
        for other in others:
            if other in runs and f"yoin {mine}" in runs:
                both = zip(runs[f"yoin {mine}"], runs[other], strict=True)
                pairs = [ours.rate / theirs.rate for ours, theirs in both]
                work = [theirs / ours for ours, theirs in zip(cpu[f"yoin {mine}"], cpu[other], strict=True)]
                print(f"- yoin {mine} to {other}: rate × {shown(pairs, 2)}, images a CPU second × {shown(work, 2)}")


def main() -> None:
    """Serve, work or, as a user calls it, measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--urls", type=int, default=2000)
    parser.add_argument("--connections", type=int, default=50)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--latency", type=float, default=50.0, help="milliseconds")
    parser.add_argument("--memory-urls", type=int, default=0, help="a last run of yoin with as many, for its memory")
    parser.add_argument("--scratch", type=Path, help="where everything is written; a memory disk takes the disk out")
    parser.add_argument("--img2dataset", type=Path, metavar="PYTHON")
    parser.add_argument("--only", action="append", help="a contender beside the threads; may be repeated")
    parser.add_argument("--serve", nargs=2, help=argparse.SUPPRESS)
    parser.add_argument("--worker", nargs=4, help=argparse.SUPPRESS)
    asked = parser.parse_args()
    if asked.serve:
        return serve(Path(asked.serve[0]), float(asked.serve[1]))
    if asked.worker:
        name, listing, out, connections = asked.worker
        return WORKERS[name](Path(listing).read_text().split(), Path(out), int(connections))
    with tempfile.TemporaryDirectory(prefix="yoin-fetch-", dir=asked.scratch) as scratch:
        folder = Path(scratch)
        (folder / "pictures").mkdir()
        make_images(folder / "pictures")
        sizes = [path.stat().st_size for path in (folder / "pictures").iterdir()]
        command = [sys.executable, __file__, "--serve", str(folder / "pictures"), str(asked.latency / 1000)]
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as server:
            assert server.stdout is not None
            try:
                bench = Bench(folder, int(server.stdout.readline()), asked.connections, asked.img2dataset)
                measure(bench, asked, sizes)
            finally:
                server.terminate()
    return None


def measure(bench: Bench, asked: argparse.Namespace, sizes: list[int]) -> None:
    """Every contender in every round, each round starting with another one; then print."""
    commit = subprocess.run(["git", "rev-parse", "--short", "HEAD"], capture_output=True, text=True, check=True).stdout
    names = [name for name in bench.names if not asked.only or name in asked.only or name.startswith("threads")]
    runs: dict[str, list[Figures]] = {name: [] for name in names}
    idle: dict[str, list[float]] = {name: [] for name in names}
    for name in names:
        bench.run(name, 1)  # so that the first has what the others have: compiled modules, and files in memory
    for repeat in range(asked.repeats):
        for name in names[repeat % len(names) :] + names[: repeat % len(names)]:
            idle[name].append(bench.run(name, 1).cpu)
            runs[name].append(bench.run(name, asked.urls))
    print(
        f"{asked.urls:,} JPEGs of {min(sizes) / 1e3:.0f} to {max(sizes) / 1e3:.0f} kB, mean {np.mean(sizes) / 1e3:.0f};"
        f" {asked.connections} connections, {asked.latency:g} ms a request; {asked.repeats} rounds; commit"
        f" {commit.strip()}, {_CORES} cores, {platform.machine()}\n"
    )
    report(asked, runs, idle)
    if asked.memory_urls:
        for name in ("yoin download", "yoin collect"):
            large = bench.run(name, asked.memory_urls)
            small = statistics.median([run.memory for run in runs[name]]) if name in runs else float("nan")
            print(
                f"- {name}, peak memory: {small:.0f} MiB for {asked.urls:,} URLs, {large.memory:.0f} MiB for"
                f" {asked.memory_urls:,} ({large.rate:,.0f} images/s)"
            )


if __name__ == "__main__":
    main()

"""Captioning against a quota: Yoin with the quota stated and unstated, and five threads with three blind retries.

    python benchmarks/caption.py [--media 10000] [--rpm 1000] [--burst 0.1] [--latency 300] [--scale 5]

A service in a process of its own speaks Gemini's protocol over loopback HTTP: it answers after the latency, and
takes requests from a bucket that refills with ``rpm`` a minute and holds ``burst`` of a minute's; it is full at
first. What it has not is refused with 429 and the seconds until there is one. Time runs ``scale`` times as fast:
the quota is that much larger and the latency that much shorter. Share: the time that the bucket (or the latency, at
32 calls at a time) needs at the least, divided by the time from the first request to the last answer. Wasted:
requests refused, of all. Every contender starts with a full bucket.

Yoin asks as ``gemini:``, with the package google-genai, and sends a small JPEG, as the threads do. Peak memory is
that of its process, measured for a tenth of the media and for all of them.

The overhead is measured without the service: a captioner that answers at once, so that all the time is Yoin's own,
with the ledger on the same disk; CPU of the process and wall time a caption.
"""

from __future__ import annotations

import argparse
import asyncio
import base64
import json
import os
import platform
import re
import resource
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pandas as pd
from PIL import Image

from yoin.captions import caption
from yoin.ledger import Ledger
from yoin.options import CaptionOptions
from yoin.values import Caption, Captions, Media, Medium

CONCURRENCY = 32  # the captioner's own
MODEL, SIDE = "gemini-3.8-flash", 128
ARTICLE_THREADS, ARTICLE_ATTEMPTS = 5, 3


class Server(asyncio.Protocol):
    """Just enough HTTP/1.1 for ``generateContent``, ``/stats`` and ``/fill/LATENCY``, which starts anew."""

    rate = capacity = level = latency = at = first = last = 0.0
    taken = refused = 0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keep the connection's other end."""
        assert isinstance(transport, asyncio.Transport)
        self._transport, self._read = transport, b""

    def data_received(self, data: bytes) -> None:
        """Answer a request once it is whole; none comes before the last one's answer."""
        self._read += data
        head, end, body = self._read.partition(b"\r\n\r\n")
        length = re.search(rb"(?i)content-length: *(\d+)", head)
        if end and len(body) >= (int(length[1]) if length else 0):
            self._read = b""
            self._request(head.split(b" ", 2)[1].decode())

    def _request(self, path: str) -> None:
        cls, now = Server, time.monotonic()
        if path.startswith("/fill/"):
            cls.latency, cls.level, cls.at = float(path.rpartition("/")[2]), cls.capacity, now
            cls.taken = cls.refused = 0
            cls.first = cls.last = 0.0
            return self._answer(b"200 OK", b"{}")
        if path == "/stats":
            facts = {"taken": cls.taken, "refused": cls.refused, "seconds": cls.last - cls.first}
            return self._answer(b"200 OK", json.dumps(facts).encode())
        cls.first = cls.first or now
        cls.level = min(cls.capacity, cls.level + (now - cls.at) * cls.rate)
        cls.at = now
        if cls.level < 1:
            cls.refused += 1
            return self._answer(b"429 Too Many Requests", _refusal((1 - cls.level) / cls.rate))
        cls.level -= 1
        cls.taken += 1
        asyncio.get_running_loop().call_later(cls.latency, self._caption)
        return None

    def _caption(self) -> None:
        Server.last = time.monotonic()
        self._answer(b"200 OK", _CAPTION)

    def _answer(self, status: bytes, body: bytes) -> None:
        head = b"HTTP/1.1 %s\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n" % (status, len(body))
        self._transport.write(head + body)


_CAPTION = json.dumps(
    {
        "candidates": [
            {"content": {"role": "model", "parts": [{"text": "A poster."}]}, "finishReason": "STOP", "index": 0}
        ],
        "usageMetadata": {"promptTokenCount": 1000, "candidatesTokenCount": 50, "totalTokenCount": 1050},
        "modelVersion": MODEL,
    }
).encode()


def _refusal(wait: float) -> bytes:
    says = {"code": 429, "status": "RESOURCE_EXHAUSTED", "message": "You exceeded your current quota."}
    info = {"@type": "type.googleapis.com/google.rpc.RetryInfo", "retryDelay": f"{wait:.4f}s"}
    return json.dumps({"error": {**says, "details": [info]}}).encode()


def serve(rate: float, capacity: float) -> None:
    """Serve until killed; print the port first."""
    Server.rate, Server.capacity = rate, capacity

    async def run() -> None:
        server = await asyncio.get_running_loop().create_server(Server, "127.0.0.1", 0, backlog=1000)
        print(server.sockets[0].getsockname()[1], flush=True)
        await server.serve_forever()

    asyncio.run(run())


class Instant:
    """A captioner that answers at once."""

    name, model_version, prompt_id, provider, endpoint = "instant", "instant-1", "p", "", "service"
    concurrency = CONCURRENCY
    settings: Mapping[str, str | int | float | bool] = {}

    async def caption(self, medium: Medium) -> Caption:
        """No request."""
        await asyncio.sleep(0)
        return Caption(text="A poster.", status="ok", tokens_in=1000, tokens_out=50)

    async def aclose(self) -> None:
        """Nothing to close."""


def media_of(count: int, path: Path) -> Media:
    """Rows with a medium each, all of them in one file."""
    size = path.stat().st_size
    items = {
        one: Medium(media_id=one, path=path, mime="image/jpeg", width=SIDE, height=SIDE, bytes=size)
        for one in (f"{number:064x}" for number in range(count))
    }
    rows = pd.DataFrame({"media_id": list(items), "reason": "", "detail": ""}, dtype="string")
    return Media(rows=rows.rename_axis("row_id"), items=items)


def draw(folder: Path) -> Path:
    """A small JPEG."""
    path = folder / "poster.jpg"
    Image.effect_mandelbrot((SIDE, SIDE), (-2, -1.5, 1, 1.5), 50).convert("RGB").save(path)
    return path


def yoin(url: str, count: int, rpm: float | None) -> Captions:
    """The caption stage into a ledger of its own; without a URL with a captioner that answers at once."""
    with tempfile.TemporaryDirectory(prefix="yoin-caption-") as folder, Ledger(Path(folder) / "ledger.db") as ledger:
        options = CaptionOptions(captioner=f"gemini:{MODEL}@{url}" if url else "instant", rpm=rpm)
        captioner = None if url else Instant()
        return caption(media_of(count, draw(Path(folder))), ledger=ledger, options=options, captioner=captioner)  # type: ignore[arg-type]


def threads(url: str, count: int) -> int:
    """Five threads, each asking for a caption up to three times, at once after a refusal; how many they got."""
    with tempfile.TemporaryDirectory(prefix="yoin-caption-") as folder:
        data = base64.b64encode(draw(Path(folder)).read_bytes()).decode()
    parts = [{"inlineData": {"mimeType": "image/jpeg", "data": data}}, {"text": "Describe the poster."}]
    body = json.dumps({"contents": [{"role": "user", "parts": parts}]}).encode()

    def one(_: int) -> bool:
        for _attempt in range(ARTICLE_ATTEMPTS):
            call = f"{url}/v1beta/models/{MODEL}:generateContent"
            request = urllib.request.Request(call, body, {"Content-Type": "application/json"})
            try:
                with urllib.request.urlopen(request, timeout=60) as response:
                    return bool(response.read())
            except urllib.error.HTTPError:
                continue
        return False

    with ThreadPoolExecutor(ARTICLE_THREADS) as pool:
        return sum(pool.map(one, range(count)))


def ask(url: str) -> dict[str, float]:
    """What the service answers, as a dictionary."""
    with urllib.request.urlopen(url) as response:
        return dict(json.load(response))


def compare(url: str, asked: argparse.Namespace) -> None:
    """Print a line for each contender at each latency."""
    rate, capacity = asked.rpm / 60 * asked.scale, asked.rpm * asked.burst
    print(
        "| contender | media | latency ms | share of the ideal rate | wasted | captions lost | seconds, not scaled |"
        " peak MiB |"
    )
    print("| --- | --- | --- | --- | --- | --- | --- | --- |")
    contenders = [("yoin, stated", asked.media // 10), ("yoin, stated", asked.media), ("yoin, unstated", asked.media)]
    for latency in asked.latency:
        for name, count in [*contenders, ("five threads", asked.media)]:
            scaled = latency / 1000 / asked.scale
            ask(f"{url}/fill/{scaled}")
            if name == "five threads":
                got, at_once, memory = threads(url, count), ARTICLE_THREADS, ""
            else:
                rpm = asked.rpm * asked.scale if name == "yoin, stated" else None
                got, peak = apart(f"caption.report({url!r}, {count}, {rpm})")
                at_once, memory = CONCURRENCY, f"{peak / 1024:.0f}"
            stats = ask(f"{url}/stats")
            ideal = max((stats["taken"] - capacity) / rate, stats["taken"] * scaled / at_once)
            wasted = stats["refused"] / (stats["taken"] + stats["refused"])
            print(
                f"| {name} | {count:,} | {latency:g} | {ideal / (stats['seconds'] - scaled):.1%} | {wasted:.2%} |"
                f" {count - got:,} | {stats['seconds'] * asked.scale:,.0f} | {memory} |",
                flush=True,
            )


def apart(call: str) -> tuple[int, ...]:
    """What ``call`` prints, whole numbers, in a process of its own."""
    code = f"import sys; sys.path.insert(0, {str(Path(__file__).parent)!r}); import caption; {call}"
    environment = {**os.environ, "GOOGLE_API_KEY": "of-the-benchmark"}
    done = subprocess.run([sys.executable, "-c", code], check=True, stdout=subprocess.PIPE, text=True, env=environment)
    return tuple(map(int, done.stdout.split()))


def report(url: str, count: int, rpm: float | None) -> None:
    """Run the stage, and print how many captions it got and the peak memory in KiB."""
    made = yoin(url, count, rpm)
    print(int(made.frame["status"].eq("ok").sum()), resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)


def overhead(count: int) -> None:
    """Print what a caption costs beside the service's own time, for two numbers of captions."""
    for size in (count // 10, count):
        wall, cpu, before, peak = apart(f"caption.alone({size})")
        print(
            f"- overhead of {size:,} captions: {wall / 1000:.2f} ms of wall time and {cpu / 1000:.2f} ms of CPU a"
            f" caption; memory {before / 1024:.0f} MiB before, {peak / 1024:.0f} at its peak"
        )


def alone(count: int) -> None:
    """Run the stage with a captioner that answers at once; print µs of wall time and of CPU a caption, and memory."""
    yoin("", 10, None)  # what is imported late
    before, start, cpu = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss, time.perf_counter(), time.process_time()
    yoin("", count, None)
    wall, cpu = time.perf_counter() - start, time.process_time() - cpu
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    print(round(wall / count * 1e6), round(cpu / count * 1e6), before, peak)


def main() -> None:
    """Serve or, as a user calls it, measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--media", type=int, default=10_000)
    parser.add_argument("--rpm", type=float, default=1000.0)
    parser.add_argument("--burst", type=float, default=0.1, help="of a minute's quota that the bucket holds")
    parser.add_argument("--latency", type=float, nargs="+", default=[300.0], help="milliseconds, before scaling")
    parser.add_argument("--scale", type=float, default=5.0)
    parser.add_argument("--serve", type=float, nargs=2, help=argparse.SUPPRESS)
    asked = parser.parse_args()
    if asked.serve:
        return serve(*asked.serve)
    command = [sys.executable, __file__, "--serve", str(asked.rpm / 60 * asked.scale), str(asked.rpm * asked.burst)]
    commit = subprocess.run(["git", "rev-parse", "--short", "HEAD"], capture_output=True, text=True, check=True).stdout
    print(
        f"{asked.media:,} media; {asked.rpm:,.0f} requests a minute, a bucket of {asked.rpm * asked.burst:,.0f}, time ×"
        f" {asked.scale:g}; commit {commit.strip()}, {os.cpu_count()} cores, {platform.machine()}\n"
    )
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as server:
        assert server.stdout is not None
        try:
            compare(f"http://127.0.0.1:{int(server.stdout.readline())}", asked)
        finally:
            server.terminate()
    print()
    overhead(asked.media)
    return None


if __name__ == "__main__":
    main()

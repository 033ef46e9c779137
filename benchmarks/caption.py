"""Captioning against a quota: Yoin with the quota stated and unstated, and five threads with three blind retries.

    python benchmarks/caption.py [--media 2000] [--rpm 1000] [--burst 0.1] [--latency 300 100] [--scale 10]

A service in a process of its own answers over loopback HTTP after the latency, and takes requests from a bucket that
refills with ``rpm`` a minute and holds ``burst`` of a minute's; it is full at first. What it has not is refused with
429 and the seconds until there is one. Time runs ``scale`` times as fast: the quota is that much larger and the latency
that much shorter. Share: the time that the bucket (or the latency, at 32 calls at a time) needs at the least, divided
by the time from the first request to the last answer. Wasted: requests refused, of all. Every contender starts with a
full bucket.

The overhead is measured without the service: a captioner that answers at once, so that all the time is Yoin's own, with
the ledger on the same disk; CPU of the process and wall time a caption, and its peak memory.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import platform
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx2
import pandas as pd
import psutil

from yoin.captions import caption
from yoin.captions.base import Passing, Throttled
from yoin.ledger import Ledger
from yoin.options import CaptionOptions
from yoin.values import Caption, Captions, Media, Medium

CONCURRENCY = 32
ARTICLE_THREADS, ARTICLE_ATTEMPTS = 5, 3


class Server(asyncio.Protocol):
    """Just enough HTTP/1.1 for ``GET /caption``, ``/stats`` and ``/fill/LATENCY``, which starts anew."""

    rate = capacity = level = latency = at = first = last = 0.0
    taken = refused = 0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keep the connection's other end."""
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        """Answer a request; they are short enough to come whole, and none comes before the last one's answer."""
        cls, now, path = Server, time.monotonic(), data.split(b" ", 2)[1].decode()
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
            return self._answer(b"429 Too Many Requests", f"{(1 - cls.level) / cls.rate:.4f}".encode())
        cls.level -= 1
        cls.taken += 1
        asyncio.get_running_loop().call_later(cls.latency, self._caption)
        return None

    def _caption(self) -> None:
        Server.last = time.monotonic()
        self._answer(b"200 OK", b"A poster.")

    def _answer(self, status: bytes, body: bytes) -> None:
        self._transport.write(b"HTTP/1.1 %s\r\nContent-Length: %d\r\n\r\n%s" % (status, len(body), body))


def serve(rate: float, capacity: float) -> None:
    """Serve until killed; print the port first."""
    Server.rate, Server.capacity = rate, capacity

    async def run() -> None:
        server = await asyncio.get_running_loop().create_server(Server, "127.0.0.1", 0, backlog=1000)
        print(server.sockets[0].getsockname()[1], flush=True)
        await server.serve_forever()

    asyncio.run(run())


class Asking:
    """A captioner that asks the service, or without a URL answers at once."""

    name, model_version, prompt_id, provider, endpoint = "asking", "asking-1", "p", "", "service"
    concurrency = CONCURRENCY
    settings: Mapping[str, str | int | float | bool] = {}

    def __init__(self, url: str) -> None:
        self._url = url
        self._client: httpx2.AsyncClient | None = None

    async def caption(self, medium: Medium) -> Caption:
        """One request."""
        if not self._url:
            await asyncio.sleep(0)
            return Caption(text="A poster.", status="ok", tokens_in=1000, tokens_out=50)
        if self._client is None:
            self._client = httpx2.AsyncClient(timeout=60, trust_env=False)
        try:
            answer = await self._client.get(f"{self._url}/caption")
        except httpx2.TransportError as error:
            raise Passing(type(error).__name__) from error
        if answer.status_code == 429:
            raise Throttled("429", wait=float(answer.text))
        return Caption(text=answer.text, status="ok", tokens_in=1000, tokens_out=50)

    async def aclose(self) -> None:
        """Close the connections."""
        if self._client is not None:
            await self._client.aclose()


def media_of(count: int) -> Media:
    """Rows with a medium each."""
    items = {
        one: Medium(media_id=one, path=Path(one), mime="image/jpeg", width=1, height=1, bytes=1)
        for one in (f"{number:064x}" for number in range(count))
    }
    rows = pd.DataFrame({"media_id": list(items), "reason": "", "detail": ""}, dtype="string")
    return Media(rows=rows.rename_axis("row_id"), items=items)


def yoin(url: str, count: int, rpm: float | None) -> Captions:
    """The caption stage into a ledger of its own."""
    with tempfile.TemporaryDirectory(prefix="yoin-caption-") as folder, Ledger(Path(folder) / "ledger.db") as ledger:
        options = CaptionOptions(captioner="asking", rpm=rpm)
        return caption(media_of(count), ledger=ledger, options=options, captioner=Asking(url))  # type: ignore[arg-type]


def threads(url: str, count: int) -> int:
    """Five threads, each asking for a caption up to three times, at once after a refusal; how many they got."""

    def one(_: int) -> bool:
        for _attempt in range(ARTICLE_ATTEMPTS):
            try:
                with urllib.request.urlopen(f"{url}/caption", timeout=60) as response:
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
    print("| contender | latency ms | share of the ideal rate | wasted | captions lost | seconds, not scaled |")
    print("| --- | --- | --- | --- | --- | --- |")
    for latency in asked.latency:
        for name in ("yoin, stated", "yoin, unstated", "five threads"):
            scaled = latency / 1000 / asked.scale
            ask(f"{url}/fill/{scaled}")
            if name == "five threads":
                got, at_once = threads(url, asked.media), ARTICLE_THREADS
            else:
                made = yoin(url, asked.media, asked.rpm * asked.scale if name == "yoin, stated" else None)
                got, at_once = int(made.frame["status"].eq("ok").sum()), CONCURRENCY
            stats = ask(f"{url}/stats")
            ideal = max((stats["taken"] - capacity) / rate, stats["taken"] * scaled / at_once)
            wasted = stats["refused"] / (stats["taken"] + stats["refused"])
            print(
                f"| {name} | {latency:g} | {ideal / (stats['seconds'] - scaled):.1%} | {wasted:.2%} |"
                f" {asked.media - got:,} | {stats['seconds'] * asked.scale:,.0f} |",
                flush=True,
            )


def overhead(count: int) -> None:
    """Print what a caption costs beside the service's own time, for two numbers of captions."""
    for size in (count, 5 * count):
        code = f"import sys; sys.path.insert(0, {str(Path(__file__).parent)!r}); import caption; caption.alone({size})"
        print(subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True).stdout, end="")


def alone(count: int) -> None:
    """Run the stage with a captioner that answers at once, and print what that took."""
    yoin("", 10, None)  # what is imported late
    before, start, cpu = psutil.Process().memory_info().rss, time.perf_counter(), time.process_time()
    yoin("", count, None)
    wall, cpu = time.perf_counter() - start, time.process_time() - cpu
    grown = (psutil.Process().memory_info().rss - before) / 2**20
    print(
        f"- overhead of {count:,} captions: {wall / count * 1000:.2f} ms of wall time and"
        f" {cpu / count * 1000:.2f} ms of CPU a caption; memory {before / 2**20:.0f} MiB,"
        f" and {grown:.0f} more with the table and all captions in it"
    )


def main() -> None:
    """Serve or, as a user calls it, measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--media", type=int, default=2000)
    parser.add_argument("--rpm", type=float, default=1000.0)
    parser.add_argument("--burst", type=float, default=0.1, help="of a minute's quota that the bucket holds")
    parser.add_argument("--latency", type=float, nargs="+", default=[300.0, 100.0], help="milliseconds, before scaling")
    parser.add_argument("--scale", type=float, default=10.0)
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

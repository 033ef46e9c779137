"""A small internet on this machine: public addresses and names that lead here, in a network of their own.

Run as a program under ``unshare --net --mount --map-root-user`` (Linux). It gives the loopback device public
addresses, answers DNS for every name that ends in ``.example``, fetches the cells of a JSON file with private addresses
refused, and prints what came of them and which addresses were connected to. Nothing of Yoin is replaced.
"""

from __future__ import annotations

import json
import socket
import subprocess
import sys
import threading
from collections import Counter
from pathlib import Path

import pandas as pd

from tests.media import faulty
from tests.media.faulty import FaultServer
from tests.media.makers import encoded, pixels
from yoin.ledger import Ledger
from yoin.media import collect
from yoin.options import MediaOptions

PUBLIC, PUBLIC6 = "93.184.216.34", "2606:2800:220:1::1"
PRIVATE = ("127.0.0.1", "10.1.2.3", "169.254.169.254", "::1", "fd00:ec2::254")
ADDRESSES: dict[str, tuple[tuple[str, ...], ...]] = {  # by name: the answer to the first question, the second, …
    "public.example": ((PUBLIC,),),
    "private.example": (("127.0.0.1",),),
    "metadata.example": (("169.254.169.254",),),
    "both.example": ((PUBLIC, "127.0.0.1"), ("127.0.0.1", PUBLIC)),
    "rebind.example": ((PUBLIC,), ("127.0.0.1",)),
    "swing.example": (("127.0.0.1",), (PUBLIC,)),
}


def command(listing: Path) -> list[str]:
    """What runs this program with the cells in ``listing``."""
    return ["unshare", "--net", "--mount", "--map-root-user", sys.executable, "-m", __name__, str(listing)]


def set_up(folder: Path) -> None:
    """Addresses on the loopback device, and this program as the only name server."""
    for address in (PUBLIC, *PRIVATE, PUBLIC6):
        if address not in {"127.0.0.1", "::1"}:
            width = 128 if ":" in address else 32
            added = ["ip", "address", "add", f"{address}/{width}", "dev", "lo"]
            subprocess.run([*added, "nodad"] if width == 128 else added, check=True)
    subprocess.run(["ip", "link", "set", "lo", "up"], check=True)
    for name, text in (("resolv.conf", "nameserver 127.0.0.1\n"), ("nsswitch.conf", "hosts: files dns\n")):
        (folder / name).write_text(text)
        subprocess.run(["mount", "--bind", str(folder / name), f"/etc/{name}"], check=True)


def answer_names(port: socket.socket) -> None:
    """Answer DNS questions of type A from `ADDRESSES`, to be held for no time; other types have no records."""
    asked: Counter[str] = Counter()
    while True:
        question, client = port.recvfrom(512)
        end = question.index(0, 12)
        labels, at = [], 12
        while at < end:
            labels.append(question[at + 1 : at + 1 + question[at]].decode())
            at += 1 + question[at]
        name = ".".join(labels).lower()
        known, is_a = ADDRESSES.get(name), question[end + 1 : end + 3] == b"\0\1"
        found: tuple[str, ...] = ()
        if known and is_a:
            found = known[min(asked[name], len(known) - 1)]
            asked[name] += 1
        flags = b"\x81\x80" if known else b"\x81\x83"
        records = b"".join(b"\xc0\x0c\0\1\0\1\0\0\0\0\0\4" + socket.inet_aton(address) for address in found)
        head = question[:2] + flags + b"\0\1" + len(found).to_bytes(2, "big") + bytes(4)
        port.sendto(head + question[12 : end + 5] + records, client)


def main() -> None:
    listing = Path(sys.argv[1])
    folder = listing.parent
    set_up(folder)
    port = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    port.bind(("127.0.0.1", 53))
    threading.Thread(target=answer_names, args=(port,), daemon=True).start()
    image = encoded(pixels(), "PNG")
    with FaultServer(PUBLIC, PUBLIC6, *PRIVATE, port=80) as server:
        runs = []
        server.on("/image", faulty.body(image))
        server.on("/then-close", faulty.body(image, length=None))  # so that the name is looked up again
        for number, cells in enumerate(json.loads(listing.read_text())):
            asked, connected = len(server.asked), server.connections.copy()
            for cell in cells:
                path, _, to = cell.partition(" -> ")
                if to:
                    server.on("/" + path.split("/", 3)[3], faulty.redirect(to))
            with Ledger(folder / f"{number}.db") as ledger:
                options = MediaOptions(base=folder, retries=0, timeout=5.0, connect_timeout=2.0, per_host=1)
                urls = pd.Series([cell.partition(" -> ")[0] for cell in cells], dtype="string")
                media = collect(urls, store=folder / "media", ledger=ledger, options=options)
            runs.append(
                {
                    "reasons": media.rows["reason"].tolist(),
                    "details": media.rows["detail"].tolist(),
                    "asked": [[one.address, one.path, one.headers.get("host")] for one in server.asked[asked:]],
                    "connected": sorted((server.connections - connected).elements()),
                }
            )
    sys.stdout.write(json.dumps(runs))


if __name__ == "__main__":
    main()

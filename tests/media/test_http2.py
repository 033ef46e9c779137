import socket
import ssl
import threading
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, field

import h2.config
import h2.connection
import h2.events
import pandas as pd
import pytest
import trustme

from tests.media.makers import encoded, pixels
from yoin.ledger import Ledger
from yoin.media import collect
from yoin.options import MediaOptions

TOGETHER = 6


@dataclass
class Server:
    """An HTTP/2 server over TLS that answers only once `TOGETHER` requests are open on one connection."""

    tls: ssl.SSLContext
    port: int = 0
    spoken: list[str | None] = field(default_factory=list)  # what each connection agreed on

    def __post_init__(self) -> None:
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = self.listener.getsockname()[1]

    def serve(self) -> None:
        while True:
            try:
                plain, _ = self.listener.accept()
            except OSError:
                return
            threading.Thread(target=self.talk, args=(plain,), daemon=True).start()

    def talk(self, plain: socket.socket) -> None:
        with suppress(OSError), plain, self.tls.wrap_socket(plain, server_side=True) as stream:
            self.spoken.append(stream.selected_alpn_protocol())
            talk = h2.connection.H2Connection(h2.config.H2Configuration(client_side=False))
            talk.initiate_connection()
            stream.sendall(talk.data_to_send())
            waiting: list[tuple[int, str]] = []
            while data := stream.recv(65536):
                waiting += [
                    (event.stream_id, dict(event.headers)[b":path"].decode())
                    for event in talk.receive_data(data)
                    if isinstance(event, h2.events.RequestReceived)
                ]
                while len(waiting) >= TOGETHER:
                    for number, path in waiting[:TOGETHER]:
                        body = encoded(pixels(seed=int(path[1:])))
                        talk.send_headers(number, [(":status", "200"), ("content-length", str(len(body)))])
                        talk.send_data(number, body, end_stream=True)
                    del waiting[:TOGETHER]
                stream.sendall(talk.data_to_send())


@pytest.fixture
def server(tmp_path, monkeypatch) -> Iterator[Server]:
    authority = trustme.CA()
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("localhost").configure_cert(tls)
    tls.set_alpn_protocols(["h2", "http/1.1"])
    authority.cert_pem.write_to_path(tmp_path / "ca.pem")
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "ca.pem"))
    server = Server(tls)
    threading.Thread(target=server.serve, daemon=True).start()
    yield server
    server.listener.close()


def fetch(server: Server, folder, count: int):
    with Ledger(folder / "ledger.db") as ledger:
        return collect(
            pd.Series([f"https://localhost:{server.port}/{number}" for number in range(count)], dtype="string"),
            store=folder / "media",
            ledger=ledger,
            options=MediaOptions(
                base=folder, allow_private=True, per_host=TOGETHER, timeout=5.0, connect_timeout=2.0, retries=0
            ),
        )


def test_requests_share_one_http2_connection(server, tmp_path):
    media = fetch(server, tmp_path, 4 * TOGETHER)
    assert media.rows["reason"].eq("").all()
    assert len(media.items) == 4 * TOGETHER
    assert server.spoken == ["h2"]


def test_a_certificate_that_nobody_vouches_for_is_not_trusted(server, tmp_path, monkeypatch):
    monkeypatch.delenv("SSL_CERT_FILE")
    media = fetch(server, tmp_path, 1)
    assert media.rows["reason"].tolist() == ["connection"]
    assert "certificate" in media.rows["detail"].iloc[0].lower()

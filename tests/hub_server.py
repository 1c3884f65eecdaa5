"""A Hub on loopback: the part of the Hugging Face Hub's HTTP API that huggingface_hub speaks when hfkit publishes.

In memory, with faults to order (`hub_faults.py`), and with every byte kept that was sent to it. `python
tests/hub_server.py PORT` starts one to try things by hand, with the token `hf_test`:

    HF_ENDPOINT=http://127.0.0.1:PORT HF_HUB_DISABLE_XET=1 HF_TOKEN=hf_test hfkit push RUN tester/name
"""

import json
import sys
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

sys.path.insert(0, str(Path(__file__).parent))

from hub_faults import CUT, LOST, MOVED, SLOW, Fault, Faults
from hub_routes import Answer, Refusal, Request, route
from hub_store import Account, Store


class HubServer:
    """A Hub at `url`, from `with` to the end of the block.

    Args:
        accounts: Who is behind a token.
        lfs_above: Bytes above which a file is LFS; so are all weights and Parquet files.
        space: Bytes that all files together may have.
        port: 0 takes a free one.
    """

    def __init__(
        self,
        accounts: dict[str, Account] | None = None,
        lfs_above: int = 1024,
        space: int | None = None,
        port: int = 0,
    ) -> None:
        self.accounts = {"hf_test": Account("tester")} if accounts is None else accounts
        self.lfs_above, self.space = lfs_above, space
        self.store, self.faults = Store(), Faults()
        self.received: list[bytes] = []
        self.requests: list[str] = []
        self.waits: list[float] = []  # filled by the fixture that takes the client's clock away
        self._http = _Listener(("127.0.0.1", port), _handler(self))
        self.url = f"http://127.0.0.1:{self._http.server_address[1]}"

    def __enter__(self) -> "HubServer":
        threading.Thread(target=self._http.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._http.shutdown()
        self._http.server_close()

    def order(self, *faults: Fault) -> None:
        """What shall go wrong, in this order where several fit a request."""
        self.faults.order(*faults)

    def answer(self, request: Request) -> Answer:
        """What the API says. Requests are carried out one at a time."""
        with self.store.lock:
            try:
                return route(self.store, self.accounts, request, self.lfs_above, self.space)
            except Refusal as refusal:
                return refusal.answer()


class _Listener(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 256

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that hangs up is no news here."""


def _handler(hub: HubServer) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        timeout = 30

        def do(self) -> None:
            line = f"{self.command} {self.path}"
            fault = hub.faults.take(line)
            if fault is not None and fault.what == CUT:
                hub.received.append(self._body(share=0.5))
                return self._hang_up()
            body = self._body()
            hub.requests.append(line)
            hub.received.append(f"{line}\n{self.headers}\n".encode() + body)
            if fault is not None and fault.what == SLOW:
                time.sleep(fault.seconds)
            if fault is not None and fault.what == MOVED and fault.act is not None:
                fault.act()
            if fault is not None and isinstance(fault.what, int):
                return self._send(Refusal(fault.what, fault.message, headers=fault.headers).answer())
            answer = hub.answer(self._request(body))
            if fault is not None and fault.what == LOST:
                return self._hang_up()
            return self._send(answer)

        do_GET = do_HEAD = do_POST = do_PUT = do_DELETE = do

        def _request(self, body: bytes) -> Request:
            parts = urlsplit(self.path)
            bearer = self.headers.get("Authorization", "")
            token = bearer.removeprefix("Bearer ") if bearer.startswith("Bearer ") else None
            return Request(self.command, parts.path, parts.query, body, token, f"http://{self.headers['Host']}")

        def _body(self, share: float = 1.0) -> bytes:
            if self.headers.get("Transfer-Encoding", "").lower() != "chunked":
                return self.rfile.read(int(int(self.headers.get("Content-Length") or 0) * share))
            parts: list[bytes] = []
            while size := int(self.rfile.readline().split(b";")[0], 16):
                parts.append(self.rfile.read(size))
                self.rfile.readline()
                if share < 1:
                    return b"".join(parts)
            self.rfile.readline()
            return b"".join(parts)

        def _hang_up(self) -> None:
            self.close_connection = True
            self.connection.close()

        def _send(self, answer: Answer) -> None:
            body = answer.body if isinstance(answer.body, bytes) else json.dumps(answer.body).encode()
            status, headers = answer.status, dict(answer.headers)
            asked = self.headers.get("Range")
            if asked and status == 200:
                first, _, last = asked.removeprefix("bytes=").partition("-")
                start, end = int(first or 0), min(int(last or len(body)), len(body) - 1)
                headers["Content-Range"] = f"bytes {start}-{end}/{len(body)}"
                status, body = 206, body[start : end + 1]
            self.send_response(status)
            for name, value in {"Content-Type": answer.kind, **headers, "Content-Length": str(len(body))}.items():
                self.send_header(name, value)
            self.end_headers()
            if self.command != "HEAD":
                self.wfile.write(body)

        def log_message(self, format: str, *args: Any) -> None:
            """Quiet."""

    return Handler


if __name__ == "__main__":
    with HubServer(port=int(sys.argv[1]) if len(sys.argv) > 1 else 0) as served:
        print(f"a Hub at {served.url}, token hf_test", flush=True)
        threading.Event().wait()

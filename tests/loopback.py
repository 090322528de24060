"""A small HTTP server on loopback that serves files, understands Range, and misbehaves in the ways asked for."""

from __future__ import annotations

import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


@dataclass
class Server:
    """`files` are what is served; `faults` are used up by the requests, one each, and "" is none.

    Faults: "cut" (the connection ends after half of what was asked for), "tamper" (a byte is another), "whole" (Range
    is ignored), "endless" (a length that fits on no disk), "moved" (redirects to /new/...), or a status such as "500".
    """

    address: str
    files: dict[str, bytes] = field(default_factory=dict)
    faults: list[str] = field(default_factory=list)
    asked: list[str | None] = field(default_factory=list)  # the Range of every request for a file

    def url(self, name: str) -> str:
        return f"{self.address}/{name}"


def handler(server: Server) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            wanted = self.headers["Range"]
            server.asked.append(wanted)
            fault = server.faults.pop(0) if server.faults else ""
            content = server.files.get(self.path.rpartition("/")[2])
            if fault == "moved":
                self.send_response(302)
                self.send_header("Location", f"/new{self.path}")
                self.end_headers()
            elif fault.isdigit() or content is None:
                self.send_error(int(fault or 404))
            else:
                self.send(content, fault, None if fault == "whole" else wanted)

        def send(self, content: bytes, fault: str, wanted: str | None) -> None:
            start = int(re.fullmatch(r"bytes=(\d+)-", wanted)[1]) if wanted else 0
            if start >= len(content) > 0 and wanted:
                self.send_error(416)
                return
            body = content[start:]
            if fault == "tamper":
                body = bytes([body[0] ^ 1]) + body[1:]
            self.send_response(206 if wanted else 200)
            if wanted:
                self.send_header("Content-Range", f"bytes {start}-{len(content) - 1}/{len(content)}")
            self.send_header("Content-Length", str(10**15 if fault == "endless" else len(body)))
            self.end_headers()
            self.wfile.write(body[: len(body) // 2] if fault in ("cut", "endless") else body)
            self.close_connection = True

        def log_message(self, *args: object) -> None:
            pass

    return Handler


@contextmanager
def serving() -> Iterator[Server]:
    server = Server("")
    listening = ThreadingHTTPServer(("127.0.0.1", 0), handler(server))
    server.address = f"http://127.0.0.1:{listening.server_address[1]}"
    thread = threading.Thread(target=listening.serve_forever, args=(0.01,), daemon=True)
    thread.start()
    try:
        yield server
    finally:
        listening.shutdown()
        listening.server_close()
        thread.join()

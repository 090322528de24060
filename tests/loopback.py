"""Small HTTP servers on loopback: one of files that misbehaves in the ways asked for, and a Hugging Face hub."""

from __future__ import annotations

import json
import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from tests.standins import COMMIT, blob_name


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
def listening_to(handler: type[BaseHTTPRequestHandler]) -> Iterator[str]:
    """The address at which this handler answers."""
    listening = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    thread = threading.Thread(target=listening.serve_forever, args=(0.01,), daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{listening.server_address[1]}"
    finally:
        listening.shutdown()
        listening.server_close()
        thread.join()


@contextmanager
def serving() -> Iterator[Server]:
    server = Server("")
    with listening_to(handler(server)) as server.address:
        yield server


@dataclass
class Hub:
    """A hub like Hugging Face's, as far as `snapshot_download` goes. `tampered`: it sends other bytes than it says."""

    address: str
    repositories: dict[str, dict[str, bytes]]  # "datasets/owner/name" or "owner/name" -> file -> content
    tampered: bool = False
    asked: list[str] = field(default_factory=list)


def hub_handler(hub: Hub) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            hub.asked.append(self.path)
            path = self.path.partition("?")[0].lstrip("/")
            for name, files in hub.repositories.items():
                listed = f"api/{name if name.startswith('datasets/') else f'models/{name}'}"
                if path.startswith(f"{listed}/revision/"):
                    return self.answer({"id": name, "sha": COMMIT, "siblings": [{"rfilename": file} for file in files]})
                if path.startswith(f"{listed}/tree/"):
                    return self.answer([described(file, content) for file, content in files.items()])
                if path.startswith(f"{name}/resolve/"):
                    file = path.removeprefix(f"{name}/resolve/").partition("/")[2]
                    return self.answer_file(blob_name(file, files[file]), files[file])
            self.send_response(404)
            self.send_header("X-Error-Code", "RepoNotFound")
            self.send_header("Content-Length", "0")
            return self.end_headers()

        do_HEAD = do_GET

        def answer(self, value: object) -> None:
            self.send_all(json.dumps(value).encode(), {"Content-Type": "application/json"})

        def answer_file(self, etag: str, content: bytes) -> None:
            sent = bytes([content[0] ^ 1]) + content[1:] if hub.tampered else content
            self.send_all(sent, {"ETag": f'"{etag}"', "X-Linked-ETag": f'"{etag}"', "X-Repo-Commit": COMMIT})

        def send_all(self, content: bytes, headers: dict[str, str]) -> None:
            self.send_response(200)
            for name, value in {**headers, "Content-Length": str(len(content))}.items():
                self.send_header(name, value)
            self.end_headers()
            if self.command == "GET":
                self.wfile.write(content)

        def log_message(self, *args: object) -> None:
            pass

    return Handler


def described(file: str, content: bytes) -> dict[str, object]:
    oid = blob_name(file, content)
    large = {"lfs": {"oid": oid, "size": len(content), "pointerSize": 128}} if len(oid) == 64 else {}
    return {"type": "file", "path": file, "size": len(content), "oid": oid[:40], **large}


@contextmanager
def serving_hub(repositories: dict[str, dict[str, bytes]]) -> Iterator[Hub]:
    hub = Hub("", repositories)
    with listening_to(hub_handler(hub)) as hub.address:
        yield hub

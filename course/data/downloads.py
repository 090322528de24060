"""Downloads that resume where they stopped and are used only if their hash is right, and the folders they are kept in.

Our own code over urllib, because no library at hand does it: torch.hub discards a partial file, torchvision writes
under the final name, pooch starts again, and huggingface_hub resumes only for its own hub (there it is used).
"""

from __future__ import annotations

import errno
import hashlib
import os
import shutil
import socket
import time
from collections.abc import Iterable
from contextlib import suppress
from functools import lru_cache
from http.client import HTTPException
from pathlib import Path
from threading import Thread
from urllib.error import HTTPError
from urllib.parse import urlsplit
from urllib.request import Request, getproxies, proxy_bypass, urlopen

from filelock import FileLock

from course.errors import DownloadFailed, NoNetwork, SetupError
from course.files import DISK_FULL_ERRORS, put
from course.notebook.progress_bars import download_bar
from course.runtime import home

CONNECT_TIMEOUT_S, TIMEOUT_S = 4.0, 20.0  # for the connection; between two answers later on
ATTEMPTS, WAIT_S = 4, 0.5  # in a row that bring not one new byte; the wait doubles
CHUNK = 2**20
RESERVE_BYTES = 50 * 2**20  # left free on the disk
TRANSIENT_STATUSES = {408, 425, 429, 500, 502, 503, 504}  # worth trying again
PERMISSION_ERRORS = {errno.EACCES, errno.EPERM, errno.EROFS}
OFFLINE_HINT = 'PROFILE = "quick" needs no download'


def own_folder() -> Path:
    """Where downloads are kept: `home()/data`. Another machine can use a copy of it as its COURSE_DATA."""
    return home() / "data"


def folders() -> list[Path]:
    """Where downloads may be found: COURSE_DATA, if it is set, then `own_folder()`. Only the latter is written to.

    Both have the same layout: oxford-iiit-pet/ as torchvision unpacks it, checkpoints/ as in torch.hub's folder, hub/
    as in Hugging Face's, and keras/ as Keras's models/. Raises SetupError if COURSE_DATA is not a folder.
    """
    given = os.environ.get("COURSE_DATA")
    if not given:
        return [own_folder()]
    if not Path(given).is_dir():
        raise SetupError(f"COURSE_DATA is {given!r}, which is not a folder; correct it, or unset it to download again")
    return [Path(given), own_folder()]


def has_hash(path: Path, digest: str) -> bool:
    """Whether the file has this hash: "md5:" or "sha256:" and all of it or its beginning. "" matches every file."""
    algorithm, _, expected = digest.partition(":")
    return not digest or file_hash(path, algorithm).startswith(expected)


def file_hash(path: Path, algorithm: str = "sha256") -> str:
    """The file's hash in hexadecimal, computed once as long as its size and modification time don't change."""
    status = path.stat()
    return _file_hash(path, algorithm, status.st_size, status.st_mtime_ns)


@lru_cache(maxsize=64)
def _file_hash(path: Path, algorithm: str, size: int, mtime_ns: int) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, lambda: hashlib.new(algorithm, usedforsecurity=False)).hexdigest()


def download(url: str, path: Path, digest: str) -> Path:
    """`path`, once it holds the file at this URL and has this hash (see `has_hash`).

    A file that is there and has the hash is not downloaded again. Until it is complete and verified the file is called
    `path`.part; the next call, or another process, resumes from there. A file with a wrong hash is deleted and
    downloaded once more. Raises NoNetwork, and DownloadFailed if the server refuses, the hash stays wrong, or the disk
    is full.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with FileLock(f"{path}.lock"):
            if path.is_file() and has_hash(path, digest):
                return path
            return _download(url, path, digest)
    except OSError as error:
        raise cannot_store(path, error) from error


def _download(url: str, path: Path, digest: str) -> Path:
    part = path.with_name(f"{path.name}.part")
    print(f"fetching {url} into {path.parent}")
    for _ in range(2):  # the partial file of an earlier version is found out by its hash
        _fetch_rest(url, part)
        if has_hash(part, digest):
            put(part, path, durable=True)
            return path
        found = file_hash(part, digest.partition(":")[0])
        with part.open("rb") as file:
            page = " (a web page: is there a login between you and the network?)" if file.read(1) == b"<" else ""
        part.unlink()
    raise DownloadFailed(
        f"the file at {url} has the hash {found[:8]}…, not {digest}{page}; it was deleted. Try from another "
        f"network, or put the right file at {path}; {OFFLINE_HINT}"
    )


def _fetch_rest(url: str, part: Path) -> None:
    """Download what is still missing of `part`, in as many requests as that takes."""
    if not is_reachable(url):
        raise _gave_up(url, part, ConnectionError("no server answers at that address"))
    largest, failures = _size(part), 0
    while True:
        try:
            if _request(url, part):
                return
            problem: Exception = ConnectionError("the connection ended early")
        except HTTPError as error:
            if error.code not in TRANSIENT_STATUSES:
                raise DownloadFailed(
                    f"{url} answers {error.code} {error.reason}; look for a newer version of the course; {OFFLINE_HINT}"
                ) from error
            problem = error
        except (OSError, HTTPException) as error:
            if isinstance(error, OSError) and error.errno in DISK_FULL_ERRORS | PERMISSION_ERRORS:
                raise
            problem = error
        failures = 0 if _size(part) > largest else failures + 1
        largest = max(largest, _size(part))
        if failures == ATTEMPTS:
            raise _gave_up(url, part, problem) from problem
        time.sleep(WAIT_S * 2 ** max(0, failures - 1))


def _gave_up(url: str, part: Path, problem: Exception) -> SetupError:
    reason = getattr(problem, "reason", None) or problem
    kept = f"; {_size(part) / 1e6:.1f} MB are kept, and the next attempt resumes from there" if _size(part) else ""
    if isinstance(problem, HTTPError):
        return DownloadFailed(
            f"{url} answers {problem.code} {reason}, {ATTEMPTS} times; try again later{kept}; {OFFLINE_HINT}"
        )
    return NoNetwork(f"{url} could not be fetched ({reason}){kept}; check the network; {OFFLINE_HINT}")


def _request(url: str, part: Path) -> bool:
    """One request for what is missing; True if `part` is complete after it."""
    start = _size(part)
    headers = {"User-Agent": "pretrained-course"} | ({"Range": f"bytes={start}-"} if start else {})
    try:
        with urlopen(Request(url, headers=headers), timeout=TIMEOUT_S) as answer:
            start = start if answer.status == 206 else 0  # a server that ignores Range sends the whole file
            length = answer.headers["Content-Length"]
            total = start + int(length) if length else None
            _check_disk_space(part, (total or 0) - start)
            with (
                part.open("ab" if start else "wb") as file,
                download_bar(total, start, Path(urlsplit(url).path).name) as bar,
            ):
                while chunk := answer.read(CHUNK):
                    file.write(chunk)
                    bar.update(len(chunk))
    except HTTPError as error:
        if error.code != 416:
            raise
        return True  # nothing is missing, or the part is longer than the file, which its hash will show
    return total is None or _size(part) == total


def _check_disk_space(part: Path, missing: int) -> None:
    free = shutil.disk_usage(part.parent).free
    if missing > 0 and missing + RESERVE_BYTES > free:
        raise OSError(errno.ENOSPC, f"{missing / 1e6:,.0f} MB to come, {free / 1e6:,.0f} MB free")


def is_reachable(url: str) -> bool:
    """Whether a server accepts connections at this URL, or at the proxy in front of it. Never waits for long."""
    address = urlsplit(url)
    proxy = getproxies().get(address.scheme)
    if proxy and not proxy_bypass(address.hostname or ""):
        address = urlsplit(proxy if "://" in proxy else f"http://{proxy}")
    port = address.port or {"https": 443, "http": 80}.get(address.scheme, 3128)
    return bool(reachable_hosts([(address.hostname or "", port)], CONNECT_TIMEOUT_S))


def reachable_hosts(addresses: Iterable[tuple[str, int]], timeout_s: float) -> set[str]:
    """The hosts among these (host, port) pairs that accept a connection, all tried at once."""
    found: set[str] = set()
    threads = [Thread(target=_try_connect, args=(*address, timeout_s, found), daemon=True) for address in addresses]
    for thread in threads:
        thread.start()
    # A name server that doesn't answer can block a thread far longer; such a thread ends with the process.
    for thread in threads:
        thread.join(timeout_s)
    return set(found)


def _try_connect(host: str, port: int, timeout_s: float, found: set[str]) -> None:
    with suppress(OSError), socket.create_connection((host, port), timeout=timeout_s):
        found.add(host)


def _size(path: Path) -> int:
    return path.stat().st_size if path.exists() else 0


def cannot_store(path: Path, error: OSError) -> DownloadFailed:
    """The error to raise when a download cannot be written to `path`."""
    what = "the disk is full" if error.errno in DISK_FULL_ERRORS else "it cannot be written"
    return DownloadFailed(
        f"{path} is not complete: {what} ({error.strerror or error}); free some space, or set COURSE_HOME to a "
        f"folder on another disk, then try again: the bytes received so far are kept; {OFFLINE_HINT}"
    )

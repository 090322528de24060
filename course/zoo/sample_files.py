"""Small files of known types, made on the spot: what a detector of file types can be tried on."""

from __future__ import annotations

import csv
import gzip
import io
import json
import random
import sysconfig
import time
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from course.data import sentences

MIN_BYTES = 1500  # of every text file, so that a piece of several hundred bytes can be cut from its middle
_MADE = 1_600_000_000  # seconds since 1970, in every file that stores a time: a seed draws the same bytes on any day


def draw_files(seed: int = 0, *, per_type: int = 4) -> list[tuple[str, bytes]]:
    """`per_type` files of each type, as (type, content), drawn by `seed`.

    The types have the names that Magika gives them; `TEXT_TYPES` and `BINARY_TYPES` list them. Python files are taken
    from the standard library of the running Python, all others are written from drawn words and numbers.
    """
    rng = random.Random(seed)
    makers = {**TEXT_TYPES, **BINARY_TYPES}
    return [(kind, make(rng)) for kind, make in makers.items() for _ in range(per_type)]


def _words(rng: random.Random, count: int) -> list[str]:
    texts = sentences.topics("train", 160, seed=rng.randrange(1000)).texts
    words = " ".join(rng.sample(texts, 40)).replace(".", "").replace(",", "").split()
    return [rng.choice(words) for _ in range(count)]


def _sentences(rng: random.Random, count: int) -> list[str]:
    return rng.sample(sentences.topics("train", 160, seed=rng.randrange(1000)).texts, count)


def _records(rng: random.Random, count: int) -> list[dict[str, object]]:
    return [
        {
            "id": rng.randrange(10_000),
            "name": " ".join(_words(rng, 2)),
            "price": round(rng.uniform(1, 500), 2),
            "in_stock": rng.random() < 0.5,
        }
        for _ in range(count)
    ]


def _python(rng: random.Random) -> bytes:
    files = [path for path in sorted(Path(sysconfig.get_path("stdlib")).glob("*.py")) if path.stat().st_size > 4000]
    return rng.choice(files).read_bytes()


def _json(rng: random.Random) -> bytes:
    return json.dumps({"items": _records(rng, 25), "note": _sentences(rng, 1)[0]}, indent=2).encode()


def _csv(rng: random.Random) -> bytes:
    out = io.StringIO()
    rows = _records(rng, 60)
    writer = csv.DictWriter(out, fieldnames=list(rows[0]))
    writer.writeheader()
    writer.writerows(rows)
    return out.getvalue().encode()


def _markdown(rng: random.Random) -> bytes:
    parts = [f"# {' '.join(_words(rng, 3)).capitalize()}"]
    for _ in range(7):
        parts += [f"## {' '.join(_words(rng, 2)).capitalize()}", " ".join(_sentences(rng, 3))]
        parts += ["\n".join(f"- **{_words(rng, 1)[0]}**: {text}" for text in _sentences(rng, 2))]
    return "\n\n".join(parts).encode()


def _html(rng: random.Random) -> bytes:
    body = "\n".join(f"<h2>{' '.join(_words(rng, 2))}</h2>\n<p>{' '.join(_sentences(rng, 3))}</p>" for _ in range(8))
    title = " ".join(_words(rng, 3))
    return f"<!DOCTYPE html>\n<html>\n<head><title>{title}</title></head>\n<body>\n{body}\n</body>\n</html>\n".encode()


def _yaml(rng: random.Random) -> bytes:
    lines = ["version: 2", "items:"]
    for record in _records(rng, 25):
        lines += [f"  - id: {record['id']}", f"    name: {record['name']}", f"    price: {record['price']}"]
        lines += [f"    in_stock: {str(record['in_stock']).lower()}"]
    return "\n".join(lines).encode()


def _sql(rng: random.Random) -> bytes:
    table = _words(rng, 1)[0].lower()
    lines = [f"CREATE TABLE {table} (id INTEGER PRIMARY KEY, name TEXT NOT NULL, price REAL);"]
    for record in _records(rng, 25):
        lines += [
            f"INSERT INTO {table} (id, name, price) VALUES ({record['id']}, '{record['name']}', {record['price']});"
        ]
    return "\n".join([*lines, f"SELECT name FROM {table} WHERE price > 100 ORDER BY price DESC;"]).encode()


def _shell(rng: random.Random) -> bytes:
    lines = ["#!/bin/sh", "set -eu"]
    for word in _words(rng, 12):
        folder = word.lower()
        lines += [f'if [ ! -d "$HOME/{folder}" ]; then', f'  mkdir -p "$HOME/{folder}"', "fi"]
        lines += [f'for file in "$HOME/{folder}"/*.txt; do', f'  echo "{folder}: $file" | tee -a log.txt', "done"]
    return "\n".join(lines).encode()


def _pixels(rng: random.Random) -> Image.Image:
    noise = np.random.default_rng(rng.randrange(2**32)).integers(0, 256, (8, 8, 3), dtype=np.uint8)
    return Image.fromarray(noise).resize((96, 96))


def _image(kind: str, **options: Any) -> Callable[[random.Random], bytes]:
    def make(rng: random.Random) -> bytes:
        out = io.BytesIO()
        _pixels(rng).save(out, kind, **options)
        return out.getvalue()

    return make


def _zip(rng: random.Random) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        for word in _words(rng, 4):
            name = zipfile.ZipInfo(f"{word}-{rng.randrange(1000)}.txt", time.gmtime(_MADE)[:6])
            archive.writestr(name, " ".join(_sentences(rng, 20)), zipfile.ZIP_DEFLATED)
    return out.getvalue()


def _gzip(rng: random.Random) -> bytes:
    return gzip.compress(" ".join(_sentences(rng, 60)).encode(), mtime=_MADE)


def _npy(rng: random.Random) -> bytes:
    out = io.BytesIO()
    np.save(out, np.random.default_rng(rng.randrange(2**32)).normal(size=(20, 20)))
    return out.getvalue()


TEXT_TYPES: dict[str, Callable[[random.Random], bytes]] = {
    "python": _python,
    "json": _json,
    "csv": _csv,
    "markdown": _markdown,
    "html": _html,
    "yaml": _yaml,
    "sql": _sql,
    "shell": _shell,
}
BINARY_TYPES: dict[str, Callable[[random.Random], bytes]] = {
    "png": _image("PNG"),
    "jpeg": _image("JPEG"),
    "pdf": _image("PDF", creationDate=time.gmtime(_MADE), modDate=time.gmtime(_MADE)),
    "zip": _zip,
    "gzip": _gzip,
    "npy": _npy,
}

"""Small stand-ins for what the full profile downloads, in exactly the layouts of the libraries that read it.

Nothing here says how well anything works: pictures are patches of colour, weights are random.
"""

from __future__ import annotations

import hashlib
import io
import tarfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

COMMIT = "0123456789abcdef0123456789abcdef01234567"
BREEDS = ("Abyssinian", "american_bulldog", "Bengal", "beagle")  # the authors write cats with a capital letter


def lay_out_pets(root: Path, *, breeds: tuple[str, ...] = BREEDS, per_breed: int = 4, side: int = 48) -> Path:
    """oxford-iiit-pet/ as torchvision unpacks it, `per_breed` pictures of each breed in either split; returns it.

    A pet is an ellipse of its breed's colour on grey, with a border around it in the trimap.
    """
    folder = root / "oxford-iiit-pet"
    (folder / "images").mkdir(parents=True)
    (folder / "annotations" / "trimaps").mkdir(parents=True)
    lines: dict[str, list[str]] = {"trainval": [], "test": []}
    drawn = []
    for label, breed in enumerate(breeds):
        species = 1 if breed[0].isupper() else 2
        for number in range(2 * per_breed):
            stem = f"{breed}_{number + 1}"
            drawn.append((folder, stem, colour_of(label, len(breeds)), side, np.random.default_rng(len(drawn))))
            split = "trainval" if number < per_breed else "test"
            lines[split].append(f"{stem} {label + 1} {species} {number + 1}")
    with ThreadPoolExecutor() as pool:
        list(pool.map(draw_pet, *zip(*drawn, strict=True)))
    for split, entries in lines.items():
        (folder / "annotations" / f"{split}.txt").write_text("\n".join(entries) + "\n")
    everything = "\n".join(line for entries in lines.values() for line in entries)
    (folder / "annotations" / "list.txt").write_text(f"#Image CLASS-ID SPECIES BREED ID\n{everything}\n")
    return folder


def colour_of(label: int, count: int) -> tuple[int, ...]:
    return Image.new("HSV", (1, 1), (255 * label // count, 220, 200)).convert("RGB").getpixel((0, 0))


def draw_pet(folder: Path, stem: str, colour: tuple[int, ...], side: int, rng: np.random.Generator) -> None:
    """A picture of side x 3/4 side and its trimap: 1 the pet, 2 the background, 3 the border between them."""
    height = 3 * side // 4
    y, x = np.mgrid[:height, :side]
    centre_y, centre_x = height / 2 + rng.uniform(-3, 3), side / 2 + rng.uniform(-3, 3)
    distance = np.hypot((y - centre_y) / (height / 3), (x - centre_x) / (side / 3))
    trimap = np.select([distance < 0.8, distance < 1], [1, 3], 2).astype(np.uint8)
    pixels = np.where((distance < 0.9)[..., None], colour, 128) + rng.normal(0, 12, (height, side, 3))
    Image.fromarray(pixels.clip(0, 255).astype(np.uint8)).save(folder / "images" / f"{stem}.jpg", quality=90)
    Image.fromarray(trimap).save(folder / "annotations" / "trimaps" / f"{stem}.png")


def lay_out_repository(cache: Path, kinds: str, name: str, files: dict[str, bytes]) -> Path:
    """A repository ("models" or "datasets") in Hugging Face's cache: blobs by hash, a snapshot of links, refs/main.

    As the hub does it, parquet and safetensors are stored under their sha256, other files under git's hash.
    """
    folder = cache / f"{kinds}--{name.replace('/', '--')}"
    snapshot = folder / "snapshots" / COMMIT
    for path in (folder / "blobs", folder / "refs", snapshot):
        path.mkdir(parents=True)
    (folder / "refs" / "main").write_text(COMMIT)
    for file, content in files.items():
        blob = folder / "blobs" / blob_name(file, content)
        blob.write_bytes(content)
        (snapshot / file).parent.mkdir(parents=True, exist_ok=True)
        up = "../" * (2 + file.count("/"))
        (snapshot / file).symlink_to(f"{up}blobs/{blob.name}")
    return snapshot


def blob_name(file: str, content: bytes) -> str:
    if file.endswith((".parquet", ".safetensors")):
        return hashlib.sha256(content).hexdigest()
    return hashlib.sha1(f"blob {len(content)}\0".encode() + content).hexdigest()


def parquet(columns: dict[str, Any], features: Any) -> bytes:
    """A parquet file as the hub's data sets have it, the names of the classes in its schema."""
    from datasets import Dataset

    file = io.BytesIO()
    Dataset.from_dict(columns, features=features).to_parquet(file)
    return file.getvalue()


def archives_of(folder: Path) -> dict[str, bytes]:
    """The two archives in which the authors publish the pets, from a folder that `lay_out_pets` made."""
    packed = {}
    for name in ("images", "annotations"):
        file = io.BytesIO()
        with tarfile.open(fileobj=file, mode="w:gz") as archive:
            archive.add(folder / name, name)
        packed[f"{name}.tar.gz"] = file.getvalue()
    return packed


TAGS = ("O", "B-PER", "I-PER", "B-ORG", "I-ORG", "B-LOC", "I-LOC")


def reviews_file(texts: list[str], labels: list[int]) -> bytes:
    """A file of SST-2 with these sentences; label 1 is positive."""
    from datasets import ClassLabel, Features, Value

    label = ClassLabel(names=["negative", "positive"])
    features = Features({"idx": Value("int32"), "sentence": Value("string"), "label": label})
    return parquet({"idx": list(range(len(texts))), "sentence": texts, "label": labels}, features)


def entities_file(tokens: list[list[str]], tags: list[list[int]]) -> bytes:
    """A file of WikiANN with these sentences, cut into words, and a number of `TAGS` for each word."""
    from datasets import ClassLabel, Features, Sequence, Value

    strings = Sequence(Value("string"))
    numbers = Sequence(ClassLabel(names=list(TAGS)))
    features = Features({"tokens": strings, "ner_tags": numbers, "langs": strings, "spans": strings})
    columns = {
        "tokens": tokens,
        "ner_tags": tags,
        "langs": [["en"] * len(words) for words in tokens],
        "spans": [[] for _ in tokens],
    }
    return parquet(columns, features)


def any_reviews(*texts: str) -> bytes:
    """A file of SST-2 in which those with an odd number of letters are positive."""
    return reviews_file([*texts], [len(text) % 2 for text in texts])


def any_entities(*sentences: str) -> bytes:
    """A file of WikiANN in which words with a capital letter are places."""
    tokens = [sentence.split() for sentence in sentences]
    return entities_file(tokens, [[5 if word[0].isupper() else 0 for word in words] for words in tokens])


def sst2() -> dict[str, bytes]:
    """The repository stanfordnlp/sst2, with a sentence or two a split."""
    return {
        "README.md": b"---\nlicense: unknown\n---\n",
        "data/train-00000-of-00001.parquet": any_reviews("a fine film ", "dull "),
        "data/validation-00000-of-00001.parquet": any_reviews("it 's charming "),
        "data/test-00000-of-00001.parquet": any_reviews("unlabelled "),
    }


def wikiann() -> dict[str, bytes]:
    """The repository unimelb-nlp/wikiann, with a sentence or two a split of two languages."""
    return {
        "en/train-00000-of-00001.parquet": any_entities("she lives in Zürich", "no names"),
        "en/test-00000-of-00001.parquet": any_entities("from Łódź to Lille"),
        "en/validation-00000-of-00001.parquet": any_entities("unused"),
        "de/train-00000-of-00001.parquet": any_entities("aus Köln"),
    }


SMALL_MODEL = {"config.json": b"{}", "tokenizer.json": b"{}", "model.safetensors": b"weights"}

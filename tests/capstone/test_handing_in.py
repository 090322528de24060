"""A hand-in says the same when it is read back, and every file that is none is refused in a line, nothing in it run."""

import functools
import json
import pickle
import struct
import time

import pytest
import torch
from safetensors.torch import load_file, save

from course.applications.predictor import Predictor, fresh_model
from course.capstone import handing_in
from course.capstone.handing_in import (
    ARCHITECTURES,
    CARD,
    WEIGHTS,
    hand_in,
    read_card_file,
    read_hand_in,
    read_predictor,
)
from course.capstone.model_card import MAX_CARD, MIN_SECTION_LENGTH, TITLES, ModelCard, read_card
from course.errors import ModelError, UnknownName, WeightsCorrupt, WeightsError, WeightsMissing
from course.models.backbones import image_transform
from course.models.lora import add_lora
from tests.data.test_pictures import noise

CLASSES = ("ant", "bee", "wasp")
FULL = ModelCard(
    "Tells three insects apart in photographs, for a lesson.",
    "Sixty photographs of a garden in May, twenty of each insect.",
    "0.81 of 48 photographs of another garden, 0.68 to 0.90 with 95 %.",
    "Bees from behind are called wasps; other insects are not known to it.",
    "The photographs are my own; the backbone is under Apache-2.0.",
)


@functools.cache
def weights(name="mobilenet_v3_large"):
    torch.manual_seed(0)
    model = fresh_model(name, 3)
    return {key: tensor.clone(memory_format=torch.contiguous_format) for key, tensor in model.state_dict().items()}


def a_predictor(name="mobilenet_v3_large", size=64, classes=CLASSES):
    model = fresh_model(name, len(classes))
    if len(classes) == 3:
        model.load_state_dict(weights(name))
    return Predictor(model, classes, image_transform(model, size=size))


@functools.cache
def good() -> tuple[bytes, dict]:
    """The bytes of a right weight file, and its metadata."""
    import tempfile

    with tempfile.TemporaryDirectory() as folder:
        hand_in(a_predictor(), folder, FULL)
        with open(f"{folder}/{WEIGHTS}", "rb") as file:
            content = file.read()
    (length,) = struct.unpack("<Q", content[:8])
    return content, json.loads(content[8 : 8 + length])["__metadata__"]


def changed(change=lambda state: state, **metadata) -> bytes:
    """The right file with other tensors, or other metadata; None takes one away."""
    texts = {key: value for key, value in ({**good()[1], **metadata}).items() if value is not None}
    return save(change(dict(weights())), metadata=texts)


def with_header(entries: str | bytes | dict, data: bytes = b"") -> bytes:
    header = (
        entries
        if isinstance(entries, bytes)
        else (entries if isinstance(entries, str) else json.dumps(entries)).encode()
    )
    return struct.pack("<Q", len(header)) + header + data


def test_a_card_written_by_hand_is_kept_when_another_takes_its_place(tmp_path, capsys):
    for own in ("written by hand", "and again"):
        hand_in(a_predictor(), tmp_path, FULL)
        (tmp_path / CARD).write_text(own)
    hand_in(a_predictor(), tmp_path, FULL)
    hand_in(a_predictor(), tmp_path, FULL)  # the same card is no other
    kept = sorted(path.read_text() for path in tmp_path.glob("capstone-earlier-*.md"))
    assert kept == ["and again", "written by hand"]
    assert capsys.readouterr().out.splitlines() == [
        f"the folder had another card; it was renamed to capstone-earlier-{number}.md" for number in (1, 2)
    ]


@pytest.mark.parametrize(("predictor", "card"), [(torch.nn.Linear(1, 1), FULL), (None, "my card")])
def test_what_is_no_predictor_or_no_card_is_told_what_to_give(tmp_path, predictor, card):
    with pytest.raises(ModelError, match="takes a Predictor"):
        hand_in(predictor or a_predictor(), tmp_path / "new", card)
    assert not (tmp_path / "new").exists()


@pytest.mark.parametrize("name", ARCHITECTURES)
def test_each_architecture_is_read_back_to_the_bit_and_fits_what_systems_take(tmp_path, name):
    predictor = a_predictor(name, size=224 if name.startswith("vit") else 64)
    read = hand_in(predictor, tmp_path / "new" / "folder", FULL)
    assert (read.predictor.classes, read.gaps, read.card) == (CLASSES, (), FULL)
    photos = [noise((50, 70)), noise((90, 60), seed=1)]
    assert torch.equal(read.predictor.predict(photos).probabilities, predictor.predict(photos).probabilities)
    assert sorted(path.name for path in (tmp_path / "new" / "folder").iterdir()) == [CARD, WEIGHTS]
    assert (tmp_path / "new" / "folder" / WEIGHTS).stat().st_size < handing_in.MAX_BYTES
    assert f"{WEIGHTS}: {name}, 3 classes" in str(read) and f"{CARD}: complete" in str(read)


def test_a_model_in_train_mode_and_half_precision_is_handed_in_as_float32(tmp_path):
    predictor = a_predictor()
    predictor.model.train().half()
    hand_in(predictor, tmp_path, FULL)
    kinds = {tensor.dtype for tensor in load_file(tmp_path / WEIGHTS).values()}
    assert kinds == {torch.float32, torch.int64} and predictor.model.training


def test_reading_leaves_torchs_generator_as_it_was():
    torch.manual_seed(3)
    expected = torch.rand(3)
    torch.manual_seed(3)
    read_predictor(good()[0], "it")
    assert torch.equal(torch.rand(3), expected)


def test_what_cannot_be_handed_in_is_refused_before_anything_is_written(tmp_path):
    unknown = fresh_model("timm/test_efficientnet", 3)
    with pytest.raises(UnknownName, match="a capstone is one of efficientnet_lite0"):
        hand_in(Predictor(unknown, CLASSES, image_transform(unknown, size=64)), tmp_path, FULL)
    broken = a_predictor()
    broken.model.features[0][0].weight.data[0] = float("nan")
    with pytest.raises(WeightsError, match=r"this model holds NaN or infinity in 1 of its [0-9]+ tensors"):
        hand_in(broken, tmp_path, FULL)
    adapted = a_predictor("vit_tiny_patch16_224", size=224)
    add_lora(adapted.model)
    with pytest.raises(WeightsError, match="merge LoRA"):
        hand_in(adapted, tmp_path, FULL)
    with pytest.raises(WeightsError, match="does not accept pictures of"):
        hand_in(a_predictor("vit_tiny_patch16_224", size=64), tmp_path, FULL)
    with pytest.raises(WeightsCorrupt, match="224 is the limit"):
        hand_in(a_predictor(size=256), tmp_path, FULL)
    assert not list(tmp_path.iterdir())


def test_a_folder_without_the_weights_and_one_without_the_card_say_what_is_missing(tmp_path):
    with pytest.raises(WeightsMissing, match=WEIGHTS):
        read_hand_in(tmp_path)
    (tmp_path / WEIGHTS).write_bytes(good()[0])
    for place in (tmp_path, tmp_path / WEIGHTS):
        assert read_hand_in(place).gaps == (f"there is no model card {CARD} beside {WEIGHTS}",)


class Bomb:
    def __reduce__(self):
        return open, ("exploded", "w")


def zipped_pickle(tmp_path):
    torch.save(Bomb(), tmp_path / "x")
    return (tmp_path / "x").read_bytes()


def entry(kind="F32", shape=(1,), places=(0, 4)):
    return {"dtype": kind, "shape": list(shape), "data_offsets": list(places)}


BAD_FILES = {
    "empty": (b"", "truncated or not a safetensors"),
    "five bytes": (b"12345", "truncated or not a safetensors"),
    "text": (b"my dog ate it, and then some more of it", "truncated or not a safetensors"),
    "10 GB header": (struct.pack("<Q", 10 * 10**9) + b"{}", "claims a header of 10,000,000,000"),
    "2^64 header": (b"\xff" * 8 + b"{}", "claims a header of"),
    "header beyond the file": (struct.pack("<Q", 5000) + b"{}", "claims a header of 5,000"),
    "large header": (with_header(b" " * (2**20 + 1)), "claims a header of"),
    "pickle": (pickle.dumps(Bomb()), "is a pickle"),
    "no JSON": (with_header(b"{]"), "damaged header"),
    "not UTF-8": (with_header(b'{"\xff": 1}'), "damaged header"),
    "deep": (with_header("[" * 100_000), "damaged header"),
    "a list": (with_header("[]"), "damaged header"),
    "a number of many digits": (with_header('{"a": ' + "9" * 10_000 + "}"), "damaged header"),
    "metadata of numbers": (with_header({"__metadata__": {"format": 3}}), "metadata are not strings"),
    "metadata a list": (with_header({"__metadata__": []}), "metadata are not strings"),
    "twice": (with_header('{"a": %s, "a": %s}' % ((json.dumps(entry()),) * 2), bytes(4)), "it contains 'a' twice"),
    "no entry": (with_header({"a": 3}), "not a dtype, a shape and offsets"),
    "more in an entry": (with_header({"a": entry() | {"code": "import os"}}, bytes(4)), "not a dtype, a shape"),
    "unknown kind": (with_header({"a": entry("F77")}, bytes(4)), "unknown dtype"),
    "kind a list": (with_header({"a": entry(["F32"])}, bytes(4)), "damaged header"),
    "negative shape": (with_header({"a": entry(shape=(-1, -1))}, bytes(4)), "impossible shape"),
    "10^18 elements": (with_header({"a": entry(shape=(10**9, 10**9))}, bytes(4)), "do not match its shape"),
    "true as a number": (with_header({"a": entry(shape=(True,))}, bytes(4)), "impossible shape"),
    "overlap": (with_header({"a": entry(), "b": entry()}, bytes(4)), "gaps or overlap"),
    "gap": (with_header({"a": entry(), "b": entry(places=(8, 12))}, bytes(12)), "gaps or overlap"),
    "bytes behind": (with_header({"a": entry()}, bytes(9)), "take 4 bytes, but there are 9"),
    "cut off": (with_header({"a": entry()}, bytes(3)), "take 4 bytes, but there are 3"),
    "no metadata": (with_header({"a": entry()}, bytes(4)), "its format is None"),
}


@pytest.mark.parametrize("content, words", BAD_FILES.values(), ids=BAD_FILES)
def test_a_file_that_is_no_safetensors_file_is_refused_at_once(content, words, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    started = time.monotonic()
    with pytest.raises(WeightsCorrupt, match=words):
        read_predictor(content, "theirs.safetensors")
    assert time.monotonic() - started < 5 and not (tmp_path / "exploded").exists()


def test_a_zipped_pickle_a_cut_off_file_and_a_very_large_one_are_refused(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(WeightsCorrupt, match="is a pickle"):
        read_predictor(zipped_pickle(tmp_path), "it")
    assert not (tmp_path / "exploded").exists()
    for kept in (1000, -1):
        with pytest.raises(WeightsCorrupt, match=r"claims a header|bytes, but there are"):
            read_predictor(good()[0][:kept], "it")
    with (tmp_path / WEIGHTS).open("wb") as file:
        file.truncate(10 * 2**30)  # a hole: it takes no room on the disk
    with pytest.raises(WeightsCorrupt, match="larger than 50 MiB"):
        read_hand_in(tmp_path)


PLAIN = {"resize": [64], "crop": [64, 64], "interpolation": "bicubic", "mean": [0.5] * 3, "std": [0.5] * 3}
BAD_METADATA = {
    "format": ({"format": "another"}, WeightsCorrupt, "format is 'another'"),
    "no model": ({"model": None}, WeightsCorrupt, "'model' is missing"),
    "another architecture": ({"model": "resnet50"}, UnknownName, "a capstone is one of"),
    "a download": ({"model": "hf-hub:some/model"}, UnknownName, "a capstone is one of"),
    "a path": ({"model": "../../etc/passwd"}, UnknownName, "a capstone is one of"),
    "one class": ({"classes": '["ant"]'}, WeightsCorrupt, "class names are two or more different strings"),
    "classes no JSON": ({"classes": "ant"}, WeightsCorrupt, "not what hand_in writes"),
    "classes twice": ({"classes": '["ant", "ant", "bee"]'}, WeightsCorrupt, "class names"),
    "10^4 classes": ({"classes": json.dumps(list(map(str, range(10**4))))}, WeightsCorrupt, "over 200 classes"),
    "a long name": ({"classes": json.dumps(["a", "b", "c" * 1000])}, WeightsCorrupt, "over 80 characters"),
    "two classes": ({"classes": '["ant", "bee"]'}, WeightsError, r"F32 \(3, 1280\), not F32 \(2, 1280\)"),
    "no preprocessing": ({"preprocessing": None}, WeightsCorrupt, "'preprocessing' is missing"),
    "a list": ({"preprocessing": "[]"}, WeightsCorrupt, "not what hand_in writes"),
    "code in it": ({"preprocessing": json.dumps(PLAIN | {"code": "os"})}, WeightsCorrupt, "code"),
    "deep": ({"preprocessing": "[" * 50_000}, WeightsCorrupt, "not what hand_in writes"),
    "huge pictures": ({"preprocessing": json.dumps(PLAIN | {"crop": [4096, 4096]})}, WeightsCorrupt, "limit"),
    "huge on the way": ({"preprocessing": json.dumps(PLAIN | {"resize": [4096]})}, WeightsCorrupt, "limit"),
    "std 0": ({"preprocessing": json.dumps(PLAIN | {"std": [0, 1, 1]})}, WeightsCorrupt, "impossible"),
    "mean NaN": ({"preprocessing": json.dumps(PLAIN | {"mean": [float("nan")] * 3})}, WeightsCorrupt, "three numbers"),
}


@pytest.mark.parametrize("metadata, error, words", BAD_METADATA.values(), ids=BAD_METADATA)
def test_metadata_that_hand_in_does_not_write_are_refused(metadata, error, words):
    with pytest.raises(error, match=words):
        read_predictor(changed(**metadata), "it")


def without_first(state):
    return dict(list(state.items())[1:])


def spoiled(value):
    def spoil(state):
        first = next(iter(state))
        return {**state, first: torch.full_like(state[first], value)}

    return spoil


BAD_WEIGHTS = {
    "another architecture": (lambda _: weights("resnet18"), r"tensors are missing .* and .* are unexpected"),
    "a key less": (without_first, r"1 tensor is missing \(features.0.0.weight\)"),
    "a key more": (lambda state: {**state, "back.door": torch.zeros(1)}, r"1 tensor is unexpected \(back.door\)"),
    "another shape": (lambda s: {**s, "classifier.3.bias": torch.zeros(4)}, r"F32 \(4,\), not F32 \(3,\)"),
    "half": (lambda s: {**s, "classifier.3.bias": torch.zeros(3).half()}, r"F16 \(3,\), not F32"),
    "whole numbers": (lambda s: {**s, "classifier.3.bias": torch.zeros(3).long()}, r"I64 \(3,\), not F32"),
    "NaN": (spoiled(float("nan")), "it holds NaN or infinity in 1 of its 312 tensors, first in features.0.0.weight"),
    "infinity": (spoiled(float("-inf")), "NaN or infinity"),
    "too large": (lambda s: {**s, "classifier.3.bias": torch.full((3,), 3e38)} | big(s), "output for a grey picture"),
}


def big(state):
    return {key: torch.full_like(state[key], 3e38) for key in ("classifier.3.weight", "classifier.0.bias")}


@pytest.mark.parametrize("change, words", BAD_WEIGHTS.values(), ids=BAD_WEIGHTS)
def test_weights_that_do_not_fit_or_are_not_finite_are_refused(change, words):
    with pytest.raises(WeightsError, match=words):
        read_predictor(changed(change), "it")


def test_the_first_bytes_decide_and_not_the_name(tmp_path):
    other = tmp_path / "my best model.safetensors"
    other.write_bytes(good()[0])
    other.with_suffix(".md").write_text(FULL.markdown("x", {}))
    assert read_hand_in(other).gaps == ()


# The card.


def test_a_card_is_read_back_whatever_stands_around_it_and_however_its_titles_are_written():
    text = "# My card\n\nHello\n\n" + FULL.markdown("Title", {"Architecture": "x"}).replace("## What", "### **WHAT  ")
    assert read_card(text.replace("  is for", " is for")).results == FULL.results
    assert read_card(FULL.markdown("Title", {"Classes": "a, b"})) == FULL
    assert read_card("").gaps() and FULL.gaps() == []


def test_what_a_card_lacks_is_said():
    (line,) = ModelCard(FULL.purpose, FULL.data, FULL.results, "none", FULL.licences).gaps()
    assert TITLES["limits"] in line and str(MIN_SECTION_LENGTH) in line
    assert len(ModelCard().gaps()) == 5
    (line,) = ModelCard(*[FULL.results] * 5).gaps()
    assert "the same text" in line
    (line,) = ModelCard(
        FULL.purpose, FULL.data, "It works really well, believe me, it does.", FULL.limits, FULL.licences
    ).gaps()
    assert "no figure" in line


@pytest.mark.parametrize(
    "content", [b"\xff\xfe\x00", b"", b"#" * 10**4, bytes(1000), b"x" * (MAX_CARD + 1), b"## What it is for\n" * 900]
)
def test_a_file_that_is_no_card_has_gaps_and_nothing_else(content):
    card, gaps = read_card_file(content)
    assert gaps and isinstance(card, ModelCard)


def test_script_in_a_card_is_text(tmp_path):
    script = "<script>alert('mine')</script> tells insects apart, I hope"
    read = hand_in(a_predictor(), tmp_path, ModelCard(script, FULL.data, FULL.results, FULL.limits, FULL.licences))
    assert read.card.purpose == script and read.gaps == ()

"""The wire carries what it was given, and nothing else gets through."""

import json
import random
import struct
import warnings

import numpy as np
import pytest
import safetensors.torch
import torch

from course.errors import WireError
from course.judging import wire
from course.judging.wire import Other


def carried(value):
    return wire.decode(wire.encode(value))


def test_plain_data_comes_back_as_it_was():
    value = {"a": [1, -2.5, None, True, "x ✓"], "$dict": {"$tensor": "0"}, "": [], "big": 2**900}
    assert carried(value) == value
    assert carried((1, 2)) == [1, 2]


def test_infinities_and_nan_come_back():
    nan, plus, minus = carried([float("nan"), float("inf"), float("-inf")])
    assert nan != nan and (plus, minus) == (float("inf"), float("-inf"))


@pytest.mark.parametrize(
    "tensor",
    [
        torch.arange(6).view(2, 3).T,
        torch.zeros(1).expand(3, 2),
        torch.randn(2, 2, requires_grad=True),
        torch.nn.Parameter(torch.ones(3)),
        torch.tensor(3.0),
        torch.zeros(0, 4),
        torch.tensor([float("nan"), float("inf")]),
        torch.tensor([True, False]),
        torch.ones(2, dtype=torch.bfloat16),
        torch.tensor([1 + 2j]).conj().imag,
        torch.randn(1, 2, 3, 4).to(memory_format=torch.channels_last),
    ],
    ids=range(11),
)
def test_a_tensor_comes_back_plain_with_its_values(tensor):
    back = carried(tensor)
    assert type(back) is torch.Tensor and not back.requires_grad and back.dtype == tensor.dtype
    assert back.shape == tensor.shape and torch.equal(torch.nan_to_num(back), torch.nan_to_num(tensor.detach()))


def test_tensors_that_share_memory_come_back_apart():
    x = torch.zeros(4)
    first, second = carried([x, x[:2]])
    first.add_(1)
    assert second.tolist() == [0, 0]


def test_a_tensor_subclass_stays_behind():
    class Loud(torch.Tensor):
        @classmethod
        def __torch_function__(cls, function, types, args=(), kwargs=None):
            raise RuntimeError("no")

    assert carried(torch.ones(2).as_subclass(Loud)).tolist() == [1, 1]


@pytest.mark.parametrize(
    "array", [np.array(3.0), np.arange(4)[::-1], np.array([1, 2], dtype=">i4"), np.zeros((0, 2)), np.array([True])]
)
def test_an_array_comes_back_as_a_tensor_of_its_shape(array):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        array.flags.writeable = False
        back = carried(array)
    assert back.shape == array.shape and back.tolist() == array.tolist()


def test_numpy_numbers_come_back_as_numbers():
    assert carried([np.float32(2), np.int8(3), np.bool_(True)]) == [2.0, 3, True]


@pytest.mark.parametrize(
    ("value", "kind"),
    [
        ((x for x in [1]), "generator"),
        (object(), "object"),
        ({1: 2}, "dict"),
        (b"x", "bytes"),
        (1j, "complex"),
        (10**5000, "int"),
        (torch.eye(2).to_sparse(), "Tensor"),
        (torch.zeros(2, device="meta"), "Tensor"),
        (torch.tensor([1j]), "Tensor"),
        (torch.empty(2**40, 0), "Tensor"),
        (np.array([1], dtype=np.uint16), "Tensor"),
        (torch.nn.ReLU(), "ReLU"),
    ],
    ids=lambda value: value if isinstance(value, str) else type(value).__name__,
)
def test_what_is_no_plain_data_comes_back_as_a_description(value, kind):
    back = carried(value)
    assert isinstance(back, Other) and back.type == kind and kind in str(back)


def test_lone_surrogates_are_replaced_and_long_texts_cut():
    assert carried("a\ud800b") == "a?b"
    assert len(carried("x" * 100_000)) == wire.MAX_TEXT


class ClaimsToBeAnInt:
    __class__ = int


class RaisesWhenRead(dict):
    def items(self):
        raise ZeroDivisionError


def deep(levels):
    value = []
    for _ in range(levels):
        value = [value]
    return value


@pytest.mark.parametrize(
    "value",
    [
        deep(40),
        [0] * 300_000,
        ["x" * 20_000] * 5_000,
        torch.zeros(1).expand(10**9),
        np.broadcast_to(np.zeros(1), (10**9,)),
        ClaimsToBeAnInt(),
        RaisesWhenRead(a=1),
    ],
    ids=["deep", "many", "long", "expanded", "broadcast", "forged class", "raising"],
)
def test_what_is_too_large_or_breaks_when_read_is_refused_before_it_is_copied(value):
    with pytest.raises(WireError):
        wire.encode(value)


def forged(tree, tensors=None):
    tree = tree if isinstance(tree, str) else json.dumps(tree)
    return safetensors.torch.save(tensors or {}, metadata={"tree": tree})


def framed(header, data=b""):
    header = header if isinstance(header, bytes) else json.dumps(header).encode()
    return struct.pack("<Q", len(header)) + header + data


@pytest.mark.parametrize(
    "blob",
    [
        b"",
        b"\0" * 7,
        struct.pack("<Q", 2**63) + b"{}",
        framed(b"[" * 100_000),
        framed([]),
        framed({}),
        framed(
            {"__metadata__": {"tree": "1"}, "0": {"dtype": "F32", "shape": [10**9], "data_offsets": [0, 4]}}, b"1234"
        ),
        framed(
            {"__metadata__": {"tree": "1"}, "0": {"dtype": "F32", "shape": [0, 2**62, 2**62], "data_offsets": [0, 0]}}
        ),
        framed(
            {"__metadata__": {"tree": '{"$tensor":"0"}'}, "0": {"dtype": "C64", "shape": [], "data_offsets": [0, 8]}},
            b"12345678",
        ),
        forged("NaN"),
        forged("1e999"),
        forged("1" * 4000),
        forged("[" * 100_000),
        forged({}),
        forged({"$dict": {}, "$float": "nan"}),
        forged({"$pickle": "x"}),
        forged({"$float": "1"}),
        forged({"$tensor": "0"}),
        forged({"$tensor": ["0"]}),
        forged({"$other": {"type": "x"}}),
        forged({"$other": {"type": "x", "text": ["y"]}}),
        forged('"\\ud800"'),
        forged("x" * 30_000),
        forged(1, {"0": torch.zeros(1)}),
        forged([{"$tensor": "0"}, {"$tensor": "0"}], {"0": torch.zeros(1)}),
        forged({"$tensor": "0"}, {"0": torch.empty(0, 2**40)}),
    ],
    ids=range(26),
)
def test_what_encode_cannot_have_written_is_refused(blob):
    with pytest.raises(WireError):
        wire.decode(blob)


def test_damaged_bytes_raise_wire_error_and_nothing_else():
    rng = random.Random(0)
    blob = wire.encode({"a": [1, float("inf")], "t": torch.randn(4, 3), "u": torch.arange(5), "o": object()})
    refused = 0
    for _ in range(3_000):
        damaged = bytearray(blob)
        for _ in range(rng.randint(1, 4)):
            at = rng.randrange(len(damaged) + 1)
            match rng.randrange(4):
                case 0:
                    damaged[at : at + 1] = bytes([rng.randrange(256)])
                case 1:
                    del damaged[at : at + rng.randint(1, 8)]
                case 2:
                    damaged[at:at] = bytes(rng.choices(b'0123456789[]{}",:-eE', k=rng.randint(1, 5)))
                case 3:
                    damaged[at : at + 1] = bytes([damaged[at] ^ 1]) if at < len(damaged) else b""
        try:
            wire.decode(bytes(damaged))
        except WireError:
            refused += 1
    assert refused > 1_000

"""Weight files from strangers: what kind they are, what they would import, and what is refused."""

import json
import os
import pickle
import struct

import pytest
import torch
from safetensors.torch import save_file
from torch import nn

from course.errors import WeightsCorrupt, WeightsError, WeightsMissing, WeightsUnsafe
from course.models.weights import weights_path
from course.zoo.untrusted_weights import detect_format, pickle_imports, read_weights


class MakesAFolder:
    def __init__(self, path):
        self.path = str(path)

    def __reduce__(self):
        return os.mkdir, (self.path,)


def net():
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(3, 4), nn.BatchNorm1d(4), nn.Linear(4, 2))


@pytest.fixture
def path(tmp_path):
    file = tmp_path / "model.safetensors"
    save_file(net().state_dict(), file)
    return file


def test_good_weights_are_read_to_the_bit(path):
    state = read_weights(path, net())
    assert state.keys() == net().state_dict().keys()
    assert all(torch.equal(value, net().state_dict()[name]) for name, value in state.items())


@pytest.mark.parametrize("write", [torch.save, lambda made, file: file.write_bytes(pickle.dumps(made))])
@pytest.mark.parametrize("protocol", [2, 4])
def test_a_pickle_is_seen_through_and_never_run_whatever_its_name(tmp_path, write, protocol):
    file, trace = tmp_path / "model.safetensors", tmp_path / "trace"
    if write is torch.save:
        torch.save({"w": MakesAFolder(trace)}, file, pickle_protocol=protocol)
    else:
        file.write_bytes(pickle.dumps({"w": MakesAFolder(trace)}, protocol))
    assert detect_format(file) == "pickle"
    assert any(name.endswith("mkdir") for name in pickle_imports(file))
    with pytest.raises(WeightsUnsafe, match="pickle"):
        read_weights(file)
    assert not trace.exists()


def test_an_old_pickle_of_text_is_one_too(tmp_path):
    file = tmp_path / "old.pth"
    file.write_bytes(b"cos\nsystem\n(S'echo gotcha'\ntR.")
    assert detect_format(file) == "pickle"
    assert pickle_imports(file) == ["os.system"]


def test_an_honest_checkpoint_imports_torch_and_nothing_else():
    assert detect_format(weights_path()) == "pickle"
    assert all(name.startswith(("torch.", "collections.")) for name in pickle_imports(weights_path()))


def test_a_memoised_name_does_not_hide_what_is_imported(tmp_path):
    """Names can be put aside with MEMOIZE and fetched again, so the last texts are not always the ones meant."""
    file = tmp_path / "hidden.pkl"
    program = (
        b"\x80\x04"
        + b"\x8c\x05posix\x94\x8c\x06system\x94"  # two names, each put into the memo
        + b"\x8c\x05torch\x8c\x04load"  # two harmless ones on top
        + b"00h\x00h\x01\x93."  # dropped; the memo's two, STACK_GLOBAL
    )
    file.write_bytes(program)
    found = pickle_imports(file)
    assert "posix.system" in found or any("?" in name for name in found)


def test_a_pickle_that_is_cut_off_and_files_that_are_none_are_refused(tmp_path, path):
    file = tmp_path / "cut.pkl"
    file.write_bytes(pickle.dumps({"a": [1] * 100})[:20])
    with pytest.raises(WeightsCorrupt, match="to its end"):
        pickle_imports(file)
    with pytest.raises(WeightsCorrupt, match="not a pickle"):
        pickle_imports(path)


@pytest.mark.parametrize("claim", [10 * 2**30, 2**63, 10_000])
def test_a_header_that_claims_more_than_there_is_is_refused_before_anything_is_allocated(tmp_path, claim):
    file = tmp_path / "liar.safetensors"
    file.write_bytes(struct.pack("<Q", claim) + b'{"w": 1}')
    with pytest.raises(WeightsCorrupt, match="claims a header"):
        read_weights(file)


@pytest.mark.parametrize("keep", [9, 60, -1])
def test_a_file_that_was_cut_off_is_refused(path, keep):
    path.write_bytes(path.read_bytes()[:keep])
    with pytest.raises(WeightsCorrupt):
        read_weights(path)


@pytest.mark.parametrize(
    "header", [b"{{{{", b"{" * 50_000, b'{"w": {"dtype": "F32", "shape": [9999999], "data_offsets": [0, 4]}}']
)
def test_a_header_that_is_nonsense_is_refused(tmp_path, header):
    file = tmp_path / "odd.safetensors"
    file.write_bytes(struct.pack("<Q", len(header)) + header + bytes(4))
    with pytest.raises(WeightsCorrupt):
        read_weights(file)


@pytest.mark.parametrize(
    "content", [b"", b"hello, I am a text file", b"\x89HDF\r\n\x1a\n" + bytes(20), json.dumps({}).encode()]
)
def test_files_of_other_kinds_are_refused(tmp_path, content):
    file = tmp_path / "model.safetensors"
    file.write_bytes(content)
    with pytest.raises(WeightsCorrupt):
        read_weights(file)


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(WeightsMissing, match=r"nothing\.safetensors"):
        read_weights(tmp_path / "nothing.safetensors")


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_weights_that_are_not_finite_are_refused(path, value):
    state = net().state_dict()
    state["2.weight"][0, 0] = value
    save_file(state, path)
    with pytest.raises(WeightsError, match=r"NaN or infinity.*2\.weight"):
        read_weights(path)


def test_weights_of_another_architecture_are_refused_with_what_differs(path):
    state = net().state_dict()
    with pytest.raises(WeightsError, match=r"0\.weight is \(4, 3\), not \(5, 3\)"):
        read_weights(path, nn.Sequential(nn.Linear(3, 5), nn.BatchNorm1d(5), nn.Linear(5, 2)))
    save_file({name: value for name, value in state.items() if name != "2.bias"} | {"extra": torch.ones(1)}, path)
    with pytest.raises(WeightsError, match=r"1 tensor is missing \(2\.bias.*1 tensor is unexpected.*extra"):
        read_weights(path, net())

"""ONNX files from strangers: what is refused, with which words, and that nothing outside the folder is read."""

import os

import numpy as np
import onnxruntime
import pytest
from onnx import TensorProto, helper, numpy_helper

from course.errors import WeightsCorrupt, WeightsMissing, WeightsUnsafe
from course.zoo.untrusted_onnx import read_onnx

BYTES = 4 * 4 * 2


def inside(dims=(4, 2), *, numbers=8, **more):
    return TensorProto(
        name="w", data_type=TensorProto.FLOAT, dims=dims, raw_data=np.ones(numbers, np.float32).tobytes(), **more
    )


def outside(location, dims=(4, 2), **place):
    tensor = TensorProto(name="w", data_type=TensorProto.FLOAT, dims=dims, data_location=TensorProto.EXTERNAL)
    for key, value in {"location": location, **place}.items():
        tensor.external_data.add(key=key, value=str(value))
    return tensor


def model(weights, *, node=None, opsets=(("", 17),), functions=()):
    value = helper.make_tensor_value_info
    graph = helper.make_graph(
        [node or helper.make_node("Gemm", ["x", "w"], ["y"])],
        "one layer",
        [value("x", TensorProto.FLOAT, ["batch", 4])],
        [value("y", TensorProto.FLOAT, ["batch", 2])],
        [weights],
    )
    imports = [helper.make_opsetid(*opset) for opset in opsets]
    return helper.make_model(graph, opset_imports=imports, ir_version=8, functions=functions)


@pytest.fixture
def write(tmp_path):
    """Writes a model into a folder of its own, with a file beside it and one outside."""
    folder = tmp_path / "zoo"
    folder.mkdir()
    (tmp_path / "secret.bin").write_bytes(bytes(BYTES))
    (folder / "beside.bin").write_bytes(bytes(BYTES))

    def written(made):
        path = folder / "model.onnx"
        path.write_bytes(made.SerializeToString() if hasattr(made, "SerializeToString") else made)
        return path

    return written


def test_a_plain_model_is_read_and_runs(write):
    path = write(model(inside()))
    assert len(read_onnx(path).graph.node) == 1
    (y,) = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"]).run(
        None, {"x": np.ones((3, 4), np.float32)}
    )
    assert (y == 4).all()


@pytest.mark.parametrize("place", [{}, {"offset": 0, "length": BYTES}])
def test_weights_in_a_file_beside_the_model_are_accepted(write, place):
    assert read_onnx(write(model(outside("beside.bin", **place))))


LEADING_OUT = [
    "../secret.bin",
    "./../secret.bin",
    "sub/../../secret.bin",
    "/etc/passwd",
    "C:\\secret.bin",
    "..\\secret",
    "",
]


@pytest.mark.parametrize("location", LEADING_OUT)
def test_a_path_that_leads_out_of_the_folder_is_refused(write, location):
    with pytest.raises(WeightsUnsafe, match="outside the model's folder"):
        read_onnx(write(model(outside(location))))


def test_a_link_out_of_the_folder_is_not_followed(write, tmp_path):
    path = write(model(outside("linked.bin")))
    os.symlink(tmp_path / "secret.bin", path.parent / "linked.bin")
    with pytest.raises(WeightsUnsafe, match="outside the model's folder"):
        read_onnx(path)


@pytest.mark.parametrize(
    "place",
    [
        {"offset": 4},
        {"offset": -4},
        {"length": BYTES - 4},
        {"length": BYTES + 4},
        {"offset": "four"},
        {"length": 2**40},
    ],
)
def test_places_outside_the_file_beside_it_are_refused(write, place):
    with pytest.raises(WeightsUnsafe, match=r"claims bytes|not a number"):
        read_onnx(write(model(outside("beside.bin", **place))))


def test_weights_that_are_not_there_are_named(write):
    with pytest.raises(WeightsMissing, match=r"elsewhere\.bin"):
        read_onnx(write(model(outside("elsewhere.bin"))))


def test_weights_inside_an_attribute_are_looked_at_too(write):
    node = helper.make_node("Constant", [], ["y"], value=outside("../secret.bin"))
    with pytest.raises(WeightsUnsafe, match="outside"):
        read_onnx(write(model(inside(), node=node)))


def test_weights_inside_a_branch_are_looked_at_too(write):
    value = helper.make_tensor_value_info("z", TensorProto.FLOAT, [4, 2])
    branch = helper.make_graph(
        [helper.make_node("Identity", ["w"], ["z"])], "branch", [], [value], [outside("../secret.bin")]
    )
    node = helper.make_node("If", ["x"], ["y"], then_branch=branch, else_branch=branch)
    with pytest.raises(WeightsUnsafe, match="outside"):
        read_onnx(write(model(inside(), node=node)))


def test_a_tensor_that_claims_a_terabyte_is_refused_before_it_is_allocated(write):
    with pytest.raises(WeightsUnsafe, match="claim"):
        read_onnx(write(model(inside((2**20, 2**20)))))
    many = model(inside())
    many.graph.initializer.extend([inside((2**15, 2**13)), inside((2**15, 2**13))])
    with pytest.raises(WeightsUnsafe, match="claim"):
        read_onnx(write(many), max_mebibytes=1500)


@pytest.mark.parametrize("numbers", [7, 9])
def test_a_shape_that_its_bytes_do_not_fill_is_refused(write, numbers):
    with pytest.raises(WeightsUnsafe, match="claims the shape"):
        read_onnx(write(model(inside(numbers=numbers))))


def test_a_negative_size_and_an_unknown_type_are_refused(write):
    with pytest.raises(WeightsUnsafe, match="negative"):
        read_onnx(write(model(inside((-4, -2)))))
    strange = inside()
    strange.data_type = 99
    with pytest.raises(WeightsUnsafe, match="unknown type"):
        read_onnx(write(model(strange)))


def test_operators_of_strangers_are_named_and_refused(write):
    node = helper.make_node("RunScript", ["x", "w"], ["y"], domain="com.example")
    with pytest.raises(WeightsUnsafe, match=r"com\.example\.RunScript"):
        read_onnx(write(model(inside(), node=node, opsets=[("", 17), ("com.example", 1)])))


def test_an_operator_that_onnx_does_not_have_is_refused(write):
    with pytest.raises(WeightsUnsafe, match="Gemmm"):
        read_onnx(write(model(inside(), node=helper.make_node("Gemmm", ["x", "w"], ["y"]))))


def test_a_function_that_the_file_defines_is_no_stranger(write):
    body = [helper.make_node("Gemm", ["a", "b"], ["c"])]
    opsets = [helper.make_opsetid("", 17)]
    function = helper.make_function("com.example", "Layer", ["a", "b"], ["c"], body, opsets)
    node = helper.make_node("Layer", ["x", "w"], ["y"], domain="com.example")
    assert read_onnx(write(model(inside(), node=node, opsets=[("", 17), ("com.example", 1)], functions=[function])))


def test_a_file_over_the_limit_is_not_even_read(write):
    large = numpy_helper.from_array(np.ones((4, 2**18), np.float32), "w")
    with pytest.raises(WeightsUnsafe, match="was not read"):
        read_onnx(write(model(large)), max_mebibytes=2)


def test_files_that_are_no_onnx_are_refused(write, tmp_path):
    whole = model(inside()).SerializeToString()
    for content in (b"", b"hello", b"\x80\x04cos\nsystem\n.", whole[:-20], whole[:10]):
        with pytest.raises((WeightsCorrupt, WeightsUnsafe)):
            read_onnx(write(content))
    with pytest.raises(WeightsMissing, match="no file"):
        read_onnx(tmp_path / "nothing.onnx")


def test_what_the_checker_of_onnx_refuses_is_refused(write):
    with pytest.raises(WeightsCorrupt, match="checker"):
        read_onnx(write(model(inside(), node=helper.make_node("Gemm", ["x"], ["y"]))))

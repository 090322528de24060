"""The zoos' catalogues: read offline, complete, with licences and hashes."""

import pytest
from torchvision.models import get_model_weights

from course.errors import UnknownName
from course.zoo.published import SWAG_LICENCE, UNSTATED, catalogue


@pytest.fixture(scope="module")
def torchvision_zoo():
    return catalogue("torchvision")


def test_an_entry_says_what_torchvision_says(torchvision_zoo):
    (entry,) = [e for e in torchvision_zoo if (e.name, e.weights) == ("resnet50", "IMAGENET1K_V2")]
    weights = get_model_weights("resnet50")["IMAGENET1K_V2"]
    assert entry.task == "classify"
    assert entry.parameters == weights.meta["num_params"] == 25557032
    assert entry.accuracy == pytest.approx(0.80858)
    assert entry.licence == "BSD-3-Clause"
    assert entry.url == weights.url and entry.sha256 in weights.url


def test_weights_under_another_licence_than_the_librarys_are_told_apart(torchvision_zoo):
    assert {entry.licence for entry in torchvision_zoo} == {"BSD-3-Clause", SWAG_LICENCE}
    assert all("SWAG" in entry.weights for entry in torchvision_zoo if entry.licence == SWAG_LICENCE)


def test_detectors_and_segmenters_are_in_the_catalogue(torchvision_zoo):
    tasks = {entry.name: entry.task for entry in torchvision_zoo}
    assert tasks["fasterrcnn_resnet50_fpn"] == "detect"
    assert tasks["lraspp_mobilenet_v3_large"] == "segment"


def test_timm_states_licences_of_which_some_forbid_commercial_use_and_some_are_missing():
    entries = catalogue("timm")
    licences = {entry.licence for entry in entries}
    assert {"apache-2.0", "cc-by-nc-4.0", UNSTATED} <= licences
    assert "unknown" not in licences and "" not in licences
    assert all(entry.library == "timm" and entry.url for entry in entries[:50])


def test_another_library_is_refused():
    with pytest.raises(UnknownName, match="torchvision"):
        catalogue("torchvison")

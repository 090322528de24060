"""The full profile of chapter 08 runs from end to end on stand-ins in the layouts of the hub, without a network."""

import nbformat
import torch
from datasets import ClassLabel, Features, Sequence, Value
from safetensors.torch import save
from transformers import AutoModel, DistilBertConfig

from course import authoring
from course.data import sentences
from course.weights import minilm_folder
from tests.conftest import ROOT
from tests.full_profile import printed
from tests.standins import lay_out_repository, parquet

PATH = ROOT / "solutions" / "08_understand_text.ipynb"


def lay_out(cache):
    """A narrow DistilBERT with random weights, 64 opinions a split as SST-2 and 48 tagged sentences as WikiANN."""
    torch.manual_seed(0)
    config = DistilBertConfig(dim=32, n_layers=2, n_heads=2, hidden_dim=32, architectures=["DistilBertModel"])
    weights = {name: value.contiguous() for name, value in AutoModel.from_config(config).state_dict().items()}
    files = {"model.safetensors": save(weights, {"format": "pt"}), "config.json": config.to_json_string().encode()}
    files |= {
        name: (minilm_folder() / name).read_bytes() for name in ("tokenizer.json", "tokenizer_config.json", "vocab.txt")
    }
    lay_out_repository(cache, "models", "distilbert/distilbert-base-uncased", files)
    splits = {"train": "train", "validation": "test"}
    opinions = {f"data/{file}-00000-of-00001.parquet": reviews(split) for file, split in splits.items()}
    lay_out_repository(cache, "datasets", "stanfordnlp/sst2", opinions)
    names = {f"en/{split}-00000-of-00001.parquet": entities(split) for split in ("train", "test")}
    lay_out_repository(cache, "datasets", "unimelb-nlp/wikiann", names)


def reviews(split):
    drawn = sentences.sentiments(split, 64)
    features = Features({"sentence": Value("string"), "label": ClassLabel(names=list(drawn.classes))})
    return parquet({"sentence": drawn.texts, "label": drawn.labels.tolist()}, features)


def entities(split):
    drawn = sentences.entities(split, 48)
    tags = Sequence(ClassLabel(names=list(drawn.classes)))
    return parquet(
        {"tokens": drawn.words, "ner_tags": drawn.tags},
        Features({"tokens": Sequence(Value("string")), "ner_tags": tags}),
    )


def test_the_full_profile_runs_every_cell(tmp_path):
    lay_out(tmp_path / "data" / "hub")
    nb = nbformat.read(PATH, as_version=4)
    for cell in nb.cells:
        if cell.id == "parameters":
            cell.source = 'PROFILE = "full"\nSEED = 0'
    variables = {
        **authoring.environment(tmp_path / "home", strict=True),
        "COURSE_DATA": str(tmp_path / "data"),
        "HF_HUB_OFFLINE": "1",
    }
    lines = printed(authoring.run(nb, PATH.parent, label="08, full profile", variables=variables))
    assert any("profile full (asked for)" in line for line in lines)
    assert not any("fetching" in line for line in lines)
    assert any(line.endswith("the tagger is ahead of the list") for line in lines), "the last experiment ran"

"""The text models: tokens and masks, odd texts, pooling, cached features, training through `fit`, adapters, the hub."""

import copy
import json

import pytest
import torch
from safetensors.torch import save_file
from torch import nn
from transformers import AutoModel, BertConfig, BertModel, DistilBertConfig

from course.applications.text_models import (
    RecurrentClassifier,
    TextClassifier,
    TokenTagger,
    add_peft_lora,
    load_encoder,
    mean_pool,
    predict_tags,
    predict_texts,
    sentence_features,
)
from course.applications.tokenization import TextDataset, load_tokenizer, tokenize
from course.data.sentences import TaggedTexts, Texts, entities, sentiments
from course.errors import DataError, EmptyData, ModelError, NoNetwork, UnknownName
from course.models.freezing import freeze, unfreeze
from course.models.heads import find_head
from course.models.parameter_groups import param_groups
from course.models.weights import minilm_folder
from course.training.loop import evaluate, fit

ODD = {
    "empty": "",
    "spaces": " \n\t ",
    "10,000 words": "word " * 10_000,
    "emoji": "😀 👩‍👩‍👧 good",
    "right to left": "הסרט היה نهاية جيدة جدا",
    "a null and half a character": "a\x00b \ud83d c",
    "one endless word": "a" * 5_000,
}


@pytest.fixture(scope="module")
def tokenizer():
    return load_tokenizer()


@pytest.fixture(scope="module")
def minilm():
    return load_encoder()


@pytest.fixture
def small(tokenizer):
    """A BERT of two narrow layers, with random weights."""
    torch.manual_seed(0)
    return BertModel(
        BertConfig(vocab_size=tokenizer.vocab_size, hidden_size=32, num_hidden_layers=2, num_attention_heads=2,
                   intermediate_size=64), add_pooling_layer=False,
    ).eval()  # fmt: skip


def test_the_bundled_encoder_is_pretrained_and_puts_like_meanings_side_by_side(tokenizer, minilm):
    texts = ["The film was wonderful.", "A marvellous movie!", "The train is late today."]
    model = TextClassifier(minilm, 2)
    model.head = nn.Identity()
    with torch.no_grad():
        vectors = nn.functional.normalize(model(**tokenize(tokenizer, texts)), dim=1)
    assert vectors[0] @ vectors[1] > vectors[0] @ vectors[2] + 0.3
    assert not minilm.training
    assert minilm.origin.library == "bundled"


def test_random_weights_are_other_ones_in_the_same_architecture(minilm):
    random = load_encoder(weights=None)
    shapes = {name: value.shape for name, value in minilm.state_dict().items()}
    assert {name: value.shape for name, value in random.state_dict().items()} == shapes
    assert not torch.equal(random.state_dict()["encoder.layer.0.attention.self.query.weight"],
                           minilm.state_dict()["encoder.layer.0.attention.self.query.weight"])  # fmt: skip
    with pytest.raises(UnknownName, match="default"):
        load_encoder(weights="defualt")


def test_texts_are_padded_to_the_longest_and_the_mask_says_so(tokenizer):
    batch = tokenize(tokenizer, ["short", "a somewhat longer text"])
    assert set(batch) == {"input_ids", "attention_mask"}
    assert batch["attention_mask"].sum(1).tolist() == [3, 6]
    assert (batch["input_ids"][0, 3:] == tokenizer.pad_token_id).all()


@pytest.mark.parametrize("text", ODD.values(), ids=ODD)
def test_an_odd_text_has_a_sensible_encoding_and_prediction(tokenizer, small, text):
    batch = tokenize(tokenizer, [text, "ordinary"])
    assert 2 <= batch["attention_mask"][0].sum() <= 128
    model = TextClassifier(small, 3).eval()
    together = predict_texts(model, tokenizer, [text, "ordinary"])
    assert torch.allclose(together.sum(1), torch.ones(2))
    assert torch.allclose(together[1], predict_texts(model, tokenizer, ["ordinary"])[0], atol=1e-5)


@pytest.mark.parametrize("word", ODD.values(), ids=ODD)
def test_an_odd_word_has_a_tag_and_leaves_the_others_their_own(tokenizer, word):
    data = TextDataset(tokenizer, TaggedTexts([["Anna", word, "Oslo"]], [[1, 0, 5]], ("O",) * 7))
    labels = data.labels[0][data.labels[0] != -100].tolist()
    assert labels in ([1, 0, 5], [1, 5], [1, 0])  # an empty word has no token, an endless one cuts off what follows
    assert len(predict_tags(TokenTagger(load_small(tokenizer), 7), tokenizer, [["Anna", word, "Oslo"]])[0]) == 3


def load_small(tokenizer):
    config = BertConfig(vocab_size=tokenizer.vocab_size, hidden_size=16, num_hidden_layers=1, num_attention_heads=1,
                        intermediate_size=16)  # fmt: skip
    return AutoModel.from_config(config).eval()


def test_10000_tagged_words_have_10000_tags(tokenizer):
    tags = predict_tags(TokenTagger(load_small(tokenizer), 7), tokenizer, [["word"] * 10_000, ["one"]])
    assert [len(row) for row in tags] == [10_000, 1]
    assert not any(tags[0][200:])


def test_no_text_at_all_is_an_error(tokenizer):
    with pytest.raises(EmptyData):
        tokenize(tokenizer, [])
    with pytest.raises(EmptyData):
        predict_tags(nn.Identity(), tokenizer, [])


@pytest.mark.parametrize("texts", ["one text", ["a", None], [1]])
def test_anything_but_a_list_of_strings_is_refused(tokenizer, texts):
    with pytest.raises(DataError, match=r"\[text\]"):
        tokenize(tokenizer, texts)


def test_labels_of_another_number_are_refused_with_both_numbers(tokenizer):
    with pytest.raises(DataError, match="2 texts but 3 labels"):
        TextDataset(tokenizer, Texts(["a", "b"], torch.tensor([0, 1, 0]), ("x", "y")))
    with pytest.raises(DataError, match="sentence 1 has 3 words but 2 tags"):
        TextDataset(tokenizer, TaggedTexts([["a"], ["b", "c", "d"]], [[0], [0, 1]], ("O", "B-PER")))
    with pytest.raises(DataError, match="split your text into words"):
        TextDataset(tokenizer, TaggedTexts(["a text"], [[0, 0]], ("O",)))


def test_a_loader_cuts_each_batch_to_its_longest_text(tokenizer):
    data = TextDataset(tokenizer, Texts(["a", "b", "long " * 30], torch.tensor([0, 1, 0]), ("x", "y")))
    shapes = [tuple(inputs["input_ids"].shape) for inputs, _ in data.loader(2)]
    assert shapes == [(2, 3), (1, 32)]


def test_a_loaders_order_is_drawn_from_its_seed(tokenizer):
    data = TextDataset(tokenizer, sentiments("train", 30))
    first, again, other = (
        torch.cat([inputs["input_ids"][:, 1] for inputs, _ in data.loader(30, seed=seed)]) for seed in (1, 1, 2)
    )
    assert torch.equal(first, again)
    assert not torch.equal(first, other)


def test_mean_pooling_leaves_padding_out_and_survives_an_empty_row():
    hidden = torch.randn(2, 5, 3)
    mask = torch.tensor([[1, 1, 1, 0, 0], [0, 0, 0, 0, 0]])
    pooled = mean_pool(hidden, mask)
    assert torch.allclose(pooled[0], hidden[0, :3].mean(0), atol=1e-6)
    assert torch.equal(pooled[1], torch.zeros(3))


@pytest.mark.parametrize("pooling", ["mean", "first"])
def test_a_classifier_gives_logits_that_padding_does_not_change(tokenizer, small, pooling):
    model = TextClassifier(small, 4, pooling=pooling).eval()
    alone, beside = (tokenize(tokenizer, texts) for texts in (["a text"], ["a text", "a much longer text than that"]))
    with torch.no_grad():
        assert model(**beside).shape == (2, 4)
        assert torch.allclose(model(**alone)[0], model(**beside)[0], atol=1e-5)
        assert torch.allclose(model(**beside), model(beside["input_ids"]), atol=1e-6)  # the mask found by itself
    with pytest.raises(UnknownName, match="mean"):
        TextClassifier(small, 4, pooling="men")


def test_the_head_is_found_and_the_depths_have_their_rates(small):
    model = TextClassifier(small, 4)
    assert find_head(model).name == "head"
    groups = param_groups(model, 1e-3, decay=0.5)
    assert groups[0]["name"] == "head"
    assert len(groups) >= 3
    held = {id(parameter) for group in groups for parameter in group["params"]}
    assert held == {id(parameter) for parameter in model.parameters()}


def test_sentence_features_are_what_the_head_sees_and_are_kept(tokenizer, small, home):
    data = TextDataset(tokenizer, sentiments("train", 20))
    model = TextClassifier(small, 2)
    features = sentence_features(model, data)
    with torch.no_grad():
        assert torch.allclose(model.head(features.x), model(**data.inputs), atol=1e-5)
    assert torch.equal(features.y, data.labels)
    assert sentence_features(model, data).from_cache
    assert not sentence_features(TextClassifier(small, 2, pooling="first"), data).from_cache


def test_fit_trains_a_classifier_and_a_frozen_encoder_stays(tokenizer, small):
    data = TextDataset(tokenizer, sentiments("train", 64))
    frozen = TextClassifier(copy.deepcopy(small), 2)
    freeze(frozen.encoder)
    fit(frozen, data.loader(16, seed=0), epochs=2, lr=1e-2, device="cpu", verbose=False)
    assert all(torch.equal(a, b) for a, b in zip(frozen.encoder.parameters(), small.parameters(), strict=True))
    history = fit(TextClassifier(small, 2), data.loader(16, seed=0), epochs=8, lr=3e-3, device="cpu", verbose=False)
    assert history["train_loss"][-1] < history["train_loss"][0] - 0.1


def test_fit_trains_a_tagger_and_counts_words_not_padding(tokenizer, small):
    drawn = entities("train", 64)
    data = TextDataset(tokenizer, drawn)
    model = TokenTagger(small, len(drawn.classes))
    fit(model, data.loader(16, seed=0), epochs=6, lr=3e-3, device="cpu", verbose=False)
    words = sum(map(len, drawn.words))
    predicted = predict_tags(model, tokenizer, drawn.words)
    pairs = zip(predicted, drawn.tags, strict=True)
    right = sum(a == b for row, tags in pairs for a, b in zip(row, tags, strict=True))
    assert evaluate(model, data.loader(len(data)), device="cpu")["accuracy"] == pytest.approx(right / words, abs=0.01)


@pytest.mark.parametrize("cell", ["rnn", "lstm", "gru"])
def test_the_recurrent_network_reads_up_to_each_texts_own_end(tokenizer, cell):
    torch.manual_seed(0)
    model = RecurrentClassifier(tokenizer.vocab_size, 2, cell=cell)
    short, both = tokenize(tokenizer, ["a text"]), tokenize(tokenizer, ["a text", "a much longer text"])
    assert torch.allclose(model(**short)[0], model(**both)[0], atol=1e-6)


def test_pretrained_word_vectors_stay_as_they_are():
    vectors = torch.randn(100, 12)
    model = RecurrentClassifier(100, 2, vectors=vectors)
    trainable = [name for name, parameter in model.named_parameters() if parameter.requires_grad]
    assert torch.equal(model.embedding.weight, vectors)
    assert trainable
    assert "embedding.weight" not in trainable


def test_an_unknown_recurrent_cell_is_refused():
    with pytest.raises(UnknownName, match="recurrent cell"):
        RecurrentClassifier(100, 2, cell="tree")


def test_lora_starts_as_nothing_trains_few_numbers_and_merges_into_the_same_outputs(tokenizer, small):
    data = TextDataset(tokenizer, sentiments("train", 32))
    model = TextClassifier(small, 2).eval()
    with torch.no_grad():
        before = model(**data.inputs)
    adapted = add_peft_lora(model, rank=2).eval()
    with torch.no_grad():
        assert torch.allclose(adapted(**data.inputs), before, atol=1e-6)
    trainable = {name for name, parameter in adapted.named_parameters() if parameter.requires_grad}
    assert trainable
    assert all("lora_" in name or "head" in name for name in trainable)
    fit(adapted, data.loader(16, seed=0), epochs=2, lr=1e-2, device="cpu", verbose=False)
    with torch.no_grad():
        tuned = adapted(**data.inputs)
        merged = adapted.merge_and_unload()
        assert isinstance(merged, TextClassifier)
        assert torch.allclose(merged(**data.inputs), tuned, atol=1e-4)
    assert not torch.allclose(tuned, before, atol=1e-3)


def test_lora_is_drawn_from_its_seed_and_leaves_the_global_generator(small):
    factors = []
    for seed in (1, 1, 2):
        state = torch.get_rng_state()
        adapted = add_peft_lora(TextClassifier(copy.deepcopy(small), 2), seed=seed)
        assert torch.equal(torch.get_rng_state(), state)
        factors.append(next(value for name, value in adapted.state_dict().items() if "lora_A" in name))
    assert torch.equal(factors[0], factors[1])
    assert not torch.equal(factors[0], factors[2])


def test_lora_finds_distilberts_names_and_says_so_where_there_is_no_attention():
    encoder = AutoModel.from_config(DistilBertConfig(dim=16, n_layers=1, n_heads=1, hidden_dim=16, vocab_size=100))
    adapted = add_peft_lora(TextClassifier(encoder, 2), rank=2)
    assert any("q_lin.lora_A" in name for name, _ in adapted.named_parameters())
    with pytest.raises(ModelError, match="query"):
        add_peft_lora(RecurrentClassifier(100, 2))


@pytest.fixture
def hub_folder(tmp_path, monkeypatch, home, tokenizer):
    """A DistilBERT of a few numbers, laid out as the hub's cache holds it."""
    encoder = AutoModel.from_config(
        DistilBertConfig(dim=16, n_layers=1, n_heads=1, hidden_dim=16, vocab_size=tokenizer.vocab_size)
    )
    folder = tmp_path / "hub" / "models--distilbert--distilbert-base-uncased"
    snapshot = folder / "snapshots" / "0123456789abcdef0123456789abcdef01234567"
    snapshot.mkdir(parents=True)
    (folder / "refs").mkdir()
    (folder / "refs" / "main").write_text(snapshot.name)
    save_file(
        {k: v.contiguous() for k, v in encoder.state_dict().items()}, snapshot / "model.safetensors", {"format": "pt"}
    )
    (snapshot / "config.json").write_text(
        json.dumps({**encoder.config.to_dict(), "architectures": ["DistilBertModel"]})
    )
    for name in ("tokenizer.json", "tokenizer_config.json", "vocab.txt"):
        (snapshot / name).write_bytes((minilm_folder() / name).read_bytes())
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path / "hub"))
    monkeypatch.delenv("COURSE_DATA", raising=False)
    return encoder


def test_an_encoder_of_the_hub_is_read_from_the_hubs_cache_and_trains(hub_folder):
    name = "distilbert/distilbert-base-uncased"
    encoder, tokenizer = load_encoder(name), load_tokenizer(name)
    assert all(torch.equal(a, b) for a, b in zip(encoder.parameters(), hub_folder.parameters(), strict=True))
    assert encoder.origin.library == "transformers"
    data = TextDataset(tokenizer, sentiments("train", 16))
    model = TextClassifier(encoder, 2)
    unfreeze(model)
    fit(model, data.loader(8, seed=0), epochs=1, device="cpu", verbose=False)
    assert predict_texts(model, tokenizer, ["fine"]).shape == (1, 2)


def test_without_a_network_the_error_offers_the_quick_profile(home, tmp_path, monkeypatch):
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path / "none"))
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    for load in (load_encoder, load_tokenizer):
        with pytest.raises(NoNetwork, match=r"quick"):
            load("distilbert/distilbert-base-uncased")

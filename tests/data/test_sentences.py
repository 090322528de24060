"""Sentences from templates: balanced, deterministic, and no word, name or pattern of testing occurs in training."""

import re

import pytest
import torch

from course.data import sentence_templates as templates
from course.data.sentences import MAX_SENTENCES, SPLITS, entities, sentiments, topics
from course.errors import DataError, UnknownName

TASKS = [topics, sentiments, entities]
STEM = 5


def content(split: str) -> set[str]:
    """Every word that fills a slot of topic or sentiment."""
    groups = [*templates.TOPICS[split].values(), *templates.ADJECTIVES[split].values(), templates.SUBJECTS[split]]
    return {word for group in groups for word in group.lower().split()}


def name_words(split: str) -> set[str]:
    lists = (templates.FIRST_NAMES, templates.LAST_NAMES, templates.PLACES, templates.ORGANISATIONS)
    return {word for names in lists for word in re.split(r"[ |]", names[split].lower())}


def of_texts(texts: list[str]) -> set[str]:
    return {word for text in texts for word in re.findall(r"[\w-]+", text.lower())}


@pytest.mark.parametrize("task", [topics, sentiments])
def test_no_content_word_of_testing_nor_its_stem_is_in_a_training_sentence(task):
    train, test = of_texts(task("train", MAX_SENTENCES).texts), of_texts(task("test", MAX_SENTENCES).texts)
    mine = content("test") & test
    assert len(mine) >= 30
    assert mine & train == set()
    assert {word[:STEM] for word in mine} & {word[:STEM] for word in content("train")} == set()
    assert content("train") & test == set()


def test_no_word_of_a_test_name_is_in_a_training_sentence():
    train = {word.lower() for sentence in entities("train", MAX_SENTENCES).words for word in sentence}
    drawn = entities("test", MAX_SENTENCES)
    names = {
        word.lower()
        for words, tags in zip(drawn.words, drawn.tags, strict=True)
        for word, tag in zip(words, tags, strict=True)
        if tag
    }
    assert names == name_words("test")
    assert names & train == set()
    assert not name_words("train") & {word.lower() for sentence in drawn.words for word in sentence}


@pytest.mark.parametrize(
    "patterns", [templates.TOPIC_PATTERNS, templates.SENTIMENT_PATTERNS, templates.ENTITY_PATTERNS]
)
def test_no_pattern_is_in_both_splits(patterns):
    bare = {split: {re.sub(r"\{\w+\}|PER|ORG|LOC", "_", pattern) for pattern in patterns[split]} for split in SPLITS}
    assert not bare["train"] & bare["test"]


@pytest.mark.parametrize("task", [topics, sentiments])
def test_words_of_both_splits_are_as_frequent_in_every_class(task):
    drawn = task("train", MAX_SENTENCES)
    shared = of_texts(drawn.texts) & of_texts(task("test", MAX_SENTENCES).texts)
    assert {"the", "not" if task is sentiments else "and"} <= shared
    for word in shared:
        has = torch.tensor([word in of_texts([text]) for text in drawn.texts]).float()
        shares = torch.stack([has[drawn.labels == label].mean() for label in range(len(drawn.classes))])
        assert shares.max() - shares.min() < 0.08, word


@pytest.mark.parametrize("task", TASKS)
@pytest.mark.parametrize("split", SPLITS)
def test_a_draw_is_deterministic_different_and_part_of_a_larger_one(task, split):
    def texts(drawn):
        return drawn.texts if task is not entities else [" ".join(words) for words in drawn.words]

    small, large = texts(task(split, 40, seed=3)), texts(task(split, 400, seed=3))
    assert small == large[:40]
    assert len(set(large)) == 400
    assert large[:40] != texts(task(split, 40, seed=4))


@pytest.mark.parametrize("task", [topics, sentiments])
def test_classes_are_balanced(task):
    drawn = task("test", 80)
    assert drawn.labels.dtype == torch.int64
    assert len(set(torch.bincount(drawn.labels).tolist())) == 1
    assert len(torch.bincount(drawn.labels)) == len(drawn.classes)


def test_half_of_each_class_is_negated_and_the_label_follows_the_negation():
    drawn = sentiments("train", 80)
    negated = torch.tensor(["not " in text for text in drawn.texts])
    assert torch.equal(torch.bincount(drawn.labels[negated]), torch.tensor([20, 20]))
    for text, label, turned in zip(drawn.texts, drawn.labels.tolist(), negated.tolist(), strict=True):
        (adjective,) = of_texts([text]) & {
            word for group in templates.ADJECTIVES["train"].values() for word in group.split()
        }
        assert label == (adjective in templates.ADJECTIVES["train"]["positive"].split()) ^ turned


def test_plain_and_negated_are_the_same_sentences_with_opposite_labels():
    plain, negated = (sentiments("test", 50, seed=2, negated=flag) for flag in (False, True))
    assert [text.replace("not ", "") for text in negated.texts] == plain.texts
    assert torch.equal(negated.labels, 1 - plain.labels)


def test_tags_are_iob2_and_names_of_several_words_and_scripts_occur():
    drawn = entities("test", 400)
    for words, tags in zip(drawn.words, drawn.tags, strict=True):
        names = [drawn.classes[tag] for tag in tags]
        assert len(words) == len(names)
        for before, name in zip(["O", *names], names, strict=False):
            assert not name.startswith("I-") or before[2:] == name[2:]
    every = {word for words in drawn.words for word in words}
    assert {"São", "Reykjavík", "חיפה", "上海", "Γιώργος", "Ольга"} <= every
    assert {drawn.classes[tag] for tags in drawn.tags for tag in tags} == set(drawn.classes)


def test_the_same_word_is_a_place_or_part_of_an_organisation():
    drawn = entities("train", MAX_SENTENCES)
    kinds = {
        drawn.classes[tag]
        for words, tags in zip(drawn.words, drawn.tags, strict=True)
        for word, tag in zip(words, tags, strict=True)
        if word == "Oslo"
    }
    assert kinds == {"B-LOC", "B-ORG"}


def counts(task, split: str) -> list[int]:
    """What the dataset card says of a split: the lengths of its word lists, equal ones together, and its patterns."""
    if task is topics:
        return [
            *{len(group.split()) for group in templates.TOPICS[split].values()},
            len(templates.TOPIC_PATTERNS[split]),
        ]
    if task is sentiments:
        lengths = {len(group.split()) for group in (templates.SUBJECTS[split], *templates.ADJECTIVES[split].values())}
        return [*lengths, len(templates.SENTIMENT_PATTERNS[split])]
    lists = (
        templates.FIRST_NAMES[split].split(),
        templates.LAST_NAMES[split].split(),
        templates.PLACES[split].split("|"),
    )
    return [*map(len, lists), len(templates.ORGANISATIONS[split].split("|")), len(templates.ENTITY_PATTERNS[split])]


@pytest.mark.parametrize("task", TASKS)
def test_the_dataset_card_gives_the_counts_of_the_word_lists(task):
    card = re.findall(r"\b\d+\b", task.__doc__.split("Dataset card")[1])
    assert [int(number) for number in card] == counts(task, "train") + counts(task, "test")


@pytest.mark.parametrize("task", TASKS)
def test_what_is_impossible_is_refused(task):
    with pytest.raises(UnknownName, match="train"):
        task("trian")
    for count in (0, MAX_SENTENCES + 1, 2.5):
        with pytest.raises(DataError, match="1 to 2000"):
            task("train", count)


@pytest.mark.parametrize("task", TASKS)
def test_a_draw_is_shown_as_a_table_of_samples(task):
    drawn = task("test", 20)
    page = drawn._repr_html_()
    assert page.count("<tr>") == 9
    assert 'dir="auto"' in page
    assert "8 of 20 sentences" in repr(drawn)
    assert "8 of 20 sentences" in page

"""Mistakes of chapter 08."""

import math
from itertools import chain

import numpy as np
import torch

from course.exercises.nb08_understand_text.investigate_a_change import BASELINE
from tests.wrong.records import records


def plain_mean(hidden, mask):
    return hidden.mean(1)


def masked_but_divided_by_the_length(hidden, mask):
    return (hidden * mask[..., None]).mean(1)


def sum_of_tokens(hidden, mask):
    return (hidden * mask[..., None]).sum(1)


def first_token(hidden, mask):
    return hidden[:, 0]


def last_column(hidden, mask):
    return hidden[:, -1]


def largest_number(hidden, mask):
    return hidden.max(1).values


def mask_turned_round(hidden, mask):
    weight = 1 - mask[..., None]
    return (hidden * weight).sum(1) / weight.sum(1)


def tokens_of_the_whole_batch(hidden, mask):
    return (hidden * mask[..., None]).sum(1) / mask.sum()


def mean_number_of_tokens(hidden, mask):
    return (hidden * mask[..., None]).sum(1) / mask.sum(1).float().mean()


def one_too_many(hidden, mask):
    return (hidden * mask[..., None]).sum(1) / (mask.sum(1, keepdim=True) + 1)


def by_the_root(hidden, mask):
    return (hidden * mask[..., None]).sum(1) / mask.sum(1, keepdim=True).clamp(min=1).sqrt()


def of_length_one(hidden, mask):
    return torch.nn.functional.normalize((hidden * mask[..., None]).sum(1), dim=1)


def nan_without_tokens(hidden, mask):
    return (hidden * mask[..., None]).sum(1) / mask.sum(1, keepdim=True)


def without_special_tokens(hidden, mask):
    return (hidden[:, 1:] * mask[:, 1:, None]).sum(1) / mask[:, 1:].sum(1, keepdim=True)


def first_places(hidden, mask):
    return torch.stack([row[: int(marks.sum())].mean(0) for row, marks in zip(hidden, mask, strict=True)])


def over_the_batch(hidden, mask):
    return hidden.mean(0)


def graph_cut(hidden, mask):
    weight = mask[..., None]
    return ((hidden * weight).sum(1) / weight.sum(1)).detach()


def pools_nothing(hidden, mask):
    return hidden


def pools_with_numpy(hidden, mask):
    return (hidden.detach().numpy() * mask.numpy()[..., None]).sum(1)


def returns_none(*_):
    return None


def ones_for_every_text(hidden, mask):
    return torch.ones(hidden.shape[0], hidden.shape[2], requires_grad=True) * 1


def last_token(hidden, mask):
    return torch.stack([
        row[marks.bool()][-1] if marks.any() else torch.zeros(row.shape[1])
        for row, marks in zip(hidden, mask, strict=True)
    ])  # fmt: skip


def largest_over_the_tokens(hidden, mask):
    return hidden.masked_fill(mask[..., None] == 0, -math.inf).amax(1)


def without_first_and_last_token(hidden, mask):
    inner = mask * (mask.cumsum(1) > 1) * (mask.cumsum(1) < mask.sum(1, keepdim=True))
    return (hidden * inner[..., None]).sum(1) / inner.sum(1, keepdim=True).clamp(min=1)


def with_a_loop(hidden, mask):
    return torch.stack([
        row[marks.bool()].mean(0) if marks.any() else torch.zeros(row.shape[1])
        for row, marks in zip(hidden, mask, strict=True)
    ])  # fmt: skip


def with_a_product(hidden, mask):
    share = mask.double() / mask.sum(1, keepdim=True).clamp(min=1)
    return torch.einsum("bl,bld->bd", share, hidden.double())


def with_lists(hidden, mask):
    places = [[j for j, here in enumerate(marks) if here] for marks in mask.tolist()]
    return torch.stack([
        sum((row[j] for j in real), torch.zeros(row.shape[1])) * (1 / max(1, len(real)))
        for row, real in zip(hidden, places, strict=True)
    ])  # fmt: skip


def with_masked_fill(hidden, mask):
    gone = hidden.masked_fill(mask[..., None] == 0, float("nan"))
    return torch.nanmean(gone, dim=1).nan_to_num()


def no_warmup(step, total, warmup, peak):
    return peak * (total - step) / total


def jumps_after_warmup(step, total, warmup, peak):
    return peak * step / warmup if step < warmup else peak * (total - step) / total


def never_falls(step, total, warmup, peak):
    return min(peak, peak * step / max(1, warmup))


def factor_alone(step, total, warmup, peak):
    return step / warmup if step < warmup else (total - step) / (total - warmup)


def one_step_ahead(step, total, warmup, peak):
    return with_two_lines(step + 1, total, warmup, peak)


def way_up_one_step_ahead(step, total, warmup, peak):
    return peak * (step + 1) / warmup if step < warmup else with_two_lines(step, total, warmup, peak)


def way_up_beyond_the_peak(step, total, warmup, peak):
    return peak * (step + 1) / max(1, warmup) if step <= warmup else with_two_lines(step, total, warmup, peak)


def way_up_from_above_0(step, total, warmup, peak):
    return peak * (step + 1) / (warmup + 1) if step < warmup else with_two_lines(step, total, warmup, peak)


def negative_after_the_end(step, total, warmup, peak):
    return peak * step / warmup if step < warmup else peak * (total - step) / (total - warmup)


def up_again_after_the_end(step, total, warmup, peak):
    return abs(negative_after_the_end(step, total, warmup, peak))


def cosine_instead(step, total, warmup, peak):
    if step < warmup:
        return peak * step / warmup
    return peak * 0.5 * (1 + math.cos(math.pi * (step - warmup) / (total - warmup)))


def not_yet_zero_at_the_end(step, total, warmup, peak):
    return peak * step / warmup if step < warmup else peak * (1 - (step - warmup) / total)


def zero_too_early(step, total, warmup, peak):
    return peak * step / max(1, warmup) if step < warmup else peak * max(0, total - 1 - step) / (total - 1 - warmup)


def whole_division(step, total, warmup, peak):
    return peak * (step // warmup) if step < warmup else peak * ((total - step) // (total - warmup))


def stepped_by_epoch(step, total, warmup, peak):
    return with_two_lines(step - step % 10, total, warmup, peak)


def turned_round(step, total, warmup, peak):
    return peak - with_two_lines(step, total, warmup, peak)


def divides_by_no_warmup(step, total, warmup, peak):
    return min(peak * step / warmup, peak * (total - step) / (total - warmup))


def always_the_peak(step, total, warmup, peak):
    return peak


def always_zero(*_):
    return 0.0


def the_step_itself(step, *_):
    return step


def never_below_a_tenth(step, total, warmup, peak):
    return max(0.1 * peak, with_two_lines(step, total, warmup, peak))


def falls_one_step_early(step, total, warmup, peak):
    return peak * step / warmup if step < warmup else peak * max(0, total - 1 - step) / (total - warmup)


def with_two_lines(step, total, warmup, peak):
    up = step / warmup if warmup else 1.0
    return peak * max(0.0, min(up, (total - step) / (total - warmup)))


def by_interpolation(step, total, warmup, peak):
    corners = ([0, warmup, total], [0, peak, 0]) if warmup else ([0, total], [peak, 0])
    return np.interp(step, *corners)


class RateWithTorch:
    def __call__(self, step, total, warmup, peak):
        parameter = torch.nn.Parameter(torch.zeros(1))
        optimizer = torch.optim.SGD([parameter], lr=peak)

        def factor(now):
            return now / warmup if now < warmup else max(0, total - now) / (total - warmup)

        schedule = torch.optim.lr_scheduler.LambdaLR(optimizer, factor)
        return torch.tensor(schedule.lr_lambdas[0](step) * peak, dtype=torch.float64)


with_torch = RateWithTorch()
with_torch.__name__ = "with_torch"


def _aligned(word_ids, tags):
    return [-100 if word is None or (i and word_ids[i - 1] == word) else tags[word] for i, word in enumerate(word_ids)]


def tag_on_every_token(word_ids, tags):
    return [-100 if word is None else tags[word] for word in word_ids]


def zero_on_special_tokens(word_ids, tags):
    return [0 if word is None else label for word, label in zip(word_ids, _aligned(word_ids, tags), strict=True)]


def zero_on_further_tokens(word_ids, tags):
    return [
        0 if word is not None and label == -100 else label
        for word, label in zip(word_ids, _aligned(word_ids, tags), strict=True)
    ]


def shifted_by_one(word_ids, tags):
    return [*_aligned(word_ids, tags)[1:], -100]


def shifted_the_other_way(word_ids, tags):
    return [-100, *_aligned(word_ids, tags)[:-1]]


def tag_of_the_next_word(word_ids, tags):
    return _aligned(word_ids, [*tags[1:], tags[0]])


def tag_of_the_word_before(word_ids, tags):
    return [
        -100 if label == -100 else tags[word - 1]
        for word, label in zip(word_ids, _aligned(word_ids, tags), strict=True)
    ]


def every_token_a_word(word_ids, tags):
    return [*tags, *[-100] * (len(word_ids) - len(tags))][: len(word_ids)]


def on_the_last_token(word_ids, tags):
    return _aligned(word_ids[::-1], tags)[::-1]


def word_0_is_false(word_ids, tags):
    return [label if word else -100 for word, label in zip(word_ids, _aligned(word_ids, tags), strict=True)]


def new_words_told_by_their_tag(word_ids, tags):
    labels, before = [], None
    for word in word_ids:
        tag = None if word is None else tags[word]
        labels.append(-100 if tag is None or tag == before else tag)
        before = tag
    return labels


def without_the_special_tokens(word_ids, tags):
    return [label for word, label in zip(word_ids, _aligned(word_ids, tags), strict=True) if word is not None]


def one_label_a_word(word_ids, tags):
    return list(tags)


def ignores_everything(word_ids, tags):
    return [-100] * len(word_ids)


def returns_the_words(word_ids, tags):
    return word_ids


def tags_in_order(word_ids, tags):
    rest = iter(tags)
    return [-100 if word is None or (i and word_ids[i - 1] == word) else next(rest) for i, word in enumerate(word_ids)]


def minus_one_for_the_rest(word_ids, tags):
    return [-1 if label == -100 else label for label in _aligned(word_ids, tags)]


def zero_for_the_rest(word_ids, tags):
    return [0 if label == -100 else label for label in _aligned(word_ids, tags)]


def with_a_set_of_seen_words(word_ids, tags):
    seen, labels = {None}, []
    for word in word_ids:
        labels.append(-100 if word in seen else tags[word])
        seen.add(word)
    return tuple(labels)


def with_a_tensor(word_ids, tags):
    ids = torch.tensor([-1 if word is None else word for word in word_ids])
    first = ids != torch.cat([torch.tensor([-1]), ids[:-1]])
    return torch.where(first & (ids >= 0), torch.tensor(tags)[ids.clamp(min=0)], -100)


def with_positions(word_ids, tags):
    labels = np.full(len(word_ids), -100)
    for word, tag in enumerate(tags):
        if word in word_ids:
            labels[word_ids.index(word)] = tag
    return labels.tolist()


def _attended(query, key, value, mask, *, scale=None, axis=-1, keys=None):
    scores = query @ key.transpose(-2, -1) * (query.shape[-1] ** -0.5 if scale is None else scale)
    keys = mask[:, None, None, :].bool() if keys is None else keys
    return scores.masked_fill(~keys, -math.inf).softmax(axis).nan_to_num() @ value


def not_scaled(query, key, value, mask):
    return _attended(query, key, value, mask, scale=1.0)


def scaled_by_d(query, key, value, mask):
    return _attended(query, key, value, mask, scale=1 / query.shape[-1])


def scaled_up(query, key, value, mask):
    return _attended(query, key, value, mask, scale=query.shape[-1] ** 0.5)


def scaled_by_the_length(query, key, value, mask):
    return _attended(query, key, value, mask, scale=key.shape[-2] ** -0.5)


def softmax_over_queries(query, key, value, mask):
    return _attended(query, key, value, mask, axis=-2)


def softmax_over_heads(query, key, value, mask):
    return _attended(query, key, value, mask, axis=1)


def mask_after_softmax(query, key, value, mask):
    weights = (query @ key.transpose(-2, -1) / query.shape[-1] ** 0.5).softmax(-1)
    return (weights * mask[:, None, None, :]) @ value


def mask_inverted(query, key, value, mask):
    return _attended(query, key, value, mask, keys=mask[:, None, None, :] == 0)


def mask_of_zeros(query, key, value, mask):
    return (query @ key.transpose(-2, -1) / query.shape[-1] ** 0.5 * mask[:, None, None, :]).softmax(-1) @ value


def mask_forgotten(query, key, value, mask):
    return _attended(query, key, value, torch.ones_like(mask))


def queries_masked(query, key, value, mask):
    scores = query @ key.transpose(-2, -1) / query.shape[-1] ** 0.5
    return scores.masked_fill(mask[:, None, :, None] == 0, -math.inf).softmax(-1) @ value


def no_softmax(query, key, value, mask):
    return (query @ key.transpose(-2, -1) / query.shape[-1] ** 0.5 * mask[:, None, None, :]) @ value


def same_weights_for_all(query, key, value, mask):
    return _attended(query * 0, key, value, mask)


def weights_alone(query, key, value, mask):
    return _attended(query, key, torch.eye(key.shape[-2]), mask)


def keys_mixed(query, key, value, mask):
    return _attended(query, key, key, mask) + 0 * value.sum()


def exp_overflows(query, key, value, mask):
    weights = (query @ key.transpose(-2, -1) / query.shape[-1] ** 0.5).exp() * mask[:, None, None, :]
    return (weights / weights.sum(-1, keepdim=True)) @ value


def attention_cut_from_the_graph(query, key, value, mask):
    return _attended(query, key, value, mask).detach()


def only_self_attention(query, key, value, mask):
    return _attended(query[..., : key.shape[-2], :], key, value, mask)


def infinity_times_the_mask(query, key, value, mask):
    scores = query @ key.transpose(-2, -1) / query.shape[-1] ** 0.5
    return (scores + (1 - mask[:, None, None, :]) * -math.inf).softmax(-1) @ value


def exp_below_the_largest_of_all(query, key, value, mask):
    scores = query @ key.transpose(-2, -1) / query.shape[-1] ** 0.5
    weights = (scores - scores.max()).exp() * mask[:, None, None, :]
    return (weights / weights.sum(-1, keepdim=True)) @ value


def scaled_by_the_values(query, key, value, mask):
    return _attended(query, key, value, mask, scale=value.shape[-1] ** -0.5)


def scaled_by_all_heads(query, key, value, mask):
    return _attended(query, key, value, mask, scale=(query.shape[1] * query.shape[-1]) ** -0.5)


def mask_added_to_the_scores(query, key, value, mask):
    bias = mask[:, None, None, :].to(query.dtype)
    return torch.nn.functional.scaled_dot_product_attention(query, key, value, attn_mask=bias)


def with_torch_attention(query, key, value, mask):
    return torch.nn.functional.scaled_dot_product_attention(query, key, value, attn_mask=mask[:, None, None, :].bool())


def with_einsum(query, key, value, mask):
    scores = torch.einsum("bhmd,bhld->bhml", query, key) / math.sqrt(query.shape[-1])
    weights = torch.softmax(scores + (1 - mask[:, None, None, :]) * -1e9, dim=-1)
    return torch.einsum("bhml,bhld->bhmd", weights, value)


def text_by_text(query, key, value, mask):
    mixed = []
    for q, k, v, marks in zip(query, key, value, mask.bool(), strict=True):
        weights = (q @ k[:, marks].transpose(1, 2) * q.shape[-1] ** -0.5).softmax(2)
        mixed.append(weights @ v[:, marks])
    return torch.stack(mixed)


def _layer_of(name):
    if name.startswith("encoder.embeddings."):
        return 0
    return int(name.split(".")[3]) + 1 if name.startswith("encoder.encoder.layer.") else 99


def _tuned(
    model, batches, frozen, lr, weight_decay, *, head=10, encoder=1, decays=lambda name, p: p.ndim > 1, least_decay=0.0,
    optimizer=torch.optim.AdamW, train=True, masked=True, clears=True, passes=1, freezes=True,
    loss=torch.nn.functional.cross_entropy, stays=lambda name, frozen: _layer_of(name) <= frozen,
):  # fmt: skip
    groups = []
    for name, parameter in model.named_parameters():
        if stays(name, frozen):
            parameter.requires_grad_(not freezes)
        else:
            factor = head if name.startswith("head") else encoder
            decay = weight_decay if decays(name, parameter) else least_decay
            groups.append({"params": [parameter], "lr": lr * factor, "weight_decay": decay})
    made = optimizer(groups, lr=lr)
    model.train(train)
    for _ in range(passes):
        for inputs, labels in batches:
            if clears:
                made.zero_grad()
            loss(model(**inputs) if masked else model(inputs["input_ids"]), labels).backward()
            made.step()


def _tuning(name, **other):
    def answer(model, batches, frozen, lr, weight_decay):
        _tuned(model, batches, frozen, lr, weight_decay, **other)

    answer.__name__ = name
    return answer


same_rate_for_the_head = _tuning("same_rate_for_the_head", head=1)
fast_encoder = _tuning("fast_encoder", encoder=10)
slow_head = _tuning("slow_head", head=0.1)
everything_decays = _tuning("everything_decays", decays=lambda name, p: True)
nothing_decays = _tuning("nothing_decays", decays=lambda name, p: False)
decay_upside_down = _tuning("decay_upside_down", decays=lambda name, p: p.ndim <= 1)
norms_decay = _tuning("norms_decay", decays=lambda name, p: not name.endswith("bias"))
head_without_decay = _tuning("head_without_decay", decays=lambda name, p: p.ndim > 1 and not name.startswith("head"))
adam_instead = _tuning("adam_instead", optimizer=torch.optim.Adam)
sgd_instead = _tuning("sgd_instead", optimizer=torch.optim.SGD)
in_eval_mode = _tuning("in_eval_mode", train=False)
without_the_mask = _tuning("without_the_mask", masked=False)
never_clears = _tuning("never_clears", clears=False)
two_passes = _tuning("two_passes", passes=2)
softmax_before_the_loss = _tuning(
    "softmax_before_the_loss", loss=lambda x, y: torch.nn.functional.cross_entropy(x.softmax(1), y)
)
nothing_frozen = _tuning("nothing_frozen", stays=lambda name, frozen: False)
embeddings_trained = _tuning("embeddings_trained", stays=lambda name, frozen: 0 < _layer_of(name) <= frozen)
layers_trained = _tuning("layers_trained", stays=lambda name, frozen: _layer_of(name) == 0)
one_layer_too_many = _tuning("one_layer_too_many", stays=lambda name, frozen: _layer_of(name) <= frozen + 1)
left_out_of_the_optimizer = _tuning("left_out_of_the_optimizer", freezes=False)
head_frozen = _tuning("head_frozen", stays=lambda name, frozen: _layer_of(name) <= frozen or name.startswith("head"))


default_decay_for_the_rest = _tuning("default_decay_for_the_rest", least_decay=0.01)
nothing_frozen_and_a_slow_head = _tuning("nothing_frozen_and_a_slow_head", head=0.1, stays=lambda name, frozen: False)


def steps_before_backward(model, batches, frozen, lr, weight_decay):
    optimizer = _made(model, frozen, lr, weight_decay)
    for inputs, labels in batches:
        optimizer.step()
        optimizer.zero_grad()
        torch.nn.functional.cross_entropy(model(**inputs), labels).backward()


def one_step_for_all(model, batches, frozen, lr, weight_decay):
    optimizer = _made(model, frozen, lr, weight_decay)
    for inputs, labels in batches:
        (torch.nn.functional.cross_entropy(model(**inputs), labels) / len(batches)).backward()
    optimizer.step()


def without_the_last_batch(model, batches, frozen, lr, weight_decay):
    _tuned(model, batches[:-1], frozen, lr, weight_decay)


def clips_the_gradients(model, batches, frozen, lr, weight_decay):
    optimizer = _made(model, frozen, lr, weight_decay)
    for inputs, labels in batches:
        optimizer.zero_grad()
        torch.nn.functional.cross_entropy(model(**inputs), labels).backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 0.1)
        optimizer.step()


def _made(model, frozen, lr, weight_decay):
    """The recipe's optimiser; the model is frozen and in train mode."""
    made = []
    _tuned(
        model, [], frozen, lr, weight_decay, optimizer=lambda *args, **kw: made.append(torch.optim.AdamW(*args, **kw))
    )
    return made[0]


def trains_nothing(model, batches, frozen, lr, weight_decay):
    return None


def by_modules(model, batches, frozen, lr, weight_decay):
    for part in (model.encoder.embeddings, *list(model.encoder.encoder.layer)[:frozen]):
        part.requires_grad_(False)
    groups = []
    for module, rate in ((model.encoder, lr), (model.head, 10 * lr)):
        learned = [p for p in module.parameters() if p.requires_grad]
        groups.append({"params": [p for p in learned if p.dim() >= 2], "lr": rate, "weight_decay": weight_decay})
        groups.append({"params": [p for p in learned if p.dim() < 2], "lr": rate, "weight_decay": 0})
    optimizer = torch.optim.AdamW(groups)
    model.train()
    for inputs, labels in batches:
        model.zero_grad()
        torch.nn.functional.cross_entropy(model(inputs["input_ids"], inputs["attention_mask"]), labels).backward()
        optimizer.step()


def normalised_twice(model, batches, frozen, lr, weight_decay):
    def loss(logits, labels):
        return torch.nn.functional.cross_entropy(logits.double().log_softmax(1), labels)

    _tuned(model, batches, frozen, lr, weight_decay, loss=loss)


def frozen_after_the_groups(model, batches, frozen, lr, weight_decay):
    _tuned(model, batches, frozen, lr, weight_decay)
    return model


WRONG_RECORDS, RIGHT_RECORDS = records(BASELINE, 60, "does a larger weight decay raise the validation accuracy?")


def _spans(row, *, merges=False, strict=False, any_kind=False):
    spans, start, kind = [], None, None
    for place, tag in enumerate([*row, "O"]):
        same = tag[2:] == kind or any_kind
        goes_on = kind is not None and same and (tag[0] == "I" or (merges and tag[0] == "B"))
        if goes_on:
            continue
        if kind is not None:
            spans.append((start, place, kind))
        begins = tag[0] == "B" or (tag[0] == "I" and not strict)
        start, kind = (place, tag[2:]) if begins else (None, None)
    return spans


def _sets(pred, gold, read=_spans, **options):
    return [{(i, *span) for i, row in enumerate(rows) for span in read(row, **options)} for rows in (pred, gold)]


def _f1(mine, true):
    return 2 * len(mine & true) / (len(mine) + len(true)) if mine or true else 0.0


def counts_tokens(pred, gold):
    return _f1(*_sets(pred, gold, lambda row: [(j, tag) for j, tag in enumerate(row) if tag != "O"]))


def counts_tokens_by_kind(pred, gold):
    return _f1(*_sets(pred, gold, lambda row: [(j, tag[2:]) for j, tag in enumerate(row) if tag != "O"]))


def share_of_right_tags(pred, gold):
    pairs = [pair for p, g in zip(pred, gold, strict=True) for pair in zip(p, g, strict=True)]
    return sum(a == b for a, b in pairs) / len(pairs)


def mean_over_sentences(pred, gold):
    return sum(_f1(*_sets([p], [g])) for p, g in zip(pred, gold, strict=True)) / len(gold)


def mean_over_kinds(pred, gold):
    mine, true = _sets(pred, gold)
    kinds = {span[-1] for span in mine | true}
    return sum(_f1({s for s in mine if s[-1] == k}, {s for s in true if s[-1] == k}) for k in kinds) / len(kinds)


def precision_alone(pred, gold):
    mine, true = _sets(pred, gold)
    return len(mine & true) / max(1, len(mine))


def recall_alone(pred, gold):
    mine, true = _sets(pred, gold)
    return len(mine & true) / max(1, len(true))


def kind_forgotten(pred, gold):
    return _f1(*_sets(pred, gold, lambda row: [span[:2] for span in _spans(row)]))


def end_forgotten(pred, gold):
    return _f1(*_sets(pred, gold, lambda row: [(span[0], span[2]) for span in _spans(row)]))


def sentence_forgotten(pred, gold):
    return _f1(*({span for row in rows for span in _spans(row)} for rows in (pred, gold)))


def neighbours_merged(pred, gold):
    return _f1(*_sets(pred, gold, merges=True))


def loose_tags_dropped(pred, gold):
    return _f1(*_sets(pred, gold, strict=True))


def other_kinds_merged(pred, gold):
    return _f1(*_sets(pred, gold, any_kind=True))


def begins_at_b_alone_and_takes_every_i(pred, gold):
    return _f1(*_sets(pred, gold, strict=True, any_kind=True))


def divides_by_no_entity(pred, gold):
    mine, true = _sets(pred, gold)
    return 2 * len(mine & true) / (len(mine) + len(true))


def divides_by_no_prediction(pred, gold):
    mine, true = _sets(pred, gold)
    precision, recall = len(mine & true) / len(mine), len(mine & true) / len(true)
    return 2 * precision * recall / (precision + recall)


def nothing_found_is_nan(pred, gold):
    mine, true = _sets(pred, gold)
    return 2 * len(mine & true) / np.float64(len(mine) + len(true)) if mine or true else float("nan")


def nothing_to_find_is_perfect(pred, gold):
    mine, true = _sets(pred, gold)
    return _f1(mine, true) if mine or true else 1.0


def dropped_and_divides(pred, gold):
    mine, true = _sets(pred, gold, strict=True)
    return 2 * len(mine & true) / (len(mine) + len(true))


def jaccard(pred, gold):
    mine, true = _sets(pred, gold)
    return len(mine & true) / max(1, len(mine | true))


def percentage(pred, gold):
    return 100 * _f1(*_sets(pred, gold))


def without_the_two(pred, gold):
    return _f1(*_sets(pred, gold)) / 2


def always_one(*_):
    return 1.0


def returns_the_prediction(pred, gold):
    return pred


def lost_at_the_end(pred, gold):
    def read(row):
        return [span for span in _spans(row) if span[1] < len(row)]

    return _f1(*_sets(pred, gold, read))


def sentences_joined(pred, gold):
    return _f1(*_sets([list(chain(*pred))], [list(chain(*gold))]))


def sentences_without_entities_left_out(pred, gold):
    pairs = [(p, g) for p, g in zip(pred, gold, strict=True) if set(g) != {"O"}]
    return _f1(*_sets([p for p, _ in pairs], [g for _, g in pairs]))


def overlap_counts(pred, gold):
    mine, true = _sets(pred, gold)
    right = sum(any(a[0] == b[0] and a[1] < b[2] and b[1] < a[2] and a[3] == b[3] for b in true) for a in mine)
    return 2 * right / max(1, len(mine) + len(true))


def with_precision_and_recall(pred, gold):
    mine, true = _sets(pred, gold)
    right = sum(span in true for span in mine)
    if right == 0:
        return 0.0
    precision, recall = right / len(mine), right / len(true)
    return 2 * precision * recall / (precision + recall)


def with_lists_and_a_tensor(pred, gold):
    counts = torch.zeros(3, dtype=torch.float64)
    for p, g in zip(pred, gold, strict=True):
        mine, true = list(_spans(p)), list(_spans(g))
        counts += torch.tensor([2.0 * sum(span in true for span in mine), len(mine), len(true)])
    return counts[0] / counts[1:].sum().clamp(min=1)


WRONG = {
    "08-investigate-a-change": WRONG_RECORDS,
    "08-attend-with-mask": {
        not_scaled: "not scaled",
        scaled_by_d: "divided by d; divide",
        scaled_up: "multiplied by the square root of d",
        scaled_by_the_length: "square root of the number of tokens",
        softmax_over_queries: "runs over the queries",
        softmax_over_heads: "runs over the heads",
        mask_after_softmax: "came after the softmax",
        mask_inverted: "the mask is inverted",
        mask_of_zeros: "as if its scores were 0",
        mask_forgotten: "as if there were no mask",
        queries_masked: "queries of the padding were masked",
        no_softmax: "there is no softmax",
        same_weights_for_all: "plain mean of the values",
        weights_alone: "these are the weights",
        keys_mixed: "multiplied with the keys",
        exp_overflows: "infinite above 88",
        attention_cut_from_the_graph: "the graph is cut",
        only_self_attention: "one vector of the values' size per query",
        infinity_times_the_mask: "0 * inf",
        exp_below_the_largest_of_all: "0 below -104",
        scaled_by_the_values: "square root of the values' size",
        scaled_by_all_heads: "the number of heads",
        mask_added_to_the_scores: "over the keys that the mask keeps",
        returns_none: "a weighted mean of the values",
    },
    "08-tune-upper-layers": {
        same_rate_for_the_head: "the head has the rate of the encoder",
        fast_encoder: "the encoder has the rate of the head",
        slow_head: "a tenth of lr",
        everything_decays: "every parameter decays",
        nothing_decays: "nothing decays",
        decay_upside_down: "the other way round",
        norms_decay: "LayerNorm's scales do",
        head_without_decay: "the head does not decay",
        adam_instead: "the optimiser is Adam,",
        sgd_instead: "the optimiser is SGD",
        in_eval_mode: "eval mode",
        without_the_mask: "without the mask",
        never_clears: "were not cleared",
        two_passes: "used twice",
        softmax_before_the_loss: "softmax was applied",
        nothing_frozen: "nothing was frozen",
        embeddings_trained: "the embeddings were trained",
        layers_trained: "the first 1 must stay",
        one_layer_too_many: "one layer too many is frozen",
        left_out_of_the_optimizer: "still computes their gradients",
        head_frozen: "the head was not trained",
        trains_nothing: "nothing was trained",
        default_decay_for_the_rest: "decay, 0.01",
        steps_before_backward: "the last batch were not used",
        one_step_for_all: "one step for all batches",
        without_the_last_batch: "the last batch were not used",
        clips_the_gradients: "AdamW steps after each batch",
        nothing_frozen_and_a_slow_head: "a tenth of lr",
    },
    "08-pool-tokens": {
        plain_mean: "padding is averaged in",
        masked_but_divided_by_the_length: "counted in the divisor",
        sum_of_tokens: "this is the sum",
        first_token: "first token's vector",
        last_column: "last column's vector",
        largest_number: "maximum of each feature",
        mask_turned_round: "tokens were left out",
        tokens_of_the_whole_batch: "tokens in the whole batch",
        mean_number_of_tokens: "mean number of tokens",
        without_special_tokens: "the first token was left out too",
        one_too_many: "number of tokens plus one",
        by_the_root: "square root of the number of tokens",
        of_length_one: "normalised to length 1",
        nan_without_tokens: "0 / 0 is NaN",
        first_places: "over the first positions",
        over_the_batch: "axis 1",
        graph_cut: "the graph is cut",
        pools_nothing: "one vector per text",
        pools_with_numpy: "a tensor (B, D)",
        returns_none: "return the pooled vectors",
        ones_for_every_text: "every text has the same vector",
        last_token: "last token's vector",
        largest_over_the_tokens: "over the tokens, not the mean",
        without_first_and_last_token: "the sum over its own tokens",
    },
    "08-schedule-rate": {
        no_warmup: "there is no warm-up",
        jumps_after_warmup: "jumps where the warm-up ends",
        never_falls: "the rate never falls",
        factor_alone: "multiply by `peak`",
        one_step_ahead: "this is one step ahead",
        way_up_one_step_ahead: "at its peak one step early",
        way_up_beyond_the_peak: "beyond its peak at step `warmup`",
        way_up_from_above_0: "(step + 1) / (warmup + 1)",
        negative_after_the_end: "a negative rate increases the loss: after step `total`",
        up_again_after_the_end: "after step `total` the rate stays 0",
        cosine_instead: "half a cosine",
        not_yet_zero_at_the_end: "not yet 0",
        zero_too_early: "one step early",
        whole_division: "use / instead of //",
        stepped_by_epoch: "constant over many steps",
        turned_round: "upside down",
        divides_by_no_warmup: "division by zero",
        always_the_peak: "the rate never changes",
        always_zero: "nothing would be learned",
        the_step_itself: "not a rate",
        never_below_a_tenth: "two straight lines",
        falls_one_step_early: "two straight lines",
        returns_none: "the rate at this step",
    },
    "08-align-labels": {
        tag_on_every_token: "would count five times",
        zero_on_special_tokens: "0 is the class `O`",
        zero_on_further_tokens: "-100 on each",
        shifted_by_one: "too early",
        shifted_the_other_way: "too late",
        tag_of_the_next_word: "tag of the next",
        tag_of_the_word_before: "the one before",
        every_token_a_word: "as if every token were a word",
        on_the_last_token: "it belongs on the first",
        word_0_is_false: "`not word` is true for 0",
        new_words_told_by_their_tag: "a new word was recognised by its tag",
        without_the_special_tokens: "one label per token",
        one_label_a_word: "one label per token",
        ignores_everything: "labels belong on the first token",
        returns_the_words: "not whole numbers",
        tags_in_order: "to the words that have tokens",
        minus_one_for_the_rest: "only -100 is left out",
        zero_for_the_rest: "only -100 is left out",
        returns_none: "one label per token",
    },
    "08-score-entities": {
        counts_tokens: "this counts tokens: an entity",
        counts_tokens_by_kind: "B and I alike",
        share_of_right_tags: "many of which are O",
        mean_over_sentences: "mean over sentences",
        mean_over_kinds: "mean over kinds",
        precision_alone: "this is the precision",
        recall_alone: "this is the recall",
        kind_forgotten: "the kind is not compared",
        end_forgotten: "the end is not compared",
        sentence_forgotten: "add the sentence's number",
        neighbours_merged: "every B begins a new one",
        loose_tags_dropped: "continues nothing was dropped: it begins",
        other_kinds_merged: "an I of another kind was added",
        begins_at_b_alone_and_takes_every_i: "both begin an entity",
        divides_by_no_entity: "mind 0 / 0",
        divides_by_no_prediction: "mind 0 / 0",
        nothing_found_is_nan: "mind 0 / 0",
        nothing_to_find_is_perfect: "even if there was nothing to find",
        dropped_and_divides: "continues nothing was dropped: it begins",
        jaccard: "Jaccard",
        percentage: "percentage",
        without_the_two: "the 2 is missing",
        lost_at_the_end: "it ends where the sentence ends",
        sentences_joined: "continued the entity at the end of the one before",
        sentences_without_entities_left_out: "what is predicted there is wrong",
        overlap_counts: "count the entities whose sentence",
        always_one: "the same score",
        always_zero: "the same score",
        returns_the_prediction: "a number between 0 and 1",
        returns_none: "a number between 0 and 1",
    },
}

RIGHT = {
    "08-investigate-a-change": RIGHT_RECORDS,
    "08-attend-with-mask": [with_torch_attention, with_einsum, text_by_text],
    "08-tune-upper-layers": [by_modules, frozen_after_the_groups, normalised_twice],
    "08-pool-tokens": [with_a_loop, with_a_product, with_lists, with_masked_fill],
    "08-schedule-rate": [with_two_lines, by_interpolation, with_torch],
    "08-align-labels": [with_a_set_of_seen_words, with_a_tensor, with_positions],
    "08-score-entities": [with_precision_and_recall, with_lists_and_a_tensor],
}

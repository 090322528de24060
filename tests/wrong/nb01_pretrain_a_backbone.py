"""Mistakes of chapter 01."""

import math

import torch
from torch.nn import functional as F

from course.exercises.nb01_pretrain_a_backbone import investigate_contrast


def no_zero_grad(model, batch, optimizer):
    x, y = batch
    loss = F.cross_entropy(model(x), y)
    loss.backward()
    optimizer.step()
    return loss.item()


def softmax_before_cross_entropy(model, batch, optimizer):
    x, y = batch
    loss = F.cross_entropy(model(x).softmax(1), y)
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    return loss.item()


def zero_grad_between_backward_and_step(model, batch, optimizer):
    x, y = batch
    loss = F.cross_entropy(model(x), y)
    loss.backward()
    optimizer.zero_grad()
    optimizer.step()
    return loss.item()


def forgets_the_step(model, batch, optimizer):
    x, y = batch
    loss = F.cross_entropy(model(x), y)
    optimizer.zero_grad()
    loss.backward()
    return loss.item()


def sums_the_losses(model, batch, optimizer):
    x, y = batch
    loss = F.cross_entropy(model(x), y, reduction="sum")
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    return loss.item()


def trains_in_eval_mode(model, batch, optimizer):
    model.eval()
    x, y = batch
    loss = F.cross_entropy(model(x), y)
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    return loss.item()


def returns_the_tensor(model, batch, optimizer):
    x, y = batch
    loss = F.cross_entropy(model(x), y)
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    return loss


def returns_nothing(model, batch, optimizer):
    returns_the_tensor(model, batch, optimizer)


def returns_the_loss_afterwards(model, batch, optimizer):
    returns_the_tensor(model, batch, optimizer)
    x, y = batch
    with torch.no_grad():
        return F.cross_entropy(model(x), y).item()


def builds_its_own_optimizer(model, batch, optimizer):
    return clears_at_the_end(model, batch, torch.optim.SGD(model.parameters(), lr=0.01))


def divides_by_the_batch_size(model, batch, optimizer):
    x, y = batch
    loss = F.cross_entropy(model(x), y) / len(y)
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    return loss.item()


def leaves_it_in_eval_mode(model, batch, optimizer):
    loss = returns_the_tensor(model, batch, optimizer)
    model.eval()
    return loss.item()


def clears_at_the_end(model, batch, optimizer):
    model.train()
    x, y = batch
    logits = model(x)
    loss = -logits.log_softmax(1)[torch.arange(len(y)), y].mean()
    loss.backward()
    optimizer.step()
    optimizer.zero_grad()
    return float(loss.detach())


def takes_the_gradients_itself(model, batch, optimizer):
    x, y = batch
    parameters = [p for group in optimizer.param_groups for p in group["params"]]
    loss = F.nll_loss(F.log_softmax(model(x), dim=1), y)
    for parameter, gradient in zip(parameters, torch.autograd.grad(loss, parameters), strict=True):
        parameter.grad = gradient
    optimizer.step()
    return loss.detach().item()


def zeroes_on_the_diagonal(z, temperature):
    logits = F.normalize(z, dim=1) @ F.normalize(z, dim=1).T / temperature
    return F.cross_entropy(logits * (1 - torch.eye(len(z))), _partners(z))


def nt_xent_of_probabilities(z, temperature):
    return F.cross_entropy(_logits(z, temperature).softmax(1), _partners(z))


def columns_of_length_one(z, temperature):
    return F.cross_entropy(_logits(F.normalize(z, dim=0), temperature, normalise=False), _partners(z))


def divided_by_one_norm(z, temperature):
    return F.cross_entropy(_logits(z / z.norm(), temperature, normalise=False), _partners(z))


def _logits(z, temperature, *, normalise=True, with_self=False):
    z = F.normalize(z, dim=1) if normalise else z
    logits = z @ z.T / temperature
    if not with_self:
        logits = logits.masked_fill(torch.eye(len(z), dtype=torch.bool), -math.inf)
    return logits


def _partners(z):
    return torch.arange(len(z)).roll(len(z) // 2)


def self_pairs_in_the_denominator(z, temperature):
    return F.cross_entropy(_logits(z, temperature, with_self=True), _partners(z))


def not_normalised(z, temperature):
    return F.cross_entropy(_logits(z, temperature, normalise=False), _partners(z))


def not_normalised_and_with_self(z, temperature):
    return F.cross_entropy(_logits(z, temperature, normalise=False, with_self=True), _partners(z))


def neighbours_are_pairs(z, temperature):
    return F.cross_entropy(_logits(z, temperature), torch.arange(len(z)) ^ 1)


def positive_left_out(z, temperature):
    similarity = _logits(z, temperature)
    positive = similarity[torch.arange(len(z)), _partners(z)]
    others = similarity.scatter(1, _partners(z)[:, None], -math.inf)
    return (others.logsumexp(1) - positive).mean()


def multiplied_by_the_temperature(z, temperature):
    return F.cross_entropy(_logits(z, 1 / temperature), _partners(z))


def temperature_forgotten(z, temperature):
    return F.cross_entropy(_logits(z, 1.0), _partners(z))


def summed(z, temperature):
    return F.cross_entropy(_logits(z, temperature), _partners(z), reduction="sum")


def sign_turned_round(z, temperature):
    return -F.cross_entropy(_logits(z, temperature), _partners(z))


def one_direction_only(z, temperature):
    n = len(z) // 2
    return F.cross_entropy(_logits(z, temperature)[:n], _partners(z)[:n])


def graph_cut(z, temperature):
    return torch.tensor(F.cross_entropy(_logits(z, temperature), _partners(z)).item())


def lengths_without_a_graph(z, temperature):
    return F.cross_entropy(
        (z / z.detach().norm(dim=1, keepdim=True)) @ F.normalize(z, dim=1).T / temperature - 1e9 * torch.eye(len(z)),
        _partners(z),
    )


def keys_without_a_graph(z, temperature):
    similarity = F.normalize(z, dim=1) @ F.normalize(z, dim=1).detach().T / temperature
    return F.cross_entropy(similarity.masked_fill(torch.eye(len(z), dtype=torch.bool), -math.inf), _partners(z))


def one_loss_a_row(z, temperature):
    return F.cross_entropy(_logits(z, temperature), _partners(z), reduction="none")


def with_pairwise_cosines(z, temperature):
    similarity = F.cosine_similarity(z[:, None], z[None], dim=-1) / temperature
    positive = similarity.diagonal(len(z) // 2)
    keep = ~torch.eye(len(z), dtype=torch.bool)
    below = similarity[keep].view(len(z), -1).logsumexp(1)
    return (below.sum() - 2 * positive.sum()) / len(z)


def with_exponentials(z, temperature):
    n = len(z) // 2
    z = z / (z**2).sum(1, keepdim=True).sqrt()
    exponentials = torch.exp(torch.einsum("id,jd->ij", z, z) / temperature)
    below = exponentials.sum(1) - exponentials.diag()
    above = torch.cat([exponentials[range(n), range(n, 2 * n)], exponentials[range(n, 2 * n), range(n)]])
    return -(above / below).log().mean()


def _mask(ids, special, p, rng, *, forbidden, split=(0.8, 0.9), chosen=None):
    chosen = torch.rand(ids.shape, generator=rng) < p if chosen is None else chosen
    chosen = chosen & ~torch.isin(ids, torch.tensor(forbidden))
    r = torch.rand(ids.shape, generator=rng)
    words = torch.randint(special["vocab_size"], ids.shape, generator=rng)
    inputs = torch.where(chosen & (r < split[0]), special["mask"], ids)
    inputs = torch.where(chosen & (r >= split[0]) & (r < split[1]), words, inputs)
    return inputs, torch.where(chosen, ids, -100)


def one_draw_for_all_sentences(ids, special, p, rng):
    chosen = (torch.rand(ids.shape[1], generator=rng) < p).expand(ids.shape)
    return _mask(ids, special, p, rng, forbidden=special["ids"], chosen=chosen)


def the_same_share_of_each_sentence(ids, special, p, rng):
    words = ~torch.isin(ids, torch.tensor(special["ids"]))
    order = torch.where(words, torch.rand(ids.shape, generator=rng), 2.0).argsort(1).argsort(1)
    chosen = order < (p * words.sum(1, keepdim=True)).round()
    return _mask(ids, special, p, rng, forbidden=special["ids"], chosen=chosen)


def labels_of_zero(ids, special, p, rng):
    inputs, labels = _mask(ids, special, p, rng, forbidden=special["ids"])
    return inputs, labels.clamp_min(0)


def no_labels(ids, special, p, rng):
    return _mask(ids, special, p, rng, forbidden=special["ids"])[0], torch.full_like(ids, -100)


def labels_of_masks_only(ids, special, p, rng):
    inputs, _ = _mask(ids, special, p, rng, forbidden=special["ids"])
    return inputs, torch.where(inputs == special["mask"], ids, -100)


def masks_padding(ids, special, p, rng):
    return _mask(ids, special, p, rng, forbidden=[i for i in special["ids"] if i != special["pad"]])


def masks_every_special(ids, special, p, rng):
    return _mask(ids, special, p, rng, forbidden=[-1])


def masks_sentence_ends(ids, special, p, rng):
    return _mask(ids, special, p, rng, forbidden=[special["pad"], special["mask"]])


def always_mask(ids, special, p, rng):
    return _mask(ids, special, p, rng, forbidden=special["ids"], split=(1.0, 1.0))


def no_random_words(ids, special, p, rng):
    return _mask(ids, special, p, rng, forbidden=special["ids"], split=(0.9, 0.9))


def nothing_kept(ids, special, p, rng):
    return _mask(ids, special, p, rng, forbidden=special["ids"], split=(0.8, 1.0))


def a_tenth_of_the_rest(ids, special, p, rng):
    return _mask(ids, special, p, rng, forbidden=special["ids"], split=(0.8, 0.82))


def one_random_word_for_all(ids, special, p, rng):
    chosen = (torch.rand(ids.shape, generator=rng) < p) & ~torch.isin(ids, torch.tensor(special["ids"]))
    r = torch.rand(ids.shape, generator=rng)
    inputs = torch.where(chosen & (r < 0.8), special["mask"], ids)
    word = torch.randint(4, special["vocab_size"], (), generator=rng)
    return torch.where(chosen & (r > 0.9), word, inputs), torch.where(chosen, ids, -100)


def labels_everywhere(ids, special, p, rng):
    return _mask(ids, special, p, rng, forbidden=special["ids"])[0], torch.where(
        torch.isin(ids, torch.tensor(special["ids"])), -100, ids
    )


def labels_turned_round(ids, special, p, rng):
    inputs, labels = _mask(ids, special, p, rng, forbidden=special["ids"])
    words = ~torch.isin(ids, torch.tensor(special["ids"]))
    return inputs, torch.where((labels == -100) & words, ids, -100)


def labels_copied_too_late(ids, special, p, rng):
    inputs, labels = _mask(ids, special, p, rng, forbidden=special["ids"])
    return inputs, torch.where(labels != -100, inputs, -100)


def changes_ids_in_place(ids, special, p, rng):
    inputs, labels = _mask(ids, special, p, rng, forbidden=special["ids"])
    ids.copy_(inputs)
    return ids, labels


def ignores_the_generator(ids, special, p, rng):
    return _mask(ids, special, p, None, forbidden=special["ids"])


def same_words_every_time(ids, special, p, rng):
    return _mask(ids, special, p, torch.Generator().manual_seed(0), forbidden=special["ids"])


def half_of_p(ids, special, p, rng):
    return _mask(ids, special, p / 2, rng, forbidden=special["ids"])


def returns_only_the_inputs(ids, special, p, rng):
    return _mask(ids, special, p, rng, forbidden=special["ids"])[0]


def with_bernoulli_and_indices(ids, special, p, rng):
    inputs, labels = ids.clone(), torch.full_like(ids, -100)
    words = torch.ones_like(ids, dtype=torch.bool)
    for number in special["ids"]:
        words &= ids != number
    rows = torch.nonzero(torch.bernoulli(words * p, generator=rng), as_tuple=True)
    labels[rows] = ids[rows]
    fate = torch.multinomial(torch.tensor([0.8, 0.1, 0.1]), len(rows[0]), replacement=True, generator=rng)
    inputs[rows[0][fate == 0], rows[1][fate == 0]] = special["mask"]
    ordinary = torch.tensor([number for number in range(special["vocab_size"]) if number not in special["ids"]])
    drawn = ordinary[torch.randint(len(ordinary), (int((fate == 1).sum()),), generator=rng)]
    inputs[rows[0][fate == 1], rows[1][fate == 1]] = drawn
    return inputs, labels


def with_a_loop(ids, special, p, rng):
    forbidden, draws = set(special["ids"]), torch.rand(3, *ids.shape, generator=rng).tolist()
    inputs, labels = ids.tolist(), [[-100] * ids.shape[1] for _ in range(len(ids))]
    for i, row in enumerate(ids.tolist()):
        for j, word in enumerate(row):
            if word in forbidden or draws[0][i][j] >= p:
                continue
            labels[i][j] = word
            if draws[1][i][j] < 0.8:
                inputs[i][j] = special["mask"]
            elif draws[1][i][j] < 0.9:
                inputs[i][j] = int(draws[2][i][j] * special["vocab_size"])
    return torch.tensor(inputs), torch.tensor(labels)


def variances(z):
    return F.normalize(z, dim=1).var(0).sum().item()


def one_minus_the_mean_cosine(z):
    unit = F.normalize(z, dim=1)
    return 1 - (unit @ unit.T).mean().item()


def one_deviation_of_all(z):
    return F.normalize(z, dim=1).std().item() * z.shape[1] ** 0.5


def uncentred(z):
    u = F.normalize(z, dim=1)
    return (u.pow(2).mean(0).sqrt().mean() * z.shape[1] ** 0.5).item()


def across_columns(z):
    return (F.normalize(z, dim=1).std(1).mean() * z.shape[1] ** 0.5).item()


def rows_of_any_length(z):
    return (z.std(0).mean() * z.shape[1] ** 0.5).item()


def plain_deviation(z):
    return z.std(0).mean().item()


def without_the_root(z):
    return F.normalize(z, dim=1).std(0).mean().item()


def turned_round(z):
    return 1 - (F.normalize(z, dim=1).std(0).mean() * z.shape[1] ** 0.5).item()


def centred_first(z):
    return (F.normalize(z - z.mean(0), dim=1).std(0).mean() * z.shape[1] ** 0.5).item()


def one_score_a_column(z):
    return F.normalize(z, dim=1).std(0) * z.shape[1] ** 0.5


def without_bessel(z):
    u = z / z.norm(dim=1, keepdim=True).clamp(min=1e-9)
    deviations = (u - u.mean(0)).pow(2).mean(0).sqrt()
    return math.sqrt(z.shape[1]) * sum(deviations.tolist()) / z.shape[1]


def from_the_covariance(z):
    u = F.normalize(z, dim=1)
    return torch.cov(u.T).diagonal().clamp(min=0).sqrt().sum() / math.sqrt(z.shape[1])


def _byol_loss(student, predictor, teacher, views, *, directions=(0, 1), online=None, target=None, cost=None):
    """The mean of the costs of these directions, with the parts of the loss exchanged that are given."""
    online = online or (lambda x: predictor(student(x)))
    target = target or teacher
    cost = cost or (lambda a, b: 2 - 2 * F.cosine_similarity(a, b))
    losses = []
    for i in directions:
        with torch.no_grad():
            aim = target(views[1 - i])
        losses.append(cost(online(views[i]), aim))
    return torch.cat(losses).mean()


def _byol_update(student, teacher, loss, optimizer, momentum, *, clear=True):
    if clear:
        optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    _follow(teacher, student, momentum)
    return loss.item()


@torch.no_grad()
def _follow(teacher, student, momentum):
    for t, s in zip(teacher.parameters(), student.parameters(), strict=True):
        t.copy_(momentum * t + (1 - momentum) * s)


def only_one_direction(student, predictor, teacher, views, optimizer, momentum):
    loss = _byol_loss(student, predictor, teacher, views, directions=(0,))
    return _byol_update(student, teacher, loss, optimizer, momentum)


def student_without_predictor(student, predictor, teacher, views, optimizer, momentum):
    loss = _byol_loss(student, predictor, teacher, views, online=student)
    return _byol_update(student, teacher, loss, optimizer, momentum)


def teacher_with_predictor(student, predictor, teacher, views, optimizer, momentum):
    loss = _byol_loss(student, predictor, teacher, views, target=lambda x: predictor(teacher(x)))
    return _byol_update(student, teacher, loss, optimizer, momentum)


def squared_distance(student, predictor, teacher, views, optimizer, momentum):
    loss = _byol_loss(student, predictor, teacher, views, cost=lambda a, b: (a - b).pow(2).sum(1))
    return _byol_update(student, teacher, loss, optimizer, momentum)


def target_from_the_student(student, predictor, teacher, views, optimizer, momentum):
    loss = _byol_loss(student, predictor, teacher, views, target=student)
    return _byol_update(student, teacher, loss, optimizer, momentum)


def byol_directions_added(student, predictor, teacher, views, optimizer, momentum):
    loss = 2 * _byol_loss(student, predictor, teacher, views)
    return _byol_update(student, teacher, loss, optimizer, momentum)


def byol_minus_the_cosine(student, predictor, teacher, views, optimizer, momentum):
    loss = _byol_loss(student, predictor, teacher, views, cost=lambda a, b: -F.cosine_similarity(a, b))
    return _byol_update(student, teacher, loss, optimizer, momentum)


def byol_loss_afterwards(student, predictor, teacher, views, optimizer, momentum):
    loss = _byol_loss(student, predictor, teacher, views)
    _byol_update(student, teacher, loss, optimizer, momentum)
    return _byol_loss(student, predictor, teacher, views).item()


def byol_summed(student, predictor, teacher, views, optimizer, momentum):
    loss = 2 * len(views[0]) * _byol_loss(student, predictor, teacher, views)
    return _byol_update(student, teacher, loss, optimizer, momentum)


def byol_without_zero_grad(student, predictor, teacher, views, optimizer, momentum):
    loss = _byol_loss(student, predictor, teacher, views)
    return _byol_update(student, teacher, loss, optimizer, momentum, clear=False)


def momentum_swapped(student, predictor, teacher, views, optimizer, momentum):
    loss = _byol_loss(student, predictor, teacher, views)
    return _byol_update(student, teacher, loss, optimizer, 1 - momentum)


def teacher_before_the_step(student, predictor, teacher, views, optimizer, momentum):
    loss = _byol_loss(student, predictor, teacher, views)
    _follow(teacher, student, momentum)
    return _byol_update(student, teacher, loss, optimizer, 1.0)


def teacher_overwritten(student, predictor, teacher, views, optimizer, momentum):
    loss = _byol_loss(student, predictor, teacher, views)
    return _byol_update(student, teacher, loss, optimizer, 0.0)


def teacher_never_moves(student, predictor, teacher, views, optimizer, momentum):
    loss = _byol_loss(student, predictor, teacher, views)
    return _byol_update(student, teacher, loss, optimizer, 1.0)


def gradient_into_the_teacher(student, predictor, teacher, views, optimizer, momentum):
    first, second = views
    losses = [
        2 - 2 * F.cosine_similarity(predictor(student(a)), teacher(b)) for a, b in [(first, second), (second, first)]
    ]
    return _byol_update(student, teacher, torch.cat(losses).mean(), optimizer, momentum)


def byol_returns_the_tensor(student, predictor, teacher, views, optimizer, momentum):
    loss = _byol_loss(student, predictor, teacher, views)
    _byol_update(student, teacher, loss, optimizer, momentum)
    return loss


def as_distances_of_unit_rows(student, predictor, teacher, views, optimizer, momentum):
    both, swapped = torch.cat(list(views)), torch.cat([views[1], views[0]])
    online = F.normalize(predictor(student(both)), dim=1)
    target = F.normalize(teacher(swapped), dim=1).detach()
    loss = (online - target).square().sum() / len(both)
    for parameter in [*student.parameters(), *predictor.parameters(), *teacher.parameters()]:
        parameter.grad = None
    loss.backward()
    optimizer.step()
    state = {name: value.lerp(student.state_dict()[name], 1 - momentum) for name, value in teacher.state_dict().items()}
    teacher.load_state_dict(state)
    return float(loss.detach())


def with_two_losses(student, predictor, teacher, views, optimizer, momentum):
    teacher.requires_grad_(False)
    one, other = views
    first = -F.cosine_similarity(predictor(student(one)), teacher(other)).mean()
    second = -F.cosine_similarity(predictor(student(other)), teacher(one)).mean()
    loss = 2 + first + second
    optimizer.zero_grad(set_to_none=False)
    loss.backward()
    optimizer.step()
    for t, s in zip(teacher.parameters(), student.parameters(), strict=True):
        t.data = momentum * t.data + (1 - momentum) * s.data
    return loss.item()


def _record(**changes):
    return {
        "question": "does a higher temperature lower the accuracy?",
        "expected": "worse",
        "baseline": list(BASELINE),
        "changed": [value - 6 / 150 for value in BASELINE],
        "concluded": "worse",
        **changes,
    }


BASELINE = investigate_contrast.KNOWN[:5]


def one_seed_only():
    return _record(baseline=[BASELINE[0]], changed=[BASELINE[0] - 0.04])


def an_expectation_of_ones_own():
    return _record(expected="a bit worse")


def no_question():
    return _record(question="tau")


def percentages():
    return _record(baseline=[100 * value for value in BASELINE], changed=[100 * value - 4 for value in BASELINE])


def another_baseline():
    return _record(baseline=[value + 0.2 for value in BASELINE])


def nothing_changed():
    return _record(changed=list(BASELINE), concluded="cannot tell")


def concluded_what_was_expected():
    return _record(changed=[value + 6 / 150 for value in BASELINE])


def concluded_from_the_mean():
    small = [6, -9, 3, -6, 3]
    return _record(changed=[value + step / 150 for value, step in zip(BASELINE, small, strict=True)])


def no_changed_runs():
    record = _record()
    del record["changed"]
    return record


def found_that_it_cannot_be_told():
    small = [6, -9, 3, -6, 3]
    return _record(
        changed=[value + step / 150 for value, step in zip(BASELINE, small, strict=True)], concluded="cannot tell"
    )


def rounded_to_three_digits():
    return _record(
        baseline=[round(value, 3) for value in BASELINE], changed=[round(value - 0.04, 3) for value in BASELINE]
    )


WRONG = {
    "01-write-byol-step": {
        only_one_direction: "only one direction",
        student_without_predictor: "goes through the predictor",
        teacher_with_predictor: "belongs to the student alone",
        squared_distance: "not normalised",
        target_from_the_student: "target came from the student",
        byol_summed: "were summed",
        byol_directions_added: "both directions were added",
        byol_minus_the_cosine: "moved 0.5 times as far",
        byol_loss_afterwards: "the loss after the update",
        byol_without_zero_grad: "no zero_grad()",
        momentum_swapped: "swapped",
        teacher_before_the_step: "before optimizer.step()",
        teacher_overwritten: "overwritten",
        teacher_never_moves: "never moved",
        gradient_into_the_teacher: "not something to optimise",
        byol_returns_the_tensor: ".item()",
    },
    "01-investigate-contrast": {
        one_seed_only: "fewer than 5 seeds",
        an_expectation_of_ones_own: "one of three words",
        no_question: "without its question",
        percentages: "a multiple of 1/150",
        another_baseline: "the chapter's setting, unchanged",
        nothing_changed: "no effect on any run",
        concluded_what_was_expected: "interval of the differences",
        concluded_from_the_mean: "includes zero",
        no_changed_runs: "has no 'changed'",
    },
    "01-train-step": {
        no_zero_grad: "no zero_grad()",
        softmax_before_cross_entropy: "softmax before cross_entropy",
        zero_grad_between_backward_and_step: "no weight moved",
        forgets_the_step: "no weight moved",
        sums_the_losses: "summed",
        builds_its_own_optimizer: "as one step of the optimiser that was passed in",
        divides_by_the_batch_size: "divided by the batch size once more",
        leaves_it_in_eval_mode: "left in eval mode after the first step",
        trains_in_eval_mode: "eval mode",
        returns_the_tensor: ".item()",
        returns_nothing: "return the loss",
        returns_the_loss_afterwards: "loss after the step",
    },
    "01-write-nt-xent": {
        self_pairs_in_the_denominator: "self-pairs are in the denominator",
        zeroes_on_the_diagonal: "chooses itself with exp(0) = 1",
        nt_xent_of_probabilities: "softmax before cross_entropy",
        columns_of_length_one: "the columns were normalised",
        divided_by_one_norm: "its norm as a whole",
        not_normalised: "it is the gradient of a wrong loss: z is not normalised",
        not_normalised_and_with_self: "self-pairs are in the denominator, and",
        neighbours_are_pairs: "you paired neighbours",
        positive_left_out: "belongs in the denominator too",
        multiplied_by_the_temperature: "divide",
        temperature_forgotten: "temperature is missing",
        summed: "take the mean",
        sign_turned_round: "minus the log",
        one_direction_only: "second views are asked as well",
        graph_cut: "cut the graph",
        lengths_without_a_graph: "orthogonal to each row",
        keys_without_a_graph: "a part of it has no graph",
        one_loss_a_row: "return the mean over all rows",
    },
    "01-mask-tokens": {
        one_draw_for_all_sentences: "each word is chosen on its own",
        the_same_share_of_each_sentence: "each word is chosen on its own",
        labels_of_zero: "0 is the id of a word",
        no_labels: "no changed word has a label",
        labels_of_masks_only: "words that changed have no label",
        masks_padding: "padding",
        masks_every_special: "padding",
        masks_sentence_ends: "choose among words only",
        always_mask: "every chosen word became [MASK]",
        no_random_words: "no chosen word became a random one",
        nothing_kept: "no chosen word was kept",
        a_tenth_of_the_rest: "a tenth of the remaining fifth",
        one_random_word_for_all: "draw each random word anew",
        labels_everywhere: "every word has a label",
        labels_turned_round: "reversed",
        labels_copied_too_late: "before labels were copied",
        changes_ids_in_place: "ids.clone()",
        ignores_the_generator: "generator=rng everywhere",
        same_words_every_time: "a fixed choice",
        half_of_p: "each word is chosen with probability p",
        returns_only_the_inputs: "return inputs, labels",
    },
    "01-score-collapse": {
        variances: "these are variances",
        one_minus_the_mean_cosine: "1 minus the mean cosine",
        one_deviation_of_all: "over all numbers at once",
        uncentred: "uncentred",
        across_columns: "dim=0",
        rows_of_any_length: "not normalised",
        plain_deviation: "not normalised",
        without_the_root: "sqrt(D) is missing",
        turned_round: "reversed",
        centred_first: "centred before",
        one_score_a_column: "one number",
    },
}

RIGHT = {
    "01-write-byol-step": [as_distances_of_unit_rows, with_two_losses],
    "01-investigate-contrast": [found_that_it_cannot_be_told, rounded_to_three_digits],
    "01-train-step": [clears_at_the_end, takes_the_gradients_itself],
    "01-write-nt-xent": [with_pairwise_cosines, with_exponentials],
    "01-mask-tokens": [with_bernoulli_and_indices, with_a_loop],
    "01-score-collapse": [without_bessel, from_the_covariance],
}

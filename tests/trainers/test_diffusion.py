"""The schedule and the two directions of the diffusion."""

from __future__ import annotations

import math

import pytest
import torch

from trainers.networks.denoiser import DenoisingAgents
from trainers.networks.diffusion import (
    mean_from_noise,
    mean_from_x0,
    noised,
    reverse_step,
    variance_preserving_schedule,
    x0_from_noise,
)
from trainers.networks.options import DenoiserOptions

SCHEDULE = variance_preserving_schedule(7, beta_min=0.1, beta_max=10.0)


def test_noise_is_added_on_the_device_of_the_values() -> None:
    """Pre-training draws a step for each slot where the network is; "meta" stands for a GPU."""
    x0, m = torch.zeros(2, 3, device="meta"), torch.ones(2, 1, dtype=torch.int64, device="meta")
    assert noised(SCHEDULE, x0, m, x0).shape == (2, 3)


def test_beta_is_the_papers_formula() -> None:
    for m in range(1, 8):
        expected = 1.0 - math.exp(-0.1 / 7 - (2 * m - 1) / (2 * 49) * 9.9)
        assert SCHEDULE.beta[m - 1].item() == pytest.approx(expected, rel=1e-6)


def test_total_noise_does_not_depend_on_the_number_of_steps() -> None:
    for steps in (1, 3, 7, 20):
        last = variance_preserving_schedule(steps, beta_min=0.1, beta_max=10.0).alpha_bar[-1].item()
        assert last == pytest.approx(math.exp(-0.1 - 9.9 / 2), rel=1e-4)


def test_the_first_reverse_step_amplifies_the_noise_as_documented() -> None:
    schedule = variance_preserving_schedule(5, beta_min=0.1, beta_max=10.0)
    assert 1.0 / math.sqrt(schedule.alpha_bar[-1].item()) == pytest.approx(12.5, abs=0.2)


@pytest.mark.parametrize("m", range(1, 8))
def test_x0_comes_back_from_its_noise(m: int) -> None:
    x0, noise = torch.randn(2, 50, generator=torch.Generator().manual_seed(m))
    torch.testing.assert_close(
        x0_from_noise(SCHEDULE, noised(SCHEDULE, x0, m, noise), m, noise), x0, rtol=1e-4, atol=1e-4
    )


@pytest.mark.parametrize("m", range(1, 8))
def test_both_forms_of_the_mean_agree(m: int) -> None:
    x0, noise = torch.randn(2, 50, generator=torch.Generator().manual_seed(m))
    x = noised(SCHEDULE, x0, m, noise)
    torch.testing.assert_close(
        mean_from_noise(SCHEDULE, x, m, noise), mean_from_x0(SCHEDULE, x, m, x0), rtol=1e-4, atol=1e-4
    )


def test_the_reverse_process_with_known_x0_ends_at_x0() -> None:
    generator = torch.Generator().manual_seed(0)
    x0 = torch.randn(50, generator=generator)
    x = torch.randn(50, generator=generator)
    for m in range(7, 0, -1):
        x = reverse_step(SCHEDULE, mean_from_x0(SCHEDULE, x, m, x0), m, torch.randn(50, generator=generator))
    torch.testing.assert_close(x, x0)


@pytest.mark.parametrize("m", range(1, 8))
def test_a_reverse_step_has_the_posterior_of_the_forward_process(m: int) -> None:
    """x_{m-1} given x_m and x0, by conditioning the normal distribution of both on x_m."""
    alpha, alpha_bar = SCHEDULE.alpha[m - 1].item(), SCHEDULE.alpha_bar[m - 1].item()
    before = SCHEDULE.alpha_bar[m - 2].item() if m > 1 else 1.0
    x0, x = torch.tensor([0.7]), torch.tensor([-0.4])
    gain = math.sqrt(alpha) * (1.0 - before) / (1.0 - alpha_bar)
    mean = math.sqrt(before) * x0 + gain * (x - math.sqrt(alpha_bar) * x0)
    deviation = math.sqrt(max(0.0, (1.0 - before) - gain * math.sqrt(alpha) * (1.0 - before)))
    of_x0 = mean_from_x0(SCHEDULE, x, m, x0)
    torch.testing.assert_close(of_x0, mean, rtol=1e-4, atol=1e-5)
    drawn = reverse_step(SCHEDULE, of_x0, m, torch.ones(1)) - of_x0
    assert drawn.item() == pytest.approx(deviation, rel=1e-3, abs=1e-5)


def test_values_are_those_of_a_plain_loop() -> None:
    """Algorithm 1 step by step, with the network's input written out: x, the step's embedding, the observation."""
    network = agents(noise=1.0, prediction="noise", softmax=False, denoising_steps=4)
    observation = torch.randn(5, 2, 3, generator=torch.Generator().manual_seed(3))
    local, drawn = observation.transpose(0, 1), torch.Generator().manual_seed(7)
    x = torch.randn(2, 5, 6, generator=drawn)
    for m in range(4, 0, -1):
        hidden = torch.cat([x, network.embedding[m - 1].expand(2, 5, -1), local], dim=-1)
        for layer in network.predict.layers:
            hidden = torch.relu(hidden @ layer.weight + layer.bias)
        noise = hidden @ network.predict.head.own.weight + network.predict.head.own.bias
        x = mean_from_noise(network.schedule, x, m, noise)
        if m > 1:
            deviation = network.schedule.posterior_variance[m - 1].sqrt()
            x = x + deviation * torch.randn(2, 5, 6, generator=drawn)
    values = network(observation, torch.Generator().manual_seed(7))
    torch.testing.assert_close(values, x.transpose(0, 1), rtol=1e-4, atol=1e-4)


def agents(**options: object) -> DenoisingAgents:
    torch.manual_seed(0)
    mask = torch.tensor([[True] * 6, [True] * 4 + [False] * 2])
    return DenoisingAgents(
        num_agents=2,
        observation_size=3,
        action_mask=mask,
        hidden=16,
        hidden_layers=2,
        options=DenoiserOptions(**options),
    )


def test_softmax_gives_each_agent_a_distribution_over_its_own_actions() -> None:
    values = agents(softmax=True)(torch.randn(5, 2, 3), torch.Generator())
    torch.testing.assert_close(values.sum(-1), torch.ones(5, 2))
    assert (values[:, 1, 4:] == 0.0).all()


def test_without_noise_decisions_are_deterministic_and_with_noise_seeded() -> None:
    observation = torch.randn(5, 2, 3)
    quiet, loud = agents(noise=0.0), agents(noise=1.0)
    assert torch.equal(quiet(observation, torch.Generator()), quiet(observation, torch.Generator().manual_seed(5)))
    first, again, other = (loud(observation, torch.Generator().manual_seed(s)) for s in (1, 1, 2))
    assert torch.equal(first, again)
    assert not torch.equal(first, other)


def test_bounded_values_stay_in_their_bound_and_gradients_flow() -> None:
    network = agents(bound=3.0, noise=0.0)
    values = network(100.0 * torch.randn(64, 2, 3), torch.Generator())
    assert values.abs().max() <= 3.0
    values.sum().backward()
    gradients = [parameter.grad for parameter in network.parameters()]
    assert all(g is not None and g.abs().sum() > 0 for g in gradients)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"denoising_steps": 0}, "denoising_steps must be .*, got 0"),
        ({"beta_min": 2.0, "beta_max": 1.0}, r"beta must be .*, got \(2.0, 1.0\)"),
        ({"prediction": "score"}, "prediction must be one of 'x0', 'noise', got 'score'"),
        ({"noise": -1.0}, "noise must be .*, got -1.0"),
    ],
)
def test_wrong_options_are_refused(options: dict[str, object], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        DenoiserOptions(**options)

"""Measures speed: `python -m benchmarks.speed [NAME ...]` prints one JSON line for each measurement.

A line has the value, its target where there is one, and whether the target is met. The value is the best of several
repetitions unless its function says otherwise, so that other work of the machine counts little.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any, cast

import gymnasium
import numpy as np
from pettingzoo.utils.conversions import parallel_to_aec

from benchmarks.speed.convex_reference import compare
from trainers.runs.compute import set_up_torch
from vec_envs import dnn_partition_v0, mobile_inference_v0
from vec_envs.command_parser import CommandParser
from vec_envs.policies import ExactSlot, references
from vec_envs.problems.base import DiscreteActions, Problem
from vec_envs.problems.cooperative_inference.problem import CooperativeInference, Exogenous, State
from vec_envs.registration import ENVIRONMENTS, factory_of
from vec_envs.validation import near_misses

REPETITIONS = 40


def best(measure: Callable[[], float]) -> float:
    """Returns the smallest value of `REPETITIONS` measurements."""
    return min(measure() for _ in range(REPETITIONS))


def cartpole() -> Iterator[dict[str, Any]]:
    """Steps per second of Gymnasium's CartPole, to compare the other values between machines."""
    env = gymnasium.make("CartPole-v1")
    env.reset(seed=0)

    def per_step_s() -> float:
        began = time.process_time()
        for step in range(2000):
            if any(env.step(step % 2)[2:4]):
                env.reset()
        return (time.process_time() - began) / 2000

    yield measurement("cartpole_steps_per_s", 1.0 / best(per_step_s))


def counts_of(problem: Problem) -> tuple[int, ...]:
    """Returns the number of actions of each agent."""
    assert isinstance(problem.actions, DiscreteActions)
    return problem.actions.counts


def parallel_env() -> Iterator[dict[str, Any]]:
    """Steps per second of one PettingZoo environment on replay, in whole episodes with resets."""
    env = dnn_partition_v0.parallel_env(mobility="replay")
    rng = np.random.default_rng(0)
    env.reset(seed=0)
    drawn = rng.integers(0, counts_of(env.problem), (30, len(env.agents)))
    actions = [dict(zip(env.agents, row.tolist(), strict=True)) for row in drawn]

    def per_step_s() -> float:
        began = time.process_time()
        for _ in range(5):
            env.reset()
            for action in actions:
                env.step(action)
        return (time.process_time() - began) / (5 * len(actions))

    yield measurement("parallel_env_steps_per_s", 1.0 / best(per_step_s), at_least=4000)


def aec_env() -> Iterator[dict[str, Any]]:
    """Speed of the AEC environment, divided by that of PettingZoo's conversion of the parallel one."""
    ours = dnn_partition_v0.env(mobility="replay")
    theirs: Any = parallel_to_aec(cast(Any, dnn_partition_v0.parallel_env(mobility="replay")))

    def per_turn_s(env: Any) -> float:
        began, turns = time.process_time(), 0
        for _ in range(5):
            env.reset(seed=0)
            for _agent in env.agent_iter():
                _, _, terminated, truncated, _ = env.last()
                env.step(None if terminated or truncated else 0)
                turns += 1
        return (time.process_time() - began) / turns

    # The two are measured in turn, so that other work on the machine slows both.
    pairs = [(per_turn_s(ours), per_turn_s(theirs)) for _ in range(REPETITIONS)]
    ratio = min(theirs_s for _, theirs_s in pairs) / min(ours_s for ours_s, _ in pairs)
    yield measurement("aec_env_over_pettingzoos_conversion", ratio, at_least=1.0)


def vector_env() -> Iterator[dict[str, Any]]:
    """Steps per second of all 1,024 environments of a vector environment on replay, resets included."""
    env = dnn_partition_v0.vector_env(num_envs=1024, mobility="replay")
    rng = np.random.default_rng(0)
    env.reset(seed=0)
    actions = rng.integers(0, counts_of(env.problem), (30, 1024, 7))

    def per_step_s() -> float:
        began = time.process_time()
        env.reset()
        for action in actions:
            env.step(action)
        return (time.process_time() - began) / actions[..., 0].size

    yield measurement("vector_env_1024_steps_per_s", 1.0 / best(per_step_s), at_least=100_000)


def street() -> Iterator[dict[str, Any]]:
    """Steps per second of 1,024 streets of eight clients and nine nodes: transitions alone, and with decisions."""
    env = mobile_inference_v0.vector_env(num_envs=1024, mobility="straight", episode_slots=60)
    problem: Any = env.problem
    policy = references(problem).named("least-estimate").make(problem)
    observation, _ = env.reset(seed=0)
    for _ in range(30):  # until tasks are in flight
        observation, *_ = env.step(policy.act(observation, env.view))
    view = env.view
    action = policy.act(observation, view)

    def transition_s() -> float:
        began = time.process_time()
        problem.transition(view.state, action, view.exogenous)
        return (time.process_time() - began) / env.num_envs

    def decision_s() -> float:
        began = time.process_time()
        policy.act(problem.observe(view.state, view.exogenous), view)
        return (time.process_time() - began) / env.num_envs

    alone_s = best(transition_s)
    yield measurement("street_1024_transitions_per_s", 1.0 / alone_s, at_least=100_000)
    together_s = alone_s + best(decision_s)
    yield measurement("street_1024_least_estimate_steps_per_s", 1.0 / together_s, at_least=20_000)


def inference_allocation() -> Iterator[dict[str, Any]]:
    """CPU time of the three allocations in 1,024 slots of five devices on one core, and cvxpy's time divided by it."""
    problem, rng = CooperativeInference(), np.random.default_rng(0)
    shape = 1024, problem.num_devices
    gain = problem.channel.mean_gain(150.0) * rng.standard_exponential(shape)
    now = Exogenous(gain=gain, arrival_rate_hz=rng.uniform(0.5, 2.5, shape))
    state = State(energy_queue=rng.uniform(0.0, 50.0, shape), memory_queue=np.zeros(shape))
    cut = rng.integers(0, problem.num_layers + 1, shape)

    def per_environment_us() -> float:
        began = time.process_time()
        problem.allocate(state, cut, now)
        return 1e6 * (time.process_time() - began) / len(cut)

    ours_us = best(per_environment_us)
    yield measurement("inference_allocation_us_per_lane", ours_us, at_most=15.0)
    try:
        by_cvxpy = compare(problem, state, cut, now, slots=100)
    except RuntimeError as error:
        yield {"name": "cvxpy_over_inference_allocation", "skipped": str(error)}
        return
    times = measurement("cvxpy_over_inference_allocation", 1e6 * by_cvxpy["slot_s"] / ours_us, at_least=200.0)
    yield times | {"detail": by_cvxpy}


def mobility() -> Iterator[dict[str, Any]]:
    """CPU time of live SUMO for a single environment, divided by that of the `sumo` program on the same road."""
    from benchmarks.speed.mobility_cost import measure

    costs = measure()
    yield measurement("mobility_over_raw_sumo", costs["cpu_ratio"], at_most=2.0) | {"detail": costs}


def learners() -> Iterator[dict[str, Any]]:
    """A gradient step of batch 128 on one thread, and a decision of all seven clients of one environment."""
    from trainers import qmix, qmix_diffusion

    for learner in (qmix.LEARNER, qmix_diffusion.LEARNER):
        yield measurement(f"{learner.name}_gradient_step_ms", 1e3 * gradient_step_s(learner, time.process_time))
        yield measurement(f"{learner.name}_decision_ms", 1e3 * decision_s(learner))


def denoising() -> Iterator[dict[str, Any]]:
    """MAD2RL at M = 5: wall-clock time of a gradient step of batch 128 on two threads, and of one client's decision."""
    from trainers import qmix_diffusion

    learner, steps = qmix_diffusion.LEARNER, {"denoising_steps": 5}
    step_s = gradient_step_s(learner, time.perf_counter, threads=2, **steps)
    yield measurement("qmix_diffusion_at_5_gradient_step_ms", 1e3 * step_s, at_most=120.0)
    yield measurement("qmix_diffusion_at_5_decision_ms", 1e3 * decision_s(learner, clients=1, **steps), at_most=1.0)


def gradient_step_s(learner: Any, clock: Callable[[], float], *, threads: int = 1, **denoiser: Any) -> float:
    """Returns the seconds of a gradient step of seven clients with the learner's tuned preset."""
    from tianshou.utils.torch_utils import policy_within_training_step

    from trainers.tianshou_bridge.replay import ReplayBuffer

    set_up_torch(threads)
    problem, algorithm = _built(learner, denoiser)
    agents, features, rng = len(problem.agent_names), problem.observation_size, np.random.default_rng(0)
    space = algorithm.policy.action_space
    buffer = ReplayBuffer(1024, observation_shape=(agents, features), action_space=space, seed=0)
    observation = rng.exponential(size=(1024, agents, features)).astype(np.float32)
    action = rng.integers(0, counts_of(problem), (1024, agents))
    buffer.add(observation, action, np.zeros(1024, np.float32), observation, np.zeros(1024, np.bool_))

    def step_s() -> float:
        began = clock()
        with policy_within_training_step(algorithm.policy):
            algorithm.update(buffer, 128)
        return clock() - began

    return best(step_s)


def decision_s(learner: Any, *, clients: int = 7, **denoiser: Any) -> float:
    """Returns the seconds of a decision of all clients of one environment, on one thread."""
    set_up_torch(1)
    problem, algorithm = _built(learner, denoiser, num_client_vehicles=clients)
    policy = learner.policy(algorithm)
    observation = np.random.default_rng(0).exponential(size=(1, clients, problem.observation_size)).astype(np.float32)

    def one_s() -> float:
        began = time.process_time()
        policy.act(observation)
        return time.process_time() - began

    return best(one_s)


def _built(learner: Any, denoiser: dict[str, Any], **fields: Any) -> tuple[Any, Any]:
    """Returns a problem, and the algorithm of the tuned preset on it, with these options of the denoiser."""
    env_id, preset = dnn_partition_v0.factory.env_id, learner.presets["tuned"]
    options = preset.learner_for(env_id)
    if denoiser:
        options = replace(options, denoiser=replace(options.denoiser, **denoiser))
    problem = dnn_partition_v0.factory.problem(**preset.env[env_id], **fields)
    return problem, learner.build(problem, options, seed=0)


def busy_machine() -> Iterator[dict[str, Any]]:
    """How much longer a round of the default run takes beside 12 busy processes, times the share of a core left."""
    from benchmarks.speed.busy_machine import measure

    costs = measure()
    yield measurement("training_under_load", costs["ratio"], at_most=1.5) | {"detail": costs}


def exact_slot() -> Iterator[dict[str, Any]]:
    """The exact optimum of one slot of seven clients and six nodes, the slowest of two episodes on replay."""
    for objective in ("drift", "drift_bound"):
        env = dnn_partition_v0.vector_env(num_envs=1, mobility="replay")
        problem: Any = env.problem
        policy = ExactSlot(problem, objective=objective)
        took_s: list[float] = []
        for seed in range(2):
            observation, _ = env.reset(seed=seed)
            for _ in range(30):
                began = time.process_time()
                action = policy.act(observation, env.view)
                took_s.append(time.process_time() - began)
                observation, *_ = env.step(action)
        yield measurement(f"exact_slot_{objective}_s", max(took_s), at_most=2.0) | {
            "median": round(np.median(took_s), 3)
        }


def rendering() -> Iterator[dict[str, Any]]:
    """Milliseconds of CPU time of a picture of each environment, in the middle of an episode of random actions."""
    for env_id in ENVIRONMENTS:
        env = factory_of(env_id).joint_env(mobility="straight", render_mode="rgb_array")
        env.reset(seed=0)
        env.action_space.seed(0)

        def picture_s(env: Any = env) -> float:
            if env.step(env.action_space.sample())[3]:
                env.reset()
            began = time.process_time()
            env.render()
            return time.process_time() - began

        times = [picture_s() for _ in range(REPETITIONS)]
        name = f"picture_ms_{env_id}"
        yield measurement(name, 1e3 * min(times), at_most=20.0) | {"median": round(1e3 * float(np.median(times)), 3)}


def measurement(
    name: str, value: float, *, at_least: float | None = None, at_most: float | None = None
) -> dict[str, Any]:
    """Returns a measurement with its target."""
    measured: dict[str, Any] = {"name": name, "value": round(value, 3)}
    if at_least is not None:
        measured |= {"at_least": at_least, "met": value >= at_least}
    if at_most is not None:
        measured |= {"at_most": at_most, "met": value <= at_most}
    return measured


MEASURES = {
    "cartpole": cartpole,
    "parallel_env": parallel_env,
    "aec_env": aec_env,
    "vector_env": vector_env,
    "street": street,
    "inference_allocation": inference_allocation,
    "mobility": mobility,
    "learners": learners,
    "denoising": denoising,
    "training_under_load": busy_machine,
    "exact_slot": exact_slot,
    "rendering": rendering,
}


def main() -> None:
    """Prints the measurements of the command line."""
    parser = CommandParser(prog="python -m benchmarks.speed", description="Measures speed.")
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"{', '.join(MEASURES)} (default: all)")
    names = parser.parse_args().names or list(MEASURES)
    unknown = sorted(set(names) - set(MEASURES))
    if unknown:
        near = near_misses(unknown, MEASURES)
        parser.error(f"{', '.join(unknown)} is unknown; there are {', '.join(MEASURES)}{near}")
    for name in names:
        for measured in MEASURES[name]():
            print(json.dumps(measured), flush=True)


if __name__ == "__main__":
    main()

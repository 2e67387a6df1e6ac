"""AgileRL trains on the padded environments, with masks in the infos: it refuses them in observations.

IPPO of AgileRL 2.58 cannot read any masks, since it compares arrays with None. It trains without them.
"""

from __future__ import annotations

from typing import Any

import pytest

from tests.clients.every import EVERY_ID, STRAIGHT
from vec_envs.registration import factory_of

pytest.importorskip("agilerl")
pytestmark = [pytest.mark.slow, pytest.mark.filterwarnings("ignore")]
SHORT: dict[str, Any] = {"max_steps": 128, "evo_steps": 64, "eval_steps": 5, "verbose": False}


def two_envs(env_id: str, mask: str) -> Any:
    """Returns two environments in processes of AgileRL."""
    from agilerl.utils.utils import make_multi_agent_vect_envs

    make: Any = factory_of(env_id).parallel_env
    options = STRAIGHT | {"padded": True, "mask": mask}
    return make_multi_agent_vect_envs(make, num_envs=2, **options)


def learner(kind: Any, env: Any, **options: Any) -> Any:
    """Returns a learner for the agents of the environments."""
    observation_spaces = [env.single_observation_space(agent) for agent in env.agents]
    action_spaces = [env.single_action_space(agent) for agent in env.agents]
    ids = list(env.agents)
    return kind(observation_spaces, action_spaces, agent_ids=ids, batch_size=16, learn_step=32, **options)


@EVERY_ID
def test_ippo(env_id: str) -> None:
    from agilerl.algorithms import IPPO
    from agilerl.training.train_multi_agent_on_policy import train_multi_agent_on_policy

    env = two_envs(env_id, mask="none")
    try:
        _, fitnesses = train_multi_agent_on_policy(env, env_id, "IPPO", [learner(IPPO, env)], **SHORT)
    finally:
        env.close()
    assert fitnesses[0]


@EVERY_ID
def test_maddpg_with_masks(env_id: str) -> None:
    from agilerl.algorithms import MADDPG
    from agilerl.components.replay_buffer import ReplayBuffer
    from agilerl.training.train_multi_agent_off_policy import train_multi_agent_off_policy

    env = two_envs(env_id, mask="info")
    try:
        population, memory = [learner(MADDPG, env, vect_noise_dim=2)], ReplayBuffer(1000)
        _, fitnesses = train_multi_agent_off_policy(env, env_id, "MADDPG", population, memory=memory, **SHORT)
    finally:
        env.close()
    assert fitnesses[0]

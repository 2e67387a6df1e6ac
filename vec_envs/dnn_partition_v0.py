"""VEC-DNNPartition-v0: where to cut each vehicle's DNN, and who runs the rest.

    from vec_envs import dnn_partition_v0
    env = dnn_partition_v0.parallel_env(num_client_vehicles=5)

**Agents.** `client_0`, `client_1`, ...: vehicles that each have one inference task per slot. Their DNN types are
assigned round-robin.

**Actions.** One integer for each client: `cut, node = divmod(action, J)`, with J edge nodes. Node 0 is the roadside
unit, and nodes 1 to S = J - 1 are the service vehicles. The client runs layers 1 to `cut` itself and sends the rest of
the work to `node`. At `cut = L` nothing is sent. With `v2v_range_m`, the actions at service vehicles out of reach are
masked in a slot; a client that takes one all the same runs all layers itself.

**Observations.** float32, with a row of 2 J + 1 features for each client. The value in parentheses is the scale: it is
observed as 1.

- Backlogs (4 Gcycles): the client's own, the roadside unit's for the client's DNN type, every service vehicle's.
- Positions along the road (500 m) of the client and of every service vehicle, counted from the point nearest to the
  roadside unit.
- `observation="extended"` has 5 J + 1 features. It adds the client's rate to every node (100 Mbit/s), and the
  processors (10 GHz) and driving speeds (30 m/s) of the client and of every service vehicle.
- With `v2v_range_m`, the extended rate to a service vehicle out of reach is 0. The paper's observation then adds 1 for
  every service vehicle in reach and 0 for the others: 3 J features.

**Reward.** All agents share the reward. It is minus the sum of two terms: the Lyapunov drift of all queues (or its
bound), and V times the tasks' completion times. `reward="drift_bound"` is the paper's. It pays for keeping a backlog,
so learn on `"drift"`, and compare policies by `completion_time_s` and `backlog_gcycles`. `"delay"` is minus the
completion times alone, without V.

**Infos.** `completion_time_s` (summed over clients), `backlog_gcycles` (summed over queues, after the slot) and its
parts, `client_backlog_gcycles`, `rsu_backlog_gcycles` and `service_backlog_gcycles`, `drift`, `drift_bound`,
`reward_terms`, whose entries have names, such as `info["reward_terms"]["delay"]`.

**Episodes** are truncated after 30 slots of 1 s; queues start empty.
"""

from dataclasses import dataclass

from vec_envs.interfaces.factories import EnvironmentFactory, lazily
from vec_envs.interfaces.keywords import AgentKeywords, JointKeywords, TrafficKeywords, VectorKeywords
from vec_envs.problems.dnn_partition import DNNPartition

factory = EnvironmentFactory(
    env_id="VEC-DNNPartition-v0",
    problem_type=DNNPartition,
    load_references=lazily("vec_envs.problems.dnn_partition.policies:REFERENCES"),
)


@dataclass(frozen=True, kw_only=True)
class _Options(DNNPartition, TrafficKeywords):
    """Options of every interface, for the signatures below."""


@dataclass(frozen=True, kw_only=True)
class _Agents(_Options, AgentKeywords): ...


@dataclass(frozen=True, kw_only=True)
class _Joint(_Options, JointKeywords): ...


@dataclass(frozen=True, kw_only=True)
class _Batch(_Options, VectorKeywords): ...


parallel_env = factory.listed(factory.parallel_env, _Agents, __name__)
"""Returns the `pettingzoo.ParallelEnv` with every client as an agent."""
env = factory.listed(factory.env, _Agents, __name__)
"""Returns the `pettingzoo.AECEnv`, in which agents act in turn."""
joint_env = factory.listed(factory.joint_env, _Joint, __name__)
"""Returns the `gymnasium.Env` with one decision for all agents."""
vector_env = factory.listed(factory.vector_env, _Batch, __name__)
"""Returns the natively batched `gymnasium.vector.VectorEnv`."""

__doc__ = factory.described(__doc__)

"""VEC-MobileInference-v0: when, where to cut, and who runs the rest, while vehicles drive through a street.

    from vec_envs import mobile_inference_v0
    env = mobile_inference_v0.parallel_env(num_client_vehicles=5)

Tasks of several DNN types arrive at client vehicles. Roadside units stand along the street; each is a radio cell and a
server. Service vehicles run work too, until they drive away. The senders to a cell or a service vehicle share its band.
Buildings block links. A task that is not done by its deadline is missed.

**Agents.** `client_0`, `client_1`, ...: seats for client vehicles. When a vehicle leaves, another one takes its seat.

**Actions.** One integer for each client: 0 starts nothing, and 1 + cut x N + node starts the waiting task, where N is
the number of nodes. Nodes 0 to R - 1 are the servers of the R roadside units, the others are the service vehicles. The
client runs layers 1 to `cut` itself and sends the rest of the work to `node`. At `cut = L` or beyond it runs all
layers. Only a client with a task that waits, and none in flight, has a choice; for the others every action counts as 0.
A start at an empty service seat also counts as 0. The action mask allows 0, every cut below L at every present node,
and one of the actions that run all layers locally.

**Steps.** A step is a slot. Tasks in flight pass through local work, sending, forwarding between units, and computing
at the node, and their results return when the client hears a unit or its service vehicle.

**Observations.** An array of float32 with a row for each client. The values are of order one. A client observes its own
tasks and their remaining work, its speed, its processor and its energy queue. Of each unit and each service vehicle it
observes the distance, the link in this slot and in the one before, and the load. `StreetObservation` lists the features
and their scales. The channel of later slots is never observed.

**Reward.** All agents share the reward. It is minus the cost of the slot, and minus the drift of the energy queues
divided by V. The cost is the time that tasks spent in the system. A missed task also costs the rest of its deadline and
a penalty: 15 s in all with the defaults, however early it is given up. Arrivals do not depend on decisions. So with
`reward="delay"`, without the drift, the return is minus the costs of the tasks that arrived. Neither holding tasks back
nor giving them up gains anything.

The drifts of an episode add up to half the squares of the energy queues: those at its end, and those of clients when
they left. A growing `energy_queue_j` shows that a policy exceeds the energy budget.

**Infos.** Sums over clients: `cost_s`, `arrived`, `done`, `missed`, `withdrawn` (of clients that left), `task_time_s`
(of the tasks done), `energy_j`, `energy_queue_j`, `in_flight`, `waiting`; and `drift`. `cost_per_task_s` and
`missed_per_task` are `cost_s` and `missed` divided by the mean arrivals of a slot of the episode. So their means over
an episode are averages per arrived task. Policies are ranked by `cost_per_task_s`.

**Episodes** are truncated after 240 slots of 0.5 s. They begin without tasks.
"""

from dataclasses import dataclass
from pathlib import Path

from vec_envs.interfaces.factories import EnvironmentFactory, lazily
from vec_envs.interfaces.keywords import AgentKeywords, JointKeywords, TrafficKeywords, VectorKeywords
from vec_envs.problems.mobile_inference import MobileInference

factory = EnvironmentFactory(
    env_id="VEC-MobileInference-v0",
    problem_type=MobileInference,
    default_scenario="arterial",
    load_references=lazily("vec_envs.problems.mobile_inference.policies:REFERENCES"),
)


@dataclass(frozen=True, kw_only=True)
class _Options(MobileInference, TrafficKeywords):
    """Options of every interface, for the signatures below."""

    scenario: str | Path | None = "arterial"


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

"""VEC-CooperativeInference-v0: devices cut their DNNs, and convex optimisation allocates three resources.

    import gymnasium, vec_envs
    env = gymnasium.make("VEC-CooperativeInference-v0")

Inference tasks arrive at devices. Each device runs the layers before its cut and sends the rest of the work to one edge
server. In every slot a policy decides the cuts. Then `step` computes the best speeds of the devices, and their best
shares of the server and of the bandwidth. Energy and memory have long-term budgets, and virtual queues count what
exceeds them.

**Agents.** In PettingZoo, device 0 is the agent `client_0`, and so on.

**Steps.** A step is a slot, in which all devices decide.

**Actions.** `MultiDiscrete`: the number of layers that each device runs itself, from 0 (all at the server) to L (all
local). A cut is legal only where the device can carry its load. An illegal cut raises `ValueError`; with
`unstable="clip"` it becomes the largest legal cut below it. With the paper's numbers every cut is legal.

With `allocation="learned"` the action is `Box(-1, 1, (devices, 4))`. The four numbers of a device are its cut, its
speed (from its load to its maximum), and the logits of its shares of the server and of the bandwidth.

The wrapper `vec_envs.problems.cooperative_inference.tanh_cuts.TanhCuts` is for continuous policies: it computes cuts
from a tanh of unbounded numbers.

**Observations.** float32, of order one, with a row of 4 features for each device. The number in parentheses is the
value that is observed as 1:

- log(1 + signal-to-noise ratio over the whole band) (the value at 150 m);
- arrival rate (2.5 per s);
- energy queue (10);
- memory queue (10).

`observation="extended"` adds the DNN type (one-hot) and whether the device could run all layers: 7 features with two
DNN types.

**Reward.** Minus the sum over devices of energy queue x energy + memory queue x memory + V x delay. `reward="drift"`
replaces the first two terms by the exact drift of the virtual queues. `reward="delay"` is minus V x delay only.

**Infos.**

- Means over the devices that have tasks: `delay_s` of a task, `energy_j` of one second, `memory_gb`.
- Means over all devices: `energy_queue`, `memory_queue`.
- Sums over all devices: `drift`, `drift_plus_penalty`.
- For each DNN type: `energy_to_budget_<dnn>` and `memory_to_budget_<dnn>`, which are at most 1 in the long run where
  the budgets hold, and `energy_queue_<dnn>`.

**Where the devices are.** With `mobility="still"`, the default, all devices are 150 m from the server's antenna. With
`"sumo"`, `"replay"` or `"straight"` a device is a seat for vehicles on a road, and its gain follows the distance. When
a vehicle leaves, another one takes its seat and inherits its virtual queues. A seat without a vehicle has no arrivals
and needs no resources. The recordings have 30 and 60 slots: `"replay"` needs `episode_slots` of at most that length.

**Episodes** are truncated after 200 slots of 1 s. The queues start empty.
"""

from dataclasses import dataclass

from vec_envs.interfaces.factories import EnvironmentFactory, lazily
from vec_envs.interfaces.keywords import AgentKeywords, JointKeywords, TrafficKeywords, VectorKeywords
from vec_envs.mobility.traffic import Mobility
from vec_envs.problems.cooperative_inference import CooperativeInference

factory = EnvironmentFactory(
    env_id="VEC-CooperativeInference-v0",
    problem_type=CooperativeInference,
    default_mobility="still",
    load_references=lazily("vec_envs.problems.cooperative_inference.policies:REFERENCES"),
)


@dataclass(frozen=True, kw_only=True)
class _Options(CooperativeInference, TrafficKeywords):
    """Options of every interface, for the signatures below."""

    mobility: str | Mobility | None = "still"


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

"""VEC-CooperativeInference-v0: where devices cut their DNNs, while three resources are shared by convex optimisation.

    import gymnasium, vec_envs
    env = gymnasium.make("VEC-CooperativeInference-v0")

Devices have streams of inference tasks. Each runs the layers before its cut and sends the rest to one edge server. In
every slot the cuts are decided; `step` then finds the speeds of the devices, their parts of the server and of the
bandwidth that are best for them. Energy and memory have long-term budgets: what exceeds them waits in virtual queues.

**Steps.** A step is a slot in which all devices decide.

**Actions.** `MultiDiscrete`: the layers that each device runs itself, from 0 (all at the server) to L (all local). A
cut is an alternative only where the device can carry its load; another raises `ValueError`, or is taken as the largest
below with `unstable="clip"`. By the paper's numbers every cut is one. With `allocation="learned"` the action is
`Box(-1, 1, (devices, 4))`: cut, the device's speed between its load and its fastest, and the logits of its parts of
server and bandwidth. `vec_envs.problems.cooperative_inference.tanh_cuts.TanhCuts` gives a continuous policy cuts by a tanh of unbounded numbers.

**Observations.** float32, of order one, a row of 4 for each device, a number in parentheses being what is seen as 1:
the logarithm of 1 + the signal-to-noise ratio over the whole band (that at 150 m), arrival rate (2.5 per s), energy
queue and memory queue (10). `observation="extended"` (7 a row) adds the DNN type (one for each) and whether the device
could run all layers.

**Reward.** Minus the sum over devices of energy queue x energy, memory queue x memory, and V x delay; `reward="drift"`
has the exact drift of the virtual queues for the first two, `"delay"` the last alone.

**Infos.** Means over the devices that have tasks: `delay_s` of a task, `energy_j` of a second, `memory_gb`; over all
seats: `energy_queue`, `memory_queue`; `drift` and `drift_plus_penalty` (sums); and for each DNN type
`energy_to_budget_<dnn>` and `memory_to_budget_<dnn>`, which the long-term budgets hold at 1 or below, and
`energy_queue_<dnn>`.

**Where the devices are.** `mobility="still"`, the default: all 150 m from the server's antenna. With `"sumo"`,
`"replay"` or `"straight"` they are seats of vehicles on a road, and gains follow their distances: where a vehicle
leaves, another takes its seat, with the budgets overdrawn as they are. An empty seat has no arrivals, and needs
nothing. The recordings are of 30 and 60 slots: `"replay"` needs `episode_slots` to be no more.

**Episodes** last 200 slots of 1 s and are then truncated. Queues start empty.
"""

from vec_envs.interfaces.factories import EnvironmentFactory, lazily
from vec_envs.problems.cooperative_inference import CooperativeInference

factory = EnvironmentFactory(
    env_id="VEC-CooperativeInference-v0",
    problem_type=CooperativeInference,
    default_mobility="still",
    load_references=lazily("vec_envs.problems.cooperative_inference.policies:REFERENCES"),
    load_drawing=lazily("vec_envs.problems.cooperative_inference.drawing:draw"),
)

parallel_env = factory.parallel_env
env = factory.env
joint_env = factory.joint_env
vector_env = factory.vector_env

__doc__ = factory.described(__doc__)

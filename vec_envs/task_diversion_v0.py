"""VEC-TaskDiversion-v0: vehicles release DNN tasks; a decision sets the cut of a task and the speeds of both sides.

    import gymnasium, vec_envs
    env = gymnasium.make("VEC-TaskDiversion-v0")

A two-way road has several roadside units (RSUs). Vehicles enter and leave it. Those with a seat release DNN tasks, each
of one of four types and with a deadline. A vehicle asks one of the two nearest units, at random: the unit with the
shorter predicted wait is more likely. The decision is where the task's DNN is cut, and the speeds of both sides.

**Steps.** With Gymnasium, a step is one task, in the order of release. With PettingZoo, the agents are the seats
`vehicle_0`, ..., and a step is a slot of 1 s. Agents with a new task decide simultaneously, from the information at the
beginning of the slot. The others are masked, and their actions are ignored.

**Actions.** `Box(-1, 1, (3,))`. The first number is the cut, affine from 0 (all layers at the unit) to L (all on the
vehicle), rounded to the nearest integer. The others are the speeds of vehicle and unit, affine from `min_ghz` to
`vehicle_ghz` and `rsu_ghz`. With `diversion="chosen"`, a fourth number of at least 0 asks the second nearest unit.
Where no unit is in range, the vehicle runs all layers, whatever the action says.

**Observations.** 14 float32 numbers of order one. The value in parentheses is the scale: it is observed as 1.

- Of the task: position (1000 m) and speed (20 m/s) along the road, the DNN type (one-hot), the deadline (10 s), the
  vehicle's battery level, and the maximum speeds of vehicle and unit (10 GHz).
- Of the unit that is asked: whether it is in range, the rate to it (200 Mbit/s), the wait in its queue (10 s), and
  the length of its queue (4 tasks). With `diversion="chosen"`, both units are described.
- `observation="extended"` has 24 numbers. For the unit, it adds the share of the work that the vehicle can do during
  the wait, and how much cheaper sending all is than running all locally (2 s). It also adds the share of the layers
  that the vehicle can run during the wait with enough time left to send their result.
- For the task, it adds the work of all layers (10 Gcycles), the raw input (10 Mbit), the weight of the vehicle's
  energy, and the saving at an idle unit (2 s). The last numbers are the waits that the two nearest units broadcast last
  (10 s), and whether the second is in range.

PettingZoo's agents observe a dictionary of `"observation"` and `"agent_mask"` (int8), which is 1 where the agent
decides.

**Reward.** Minus the task's cost, which is its time plus beta times its weighted energy. A missed deadline also
subtracts a penalty, which is not part of the cost. `reward="excess"` adds a reference: the cost of the task at
the vehicle alone or at an idle unit, whichever is less. No decision on the task changes this reference, and learning is
faster. The return can be gamed, because a busy vehicle releases no task. Policies are therefore compared by the mean
cost of a task.

**Infos.** Of the task: `cost`, `time_s`, `energy_j` (weighted), `vehicle_energy_j` (of the vehicle, not weighted),
`missed`, `failed`, `offloaded`, `queue_s`, `cut`, `battery`, `low_battery` (at most a third), `low_battery_energy_j`.

**Episodes** last 60 slots of 1 s, and are truncated after the last task released in them. Queues are empty at first.
"""

from dataclasses import dataclass
from pathlib import Path

from vec_envs.interfaces.factories import EnvironmentFactory, lazily
from vec_envs.interfaces.keywords import AgentKeywords, JointKeywords, TrafficKeywords, VectorKeywords
from vec_envs.problems.task_diversion import TaskDiversion

factory = EnvironmentFactory(
    env_id="VEC-TaskDiversion-v0",
    problem_type=TaskDiversion,
    default_scenario="two-way-road",
    load_references=lazily("vec_envs.problems.task_diversion.policies:REFERENCES"),
)


@dataclass(frozen=True, kw_only=True)
class _Options(TaskDiversion, TrafficKeywords):
    """Options of every interface, for the signatures below."""

    scenario: str | Path | None = "two-way-road"


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

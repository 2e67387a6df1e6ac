"""VEC-TaskDiversion-v0: which roadside unit a vehicle asks, where its task is cut, and how fast both sides run.

    import gymnasium, vec_envs
    env = gymnasium.make("VEC-TaskDiversion-v0")

A two-way road with several roadside units (RSUs). Vehicles enter and leave; those with a seat release DNN tasks, each
of one of four types and with a deadline. A vehicle asks one of the two nearest units, by chance: the more likely the
shorter it expects to wait there. The decision is then where the task's DNN is cut, and the speeds of both sides.

**Steps.** With Gymnasium a step is one task, in the order of release. With PettingZoo the seats `vehicle_0`, ... are
the agents and a step is a slot of 1 s: those with a new task decide at once, from what is known when the slot begins;
the others are masked, and what they give is ignored.

**Actions.** `Box(-1, 1, (3,))`: the cut, affinely from 0 (all to the unit) to L (all local), rounded to the nearest;
the vehicle's speed and the unit's, affinely from `min_ghz` to `vehicle_ghz` and `rsu_ghz`. With `diversion="chosen"` a
fourth number asks the second nearest unit from 0 on. Where no unit is in range all is local, whatever the action.

**Observations.** float32, 14 numbers of order one, a number in parentheses being what is seen as 1: position (1000 m)
and speed (20 m/s) along the road, the task's DNN type (one for each), its deadline (10 s), the vehicle's battery level,
the fastest speeds of vehicle and unit (10 GHz); of the unit that is asked: whether it is in range, the rate to it (200
Mbit/s), the wait of its queue (10 s) and its length (4 tasks). `observation="extended"` (24 numbers) adds, of the unit,
the share of the work that the vehicle can do during that wait, what sending all saves against all local (2 s), and the
share of the layers that can be run and their result sent during the wait; then the work of all layers (10 Gcycles), the
raw input (10 Mbit), the weight of the vehicle's energy, what an idle unit would save (2 s), the waits that the two
nearest units broadcast last (10 s), and whether the second is in range. With `diversion="chosen"` both units are
described. PettingZoo's agents observe a dictionary of `"observation"` and `"agent_mask"` (int8): 1 where the agent
decides.

**Reward.** Minus the task's cost, its time plus beta times its weighted energy, less a penalty where it misses its
deadline, which is not part of the cost. `reward="excess"` counts from what the task would cost at the better of the
vehicle alone and an idle unit, which no decision on the task changes: it is learned from sooner. A return can be gamed,
since a busy vehicle releases no task: policies are compared by the mean cost of a task.

**Infos.** Of the task: `cost`, `time_s`, `energy_j` (weighted), `vehicle_energy_j` (spent by the vehicle, unweighted),
`missed`, `failed`, `offloaded`, `queue_s`, `cut`, `battery`, `low_battery` (at most a third), `low_battery_energy_j`.

**Episodes** last 60 slots of 1 s, and are truncated after the last task released in them. Queues start empty.
"""

from vec_envs.interfaces.factories import EnvironmentFactory, lazily
from vec_envs.problems.task_diversion import TaskDiversion

factory = EnvironmentFactory(
    env_id="VEC-TaskDiversion-v0",
    problem_type=TaskDiversion,
    default_scenario="two-way-road",
    load_references=lazily("vec_envs.problems.task_diversion.policies:REFERENCES"),
    load_drawing=lazily("vec_envs.problems.task_diversion.drawing:draw"),
)

parallel_env = factory.parallel_env
env = factory.env
joint_env = factory.joint_env
vector_env = factory.vector_env

__doc__ = factory.described(__doc__)

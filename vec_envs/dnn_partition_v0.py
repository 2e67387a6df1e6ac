"""VEC-DNNPartition-v0: where to cut each vehicle's DNN, and who runs the rest.

    from vec_envs import dnn_partition_v0
    env = dnn_partition_v0.parallel_env(num_client_vehicles=5)

**Agents.** `client_0`, `client_1`, ...: vehicles that each have one inference task a slot. Their DNN types are assigned
round-robin.

**Actions.** One integer a client: `cut, node = divmod(action, J)`. The client runs layers 1 to `cut` itself and sends
the rest to edge node `node`: 0 is the roadside unit, 1 to S the service vehicles. At `cut = L` nothing is sent.

**Observations.** float32, a row a client of 2 J + 1 numbers: own backlog, the roadside unit's backlog of the own DNN
type, every service vehicle's backlog (in units of 4 Gcycles); own and every service vehicle's position along the road,
0 at the point nearest to the roadside unit (in units of 500 m). `observation="extended"` (5 J + 1) adds the own rate to
every node (100 Mbit/s is seen as 1), the own and every service vehicle's processor (10 GHz), the own and every service
vehicle's speed (30 m/s).

**Reward.** Shared by all: minus the Lyapunov drift of all queues, or its bound, minus V times the sum of the tasks'
completion times. `reward="drift_bound"` is the paper's; it pays for keeping a backlog, so learn on `"drift"` and
compare policies by `completion_time_s` and `backlog_gcycles`. `"delay"` is minus the completion times alone, without V.

**Infos.** `completion_time_s` (summed over clients), `backlog_gcycles` (summed over queues, after the slot) and its
parts, `client_backlog_gcycles`, `rsu_backlog_gcycles` and `service_backlog_gcycles`, `drift`, `drift_bound`,
`reward_terms`.

**Episodes** are truncated after 30 slots of 1 s; queues start empty.
"""

from vec_envs.interfaces.factories import EnvironmentFactory, lazily
from vec_envs.problems.dnn_partition import DNNPartition

factory = EnvironmentFactory(
    env_id="VEC-DNNPartition-v0",
    problem_type=DNNPartition,
    load_references=lazily("vec_envs.problems.dnn_partition.policies:REFERENCES"),
    load_drawing=lazily("vec_envs.problems.dnn_partition.drawing:draw"),
)

parallel_env = factory.parallel_env
env = factory.env
joint_env = factory.joint_env
vector_env = factory.vector_env

__doc__ = factory.described(__doc__)

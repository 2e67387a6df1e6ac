"""The actions of a client that can be its best response, for networks with hundreds of layers.

The cost of a slot is a sum of parts (`exact_costs.py`). Where the other clients keep their actions, a client's action
changes its own part and the part of one server. So the costs of all its actions follow from few operations on rows of
cuts. They equal the costs that the objective returns up to rounding. An action that costs more than another one by more
than the rounding is not the best response, and the objective need not be computed for it.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float, Int

from vec_envs.problems.dnn_partition.policies.exact_costs import SlotCosts

ROUNDING = 1e-7
"""A bound on the rounding of a cost, as a fraction of its parts. The unit's processor is shared up to 1e-10."""


@dataclass(frozen=True, kw_only=True)
class ResponseCosts:
    """The cost of each action of a client, as a sum of parts, and a bound on its rounding."""

    cost: Float[np.ndarray, "actions"]
    rounding: Float[np.ndarray, "actions"]
    all_local: Bool[np.ndarray, "actions"]
    """Whether the client runs all layers itself. All such actions are one decision, with exactly one cost."""

    def promising(self) -> Bool[np.ndarray, "actions"]:
        """Returns True for the actions that can be the first of least cost."""
        repeats = self.all_local & (np.arange(len(self.cost)) != self.all_local.argmax())
        return (self.cost - self.rounding <= (self.cost + self.rounding).min()) & ~repeats

    def agrees(self, actions: Int[np.ndarray, "some"], cost: Float[np.ndarray, "some"]) -> bool:
        """Returns whether the parts add up to the costs that the objective returns for some of the actions."""
        return bool((np.abs(self.cost[actions] - cost) <= 0.5 * self.rounding[actions]).all())


def response_costs(costs: SlotCosts, client: int, action: Int[np.ndarray, "clients"]) -> ResponseCosts:
    """Returns the cost of each action of a client, where the others keep theirs.

    Args:
        costs: The parts of the slot's cost.
        client: The client that tries its actions.
        action: The joint action. That of `client` does not matter.
    """
    problem, everyone = costs.problem, np.arange(len(action))
    cut, node = np.divmod(action, problem.num_nodes)
    sent = costs.sent[everyone, node, cut]
    sends = np.isfinite(sent) & (everyone != client)
    own = np.where(sends, sent, costs.local) * (everyone != client)
    work = np.where(sends, costs.work[everyone, cut], 0.0)
    servers = [_at_rsu(costs, client, sends & (node == 0), work)]
    for service in range(problem.num_service_vehicles):
        servers.append(_at_service(costs, client, service, sends & (node == service + 1), work))
    without = np.array([before for before, _ in servers])
    size = np.abs(own).sum() + np.abs(without).sum()
    cuts = slice(int(problem.num_layers[client]) + 1)
    added: np.ndarray = np.stack([after - before for before, after in servers], axis=1) + costs.sent[client].T[cuts]
    all_local = ~np.isfinite(added).ravel()
    of_actions: np.ndarray = np.where(all_local, costs.local[client], added.ravel())
    return ResponseCosts(
        cost=own.sum() + without.sum() + of_actions,
        rounding=ROUNDING * (size + np.abs(of_actions)),
        all_local=all_local,
    )


def _at_service(
    costs: SlotCosts,
    client: int,
    service: int,
    members: Bool[np.ndarray, "clients"],
    work: Float[np.ndarray, "clients"],
) -> tuple[float, Float[np.ndarray, "cuts"]]:
    """Returns the cost at a service vehicle without the client, and with each of the client's cuts."""
    number, total = int(members.sum()), work[members].sum(keepdims=True)
    without = costs.service_cost(service, number, total)
    return float(without[0]), costs.service_cost(service, number + 1, total + _work_of_cuts(costs, client))


def _at_rsu(
    costs: SlotCosts, client: int, members: Bool[np.ndarray, "clients"], work: Float[np.ndarray, "clients"]
) -> tuple[float, Float[np.ndarray, "cuts"]]:
    """Returns the cost at the roadside unit without the client, and with each of the client's cuts."""
    problem, length = costs.problem, len(costs.rsu_backlog)
    types, kind = problem.client_types[members], np.eye(length, dtype=np.int64)[problem.client_types[client]]
    number = np.bincount(types, minlength=length)
    total = np.bincount(types, work[members], length).astype(np.float64)[None]
    of_cuts = total + _work_of_cuts(costs, client)[:, None] * kind
    return float(costs.rsu_cost(number, total)[0]), costs.rsu_cost(number + kind, of_cuts)


def _work_of_cuts(costs: SlotCosts, client: int) -> Float[np.ndarray, "cuts"]:
    return costs.work[client, : int(costs.problem.num_layers[client]) + 1]

"""A genetic algorithm for a slot of `DNNPartition`, by pymoo's operators: `pip install "vec-envs[genetic]"`.

A chromosome holds the cuts and nodes of all clients. Parents are chosen by tournament, children take each gene of one
of them at random, genes mutate to values nearby, and the best of parents and children live on: pymoo's `GA` with its
defaults, on arrays with a leading lane, since its objects of one chromosome each take a dozen times as long.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from jaxtyping import Float, Float32, Int

from vec_envs.problems.base import View
from vec_envs.problems.dnn_partition.objective import Objective
from vec_envs.problems.dnn_partition.problem import DNNPartition
from vec_envs.problems.policy import needs_view
from vec_envs.validation import check_integer

NEEDS = "the genetic algorithm is pymoo's, which is not installed: pip install 'vec-envs[genetic]'"
SPREAD = 3.0
"""pymoo's eta of the mutation: low, so that genes go far."""
CROSSED = 0.9
"""Of the pairs of parents. pymoo's default, as the next."""
MUTATED = 0.9
"""Of the children; of their genes one on average."""
Genes = Int[np.ndarray, "batch people genes"]


class Genetic:
    """Takes the best decisions of `generations` generations of `population` chromosomes, anew in every slot.

    `objective="drift_bound"` minimises Eq. (32), as in the paper, `"drift"` the exact drift plus V times the delays.
    Raises `RuntimeError` naming the extra where pymoo is missing. Section 8.2 of MAD2RL, which gives no numbers.
    """

    def __init__(
        self,
        problem: DNNPartition,
        *,
        objective: str | Objective | None = None,
        population: int = 200,
        generations: int = 50,
    ) -> None:
        check_integer(2, population=population)
        check_integer(1, generations=generations)
        self._operators = _operators()
        self._problem = problem
        self._objective = problem.objective(objective)
        self._population, self._generations = population, generations
        nodes = np.full(len(problem.num_layers), problem.num_nodes - 1)
        self._highest = np.concatenate([problem.num_layers, nodes])
        self._rng = np.random.default_rng(0)

    def reset(self, seed: int) -> None:
        """Draws from `seed` on."""
        self._rng = np.random.default_rng(seed)

    def act(
        self, observation: Float32[np.ndarray, "batch agents features"], view: View | None = None
    ) -> Int[np.ndarray, "batch agents"]:
        """Returns the best actions found. Raises `ValueError` without a view."""
        view = needs_view(view, self, observation)
        size = len(observation), self._population, len(self._highest)
        people = self._rng.integers(0, self._highest + 1, size)
        people, cost = self._best(people, self._cost(view, people))
        for _ in range(self._generations - 1):
            children = self._children(people)
            both = np.concatenate([people, children], axis=1)
            people, cost = self._best(both, np.concatenate([cost, self._cost(view, children)], axis=1))
        return self._actions(people[:, 0])

    def _cost(self, view: View, people: Genes) -> Float[np.ndarray, "batch people"]:
        return self._problem.cost(view, self._actions(people), self._objective)

    def _best(
        self, people: Genes, cost: Float[np.ndarray, "batch people"]
    ) -> tuple[Int[np.ndarray, "batch best genes"], Float[np.ndarray, "batch best"]]:
        """Returns a population of the cheapest, the best first, and what they cost."""
        order = np.argsort(cost, axis=-1, kind="stable")[:, : self._population]
        return np.take_along_axis(people, order[..., None], axis=1), np.take_along_axis(cost, order, axis=1)

    def _children(self, people: Genes) -> Genes:
        """Returns as many children as there are people."""
        lanes, size, genes = people.shape
        mated = -(-size // 2)
        parents = np.take_along_axis(people, self._parents(lanes, mated)[..., None], axis=1)
        parents = parents.reshape(lanes * mated, 2, genes).swapaxes(0, 1)
        crossed = self._rng.random((lanes * mated, 1)) < CROSSED
        taken = crossed & (self._rng.random((lanes * mated, genes)) < 0.5)
        cross, mutate = self._operators
        children: np.ndarray = cross(parents, taken).swapaxes(0, 1).reshape(-1, genes)
        each = np.ones(len(children))
        mutants = mutate(
            children.astype(np.float64), 0 * self._highest, self._highest, SPREAD * each, each * min(0.5, 1.0 / genes),
            at_least_once=False, random_state=self._rng,
        )  # fmt: skip
        changed = self._rng.random((len(children), 1)) < MUTATED
        children = np.where(changed, np.rint(mutants).astype(np.int64), children)
        return children.reshape(lanes, 2 * mated, genes)[:, :size]

    def _parents(self, lanes: int, mated: int) -> Int[np.ndarray, "batch parents"]:
        """Returns who of a population, the best first, wins which tournament of two, each in turn against another."""
        drawn = -(-4 * mated // self._population)
        everybody = np.broadcast_to(np.arange(self._population), (lanes, drawn, self._population))
        turns = self._rng.permuted(everybody, axis=-1).reshape(lanes, -1)[:, : 4 * mated]
        return turns.reshape(lanes, 2 * mated, 2).min(axis=-1)

    def _actions(self, genes: Int[np.ndarray, "*people genes"]) -> Int[np.ndarray, "*people clients"]:
        cut, node = np.split(genes, 2, axis=-1)
        return cut * self._problem.num_nodes + node


def _operators() -> tuple[Any, Any]:
    """Returns pymoo's uniform crossover and polynomial mutation. Raises `RuntimeError` where it is missing."""
    try:
        from pymoo.operators.mutation.pm import mut_pm
        from pymoo.util.misc import crossover_mask
    except ImportError as error:
        raise RuntimeError(NEEDS) from error
    return crossover_mask, mut_pm

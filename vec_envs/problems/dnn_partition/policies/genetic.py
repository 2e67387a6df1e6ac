"""A genetic algorithm for a slot of `DNNPartition`, by pymoo's operators: `pip install "vec-envs[genetic]"`.

A chromosome holds the cuts and nodes of all clients. Tournaments choose parents. A child takes each gene from one of
its two parents at random, and genes mutate to nearby values. The best of parents and children survive.

This is pymoo's `GA` with its defaults, but on arrays with a batch axis. pymoo makes an object for each chromosome,
which takes a dozen times as long.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from jaxtyping import Float, Float32, Int

from vec_envs.problems.base import View
from vec_envs.problems.dnn_partition.objective import Objective
from vec_envs.problems.dnn_partition.problem import DNNPartition
from vec_envs.problems.policy import needs_view
from vec_envs.problems.row_generators import RowGenerators
from vec_envs.validation import check_integer, missing_extra

NEEDS = missing_extra("the genetic algorithm", "pymoo", "genetic")
SPREAD = 3.0
"""Parameter eta of pymoo's polynomial mutation: a low value moves genes far."""
CROSSED = 0.9
"""Probability that a pair of parents is crossed: pymoo's default."""
MUTATED = 0.9
"""Probability that a child mutates, in one gene on average: pymoo's default."""
Genes = Int[np.ndarray, "batch chromosomes genes"]


class Genetic:
    """Takes the best joint action that a genetic algorithm finds; the algorithm restarts in every slot.

    Takes any objective: `"drift_bound"` (Eq. (32), as in the paper), `"drift"`, `"delay"`, a function of `SlotTerms`,
    or by default the problem's own objective. Raises `RuntimeError` naming the extra where pymoo is missing. Section
    8.2 of MAD2RL gives no population size and no number of generations.
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
        self._generators = RowGenerators(0)

    def reset(self, seed: int) -> None:
        """Seeds the random numbers; environment b uses `seed` + b."""
        self._generators = RowGenerators(seed)

    def act(
        self, observation: Float32[np.ndarray, "batch agents features"], view: View | None = None
    ) -> Int[np.ndarray, "batch agents"]:
        """Returns the best actions found. Raises `ValueError` without a view."""
        view = needs_view(view, self, observation)
        generators, size = self._generators.of(len(observation)), (self._population, len(self._highest))
        chromosomes = np.stack([rng.integers(0, self._highest + 1, size) for rng in generators])
        chromosomes, cost = self._best(chromosomes, self._cost(view, chromosomes))
        for _ in range(self._generations - 1):
            parents = zip(generators, chromosomes, strict=True)
            children = np.stack([self._children(rng, of_row) for rng, of_row in parents])
            both = np.concatenate([chromosomes, children], axis=1)
            chromosomes, cost = self._best(both, np.concatenate([cost, self._cost(view, children)], axis=1))
        return self._problem.as_played(self._actions(chromosomes[:, 0]), view.exogenous)

    def _cost(self, view: View, chromosomes: Genes) -> Float[np.ndarray, "batch chromosomes"]:
        return self._problem.cost(view, self._actions(chromosomes), self._objective)

    def _best(
        self, chromosomes: Genes, cost: Float[np.ndarray, "batch chromosomes"]
    ) -> tuple[Int[np.ndarray, "batch best genes"], Float[np.ndarray, "batch best"]]:
        """Returns the chromosomes of least cost, the best first, and their costs."""
        order = np.argsort(cost, axis=-1, kind="stable")[:, : self._population]
        return np.take_along_axis(chromosomes, order[..., None], axis=1), np.take_along_axis(cost, order, axis=1)

    def _children(
        self, rng: np.random.Generator, chromosomes: Int[np.ndarray, "chromosomes genes"]
    ) -> Int[np.ndarray, "chromosomes genes"]:
        """Returns as many children as there are chromosomes of one environment."""
        size, genes = chromosomes.shape
        mated = -(-size // 2)
        parents = chromosomes[self._parents(rng, mated)].reshape(mated, 2, genes).swapaxes(0, 1)
        crossed = rng.random((mated, 1)) < CROSSED
        taken = crossed & (rng.random((mated, genes)) < 0.5)
        cross, mutate = self._operators
        children: np.ndarray = cross(parents, taken).swapaxes(0, 1).reshape(-1, genes)
        each = np.ones(len(children))
        mutants = mutate(
            children.astype(np.float64), 0 * self._highest, self._highest, SPREAD * each, each * min(0.5, 1.0 / genes),
            at_least_once=False, random_state=rng,
        )  # fmt: skip
        changed = rng.random((len(children), 1)) < MUTATED
        return np.where(changed, np.rint(mutants).astype(np.int64), children)[:size]

    def _parents(self, rng: np.random.Generator, mated: int) -> Int[np.ndarray, "parents"]:
        """Returns the winners of tournaments of two, as indices into a population sorted by cost."""
        drawn = -(-4 * mated // self._population)
        everyone = np.broadcast_to(np.arange(self._population), (drawn, self._population))
        turns = rng.permuted(everyone, axis=-1).reshape(-1)[: 4 * mated]
        return turns.reshape(2 * mated, 2).min(axis=-1)

    def _actions(self, genes: Int[np.ndarray, "*chromosomes genes"]) -> Int[np.ndarray, "*chromosomes clients"]:
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

"""A genetic algorithm for a slot of `DNNPartition`, by pymoo: `pip install "vec-envs[genetic]"`.

A chromosome holds the cuts and nodes of all clients. Parents are chosen by tournament, children take each gene of one
of them at random, genes mutate to values nearby, and the best of parents and children live on.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from jaxtyping import Float32, Int

from vec_envs.policies.partition_costs import Objective, cost_of_slot
from vec_envs.policies.policy import needs_view
from vec_envs.problems.dnn_partition import DNNPartition
from vec_envs.problems.problem import View
from vec_envs.validation import count, one_of

NEEDS = "the genetic algorithm is pymoo's, which is not installed: pip install 'vec-envs[genetic]'"
SPREAD = 3
"""pymoo's eta of the mutation: low, so that genes go far."""


class Genetic:
    """Takes the best decisions of `generations` generations of `population` chromosomes, anew in every slot.

    `objective="drift_bound"` minimises Eq. (32), as in the paper, `"drift"` the exact drift plus V times the delays.
    Raises `RuntimeError` naming the extra where pymoo is missing. Section 8.2 of MAD2RL, which gives no numbers.
    """

    def __init__(
        self, problem: DNNPartition, *, objective: Objective = "drift", population: int = 200, generations: int = 50
    ) -> None:
        one_of(("drift", "drift_bound"), objective=objective)
        count(2, population=population)
        count(1, generations=generations)
        self._pymoo = _Pymoo()
        self._problem = problem
        self._objective: Objective = objective
        self._population, self._generations = population, generations
        self._rng = np.random.default_rng(0)

    def reset(self, seed: int) -> None:
        """Draws from `seed` on."""
        self._rng = np.random.default_rng(seed)

    def act(
        self, observation: Float32[np.ndarray, "lanes agents features"], view: View | None = None
    ) -> Int[np.ndarray, "lanes agents"]:
        """Returns the best actions found. Raises `ValueError` without a view."""
        view = needs_view(view, self)
        seeds = self._rng.integers(0, 2**31, len(observation))
        highest = np.concatenate([self._problem.num_layers, np.full(len(self._problem.num_layers), self._nodes - 1)])
        searches = [self._pymoo.search(highest, self._population, int(seed)) for seed in seeds]
        for _ in range(self._generations):
            asked = [search.ask() for search in searches]
            tried = np.stack([self._actions(people.get("X")) for people in asked])
            cost = cost_of_slot(view, tried, self._objective)
            for search, people, of_lane in zip(searches, asked, cost, strict=True):
                self._pymoo.tell(search, people, of_lane)
        return np.stack([self._actions(search.opt.get("X"))[0] for search in searches])

    @property
    def _nodes(self) -> int:
        return self._problem.num_nodes

    def _actions(self, genes: np.ndarray) -> Int[np.ndarray, "people clients"]:
        cut, node = np.split(genes.astype(np.int64), 2, axis=-1)
        return cut * self._nodes + node


class _Pymoo:
    """What is used of pymoo, imported when it is needed. Raises `RuntimeError` where it is missing."""

    def __init__(self) -> None:
        try:
            from pymoo.algorithms.soo.nonconvex.ga import GA
            from pymoo.core.evaluator import Evaluator
            from pymoo.core.problem import Problem
            from pymoo.operators.crossover.ux import UniformCrossover
            from pymoo.operators.mutation.pm import PM
            from pymoo.operators.repair.rounding import RoundingRepair
            from pymoo.operators.sampling.rnd import IntegerRandomSampling
            from pymoo.problems.static import StaticProblem
        except ImportError as error:
            raise RuntimeError(NEEDS) from error
        self._ga: Any = GA
        self._problem: Any = Problem
        self._static: Any = StaticProblem
        self._evaluator: Any = Evaluator
        self._operators: dict[str, Any] = {
            "sampling": IntegerRandomSampling(),
            "crossover": UniformCrossover(),
            "mutation": PM(eta=SPREAD, vtype=float, repair=RoundingRepair()),
        }

    def search(self, highest: Int[np.ndarray, "genes"], population: int, seed: int) -> Any:
        """Returns a genetic algorithm that can be asked for chromosomes and told what they cost."""
        problem = self._problem(n_var=len(highest), n_obj=1, xl=0 * highest, xu=highest, vtype=int)
        search = self._ga(pop_size=population, eliminate_duplicates=False, **self._operators)
        search.setup(problem, termination=("n_gen", np.inf), seed=seed, verbose=False)
        return search

    def tell(self, search: Any, people: Any, cost: np.ndarray) -> None:
        """Tells what the chromosomes asked for cost."""
        self._evaluator().eval(self._static(search.problem, F=cost[:, None]), people)
        search.tell(infills=people)

"""Running a graph around each rule of the optimizer, to name the one that changes its answers."""

from __future__ import annotations

from typing import Literal

from tfjs.errors import UsageError, VerificationError
from tfjs.ir.graph import GraphModel
from tfjs.ir.tensor import Array
from tfjs.ops.definitions import definition
from tfjs.passes.inline import copied_model
from tfjs.runtime.engine import Runner
from tfjs.verification.compare import bound_of, difference
from tfjs.verification.inputs import plausible_inputs

# What draws random numbers without a seed gets this one: else no two runs would agree.
_SEED = 20
# What an exact rule may move: the kernels that compute parts together round otherwise.
_EXACT = 1e-6


class PassCheck:
    """Holds the answers of a graph against those that it gave before the last rule.

    Args:
        model: the graph, before the first rule; it is run as it is at each call.

    Raises:
        TfjsError: the graph cannot be run here.
    """

    def __init__(self, model: GraphModel) -> None:
        self._model = model
        self._feeds, self._last = _first_answers(model)
        wide = Runner(_seeded(model), dtype="float64").run(self._feeds)
        self._bounds = [
            bound_of(single, double) for single, double in zip(self._last, wide, strict=True)
        ]

    def __call__(self, ident: str, numerics: Literal["exact", "reassociating"]) -> None:
        """Run the graph as it is now.

        Args:
            ident: the rule that was applied.
            numerics: what it may do to the numbers.

        Raises:
            VerificationError: it moved them further.
        """
        answers = Runner(_seeded(self._model), as_tfjs=True).run(self._feeds)
        names = self._model.signature.outputs
        ports = zip(names, answers, self._last, self._bounds, strict=True)
        for name, given, wanted, bound in ports:
            if numerics == "exact" and wanted.dtype.kind == "f":
                bound = min(bound, _EXACT * float(abs(wanted).max(initial=0.0)))
            found = difference(name, given, wanted, bound)
            if not found.ok:
                raise VerificationError(
                    f"the rule {ident}, which is {numerics}, changes an output: {found.problem}",
                    where=name,
                    hint=f"--disable-pass {ident} leaves it out; please report it with the model",
                )
        self._last = answers


def _first_answers(model: GraphModel) -> tuple[dict[str, Array], list[Array]]:
    """The first inputs that a graph takes, and its answers to them.

    Sizes that it leaves free may have to go together: inputs of other sizes are tried then.

    Raises:
        TfjsError: the graph cannot be run here.
    """
    refused: UsageError | None = None
    for feeds in plausible_inputs(model.graph, 1):
        try:
            return feeds, list(Runner(_seeded(model), as_tfjs=True).run(feeds))
        except UsageError as error:
            refused = refused or error
    raise refused or UsageError("there are no inputs to try")


def _seeded(model: GraphModel) -> GraphModel:
    """A copy of a graph that draws the same random numbers at each run."""
    copy = copied_model(model)
    for graph in (copy.graph, *copy.functions.values()):
        for node in graph.nodes.values():
            known = definition(node.op)
            if known is None or not known.stateful or "seed" not in known.defaults:
                continue
            if not node.attrs.get("seed") and not node.attrs.get("seed2"):
                node.attrs["seed"] = _SEED
    return copy

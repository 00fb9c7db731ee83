"""Layers that work on each axis by itself, over one or three axes, by TF.js's over two.

Padding, cropping and repeating along an axis leave the others alone, so axes that lie side by side
can be merged by a Reshape meanwhile.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from tfjs.layers.declarations.space import Piece, Size, Space, product, reshape

UNKNOWN_SIZES = "more than one of the sizes of its input is unknown, which its rewriting needs"


@dataclass(frozen=True, slots=True)
class AxisWise:
    """A layer of TF.js over two axes with a value for each.

    Attributes:
        class_name: the layer.
        key: its configuration key that holds the two values.
        neutral: the value that leaves an axis as it is.
        suffix: what new layers are called.
    """

    class_name: str
    key: str
    neutral: Any
    suffix: str

    def piece(self, first: Any, second: Any, data_format: str = "channels_last") -> Piece:
        """The layer itself."""
        config = {self.key: [first, second], "data_format": data_format}
        return Piece(self.class_name, config, self.suffix)

    def pieces(
        self, space: Space, values: Sequence[Any], after: Sequence[Size]
    ) -> list[Piece] | None:
        """The layers that do it along all axes of a space.

        Args:
            space: what goes in.
            values: one for each axis.
            after: the extent that comes out.

        Returns:
            The layers in order; None where too many sizes are unknown for it.
        """
        if len(values) == 2:
            return self._plane(space, values)
        steps = _Steps(space.inner(), space.resized(after).inner())
        if len(values) == 1:
            self._line(steps, values[0], first=space.first)
        elif space.first:
            self._volume_first(steps, values)
        else:
            self._volume_last(steps, values)
        return steps.done()

    def _plane(self, space: Space, values: Sequence[Any]) -> list[Piece]:
        layout = "channels_first" if space.first else "channels_last"
        found = [self.piece(values[0], values[1], layout)]
        if self.class_name == "Cropping2D" and None in space.sizes:
            # It makes a size below 0 of an unknown one; ZeroPadding2D makes it unknown again.
            found.append(PAD.piece([0, 0], [0, 0], layout))
        return found

    def _line(self, steps: _Steps, value: Any, *, first: bool) -> None:
        """[length, channels] or [channels, length]: an axis of size 1 is put in."""
        if first:
            steps.view([*steps.old, 1])
            steps.add(self.piece(self.neutral, value))
        else:
            steps.view([steps.old[0], 1, steps.old[1]])
            steps.add(self.piece(value, self.neutral))

    def _volume_last(self, steps: _Steps, values: Sequence[Any]) -> None:
        """[depth, height, width, channels]: depth and height first, then width."""
        (depth, height, width, channels), (new_depth, new_height, _, _) = steps.old, steps.new
        if self._changes(values[:2]):
            steps.view([depth, height, product([width, channels])])
            steps.add(self.piece(values[0], values[1]))
        if self._changes(values[2:]):
            steps.view([product([new_depth, new_height]), width, channels])
            steps.add(self.piece(self.neutral, values[2]))

    def _volume_first(self, steps: _Steps, values: Sequence[Any]) -> None:
        """[channels, depth, height, width]: height and width first, then depth."""
        (channels, depth, height, width), (_, _, new_height, new_width) = steps.old, steps.new
        if self._changes(values[1:]):
            steps.view([product([channels, depth]), height, width])
            steps.add(self.piece(values[1], values[2], "channels_first"))
        if self._changes(values[:1]):
            steps.view([channels, depth, product([new_height, new_width])])
            steps.add(self.piece(self.neutral, values[0]))

    def _changes(self, values: Sequence[Any]) -> bool:
        return any(value != self.neutral for value in values)


class _Steps:
    """Layers in a row, each on its own view of the data."""

    def __init__(self, old: list[Size], new: list[Size]) -> None:
        self.old = old
        self.new = new
        self._pieces: list[Piece] = []
        self._possible = True

    def view(self, sizes: Sequence[Size], suffix: str = "view") -> None:
        """Look at the data in another shape; at most one size may be unknown."""
        self._possible = self._possible and list(sizes).count(None) <= 1
        self._pieces.append(reshape(sizes, suffix))

    def add(self, piece: Piece) -> None:
        """A layer on the present view."""
        self._pieces.append(piece)

    def done(self) -> list[Piece] | None:
        """All layers, back in the shape that is asked for; None where that cannot be."""
        self.view(self.new, "back")
        return self._pieces if self._possible else None


PAD = AxisWise("ZeroPadding2D", "padding", [0, 0], "pad")
CROP = AxisWise("Cropping2D", "cropping", [0, 0], "crop")
REPEAT = AxisWise("UpSampling2D", "size", 1, "repeat")

# SPDX-License-Identifier: Apache-2.0
"""From genes to operators: the one graph that export and resource models share.

How blocks are connected follows μNAS. With ``source`` the input of the latest serial block and
``pending`` the outputs not yet read:

* a serial block adds all pending tensors up ("ties them up") and reads the sum;
* a parallel block reads ``source`` again; its last layer has as many filters as the serial block's
  output has channels, and where that layer is depthwise, a 1x1 convolution follows that sets them;
* a residual block reads what a serial one would, takes on its channels in the same way, and leaves
  both its output and what it read pending;
* tying up: max-pool each tensor by the rounded ratio of its size to the smallest one, pad bottom
  and right to the largest size, then add in order, two at a time.

Kernels larger than their input are clipped to it: in μNAS's space to the smaller side, in ``cnn+``
each side by itself, so that a sequence of one column keeps its k x 1 kernels.

Everything that the device will compute is an operator here: pools round down, padding is a PAD.
"""

from __future__ import annotations

from unas.architecture import (
    Architecture,
    CnnArchitecture,
    CnnPlusArchitecture,
    Connection,
    DenseLayer,
    FinalPooling,
    FinalPoolingKind,
    LayerPadding,
    LayerType,
    PlusBlock,
    PlusLayer,
)
from unas.errors import ArchitectureError
from unas.graph import (
    Activation,
    ConvOptions,
    DenseOptions,
    Graph,
    OperatorKind,
    Padding,
    PoolOptions,
)
from unas.graph.builder import GraphBuilder

_PREPOOL_SIZE = 2
_PADDING = {LayerPadding.SAME: Padding.SAME, LayerPadding.VALID: Padding.VALID}


def build_graph(arch: Architecture, input_shape: tuple[int, int, int], num_classes: int) -> Graph:
    """The operator graph of an architecture.

    Args:
        arch: Genes; not changed.
        input_shape: (height, width, channels) of one input.
        num_classes: Classes; two of them share one logit.

    Returns:
        A graph with one input (1, height, width, channels) and one output (1, classes) of logits.

    Raises:
        ArchitectureError: The input has an empty axis, or there are fewer than two classes.
    """
    if min(input_shape) < 1 or num_classes < 2:
        raise ArchitectureError(
            f"no network from {input_shape} to {num_classes} classes; every axis needs at least "
            "1 element, and there must be at least 2 classes"
        )
    builder = GraphBuilder()
    x = builder.input("input", (1, *input_shape))
    square = isinstance(arch, CnnArchitecture)
    if isinstance(arch, CnnArchitecture):
        arch = CnnPlusArchitecture.from_cnn(arch)
    if isinstance(arch, CnnPlusArchitecture):
        x = _Blocks(builder, square_kernels=square).add(x, arch.blocks)
        if arch.pooling is not None:
            x = _add_final_pooling(builder, x, arch.pooling)
    return builder.finish(_add_dense(builder, x, arch.dense, num_classes))


class _Blocks:
    """Adds blocks; with ``square_kernels`` a kernel stays square where its input clips it."""

    def __init__(self, builder: GraphBuilder, *, square_kernels: bool) -> None:
        self._builder, self._square_kernels = builder, square_kernels

    def add(self, x: int, blocks: tuple[PlusBlock, ...]) -> int:
        builder = self._builder
        source, pending, ties = x, [x], 0
        for number, block in enumerate(blocks, start=1):
            name = f"block{number}"
            if block.connection is Connection.PARALLEL:
                channels = builder.shape(pending[0])[-1]
                pending.append(self._summand(name, source, block, channels))
                continue
            if len(pending) > 1:
                ties += 1
                source = _tie_up(builder, f"tie{ties}", pending)
            else:
                source = pending[0]
            if block.connection is Connection.RESIDUAL:
                channels = builder.shape(source)[-1]
                pending = [self._summand(name, source, block, channels), source]
            else:
                pending = [self._layers(name, source, block.layers)]
        return _tie_up(builder, f"tie{ties + 1}", pending) if len(pending) > 1 else pending[0]

    def _summand(self, name: str, source: int, block: PlusBlock, channels: int) -> int:
        """A block whose output has the given number of channels."""
        builder = self._builder
        x = self._layers(name, source, block.layers[:-1])
        last, prefix = block.layers[-1], f"{name}_layer{len(block.layers)}"
        x = self._layer(prefix, x, last, filters=channels)
        # μNAS ends a depthwise branch with a 1x1 convolution even where the channels agree. A
        # shortcut around depthwise layers needs none then.
        always = block.connection is Connection.PARALLEL
        if last.type is LayerType.DEPTHWISE and (always or builder.shape(x)[-1] != channels):
            x = builder.conv(f"{name}_match", x, filters=channels, kernel=1, options=ConvOptions())
        return x

    def _layers(self, name: str, x: int, layers: tuple[PlusLayer, ...]) -> int:
        for number, layer in enumerate(layers, start=1):
            x = self._layer(f"{name}_layer{number}", x, layer, filters=layer.filters)
        return x

    def _layer(self, name: str, x: int, layer: PlusLayer, *, filters: int | None) -> int:
        builder, size = self._builder, _PREPOOL_SIZE
        if layer.prepool:
            x = _add_pool(builder, f"{name}_prepool", OperatorKind.MAX_POOL_2D, x, size, size)
        kernel = self._clipped(layer, x)
        options = ConvOptions(
            padding=_PADDING[layer.padding],
            stride_h=layer.stride_h,
            stride_w=layer.stride_w,
            activation=Activation.RELU if layer.relu else Activation.NONE,
            batch_norm=layer.batch_norm,
        )
        if layer.type is LayerType.DEPTHWISE:
            return builder.depthwise(f"{name}_dwconv", x, kernel=kernel, options=options)
        if filters is None:
            raise ArchitectureError(f"{name} is a {layer.type} without filters; give it some")
        return builder.conv(f"{name}_conv", x, filters=filters, kernel=kernel, options=options)

    def _clipped(self, layer: PlusLayer, x: int) -> tuple[int, int]:
        """Small inputs clip the kernel rather than fail: the spaces have no invalid members."""
        _, height, width, _ = self._builder.shape(x)
        if self._square_kernels:
            height = width = min(height, width)
        return min(layer.kernel_h, height), min(layer.kernel_w, width)


def _add_pool(
    builder: GraphBuilder, name: str, kind: OperatorKind, x: int, height: int, width: int
) -> int:
    """Pooling with stride = size, clipped to its input; nothing where that leaves 1x1."""
    _, max_height, max_width, _ = builder.shape(x)
    height, width = min(height, max_height), min(width, max_width)
    if height == width == 1:
        return x
    return builder.pool(name, kind, x, PoolOptions(height, width, height, width))


def _tie_up(builder: GraphBuilder, name: str, tensors: list[int]) -> int:
    """The sum of tensors whose heights and widths may differ."""
    sizes = [builder.shape(x)[1:3] for x in tensors]
    min_height, min_width = (min(axis) for axis in zip(*sizes, strict=True))
    pooled = [
        _add_pool(
            builder,
            f"{name}_pool{i}",
            OperatorKind.MAX_POOL_2D,
            x,
            # Python rounds halves to even, and so does the reference.
            round(height / min_height),
            round(width / min_width),
        )
        for i, (x, (height, width)) in enumerate(zip(tensors, sizes, strict=True), start=1)
    ]
    sizes = [builder.shape(x)[1:3] for x in pooled]
    max_height, max_width = (max(axis) for axis in zip(*sizes, strict=True))
    padded = []
    for i, (x, (height, width)) in enumerate(zip(pooled, sizes, strict=True), start=1):
        below, right = max_height - height, max_width - width
        paddings = ((0, 0), (0, below), (0, right), (0, 0))
        padded.append(builder.pad(f"{name}_pad{i}", x, paddings) if below or right else x)
    total = padded[0]
    for i, x in enumerate(padded[1:], start=1):
        total = builder.add(f"{name}_add{i}", total, x)
    return total


def _add_final_pooling(builder: GraphBuilder, x: int, pooling: FinalPooling) -> int:
    if pooling.size is None:
        _, height, width, _ = builder.shape(x)
        return x if height == width == 1 else builder.mean("pooling", x)
    average = pooling.kind is FinalPoolingKind.AVERAGE
    kind = OperatorKind.AVERAGE_POOL_2D if average else OperatorKind.MAX_POOL_2D
    return _add_pool(builder, "pooling", kind, x, pooling.size, pooling.size)


def _add_dense(
    builder: GraphBuilder, x: int, layers: tuple[DenseLayer, ...], num_classes: int
) -> int:
    if len(builder.shape(x)) > 2:
        x = builder.flatten("flatten", x)
    for number, layer in enumerate(layers, start=1):
        options = DenseOptions(activation=Activation.RELU)
        x = builder.dense(f"dense{number}", x, units=layer.units, options=options)
    logits = 1 if num_classes == 2 else num_classes
    return builder.dense("logits", x, units=logits, options=DenseOptions())

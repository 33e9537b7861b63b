# SPDX-License-Identifier: Apache-2.0
"""Where the fields that we read stand in the tables of the TFLite schema: in its order, from 0.

The options of operators are not here: each is read in one place, in decode.py.
"""

from __future__ import annotations

from enum import IntEnum


class ModelSlot(IntEnum):
    """Fields of the file's root table that we read, numbered in the schema's order."""

    VERSION = 0
    OPERATOR_CODES = 1
    SUBGRAPHS = 2
    BUFFERS = 4


class OperatorCodeSlot(IntEnum):
    """Fields of an operator code."""

    DEPRECATED_BUILTIN_CODE = 0
    CUSTOM_CODE = 1
    BUILTIN_CODE = 3


class SubGraphSlot(IntEnum):
    """Fields of a subgraph."""

    TENSORS = 0
    INPUTS = 1
    OUTPUTS = 2
    OPERATORS = 3


class TensorSlot(IntEnum):
    """Fields of a tensor."""

    SHAPE = 0
    TYPE = 1
    BUFFER = 2
    NAME = 3
    QUANTIZATION = 4
    IS_VARIABLE = 5
    SPARSITY = 6


class QuantizationSlot(IntEnum):
    """Fields of a tensor's quantisation parameters."""

    SCALE = 2
    ZERO_POINT = 3


class BufferSlot(IntEnum):
    """Fields of a buffer; OFFSET says that the data stand behind the tables."""

    DATA = 0
    OFFSET = 1


class OperatorSlot(IntEnum):
    """Fields of an operator."""

    OPCODE_INDEX = 0
    INPUTS = 1
    OUTPUTS = 2
    OPTIONS_TYPE = 3
    OPTIONS = 4

# SPDX-License-Identifier: Apache-2.0
"""The operators that models use, as TensorFlow Lite Micro's resolver wants to be told of them."""

from __future__ import annotations

import struct
from collections.abc import Iterable, Sequence

from unas.artifact import Flatbuffer
from unas.errors import ModelError


def operator_names(models: Iterable[Flatbuffer]) -> tuple[str, ...]:
    """TFLite's names (``CONV_2D``) of the builtin operators in models, sorted.

    Raises:
        ModelError: A model is no readable flatbuffer.
    """
    import tflite

    names = {code: name for name, code in vars(tflite.BuiltinOperator).items() if name.isupper()}
    found: set[str] = set()
    for model in models:
        try:
            root = tflite.Model.GetRootAs(model.data, 0)
            codes = [root.OperatorCodes(i) for i in range(root.OperatorCodesLength())]
            # Files of before 2020 have the code in the first field only, newer ones in both.
            numbers = [max(c.BuiltinCode(), c.DeprecatedBuiltinCode()) for c in codes]
        except (struct.error, IndexError, ValueError, TypeError, AttributeError) as error:
            raise ModelError(
                f"{model.name}: the operators cannot be read: {error}; export the model again"
            ) from error
        found |= {names[number] for number in numbers if number in names}
    return tuple(sorted(found))


def resolver_methods(models: Sequence[Flatbuffer], known: frozenset[str] | None) -> tuple[str, ...]:
    """Methods of MicroMutableOpResolver for all operators of some models, sorted.

    Args:
        models: The models of an image.
        known: The methods that the library has; None if it is not here yet. An operator it has no
            method for is left out: the device then names it when the model is opened.

    Returns:
        Names such as ``"AddConv2D"``.
    """
    wanted = [_method(name) for name in operator_names(models)]
    if known is None:
        return tuple(wanted)
    spelled = {name.lower(): name for name in known}
    return tuple(spelled[name.lower()] for name in wanted if name.lower() in spelled)


def _method(name: str) -> str:
    """``DEPTHWISE_CONV_2D`` -> ``AddDepthwiseConv2D``."""
    parts = (part if part[0].isdigit() else part.capitalize() for part in name.split("_"))
    return "Add" + "".join(parts)

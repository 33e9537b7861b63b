# SPDX-License-Identifier: Apache-2.0
"""The structures that Python and the native engine share: mirrors of native/core.h and engine.h."""

from __future__ import annotations

import ctypes

from unicorn import arm_const

ROLES, KINDS, GROUPS, BLOCKS = 8, 16, 20, 16
ENTRY, HEAVY, NOWHERE = 8, 0xFF, 0xFF
NO_REGISTER = 17
_SOURCES, _RESULTS = 4, 3
CORE_M4, CORE_M7 = 4, 7
NO_ACCESS, LOAD, STORE, DIVIDE = range(4)

# core_insn.traits
CONDITIONAL, EARLY, EARLY_ANY, SETS_FLAGS, UNCOMPRESSED, WRITES_BASE, REGISTER_OFFSET = (
    1 << bit for bit in range(7)
)
NEXT_IS_TARGET, FP, FP_MAC, FP_SHADOWED, FP_ITERATIVE, BACKWARD, SIGNED, WATCHED = (
    1 << bit for bit in range(8, 16)
)

UNICORN_FLAGS = arm_const.UC_ARM_REG_XPSR


def unicorn_register(number: int | None) -> int:
    """Unicorn's number of a core register; 0 for none."""
    return 0 if number is None else int(getattr(arm_const, f"UC_ARM_REG_R{number}"))


class Instruction(ctypes.Structure):
    """Mirror of ``core_insn``."""

    _fields_ = (
        ("address_mask", ctypes.c_uint64),
        ("result_mask", ctypes.c_uint64),
        ("operand_mask", ctypes.c_uint64),
        ("address", ctypes.c_uint32),
        ("attributes", ctypes.c_uint32),
        ("base", ctypes.c_int32),
        ("index", ctypes.c_int32),
        ("offset", ctypes.c_int32),
        ("shift", ctypes.c_uint8),
        ("bytes", ctypes.c_uint8),
        ("access", ctypes.c_uint8),
        ("width", ctypes.c_uint8),
        ("words", ctypes.c_uint8),
        ("branch", ctypes.c_uint8),
        ("condition", ctypes.c_uint8),
        ("group", ctypes.c_uint8),
        ("cycles", ctypes.c_uint8),
        ("result_count", ctypes.c_uint8),
        ("sources", ctypes.c_uint16 * _SOURCES),
        ("result", ctypes.c_uint8 * _RESULTS),
        ("kind", ctypes.c_uint8 * _RESULTS),
    )


class Table(ctypes.Structure):
    """Mirror of ``core_table``."""

    _fields_ = (
        ("core", ctypes.c_uint32),
        ("piece_shift", ctypes.c_uint32),
        ("distance", ctypes.c_int32 * ROLES * KINDS),
        ("pairs", ctypes.c_uint8 * GROUPS * GROUPS),
        ("load_group", ctypes.c_uint32),
        ("early_kind", ctypes.c_uint32),
        ("early_role", ctypes.c_uint32),
        ("mispredict", ctypes.c_uint32),
        ("mispredict_early_flags", ctypes.c_uint32),
        ("early_flags_distance", ctypes.c_uint32),
        ("indirect_mispredict", ctypes.c_uint32),
        ("unaligned_older", ctypes.c_uint32),
        ("unaligned_younger", ctypes.c_uint32),
        ("fp_mac_shadow", ctypes.c_uint32),
        ("uncompressed_multiple", ctypes.c_uint32),
        ("unaligned_store_multiple", ctypes.c_uint32),
        ("divide_zero", ctypes.c_uint32),
        ("fetch_shift", ctypes.c_uint32),
        ("pair_over_taken", ctypes.c_uint32),
        ("narrow_store", ctypes.c_uint32),
        ("unaligned_store", ctypes.c_uint32),
        ("store_queue", ctypes.c_uint32),
        ("refill", ctypes.c_uint32),
        ("refill_indirect", ctypes.c_uint32),
        ("refill_wide", ctypes.c_uint32),
        ("load_unaligned_half", ctypes.c_uint32),
        ("load_unaligned_byte", ctypes.c_uint32),
        ("wide_group", ctypes.c_uint32),
        ("wide_store_group", ctypes.c_uint32),
        ("store_fills_load", ctypes.c_uint32),
        ("same_base_breaks", ctypes.c_uint32),
        ("block_count", ctypes.c_uint32),
        ("block_starts", ctypes.c_uint32 * BLOCKS),
    )


class EnginePlace(ctypes.Structure):
    """Mirror of ``engine_place``."""

    _fields_ = (
        ("base", ctypes.c_uint8),
        ("index", ctypes.c_uint8),
        ("offset", ctypes.c_int32),
    )


class Block(ctypes.Structure):
    """Mirror of ``engine_block``."""

    _fields_ = (
        ("address", ctypes.c_uint32),
        ("size", ctypes.c_uint32),
        ("count", ctypes.c_uint32),
        ("entry_count", ctypes.c_uint32),
        ("entry", ctypes.c_int32 * ENTRY),
        ("runs", ctypes.c_uint32),
        ("light", ctypes.c_uint32),
        ("memo", ctypes.c_void_p),
        ("insns", ctypes.c_void_p),
        ("places", ctypes.c_void_p),
        ("keys", ctypes.c_void_p),
    )


class EngineState(ctypes.Structure):
    """Mirror of ``engine``."""

    _fields_ = (
        ("instructions", ctypes.c_uint64),
        ("limit", ctypes.c_uint64),
        ("cycle_limit", ctypes.c_uint64),
        ("origin", ctypes.c_int64),
        ("state", ctypes.c_void_p),
        ("table", ctypes.c_void_p),
        ("bus", ctypes.c_void_p),
        ("pending", ctypes.c_void_p),
        ("next", ctypes.c_void_p),
        ("done", ctypes.c_uint32),
        ("seen", ctypes.c_void_p),
        ("seen_capacity", ctypes.c_uint32),
        ("mask", ctypes.c_uint32),
        ("used", ctypes.c_uint32),
        ("blocks", ctypes.c_void_p),
        ("stop", ctypes.c_void_p),
        ("read", ctypes.c_void_p),
        ("read_all", ctypes.c_void_p),
        ("peek", ctypes.c_void_p),
        ("learn", ctypes.c_void_p),
        ("alert", ctypes.c_void_p),
        ("translate", ctypes.c_void_p),
        ("uc", ctypes.c_void_p),
        ("run", ctypes.c_void_p),
        ("edge", ctypes.c_void_p),
        ("expected", ctypes.c_uint32),
        ("entry_places", ctypes.c_void_p * ENTRY),
        ("entry", ctypes.c_uint32 * ENTRY),
        ("visit_address", ctypes.c_uint32),
        ("visit_size", ctypes.c_uint32),
    )

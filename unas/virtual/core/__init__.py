# SPDX-License-Identifier: Apache-2.0
"""The ARMv7-M core around Unicorn's instructions: exceptions, faults, SysTick, debug registers."""

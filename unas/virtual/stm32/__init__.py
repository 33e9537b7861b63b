# SPDX-License-Identifier: Apache-2.0
"""Peripherals of STM32s, and the chips that they make up."""

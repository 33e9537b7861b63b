# SPDX-License-Identifier: Apache-2.0
"""Between the core and everything around it: memory, registers, buses."""

# SPDX-License-Identifier: Apache-2.0
"""The machine: image, schedule, serial line, what stops it."""

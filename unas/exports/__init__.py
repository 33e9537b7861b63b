# SPDX-License-Identifier: Apache-2.0
"""Export of a network: its files, a project for the board that runs it, a model card."""

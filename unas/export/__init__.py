# SPDX-License-Identifier: Apache-2.0
"""A network taken home: its files, a project for the board that runs it, a model card."""

# SPDX-License-Identifier: Apache-2.0
"""What may be searched: ranges of the genes, random draws, morphs, and the way to a graph."""

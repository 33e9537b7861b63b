# SPDX-License-Identifier: Apache-2.0
"""From templates to a firmware image: render, build, sizes."""

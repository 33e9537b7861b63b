# SPDX-License-Identifier: Apache-2.0
"""Loss and errors from logits; with two classes there is one logit, positive for class 1."""

from __future__ import annotations

from typing import Any


def classification_loss(tf: Any, logits: Any, labels: Any) -> Any:
    """Cross-entropy of each sample, (n,), from (n, classes) or (n, 1) logits."""
    if logits.shape[-1] == 1:
        truth = tf.cast(labels, logits.dtype)
        return tf.nn.sigmoid_cross_entropy_with_logits(truth, logits[:, 0])
    return tf.nn.sparse_softmax_cross_entropy_with_logits(labels, logits)


def teacher_loss(tf: Any, logits: Any, teacher: Any, temperature: float) -> Any:
    """T^2 CE(softmax(teacher / T), softmax(student / T)) of each sample, (n,).

    Source: Hinton, Vinyals, Dean, "Distilling the Knowledge in a Neural Network"; T^2 keeps the
    size of its gradients when T changes.
    """
    soft, student = teacher / temperature, logits / temperature
    if logits.shape[-1] == 1:
        loss = tf.nn.sigmoid_cross_entropy_with_logits(tf.sigmoid(soft), student)[:, 0]
    else:
        loss = tf.nn.softmax_cross_entropy_with_logits(tf.nn.softmax(soft), student)
    return temperature**2 * loss


def mistakes(tf: Any, logits: Any, labels: Any) -> Any:
    """How many samples are classified wrongly, as an int32."""
    if logits.shape[-1] == 1:
        guess = tf.cast(logits[:, 0] > 0.0, labels.dtype)
    else:
        guess = tf.argmax(logits, 1, labels.dtype)
    return tf.math.count_nonzero(guess != labels, dtype=tf.int32)

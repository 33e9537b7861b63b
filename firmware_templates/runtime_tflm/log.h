/* SPDX-License-Identifier: Apache-2.0 */
/* What TensorFlow Lite Micro has to say, kept for the runtime's error instead of printed. */
#ifndef LOG_H
#define LOG_H

/* Forget all. */
void log_clear();
/* The first message since then: later ones say in which function it was noticed. Empty if there was none. */
const char *log_first();
/* Whether any of the messages was about memory that is missing. */
bool log_memory_is_missing();
/* "Requested: …, available …, missing: N": N; 0 if no message told. */
unsigned log_missing_bytes();

#endif

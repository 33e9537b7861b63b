/* SPDX-License-Identifier: Apache-2.0 */
/* What is rendered for each image: resolver.cc. */
#ifndef RESOLVER_H
#define RESOLVER_H

#include "tensorflow/lite/micro/micro_op_resolver.h"

extern const char resolver_revision[];
/* Whether CMSIS-NN's kernels are linked, as opposed to merely being in the library. */
bool resolver_has_cmsis_nn();
/* With the kernels of the operators that the image's models use. */
const tflite::MicroOpResolver *resolver_make();

#endif

/* SPDX-License-Identifier: Apache-2.0 */
/* TFLite's names, for error texts. */
#ifndef RT_NAMES_H
#define RT_NAMES_H

#include <stdint.h>

const char *rt_operator_name(uint32_t code); /* "CONV_2D" */
const char *rt_type_name(uint32_t type);     /* "int8" */

#endif

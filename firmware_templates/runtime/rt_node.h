/* SPDX-License-Identifier: Apache-2.0 */
/* What a kernel sees of its operator while it is prepared.
 *
 * Functions that return bool say false after they have written the error; a kernel passes that on. Each
 * shape, type and quantisation that a kernel relies on in invoke is checked here once, so that invoke checks
 * nothing. */
#ifndef RT_NODE_H
#define RT_NODE_H

#include "rt_arena.h"
#include "rt_fixed_point.h"
#include "rt_schema.h"

enum {
  RT_MAX_RANK = 4,
  RT_MAX_SLOTS = 8, /* inputs that an output can be offered to lie on */
  RT_MAX_SCRATCH = 1 << 29,
  RT_MAX_ELEMENTS = 1 << 28, /* keeps sizes in bytes within 30 bits, and indices within 32 */
};

typedef struct {
  rt_model *model;
  uint32_t index; /* of the operator */
  const char *name;
  rt_vector inputs, outputs;
  uint32_t options, options_type;
  rt_operator *running; /* NULL while only counting */
  runtime_error *error;
} rt_node;

typedef struct {
  uint32_t index;
  uint32_t type;
  bool constant;
  int32_t rank;
  int32_t dims[RT_MAX_RANK];
  int32_t elements;
  float scale; /* the first, if there is one per channel */
  int32_t zero_point;
  rt_vector scales;
  int32_t channel_axis; /* of the scales */
  uint32_t data;        /* where a constant's bytes lie in the file */
} rt_tensor;

/* A tensor by its index in the subgraph. */
bool rt_tensor_read(rt_node *node, uint32_t index, rt_tensor *tensor);

bool rt_node_has_input(rt_node *node, uint32_t slot);

/* int8, one scale and zero point for the whole tensor: an activation, or a constant that stands for one. */
bool rt_node_input(rt_node *node, uint32_t slot, rt_tensor *tensor);
bool rt_node_output(rt_node *node, rt_tensor *tensor);

/* Constant int8, zero point 0, one scale or one per element of dimension channel_axis. */
bool rt_node_weights(rt_node *node, uint32_t slot, int32_t channel_axis, rt_tensor *tensor);

/* Constant int32, one per channel; index is RT_NONE if the operator has none. */
bool rt_node_bias(rt_node *node, uint32_t slot, int32_t channels, rt_tensor *tensor);

/* The values of a constant int32 tensor, at most capacity. */
bool rt_node_integers(rt_node *node, uint32_t slot, int32_t *values, int32_t capacity, int32_t *count);

bool rt_node_expect_rank(rt_node *node, const rt_tensor *tensor, int32_t rank);
bool rt_node_expect_shape(rt_node *node, const rt_tensor *tensor, int32_t rank, const int32_t *dims);
bool rt_node_expect_elements(rt_node *node, const rt_tensor *tensor, int32_t elements);
bool rt_node_expect_same_quantization(rt_node *node, const rt_tensor *a, const rt_tensor *b);

/* Options: the table must be of the given type. Then fields by number (rt_schema.h). */
bool rt_node_expect_options(rt_node *node, uint32_t options_type);
int32_t rt_node_option_u8(rt_node *node, uint32_t field);
int32_t rt_node_option_i32(rt_node *node, uint32_t field, int32_t otherwise);

/* Range of the output that a fused activation leaves. */
bool rt_node_activation(rt_node *node, int32_t activation, const rt_tensor *output, rt_range *range);

bool rt_node_factor(rt_node *node, double real, rt_factor *factor);

/* One factor per output channel: input scale * the channel's weight scale / output scale. */
bool rt_node_channel_factors(rt_node *node, const rt_tensor *input, const rt_tensor *weights,
                             const rt_tensor *output, uint32_t channels, rt_factor *factors);

/* Memory for invoke: its state, once, NULL while only counting; working memory; an output without bytes of
 * its own. */
void *rt_node_keep(rt_node *node, uint32_t bytes);
bool rt_node_scratch(rt_node *node, uint32_t bytes);
void rt_node_alias(rt_node *node, const rt_tensor *input, const rt_tensor *output);

/* Offer to write the one output onto the bytes of the input in this slot (0 to RT_MAX_SLOTS - 1). The planner
 * takes the offer if no one reads those bytes later and the output is no larger than they are; invoke sees
 * from the two pointers, which are then equal, whether it did. May be called for several slots.
 *
 * extra_bytes of working memory are only there if an offer was taken: they stand behind those of
 * rt_node_scratch, in the same buffer. An offer that costs is taken only where the arena gets smaller by it;
 * if there are several offers, all must name the same extra_bytes. */
void rt_node_in_place(rt_node *node, uint32_t slot, uint32_t extra_bytes);

/* Index of the operator's scratch memory among the model's buffers. */
uint32_t rt_node_scratch_index(const rt_node *node);

/* Say why the model cannot run: no kernel for this variant, or a file that breaks its own rules. */
bool rt_node_unsupported(rt_node *node, const char *what);
bool rt_node_broken(rt_node *node, const char *what);

#endif

/* SPDX-License-Identifier: Apache-2.0 */
/* What an operator claims of the arena while it is prepared. */
#ifndef RT_CLAIM_H
#define RT_CLAIM_H

#include "rt_node.h"

/* Memory for invoke: its state, once, NULL while only counting; working memory; an output without bytes of
 * its own. */
void *rt_claim_state(rt_node *node, uint32_t bytes);
bool rt_claim_scratch(rt_node *node, uint32_t bytes);
void rt_claim_alias(rt_node *node, const rt_tensor *input, const rt_tensor *output);

/* Offer to write the one output onto the bytes of the input in this slot (0 to RT_MAX_SLOTS - 1). The planner
 * takes the offer if no one reads those bytes later and the output is no larger than they are; invoke sees
 * from the two pointers, which are then equal, whether it did. May be called for several slots.
 *
 * extra_bytes of working memory are only there if an offer was taken: they stand behind those of
 * rt_claim_scratch, in the same buffer. An offer that costs is taken only where the arena gets smaller by it;
 * if there are several offers, all must name the same extra_bytes. */
void rt_claim_in_place(rt_node *node, uint32_t slot, uint32_t extra_bytes);

/* Index of the operator's scratch memory among the model's buffers. */
uint32_t rt_claim_scratch_index(const rt_node *node);

#endif

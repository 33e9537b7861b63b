/* SPDX-License-Identifier: Apache-2.0 */
/* Which buffers share their bytes: outputs that move nothing (RESHAPE), and outputs written in place. */
#ifndef RT_SHARE_H
#define RT_SHARE_H

#include "rt_arena.h"

/* Decide which offers of rt_node_in_place are taken, and let every RT_ALIAS name the one buffer, its owner,
 * that is placed for all that share its bytes. Those keep their own sizes, none larger than the owner's, and
 * their own lives.
 *
 * An offer is taken if the input's bytes lie in the arena, are at least as many as the output's, and no one
 * reads them later. If it asks for extra working memory, it is taken only if the operator would otherwise
 * need more bytes than the most that some other operator must have anyway. */
void rt_share(rt_model *model);

/* The owner of a buffer's bytes; a buffer that shares no one's is its own. */
uint32_t rt_share_owner(const rt_buffer *buffers, uint32_t index);

/* The most bytes of the first `count` buffers that live at once: no plan has less. */
uint32_t rt_share_bound(const rt_model *model, uint32_t count);

#endif

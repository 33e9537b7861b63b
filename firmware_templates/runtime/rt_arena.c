/* SPDX-License-Identifier: Apache-2.0 */
#define RT_ARENA_LINKAGE /* external: the one place where these functions are */
#include "rt_arena.h"

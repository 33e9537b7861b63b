/* SPDX-License-Identifier: Apache-2.0 */
/* TensorFlow Lite Micro's own planner, watched: it alone knows what of the arena's head is scratch memory. */
#ifndef PLANNER_H
#define PLANNER_H

#include "tensorflow/lite/micro/memory_planner/greedy_memory_planner.h"

#include <cstdint>

/* Has no members of its own: the arena must hold what it would hold without us. */
class WatchedPlanner final : public tflite::GreedyMemoryPlanner {
public:
  TfLiteStatus Init(unsigned char *scratch_buffer, int scratch_buffer_size) override;
  TfLiteStatus AddBuffer(int size, int first_time_used, int last_time_used) override;
  TfLiteStatus AddBuffer(int size, int first_time_used, int last_time_used, int offline_offset) override;
  TfLiteStatus GetOffsetForBuffer(int buffer_index, int *offset) override;

  void operator delete(void *) {} /* never called: nothing is destroyed */
};

/* Bytes from the arena's start to the end of the highest tensor in the last plan. */
uint32_t planner_tensor_bytes();

#endif

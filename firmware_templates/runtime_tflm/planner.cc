/* SPDX-License-Identifier: Apache-2.0 */
#include "planner.h"

namespace {

/* Networks of more buffers than that still run; what exceeds them counts as scratch memory. */
constexpr int kBuffers = 512;
int tensor_sizes[kBuffers]; /* 0 for scratch memory */
uint32_t tensor_end;

/* Scratch memory lives during one operator; a tensor is written by one and read by a later one. */
void note(int buffer, int size, int first, int last) {
  if (buffer < kBuffers) {
    tensor_sizes[buffer] = first == last ? 0 : size;
  }
}

} // namespace

TfLiteStatus WatchedPlanner::Init(unsigned char *scratch_buffer, int scratch_buffer_size) {
  tensor_end = 0;
  return GreedyMemoryPlanner::Init(scratch_buffer, scratch_buffer_size);
}

TfLiteStatus WatchedPlanner::AddBuffer(int size, int first_time_used, int last_time_used) {
  note(GetBufferCount(), size, first_time_used, last_time_used);
  return GreedyMemoryPlanner::AddBuffer(size, first_time_used, last_time_used);
}

TfLiteStatus WatchedPlanner::AddBuffer(int size, int first_time_used, int last_time_used,
                                       int offline_offset) {
  note(GetBufferCount(), size, first_time_used, last_time_used);
  return GreedyMemoryPlanner::AddBuffer(size, first_time_used, last_time_used, offline_offset);
}

TfLiteStatus WatchedPlanner::GetOffsetForBuffer(int buffer_index, int *offset) {
  const TfLiteStatus status = GreedyMemoryPlanner::GetOffsetForBuffer(buffer_index, offset);
  if (status == kTfLiteOk && buffer_index < kBuffers && tensor_sizes[buffer_index] > 0) {
    const uint32_t end = static_cast<uint32_t>(*offset + tensor_sizes[buffer_index]);
    tensor_end = end > tensor_end ? end : tensor_end;
  }
  return status;
}

uint32_t planner_tensor_bytes() { return tensor_end; }

/* SPDX-License-Identifier: Apache-2.0 */
/* DEPTHWISE_CONV_2D for the DSP extension: up to four output channels at a time, over the whole image.
 *
 * Channels do not see each other, so the rows that a block of them needs are few bytes: they are widened
 * once, with the input offset added and the padding around them, into a ring in scratch memory. From there
 * the output may overwrite its input. Where rows of taps are clipped they are skipped; columns never are.
 *
 * With a depth multiplier of 1, the four channels lie in one word, and each product has its own input:
 * SMLABB and SMLATT on halves (channels 0 and 2, 1 and 3). Otherwise, and for a last single channel, the
 * channels share their input: SMLAD on two neighbouring taps. */
#include "depthwise_run.h"

#if RT_DSP_KERNELS

#include "../rt_kernels.h"
#include "depthwise_conv.h"

/* What an invocation knows beyond its state. */
typedef struct {
  const rt_depthwise_state *state;
  rt_window rows, columns; /* trimmed */
  const int8_t *weights;   /* of the first tap that is left */
  const int32_t *bias;
  rt_depthwise_block *block;
  uint8_t *ring;
  int32_t ring_rows, row_bytes; /* of the ring; row_bytes as for four channels */
  /* For blocks of so many lanes: */
  int32_t lanes;
  bool shared; /* they see the same input */
  rt_depthwise_source source;
  rt_depthwise_run run;
  rt_depthwise_row compute;
} depthwise_job;

/* Drop the taps before and behind that never meet the input, as of a filter larger than the image. Gives how
 * many before. Taps of which none is left make the window useless: its filter or pad is not positive. */
static int32_t trim(rt_window *window) {
  const int32_t last = rt_window_origin(window, window->output - 1);
  const int32_t first = last < 0 ? (-last + window->dilation - 1) / window->dilation : 0;
  const int32_t end = (window->input - 1 + window->pad) / window->dilation + 1;
  window->filter = (end < window->filter ? end : window->filter) - first;
  window->pad -= first * window->dilation;
  return first;
}

/* Columns of padding behind a row. */
static int32_t right_columns(const rt_window *columns) {
  const int32_t seen =
      (columns->output - 1) * columns->stride + (columns->filter - 1) * columns->dilation + 1;
  const int32_t right = seen - columns->pad - columns->input;
  return right > 0 ? right : 0;
}

/* Rows that the ring must hold: all that a row of the output sees, those between dilated taps too, and up to
 * the one that it may overwrite. */
static int32_t count_rows(const rt_window *rows) {
  const int32_t covered = (rows->filter - 1) * rows->dilation + 1;
  const int32_t kept = covered > rows->pad ? covered : rows->pad + 1;
  return kept < rows->input ? kept : rows->input;
}

/* Two taps share a word where they are neighbours. */
static int32_t steps_of(const rt_window *columns) {
  return columns->dilation == 1 ? (columns->filter + 1) / 2 : columns->filter;
}

static int64_t block_bytes(const rt_window *rows, const rt_window *columns, int32_t multiplier) {
  const int64_t words = multiplier > 1 ? 2 * steps_of(columns) : columns->filter;
  return (int64_t)sizeof(rt_depthwise_block) + rows->filter * words * 8;
}

static bool has_one_output(const rt_depthwise_state *state) {
  return state->multiplier == 1 && state->rows.output == 1 && state->columns.output == 1;
}

/* Prepare for blocks of so many lanes: what does not depend on the channel, and zeros for the padding, which
 * rows of the input never touch. */
static void plan_blocks(depthwise_job *job, int32_t lanes) {
  const rt_depthwise_state *state = job->state;
  const rt_window *columns = &job->columns;
  const bool shared = state->multiplier > 1 || lanes == 1;
  const int32_t cell = shared ? 2 : 8; /* bytes of a column in the ring */
  const int32_t row_bytes = shared ? job->row_bytes / 4 : job->row_bytes;
  job->lanes = lanes;
  job->shared = shared;
  job->run = (rt_depthwise_run){.block = job->block,
                                .ring = job->ring,
                                .ring_bytes = job->ring_rows * row_bytes,
                                .row_step = job->rows.dilation * row_bytes,
                                .steps = shared ? steps_of(columns) : columns->filter,
                                .step_bytes = shared && columns->dilation == 1 ? 4 : cell * columns->dilation,
                                .outputs = columns->output,
                                .output_step = state->out_channels,
                                .pixel_bytes = columns->stride * cell,
                                .lanes = lanes,
                                .offset = rt_gain_offset(state->output_offset)};
  job->source = (rt_depthwise_source){
      .width = columns->input,
      .channels = state->in_channels,
      .lanes = lanes,
      .left = columns->pad,
      .offsets = dsp_pkhbt16((uint32_t)state->input_offset, (uint32_t)state->input_offset)};
  job->compute = rt_depthwise_choose(&job->run, shared);
  if (!has_one_output(state)) {
    memset(job->ring, 0, (size_t)job->run.ring_bytes);
  }
}

static void set_channels(depthwise_job *job, int32_t channel) {
  const rt_depthwise_state *state = job->state;
  rt_depthwise_block *block = job->block;
  job->run.gains = (const uint32_t *)(const void *)&state->factors[channel];
  if (job->bias == NULL) {
    memset(block->biases, 0, sizeof block->biases);
  } else if (job->lanes == RT_DEPTHWISE_LANES) { /* of a size that the compiler knows */
    memcpy(block->biases, job->bias + channel, sizeof block->biases);
  } else {
    memcpy(block->biases, job->bias + channel, (size_t)job->lanes * sizeof block->biases[0]);
  }
}

static void pack_weights(const depthwise_job *job, int32_t channel) {
  const rt_depthwise_state *state = job->state;
  const int32_t channels = state->out_channels, row_bytes = state->columns.filter * channels;
  const int8_t *weights = job->weights + channel;
  uint32_t *packed = job->block->weights;
  if (!job->shared && job->columns.filter == state->columns.filter) { /* all rows are like one */
    rt_depthwise_pack(packed, weights, channels, job->rows.filter * job->columns.filter, job->lanes);
    return;
  }
  for (int32_t row = job->rows.filter; row > 0; --row, weights += row_bytes) {
    packed = job->shared ? rt_depthwise_pack_shared(packed, weights, channels, job->columns.filter,
                                                    job->lanes, job->columns.dilation == 1)
                         : rt_depthwise_pack(packed, weights, channels, job->columns.filter, job->lanes);
  }
}

/* The one output of an image that the filter covers: no input is read twice, so nothing is kept. */
static void convolve_pixel(const depthwise_job *job, const int8_t *image, int32_t channel, int8_t *output) {
  const rt_window *rows = &job->rows, *columns = &job->columns;
  const rt_taps down = rt_window_taps(rows, 0), across = rt_window_taps(columns, 0);
  const int32_t y = rt_window_origin(rows, 0) + down.first * rows->dilation;
  const int32_t x = rt_window_origin(columns, 0) + across.first * columns->dilation;
  const int32_t channels = job->state->out_channels, filter = job->state->columns.filter;
  const rt_depthwise_patch patch = {.inputs = image + (y * columns->input + x) * channels,
                                    .weights = job->weights + channel +
                                               (down.first * filter + across.first) * channels,
                                    .rows = down.end - down.first,
                                    .taps = across.end - across.first,
                                    .input_row_step = rows->dilation * columns->input * channels,
                                    .input_step = columns->dilation * channels,
                                    .weight_row_step = filter * channels,
                                    .weight_step = channels,
                                    .offsets = job->source.offsets};
  rt_depthwise_pixel(&patch, &job->run, output);
}

static void convolve_block(depthwise_job *job, const int8_t *input, int8_t *output) {
  rt_depthwise_run *run = &job->run;
  const rt_window *rows = &job->rows;
  const int32_t row_bytes = run->ring_bytes / job->ring_rows;
  const int32_t input_step = job->columns.input * job->source.channels;
  const int32_t output_step = run->outputs * run->output_step;
  const int32_t weights_step = run->steps * (job->shared && job->lanes > 1 ? 4 : 2);
  uint8_t *slot = job->ring, *const end = job->ring + run->ring_bytes;
  int32_t loaded = 0;
  for (int32_t y = 0; y < rows->output; ++y) {
    const rt_taps down = rt_window_taps(rows, y);
    const int32_t origin = rt_window_origin(rows, y);
    const int32_t seen = origin + (down.end - 1) * rows->dilation;
    const int32_t last = seen > y ? seen : y; /* row y of the output may lie on that of the input */
    for (; loaded <= last; ++loaded) {
      if (job->shared) {
        rt_depthwise_load_shared(&job->source, input, slot);
      } else {
        rt_depthwise_load(&job->source, input, slot);
      }
      input += input_step;
      slot += row_bytes;
      slot = slot == end ? job->ring : slot;
    }
    run->first = (origin + down.first * rows->dilation) % job->ring_rows * row_bytes;
    run->rows = down.end - down.first;
    run->weights = job->block->weights + down.first * weights_step;
    job->compute(run, output);
    output += output_step;
  }
}

/* The outputs of the block that starts at a channel. */
static void convolve(depthwise_job *job, const int8_t *image, int32_t channel, int8_t *output) {
  const rt_depthwise_state *state = job->state;
  const int8_t *input = image + channel / state->multiplier;
  set_channels(job, channel);
  if (has_one_output(state)) {
    convolve_pixel(job, input, channel, output + channel);
  } else {
    pack_weights(job, channel);
    convolve_block(job, input, output + channel);
  }
}

/* Lanes of the block that starts at a channel. */
static int32_t count_lanes(const rt_depthwise_state *state, int32_t channel) {
  const int32_t group = state->multiplier > 1 ? state->multiplier : state->out_channels;
  const int32_t left = group - channel % group;
  return left < RT_DEPTHWISE_LANES ? left : RT_DEPTHWISE_LANES;
}

void rt_depthwise_conv_dsp_invoke(const rt_model *model, const void *kept) {
  const rt_depthwise_state *state = kept;
  if (state->plain) {
    rt_depthwise_conv_invoke(model, kept);
    return;
  }
  depthwise_job job = {.state = state,
                       .rows = state->rows,
                       .columns = state->columns,
                       .bias = state->bias == RT_NONE ? NULL : rt_model_data(model, state->bias),
                       .block = rt_model_buffer(model, state->scratch)};
  const rt_window *rows = &job.rows, *columns = &job.columns;
  const int32_t skipped = trim(&job.rows) * state->columns.filter + trim(&job.columns);
  job.weights = (const int8_t *)rt_model_data(model, state->filter) + skipped * state->out_channels;
  job.ring_rows = count_rows(rows);
  job.row_bytes = (columns->pad + columns->input + right_columns(columns)) * 8;
  job.ring = (uint8_t *)job.block + block_bytes(rows, columns, state->multiplier);
  const int8_t *image = rt_model_data(model, state->input);
  int8_t *output = rt_model_buffer(model, state->output), *const start = output;
  const int32_t in_bytes = rows->input * columns->input * state->in_channels;
  const int32_t out_bytes = rows->output * columns->output * state->out_channels;
  for (int32_t batch = 0; batch < state->batches; ++batch) {
    for (int32_t channel = 0; channel < state->out_channels; channel += job.lanes) {
      const int32_t lanes = count_lanes(state, channel);
      if (lanes != job.lanes) {
        plan_blocks(&job, lanes);
      }
      convolve(&job, image, channel, output);
    }
    image += in_bytes;
    output += out_bytes;
  }
  rt_gain_clamp(start, (uint32_t)(output - start), state->range);
}

/* Bytes of scratch memory, or 0 where only the plain kernel can do it. */
static uint32_t scratch_bytes(const rt_depthwise_state *state) {
  rt_window rows = state->rows, columns = state->columns;
  (void)trim(&rows);
  (void)trim(&columns);
  if (rows.filter < 1 || rows.pad < 0 || columns.filter < 1 || columns.pad < 0) {
    return 0;
  }
  if (has_one_output(state)) {
    return sizeof(rt_depthwise_block);
  }
  const int64_t width = (int64_t)columns.pad + columns.input + right_columns(&columns);
  const int64_t bytes = count_rows(&rows) * width * 8 + 8 + block_bytes(&rows, &columns, state->multiplier);
  return bytes >= RT_MAX_SCRATCH ? 0 : (uint32_t)bytes;
}

bool rt_depthwise_conv_dsp_prepare(rt_node *node) {
  rt_depthwise_state state, *kept;
  if (!rt_depthwise_conv_read(node, &state, &kept)) {
    return false;
  }
  const uint32_t bytes = scratch_bytes(&state);
  const bool fits =
      bytes > 0 && (kept == NULL || rt_gain_rewrite(kept->factors, (uint32_t)state.out_channels));
  if (kept != NULL) {
    kept->plain = !fits;
  }
  if (!fits || kept == NULL) {
    rt_depthwise_conv_offer(node, &state); /* only counting: what either kernel wants */
  }
  if (!fits) {
    return true;
  }
  if (kept != NULL && state.multiplier == 1) {
    rt_node_in_place(node, 0, 0);
  }
  return rt_node_scratch(node, bytes);
}

#endif

/* SPDX-License-Identifier: Apache-2.0 */
/* SOFTMAX over the last axis, in fixed point throughout. Qm means m integer bits, the sign and 31 - m others.
 *
 * The steps and constants are those of gemmlowp's fixed-point functions, on which TensorFlow Lite Micro's
 * bytes depend: exp by a Taylor polynomial around -1/8 and a product of powers, 1/x by Newton and Raphson. */
#include "../rt_kernels.h"

enum { DIFFERENCE_BITS = 5, SUM_BITS = 12, OUTPUT_BITS = 8 };
/* TensorFlow Lite Micro aborts where the exponentials of a row add up to 512 or more. */
enum { MAX_DEPTH = 511 };

typedef struct {
  uint32_t input, output;
  int32_t rows, depth;
  int32_t lowest_difference; /* below it, exp is zero */
  rt_factor factor;          /* beta * input scale, to Q5 */
} softmax_state;

/* x * 2^bits, held at the ends of 32 bits. */
static int32_t shift_left_saturating(int32_t x, int32_t bits) {
  const int64_t shifted = (int64_t)x * (INT64_C(1) << bits);
  return shifted > INT32_MAX ? INT32_MAX : shifted < INT32_MIN ? INT32_MIN : (int32_t)shifted;
}

/* exp(x) in Q0 for x in Q0, -1/4 <= x < 0: the polynomial up to the fourth power around -1/8. */
static int32_t exp_of_quarter(int32_t x) {
  const int32_t exp_of_center = 1895147668, third = 715827883; /* exp(-1/8) and 1/3 in Q0 */
  const int32_t d = x + (1 << 28);
  const int32_t d2 = rt_multiply_high(d, d);
  const int32_t d3 = rt_multiply_high(d2, d);
  const int32_t quarter_of_d4 = rt_shift_right(rt_multiply_high(d2, d2), 2);
  const int32_t rest = rt_shift_right(rt_multiply_high(quarter_of_d4 + d3, third) + d2, 1);
  return exp_of_center + rt_multiply_high(exp_of_center, d + rest);
}

/* exp(x) in Q0 for x <= 0 in Q5: a quarter's worth from the polynomial, the rest bit by bit. */
static int32_t exp_of_negative(int32_t x) {
  /* exp(-2^k) in Q0 for k = -2 to 4. */
  static const int32_t powers[] = {1672461947, 1302514674, 790015084, 290630308, 39332535, 720401, 242};
  const int32_t quarter = 1 << (31 - DIFFERENCE_BITS - 2);
  const int32_t within = (x & (quarter - 1)) - quarter;
  const int32_t rest = within - x;
  if (x == 0) {
    return INT32_MAX;
  }
  int32_t result = exp_of_quarter(shift_left_saturating(within, DIFFERENCE_BITS));
  for (uint32_t i = 0; i < sizeof powers / sizeof powers[0]; ++i) {
    if ((rest & (quarter << i)) != 0) {
      result = rt_multiply_high(result, powers[i]);
    }
  }
  return result;
}

/* 1 / (1 + x) in Q0 for x in Q0, 0 <= x < 1: three steps of Newton and Raphson in Q2 for 1 / ((1 + x) / 2).
 */
static int32_t reciprocal_of_one_plus(int32_t x) {
  const int32_t half = (int32_t)(((int64_t)x + INT32_MAX + 1) / 2); /* (1 + x) / 2 in Q0 */
  const int32_t first = 1515870810, slope = -1010580540;            /* 48/17 and -32/17 in Q2 */
  const int32_t one = 1 << 29;
  int32_t estimate = first + rt_multiply_high(half, slope);
  for (int32_t i = 0; i < 3; ++i) {
    const int32_t error = one - rt_multiply_high(half, estimate);
    estimate += shift_left_saturating(rt_multiply_high(estimate, error), 2);
  }
  return shift_left_saturating(estimate, 1); /* half of it, from Q2 to Q0 */
}

/* exp of a scaled difference to the row's largest value, in Q0. */
static int32_t exp_of_difference(const softmax_state *state, int32_t difference) {
  return exp_of_negative(rt_scale(difference, state->factor));
}

static void normalize_row(const softmax_state *state, const int8_t *input, int8_t *output) {
  const rt_range range = {INT8_MIN, INT8_MAX};
  int32_t largest = INT8_MIN, sum = 0; /* the sum in Q12 */
  for (int32_t i = 0; i < state->depth; ++i) {
    largest = input[i] > largest ? input[i] : largest;
  }
  for (int32_t i = 0; i < state->depth; ++i) {
    const int32_t difference = input[i] - largest;
    if (difference >= state->lowest_difference) {
      sum += rt_shift_right(exp_of_difference(state, difference), SUM_BITS);
    }
  }
  /* The sum is at least exp(0) = 1, so there is a leading one; the bits behind it are the fraction. */
  const int32_t headroom = __builtin_clz((uint32_t)sum);
  const int32_t reciprocal =
      reciprocal_of_one_plus((int32_t)(((uint32_t)sum << headroom) - (UINT32_C(1) << 31)));
  const int32_t shift = SUM_BITS - headroom + 31 - OUTPUT_BITS;
  for (int32_t i = 0; i < state->depth; ++i) {
    const int32_t difference = input[i] - largest;
    int32_t scaled = 0;
    if (difference >= state->lowest_difference) {
      scaled = rt_shift_right(rt_multiply_high(reciprocal, exp_of_difference(state, difference)), shift);
    }
    output[i] = (int8_t)rt_clamp(scaled + INT8_MIN, range);
  }
}

void rt_softmax_invoke(const rt_model *model, const void *kept) {
  const softmax_state *state = kept;
  const int8_t *input = rt_model_data(model, state->input);
  int8_t *output = rt_model_buffer(model, state->output);
  for (int32_t row = 0; row < state->rows; ++row) {
    normalize_row(state, input, output);
    input += state->depth;
    output += state->depth;
  }
}

static bool set_factor(rt_node *node, const rt_tensor *input, softmax_state *state) {
  const double largest = 2147483647.0; /* beyond it, everything but the row's largest value is zero */
  const int32_t fraction_bits = 31 - DIFFERENCE_BITS;
  const float beta = rt_field_f32(&node->model->file, node->options, RT_SOFTMAX_BETA, 0.0F);
  const double real = (double)beta * (double)input->scale * (double)(INT32_C(1) << fraction_bits);
  if (!(real > 1.0)) {
    return rt_node_unsupported(node, "its beta or the input's scale is too small");
  }
  (void)rt_factor_from_real(real < largest ? real : largest, &state->factor); /* shift 31 for the largest */
  const int64_t radius = (((INT64_C(1) << DIFFERENCE_BITS) - 1) << fraction_bits) >> state->factor.shift;
  state->lowest_difference = (int32_t)-radius;
  return true;
}

bool rt_softmax_prepare(rt_node *node) {
  rt_tensor input, output;
  softmax_state state;
  if (!rt_node_expect_options(node, RT_OPTIONS_SOFTMAX) || !rt_node_input(node, 0, &input) ||
      !rt_node_output(node, &output) || !rt_node_expect_shape(node, &output, input.rank, input.dims) ||
      !set_factor(node, &input, &state)) {
    return false;
  }
  const float expected = 1.0F / 256.0F;
  if (input.rank < 1 || output.zero_point != INT8_MIN || output.scale < expected || output.scale > expected) {
    return rt_node_unsupported(node, "its output's scale is not 1/256 or its zero point not -128");
  }
  if (input.dims[input.rank - 1] > MAX_DEPTH) {
    return rt_node_unsupported(node, "more than 511 classes");
  }
  state.input = input.index;
  state.output = output.index;
  state.depth = input.dims[input.rank - 1];
  state.rows = input.elements / state.depth;
  rt_node_in_place(node, 0, 0); /* each element is read for the last time before it is written */
  softmax_state *kept = rt_node_keep(node, sizeof state);
  if (kept != NULL) {
    *kept = state;
  }
  return true;
}

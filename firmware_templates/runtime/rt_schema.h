/* SPDX-License-Identifier: Apache-2.0 */
/* Field numbers and values of TFLite's schema (tensorflow/lite/schema/schema.fbs, version 3) that we read. */
#ifndef RT_SCHEMA_H
#define RT_SCHEMA_H

enum { RT_SCHEMA_VERSION = 3 };

enum rt_model_field { RT_MODEL_VERSION, RT_MODEL_OPERATOR_CODES, RT_MODEL_SUBGRAPHS, RT_MODEL_BUFFERS = 4 };
enum rt_subgraph_field {
  RT_SUBGRAPH_TENSORS,
  RT_SUBGRAPH_INPUTS,
  RT_SUBGRAPH_OUTPUTS,
  RT_SUBGRAPH_OPERATORS,
};
enum rt_tensor_field {
  RT_TENSOR_SHAPE,
  RT_TENSOR_TYPE,
  RT_TENSOR_BUFFER,
  RT_TENSOR_QUANTIZATION = 4,
  RT_TENSOR_IS_VARIABLE,
};
enum rt_quantization_field {
  RT_QUANTIZATION_SCALE = 2,
  RT_QUANTIZATION_ZERO_POINT,
  RT_QUANTIZATION_DIMENSION = 6,
};
enum rt_buffer_field { RT_BUFFER_DATA };
enum rt_operator_code_field {
  RT_OPERATOR_CODE_DEPRECATED, /* one byte; codes above 127 are only in the wide field */
  RT_OPERATOR_CODE_WIDE = 3,
};
enum rt_operator_field {
  RT_OPERATOR_OPCODE_INDEX,
  RT_OPERATOR_INPUTS,
  RT_OPERATOR_OUTPUTS,
  RT_OPERATOR_OPTIONS_TYPE,
  RT_OPERATOR_OPTIONS,
};

/* Options of the operators: the union's type, then each table's fields. */
enum rt_options_type {
  RT_OPTIONS_CONV_2D = 1,
  RT_OPTIONS_DEPTHWISE_CONV_2D = 2,
  RT_OPTIONS_POOL_2D = 5,
  RT_OPTIONS_FULLY_CONNECTED = 8,
  RT_OPTIONS_SOFTMAX = 9,
  RT_OPTIONS_CONCATENATION = 10,
  RT_OPTIONS_ADD = 11,
};
enum rt_conv_field {
  RT_CONV_PADDING,
  RT_CONV_STRIDE_W,
  RT_CONV_STRIDE_H,
  RT_CONV_ACTIVATION,
  RT_CONV_DILATION_W,
  RT_CONV_DILATION_H,
};
enum rt_depthwise_field {
  RT_DEPTHWISE_PADDING,
  RT_DEPTHWISE_STRIDE_W,
  RT_DEPTHWISE_STRIDE_H,
  RT_DEPTHWISE_MULTIPLIER,
  RT_DEPTHWISE_ACTIVATION,
  RT_DEPTHWISE_DILATION_W,
  RT_DEPTHWISE_DILATION_H,
};
enum rt_pool_field {
  RT_POOL_PADDING,
  RT_POOL_STRIDE_W,
  RT_POOL_STRIDE_H,
  RT_POOL_FILTER_W,
  RT_POOL_FILTER_H,
  RT_POOL_ACTIVATION,
};
enum rt_fully_connected_field { RT_FULLY_CONNECTED_ACTIVATION, RT_FULLY_CONNECTED_WEIGHTS_FORMAT };
enum rt_softmax_field { RT_SOFTMAX_BETA };
enum rt_concatenation_field { RT_CONCATENATION_AXIS, RT_CONCATENATION_ACTIVATION };
enum rt_add_field { RT_ADD_ACTIVATION };

enum rt_padding { RT_PADDING_SAME, RT_PADDING_VALID };
enum rt_activation { RT_ACTIVATION_NONE, RT_ACTIVATION_RELU, RT_ACTIVATION_RELU6 = 3 };

enum rt_type { RT_TYPE_FLOAT32 = 0, RT_TYPE_INT32 = 2, RT_TYPE_INT8 = 9 };

enum rt_operator_code {
  RT_ADD = 0,
  RT_AVERAGE_POOL_2D = 1,
  RT_CONCATENATION = 2,
  RT_CONV_2D = 3,
  RT_DEPTHWISE_CONV_2D = 4,
  RT_FULLY_CONNECTED = 9,
  RT_MAX_POOL_2D = 17,
  RT_RELU = 19,
  RT_RELU6 = 21,
  RT_RESHAPE = 22,
  RT_SOFTMAX = 25,
  RT_PAD = 34,
  RT_MEAN = 40,
  RT_QUANTIZE = 114,
};

#endif

/* SPDX-License-Identifier: Apache-2.0 */
/* More basic blocks than the counter's first table holds, run over and over. */
  .syntax unified
  .thumb
  .section .vectors, "a"
  .word _stack_top
  .word reset_handler
  .text
  .thumb_func
  .type reset_handler, %function
  .global reset_handler
reset_handler:
  .rept 10000
  b 1f
1:
  .endr
  b.w reset_handler

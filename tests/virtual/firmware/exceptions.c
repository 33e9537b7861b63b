/* SPDX-License-Identifier: Apache-2.0 */
/* One scenario a build, for the tests of exceptions, timers and serial lines. Runs at reset clocks: 16 MHz.
 * Results go to memory, moments to ITM port 0, the end is a semihosting exit. */
#include <stdint.h>

#define REG32(address) (*(volatile uint32_t *)(address))
#define RCC 0x40023800u
#define TIM2 0x40000000u
#define USART3 0x40004800u
#define DMA1 0x40026000u
#define SYSTICK 0xE000E010u
#define ISER REG32(0xE000E100u)
#define ISPR REG32(0xE000E200u)
#define IPR(irq) (*(volatile uint8_t *)(0xE000E400u + (irq)))
#define ICSR REG32(0xE000ED04u)
#define SHPR(exception) (*(volatile uint8_t *)(0xE000ED14u + (exception)))
#define STAGE(word) (REG32(0xE0000000u) = (word))

extern uint32_t _stack_top, _data_load, _data_start, _data_end, _bss_start, _bss_end;
uint32_t results[64] __attribute__((section(".noinit")));
static volatile uint32_t logged, ticks;

__attribute__((noreturn)) static void leave(uint32_t code) {
  uint32_t block[2] = {0x20026u, code};
  register uint32_t operation __asm("r0") = 0x20;
  register uint32_t *argument __asm("r1") = block;
  __asm volatile("bkpt 0xab" ::"r"(operation), "r"(argument) : "memory");
  for (;;) {
  }
}

static void put(uint32_t word) { results[logged++] = word; }
static void wait_for_interrupt(void) { __asm volatile("wfi" ::: "memory"); }

/* What a handler sees: EXC_RETURN, the frame, the state of the lazy floating-point registers. */
void record_frame(const uint32_t *frame, uint32_t exc_return);
void record_frame(const uint32_t *frame, uint32_t exc_return) {
  results[0] = exc_return;
  results[1] = (uint32_t)frame;
  for (uint32_t i = 0; i < 26; i++)
    results[2 + i] = frame[i];
  results[28] = REG32(0xE000EF34u);
  results[29] = REG32(0xE000EF38u);
#ifdef FLOAT_FRAME
  __asm volatile("vmov.f32 s0, #31.0\n vmov.f32 s15, #31.0" ::: "s0", "s15");
  results[30] = REG32(0xE000EF34u);
#endif
}

__attribute__((naked)) void svc_handler(void) {
  __asm volatile("tst lr, #4\n ite eq\n mrseq r0, msp\n mrsne r0, psp\n mov r1, lr\n b record_frame");
}

/* Known values in every register of the frame, a stack that is no multiple of 8, all flags set. */
__attribute__((naked)) void known_state(__attribute__((unused)) uint32_t *after) {
  __asm volatile("push {r0, r4-r7, lr}\n"
                 "sub sp, #4\n"
#ifdef FLOAT_FRAME
                 "vldr s0, =0x3F800000\n vldr s15, =0x41700000\n"
                 "ldr r0, =0x00C00000\n vmsr fpscr, r0\n"
#endif
                 "ldr r0, =0xF80F0000\n msr apsr_nzcvqg, r0\n"
                 "ldr r0, =0x10000000\n ldr r1, =0x11111111\n ldr r2, =0x22222222\n ldr r3, =0x33333333\n"
                 "ldr r12, =0xCCCCCCCC\n ldr lr, =0xEEEEEEEE\n"
                 "svc #0\n"
                 ".global behind_svc\n behind_svc:\n"
                 "mrs r4, apsr\n"
                 "add sp, #4\n pop {r5}\n"
                 "stmia r5!, {r0-r4}\n str r12, [r5]\n str lr, [r5, #4]\n"
#ifdef FLOAT_FRAME
                 "vstr s0, [r5, #8]\n vstr s15, [r5, #12]\n"
#endif
                 "pop {r4-r7, pc}\n .ltorg");
}

static void frame(void) {
  uint32_t after[16];
  known_state(after);
  for (uint32_t i = 0; i < 9; i++)
    results[40 + i] = after[i];
}

static void process_stack(void) {
  static uint64_t stack[64];
  __asm volatile("msr psp, %0\n mov r0, #2\n msr control, r0\n isb" ::"r"(stack + 64) : "r0", "memory");
  __asm volatile("svc #0" ::: "memory");
  uint32_t control;
  __asm volatile("mrs %0, control" : "=r"(control));
  results[40] = control;
  results[41] = (uint32_t)stack;
}

/* Interrupt 0 and 2 have priority 0x80, 1 has 0x40. */
static void begin_interrupts(void) {
  IPR(0) = IPR(2) = 0x80;
  IPR(1) = 0x40;
  ISER = 7;
}
void irq0_handler(void) {
  put(0xB0);
#ifdef PRIORITIES
  ISPR = 2; /* more urgent: preempts at once */
  __asm volatile("dsb\n isb" ::: "memory");
#endif
  put(0xE0);
}
void irq1_handler(void) { put(0xB1); }
void irq2_handler(void) { put(0xB2); }

static void priorities(void) {
  begin_interrupts();
  __asm volatile("cpsid i");
  ISPR = 1;
  ISPR = 4;
  ISPR = 2;
  put(0xA0);
  __asm volatile("cpsie i\n isb" ::: "memory");
  put(0xA1);
  __asm volatile("msr basepri, %0\n isb" ::"r"(0x60) : "memory");
  ISPR = 4;
  __asm volatile("dsb");
  put(0xA2);
  __asm volatile("msr basepri, %0\n isb" ::"r"(0) : "memory");
  put(0xA3);
}

static void chain(void) {
  begin_interrupts();
  __asm volatile("cpsid i");
  ISPR = 1;
  ISPR = 4;
  __asm volatile("cpsie i\n isb" ::: "memory");
}

void systick_handler(void) {
  ticks++;
  STAGE(0x100u + ticks);
#ifdef SWITCHING
  ICSR = 1u << 28;
#endif
}

static void start_systick(uint32_t reload) {
  REG32(SYSTICK + 4) = reload;
  REG32(SYSTICK + 8) = 0;
  REG32(SYSTICK) = 7;
}

static void sleeping(void) {
  start_systick(9999);
  while (ticks < 5)
    wait_for_interrupt();
}

static void events(void) {
  __asm volatile("sev\n wfe"); /* the event is there already */
  STAGE(1);
  start_systick(9999);
  __asm volatile("cpsid i");
  REG32(0xE000ED10u) = 1u << 4; /* SEVONPEND */
  __asm volatile("wfe");
  STAGE(2);
}

void tim2_handler(void) {
  REG32(TIM2 + 0x10) = 0;
  ticks++;
  STAGE(0x200u + REG32(TIM2 + 0x24));
}

static void timer(void) {
  REG32(RCC + 0x40) |= 1;
  REG32(TIM2 + 0x28) = 9;
  REG32(TIM2 + 0x2C) = 999;
  REG32(TIM2 + 0x14) = 1;
  REG32(TIM2 + 0x10) = 0;
  REG32(TIM2 + 0x0C) = 1;
  ISER = 1u << 28;
  REG32(TIM2) = 1;
  while (ticks < 5)
    wait_for_interrupt();
}

static void start_uart(uint32_t control, uint32_t requests) {
  REG32(RCC + 0x40) |= 1u << 18;
  REG32(USART3 + 0x0C) = 139;
  REG32(USART3 + 0x08) = requests;
  REG32(0xE000E104u) = 1u << (39 - 32);
  REG32(USART3) = control | 0xD;
}

static uint8_t line[16];
static volatile uint32_t received, sent;

void usart3_handler(void) {
  uint32_t status = REG32(USART3 + 0x1C), control = REG32(USART3);
  if (status & control & 0x20u) {
    STAGE(0x300u + received);
    line[received++ & 15u] = (uint8_t)REG32(USART3 + 0x24);
    if (line[(received - 1) & 15u] == '\n')
      REG32(USART3) = control | 0x80u;
  } else if (status & control & 0x80u) {
    uint32_t letter = line[sent & 15u];
    sent++;
    REG32(USART3 + 0x28) = sent < received ? letter ^ 0x20u : letter;
    if (sent == received)
      REG32(USART3) = (control & ~0x80u) | 0x40u;
  } else if (status & control & 0x40u) {
    REG32(USART3 + 0x20) = 0x40;
    STAGE(0x3FF);
    REG32(USART3) = control & ~0x40u;
    leave(0);
  }
  if (status & control & 0x10u) {
    REG32(USART3 + 0x20) = 0x10;
    STAGE(0x3F0u + (8u - REG32(DMA1 + 0x10 + 0x18 + 4))); /* how many came */
  }
}

static void uart_interrupts(void) {
  start_uart(0x20, 0);
  for (;;)
    wait_for_interrupt();
}

void dma1_stream1_handler(void) {
  REG32(DMA1 + 0x08) = 0x3Fu << 6;
  REG32(DMA1 + 0x10 + 0x48 + 8) = USART3 + 0x28;
  REG32(DMA1 + 0x10 + 0x48 + 12) = (uint32_t)line;
  REG32(DMA1 + 0x10 + 0x48 + 4) = 8;
  REG32(0xE000E100u) = 1u << 14;
  REG32(DMA1 + 0x10 + 0x48) = 4u << 25 | 1u << 10 | 1u << 6 | 1u << 4 | 1;
}
void dma1_stream3_handler(void) {
  REG32(DMA1 + 0x08) = 0x3Fu << 22;
  results[0] = REG32(DMA1 + 0x10 + 0x48);
  leave(0);
}

static void uart_dma(void) {
  REG32(RCC + 0x30) |= 1u << 21;
  REG32(DMA1 + 0x10 + 0x18 + 8) = USART3 + 0x24;
  REG32(DMA1 + 0x10 + 0x18 + 12) = (uint32_t)line;
  REG32(DMA1 + 0x10 + 0x18 + 4) = 8;
  REG32(0xE000E100u) = 1u << 12;
  REG32(DMA1 + 0x10 + 0x18) = 4u << 25 | 1u << 10 | 1u << 4 | 1;
  start_uart(0x10, 0xC0);
  for (;;)
    wait_for_interrupt();
}

/* A small scheduler: PendSV swaps two threads on the process stack, each in the middle of float arithmetic.
 */
static uint64_t stacks[2][128];
static uint32_t *saved[2];
static volatile uint32_t current, finished;

uint32_t *swap_threads(uint32_t *stack);
uint32_t *swap_threads(uint32_t *stack) {
  saved[current] = stack;
  current ^= 1;
  return saved[current];
}

__attribute__((naked)) void pendsv_handler(void) {
  __asm volatile("mrs r0, psp\n"
                 "tst lr, #0x10\n it eq\n vstmdbeq r0!, {s16-s31}\n"
                 "stmdb r0!, {r4-r11, lr}\n"
                 "bl swap_threads\n"
                 "ldmia r0!, {r4-r11, lr}\n"
                 "tst lr, #0x10\n it eq\n vldmiaeq r0!, {s16-s31}\n"
                 "msr psp, r0\n bx lr");
}

static float work(float value, uint32_t rounds) {
  float sum = 0.0f, factor = 1.0f;
  for (uint32_t i = 0; i < rounds; i++) {
    factor = factor * value + 0.25f;
    sum += factor / (1.0f + sum * 0.5f);
  }
  return sum;
}

static void thread(uint32_t number) {
  union {
    float number;
    uint32_t word;
  } sum = {work(number ? 0.75f : 0.5f, 3000)};
  results[number] = sum.word;
  finished |= 1u << number;
  for (;;)
    if (finished == 3)
      leave(ticks);
}
static void first_thread(void) { thread(0); }
static void second_thread(void) { thread(1); }

static void switching(void) {
  results[2] = (union {
                 float f;
                 uint32_t w;
               }){work(0.5f, 3000)}
                   .w;
  results[3] = (union {
                 float f;
                 uint32_t w;
               }){work(0.75f, 3000)}
                   .w;
  uint32_t *top = (uint32_t *)(stacks[1] + 128) - 17; /* as if it had been swapped out */
  for (uint32_t i = 0; i < 17; i++)
    top[i] = 0;
  top[8] = 0xFFFFFFFDu;
  top[15] = (uint32_t)second_thread;
  top[16] = 1u << 24;
  saved[1] = top;
  SHPR(14) = 0xF0;
  start_systick(700);
  __asm volatile("msr psp, %0\n mov r0, #2\n msr control, r0\n isb" ::"r"(stacks[0] + 128) : "r0", "memory");
  first_thread();
}

/* The handler steps over the instruction that faulted. */
void skip_fault(uint32_t *frame, uint32_t exc_return);
void skip_fault(uint32_t *frame, uint32_t exc_return) {
  put(REG32(0xE000ED28u));
  put(exc_return);
  REG32(0xE000ED28u) = UINT32_MAX;
  frame[6] += 2;
}
__attribute__((naked)) void bus_fault_handler(void) {
  __asm volatile("tst lr, #4\n ite eq\n mrseq r0, msp\n mrsne r0, psp\n mov r1, lr\n b skip_fault");
}
static void bad_load(void) { __asm volatile("movs r1, #0x60\n lsls r1, #24\n ldr r1, [r1]" ::: "r1", "cc"); }
void irq3_handler(void) {
  bad_load();
  put(0xB3);
}
static void faults(void) {
  REG32(0xE000ED24u) = 1u << 17; /* BUSFAULTENA */
  bad_load();
  put(0xA0);
  IPR(3) = 0x80;
  ISER = 8;
  ISPR = 8;
  __asm volatile("dsb\n isb");
  put(0xA1);
}

static void greet(void) {
  register uint32_t operation __asm("r0") = 4;
  register const char *argument __asm("r1") = "hello\n";
  __asm volatile("bkpt 0xab" : "+r"(operation) : "r"(argument) : "memory");
  leave(3);
}

static void endless(void) {
  for (;;)
    __asm volatile("nop");
}

static void unknown(void) {
  for (uint32_t i = 0; i < 3; i++)
    (void)REG32(0x50060800u); /* the random number generator */
}

void reset_handler(void);
void reset_handler(void) {
  for (uint32_t *from = &_data_load, *to = &_data_start; to < &_data_end;)
    *to++ = *from++;
  for (uint32_t *to = &_bss_start; to < &_bss_end;)
    *to++ = 0;
  REG32(0xE000ED08u) = 0x08000000u;
  REG32(0xE000ED88u) |= 0x00F00000u;
  REG32(0xE000EDFCu) |= 1u << 24;
  __asm volatile("dsb\n isb");
  SCENARIO();
  leave(0);
}

__attribute__((used)) static void *const unused[] = {
    (void *)frame,           (void *)process_stack, (void *)priorities, (void *)chain,     (void *)sleeping,
    (void *)events,          (void *)timer,         (void *)uart_dma,   (void *)switching, (void *)faults,
    (void *)uart_interrupts, (void *)greet,         (void *)endless,    (void *)unknown};

__attribute__((section(".vectors"), used)) static const void *const vectors[16 + 98] = {
    [0] = &_stack_top,
    [1] = (const void *)reset_handler,
    [5] = (const void *)bus_fault_handler,
    [11] = (const void *)svc_handler,
    [14] = (const void *)pendsv_handler,
    [15] = (const void *)systick_handler,
    [16] = (const void *)irq0_handler,
    [17] = (const void *)irq1_handler,
    [18] = (const void *)irq2_handler,
    [19] = (const void *)irq3_handler,
    [16 + 12] = (const void *)dma1_stream1_handler,
    [16 + 14] = (const void *)dma1_stream3_handler,
    [16 + 28] = (const void *)tim2_handler,
    [16 + 39] = (const void *)usart3_handler};

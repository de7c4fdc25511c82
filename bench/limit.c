/*
 * bench limit: how many operations a second (of processor time) one core's arithmetic does, whatever the
 * memory: the same multiply-and-add instruction over and over, on registers, with as many sums at once as
 * hide how long one takes. A product of matrices cannot be faster; a multiplication and an addition are
 * two operations.
 *
 *     f32    vfmadd231ps   AVX-512, else AVX2
 *     bf16   tdpbf16ps     AMX, else vdpbf16ps of AVX-512
 *     int8   tdpbusd       AMX, else vpdpbusd of AVX-512
 */
#include "bench/bench.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

struct instruction {
    const char *name;
    double operations;           /* of one turn of the loop */
    void (*run)(unsigned turns); /* NULL: this processor has none */
};

#ifdef __x86_64__
#include <cpuid.h>
#include <immintrin.h>
#include <sys/syscall.h>
#include <unistd.h>

/* Sixteen sums of a vector instruction; registers 30 and 31 hold what is multiplied. */
#define FOR_16(DO)                                                                                 \
    DO(0)                                                                                          \
    DO(1) DO(2) DO(3) DO(4) DO(5) DO(6) DO(7) DO(8) DO(9) DO(10) DO(11) DO(12) DO(13) DO(14) DO(15)
#define FOR_12(DO) DO(0) DO(1) DO(2) DO(3) DO(4) DO(5) DO(6) DO(7) DO(8) DO(9) DO(10) DO(11)

#define FMA_512(n)  "vfmadd231ps %%zmm30, %%zmm31, %%zmm" #n "\n\t"
#define FMA_256(n)  "vfmadd231ps %%ymm14, %%ymm15, %%ymm" #n "\n\t"
#define BF16_512(n) "vdpbf16ps %%zmm30, %%zmm31, %%zmm" #n "\n\t"
#define INT8_512(n) "vpdpbusd %%zmm30, %%zmm31, %%zmm" #n "\n\t"
#define CLEAR(n)    "vxorps %%ymm" #n ", %%ymm" #n ", %%ymm" #n "\n\t"

#define LOOP(CLEARS, LOAD_A, LOAD_B, BODY)                                                         \
    __asm__ volatile(CLEARS LOAD_A LOAD_B "1:\n\t" BODY "decl %[turns]\n\tjnz 1b\n\tvzeroupper"    \
                     : [turns] "+r"(turns)                                                         \
                     : [a] "m"(a), [b] "m"(b)                                                      \
                     : "cc", "xmm0", "xmm1", "xmm2", "xmm3", "xmm4", "xmm5", "xmm6", "xmm7",       \
                       "xmm8", "xmm9", "xmm10", "xmm11", "xmm12", "xmm13", "xmm14", "xmm15")

/* Numbers of which sums neither vanish nor overflow, in each type. */
static const float a = 1.0009765625f, b = 9.5367431640625e-7f;

__attribute__((target("avx512f"))) static void run_fma_512(unsigned turns)
{
    LOOP(FOR_16(CLEAR), "vbroadcastss %[a], %%zmm30\n\t", "vbroadcastss %[b], %%zmm31\n\t",
         FOR_16(FMA_512));
}

__attribute__((target("avx2,fma"))) static void run_fma_256(unsigned turns)
{
    LOOP(FOR_12(CLEAR), "vbroadcastss %[a], %%ymm14\n\t", "vbroadcastss %[b], %%ymm15\n\t",
         FOR_12(FMA_256));
}

__attribute__((target("avx512f"))) static void run_bf16_512(unsigned turns)
{
    LOOP(FOR_16(CLEAR), "vbroadcastss %[a], %%zmm30\n\t", "vbroadcastss %[b], %%zmm31\n\t",
         FOR_16(BF16_512));
}

__attribute__((target("avx512f"))) static void run_int8_512(unsigned turns)
{
    LOOP(FOR_16(CLEAR), "vbroadcastss %[a], %%zmm30\n\t", "vbroadcastss %[b], %%zmm31\n\t",
         FOR_16(INT8_512));
}

/* Sixteen rows of 64 bytes in each of eight tiles: 0 to 3 are sums, 4 to 7 what is multiplied. */
struct tile_configuration {
    uint8_t palette, start, reserved[14];
    uint16_t bytes[16];
    uint8_t rows[16];
};

#define TILES(DO)                                                                                  \
    DO(0, 4, 6) DO(1, 4, 7) DO(2, 5, 6) DO(3, 5, 7) DO(0, 4, 6) DO(1, 4, 7) DO(2, 5, 6) DO(3, 5, 7)
#define TILE_BF16(sum, x, y) _tile_dpbf16ps(sum, x, y);
#define TILE_INT8(sum, x, y) _tile_dpbusd(sum, x, y);

__attribute__((target("amx-tile"))) static void load_tiles(void)
{
    static const uint8_t numbers[16][64] = {{0x3f}};
    /* Static, for GCC 12 does not know that the instruction reads all of it. */
    static const struct tile_configuration configuration = {
        .palette = 1,
        .bytes = {64, 64, 64, 64, 64, 64, 64, 64},
        .rows = {16, 16, 16, 16, 16, 16, 16, 16}};

    _tile_loadconfig(&configuration);
    _tile_zero(0);
    _tile_zero(1);
    _tile_zero(2);
    _tile_zero(3);
    _tile_loadd(4, numbers, 64);
    _tile_loadd(5, numbers, 64);
    _tile_loadd(6, numbers, 64);
    _tile_loadd(7, numbers, 64);
}

__attribute__((target("amx-tile,amx-bf16"))) static void run_bf16_tiles(unsigned turns)
{
    load_tiles();
    while (turns-- > 0) {
        TILES(TILE_BF16)
    }
    _tile_release();
}

__attribute__((target("amx-tile,amx-int8"))) static void run_int8_tiles(unsigned turns)
{
    load_tiles();
    while (turns-- > 0) {
        TILES(TILE_INT8)
    }
    _tile_release();
}

/* Bit 22 is bfloat16, 25 int8, 24 the tiles, which the system has to allow the process. */
static bool has_tiles(unsigned bit)
{
    enum { REQUEST_PERMISSION = 0x1023, TILE_DATA = 18 };
    unsigned eax, ebx, ecx, edx;

    return __get_cpuid_count(7, 0, &eax, &ebx, &ecx, &edx) && (edx >> bit & 1) && (edx >> 24 & 1) &&
           syscall(SYS_arch_prctl, REQUEST_PERMISSION, TILE_DATA) == 0;
}

static struct instruction best_instruction(const char *precision)
{
    bool avx512 = __builtin_cpu_supports("avx512f");

    if (strcmp(precision, "f32") == 0) {
        if (avx512)
            return (struct instruction){"vfmadd231ps, AVX-512", 16 * 16 * 2, run_fma_512};
        if (__builtin_cpu_supports("fma"))
            return (struct instruction){"vfmadd231ps, AVX2", 12 * 8 * 2, run_fma_256};
    } else if (strcmp(precision, "bf16") == 0) {
        if (has_tiles(22))
            return (struct instruction){"tdpbf16ps, AMX", 8 * 16 * 16 * 32 * 2, run_bf16_tiles};
        if (avx512 && __builtin_cpu_supports("avx512bf16"))
            return (struct instruction){"vdpbf16ps, AVX-512", 16 * 32 * 2, run_bf16_512};
    } else {
        if (has_tiles(25))
            return (struct instruction){"tdpbusd, AMX", 8 * 16 * 16 * 64 * 2, run_int8_tiles};
        if (avx512 && __builtin_cpu_supports("avx512vnni"))
            return (struct instruction){"vpdpbusd, AVX-512", 16 * 64 * 2, run_int8_512};
    }
    return (struct instruction){0};
}
#else
static struct instruction best_instruction(const char *precision)
{
    (void)precision;
    return (struct instruction){0};
}
#endif

/* Operations a second, the best of some tenths of a second. */
static double measure(const struct instruction *instruction)
{
    unsigned turns = 1000;
    double best = 0, seconds = 0;

    while (seconds < 0.02) { /* long enough for the clock */
        double start = processor_seconds();
        turns *= 2;
        instruction->run(turns);
        seconds = processor_seconds() - start;
    }
    for (size_t i = 0; i < 20; i++) {
        double start = processor_seconds();
        instruction->run(turns);
        best = fmax(best, instruction->operations * turns / (processor_seconds() - start));
    }
    return best;
}

int bench_limit(const struct bench_options *options)
{
    struct instruction instruction = best_instruction(options->precision);
    double operations = instruction.run ? measure(&instruction) : 0;

    if (options->json)
        printf("{\"precision\": \"%s\", \"gflops\": %.2f, \"instruction\": \"%s\", "
               "\"processor\": \"%s\"}\n",
               options->precision, operations * 1e-9, instruction.run ? instruction.name : "",
               processor_name());
    else if (instruction.run)
        printf("%-4s %8.1f GFLOP/s on one core (%s)\n", options->precision, operations * 1e-9,
               instruction.name);
    else
        printf("%-4s this processor has no instruction for it\n", options->precision);
    return 0;
}

#include "CCRC32C.h"

#include <string.h>

// CRC-32C (Castagnoli): polynomial 1EDC6F41, here reflected; initial value and final xor FFFFFFFF.
#define POLYNOMIAL 0x82f63b78u

// ---- tables, eight bytes at a time ----

static uint32_t tables[8][256];

static void make_tables(void) {
    for (uint32_t byte = 0; byte < 256; byte++) {
        uint32_t crc = byte;
        for (int bit = 0; bit < 8; bit++) crc = (crc >> 1) ^ (crc & 1 ? POLYNOMIAL : 0);
        tables[0][byte] = crc;
    }
    for (int t = 1; t < 8; t++) {
        for (uint32_t byte = 0; byte < 256; byte++) {
            uint32_t before = tables[t - 1][byte];
            tables[t][byte] = (before >> 8) ^ tables[0][before & 0xff];
        }
    }
}

static inline uint64_t load_little_endian(const unsigned char *p) {
    uint64_t word;
    memcpy(&word, p, 8);
#if __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__
    word = __builtin_bswap64(word);
#endif
    return word;
}

uint32_t sluice_crc32c_table(uint32_t crc, const void *bytes, size_t count) {
    const unsigned char *p = bytes;
    crc = ~crc;
    for (; count >= 8; p += 8, count -= 8) {
        uint64_t word = load_little_endian(p) ^ crc;
        crc = tables[7][word & 0xff] ^ tables[6][(word >> 8) & 0xff] ^ tables[5][(word >> 16) & 0xff]
            ^ tables[4][(word >> 24) & 0xff] ^ tables[3][(word >> 32) & 0xff] ^ tables[2][(word >> 40) & 0xff]
            ^ tables[1][(word >> 48) & 0xff] ^ tables[0][word >> 56];
    }
    for (; count > 0; p++, count--) crc = (crc >> 8) ^ tables[0][(crc ^ *p) & 0xff];
    return ~crc;
}

// ---- the instruction ----
//
// It takes three cycles and one can start in each, so three neighbouring blocks are worked on side by side. Their values
// are put together by shifting: the CRC of a block followed by n zero bytes is a linear function of the block's CRC, and
// four table look-ups compute it for a fixed n.

#if defined(__x86_64__)
#include <nmmintrin.h>
#define HARDWARE 1
#define WITH_INSTRUCTION __attribute__((target("sse4.2")))
#define CRC_WORD(crc, word) ((uint32_t)_mm_crc32_u64((crc), (word)))
#define CRC_BYTE(crc, byte) _mm_crc32_u8((crc), (byte))
static int has_instruction(void) {
    __builtin_cpu_init();
    return __builtin_cpu_supports("sse4.2");
}
#elif defined(__aarch64__) && defined(__ARM_FEATURE_CRC32)
#include <arm_acle.h>
#define HARDWARE 1
#define WITH_INSTRUCTION
#define CRC_WORD(crc, word) __crc32cd((crc), (word))
#define CRC_BYTE(crc, byte) __crc32cb((crc), (byte))
static int has_instruction(void) { return 1; }
#endif

#ifdef HARDWARE

#define LONG_BLOCK 2048
#define SHORT_BLOCK 256

static uint32_t shift_long[4][256];
static uint32_t shift_short[4][256];

// The value of the CRC register after `count` zero bytes, for each single byte of the register.
static void make_shift(uint32_t shift[4][256], size_t count) {
    uint32_t bits[32];
    for (int bit = 0; bit < 32; bit++) {
        uint32_t crc = 1u << bit;
        for (size_t i = 0; i < count; i++) crc = (crc >> 8) ^ tables[0][crc & 0xff];
        bits[bit] = crc;
    }
    for (int part = 0; part < 4; part++) {
        for (uint32_t byte = 0; byte < 256; byte++) {
            uint32_t crc = 0;
            for (int bit = 0; bit < 8; bit++) {
                if (byte & (1u << bit)) crc ^= bits[8 * part + bit];
            }
            shift[part][byte] = crc;
        }
    }
}

static inline uint32_t shifted(const uint32_t shift[4][256], uint32_t crc) {
    return shift[0][crc & 0xff] ^ shift[1][(crc >> 8) & 0xff] ^ shift[2][(crc >> 16) & 0xff] ^ shift[3][crc >> 24];
}

#define THREE_STREAMS(block, shift)                                                                                    \
    while (count >= 3 * (block)) {                                                                                     \
        uint32_t second = 0, third = 0;                                                                                \
        for (size_t i = 0; i < (block); i += 8) {                                                                      \
            crc = CRC_WORD(crc, load_little_endian(p + i));                                                            \
            second = CRC_WORD(second, load_little_endian(p + (block) + i));                                            \
            third = CRC_WORD(third, load_little_endian(p + 2 * (block) + i));                                          \
        }                                                                                                              \
        crc = shifted(shift, crc) ^ second;                                                                            \
        crc = shifted(shift, crc) ^ third;                                                                             \
        p += 3 * (block);                                                                                              \
        count -= 3 * (block);                                                                                          \
    }

WITH_INSTRUCTION static uint32_t crc32c_hardware(uint32_t crc, const void *bytes, size_t count) {
    const unsigned char *p = bytes;
    crc = ~crc;
    THREE_STREAMS(LONG_BLOCK, shift_long)
    THREE_STREAMS(SHORT_BLOCK, shift_short)
    for (; count >= 8; p += 8, count -= 8) crc = CRC_WORD(crc, load_little_endian(p));
    for (; count > 0; p++, count--) crc = CRC_BYTE(crc, *p);
    return ~crc;
}

#endif

// ---- the choice ----

static uint32_t (*chosen)(uint32_t, const void *, size_t) = sluice_crc32c_table;

__attribute__((constructor)) static void choose(void) {
    make_tables();
#ifdef HARDWARE
    if (has_instruction()) {
        make_shift(shift_long, LONG_BLOCK);
        make_shift(shift_short, SHORT_BLOCK);
        chosen = crc32c_hardware;
    }
#endif
}

uint32_t sluice_crc32c(uint32_t crc, const void *bytes, size_t count) {
    return chosen(crc, bytes, count);
}

int sluice_crc32c_is_hardware(void) {
    return chosen != sluice_crc32c_table;
}

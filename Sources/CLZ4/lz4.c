#include "CLZ4.h"

#if !__has_include(<lz4.h>)
#error "lz4.h not found: install liblz4-dev (apt-get install liblz4-dev)"
#endif

#include <limits.h>
#include <lz4.h>

size_t sluice_lz4_compress(const void *bytes, size_t count, void *block, size_t capacity) {
    if (count > LZ4_MAX_INPUT_SIZE) return 0;
    if (capacity > INT_MAX) capacity = INT_MAX;
    int written = LZ4_compress_default(bytes, block, (int)count, (int)capacity);
    return written > 0 ? (size_t)written : 0;
}

int64_t sluice_lz4_decompress(const void *block, size_t count, void *bytes, size_t capacity) {
    if (count > INT_MAX || capacity > INT_MAX) return -1;
    int written = LZ4_decompress_safe(block, bytes, (int)count, (int)capacity);
    return written >= 0 ? written : -1;
}

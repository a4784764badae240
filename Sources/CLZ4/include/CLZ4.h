#ifndef SLUICE_CLZ4_H
#define SLUICE_CLZ4_H

#include <stddef.h>
#include <stdint.h>

/// Compresses `count` bytes into one LZ4 block. Returns its length, or 0 when it needs more than `capacity` bytes.
size_t sluice_lz4_compress(const void *bytes, size_t count, void *block, size_t capacity);

/// Decompresses one LZ4 block into at most `capacity` bytes. Returns how many there are, or -1 when the block is not
/// valid or holds more. Never reads or writes outside what it was given.
int64_t sluice_lz4_decompress(const void *block, size_t count, void *bytes, size_t capacity);

#endif

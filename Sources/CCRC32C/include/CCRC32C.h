#ifndef SLUICE_CCRC32C_H
#define SLUICE_CCRC32C_H

#include <stddef.h>
#include <stdint.h>

/// CRC-32C of `count` bytes, going on from `crc` (0 at the beginning). Uses the processor's instruction where there is
/// one; which one is decided once, when the program is loaded.
uint32_t sluice_crc32c(uint32_t crc, const void *bytes, size_t count);

/// The same by tables, on any machine. Exported so that a test can compare the two.
uint32_t sluice_crc32c_table(uint32_t crc, const void *bytes, size_t count);

/// 1 when sluice_crc32c uses an instruction, 0 when it uses the tables.
int sluice_crc32c_is_hardware(void);

#endif

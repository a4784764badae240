// The system calls that FileIO makes, as plain functions.
//
// Swift cannot see some of them (statx, futex, O_DIRECT and the rest of _GNU_SOURCE), and between a failing call and
// Swift's read of errno the runtime may run code of its own. So every function here returns its result, or -errno.
//
// Only <stdint.h> and <stddef.h> are included: two C modules that both show libc's types to one Swift file can clash.

#ifndef CLINUX_H
#define CLINUX_H

#include <stddef.h>
#include <stdint.h>

// --- Files -----------------------------------------------------------------------------------------------------------

#define LINUX_OPEN_WRITE 1u   // O_RDWR; without it O_RDONLY
#define LINUX_OPEN_CREATE 2u  // O_CREAT | O_EXCL, mode 0600
#define LINUX_OPEN_SYNCED 4u  // O_DSYNC
#define LINUX_OPEN_DIRECT 8u  // O_DIRECT

// Always with O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY: never follows a link, never waits for a fifo's other end.
int32_t linux_open(int32_t directory, const char *name, uint32_t flags);

// A new open file description of the same inode, whatever its name is by now, through /proc/self/fd.
int32_t linux_reopen(int32_t descriptor, uint32_t flags);

int32_t linux_open_directory(const char *path, int32_t follow_link);
int32_t linux_make_directory(const char *path);
int32_t linux_close(int32_t descriptor);

int64_t linux_read(int32_t descriptor, void *bytes, size_t count, uint64_t offset);
int64_t linux_write(int32_t descriptor, const void *bytes, size_t count, uint64_t offset);
int32_t linux_sync_data(int32_t descriptor);
int32_t linux_sync(int32_t descriptor);
int32_t linux_truncate(int32_t descriptor, uint64_t size);
// Asks for clean cached pages of the range to be dropped. A count of 0 means to the end of the file.
int32_t linux_drop_cache(int32_t descriptor, uint64_t offset, uint64_t count);

// Asks the kernel to begin reading the range into its cache.
int32_t linux_prefetch(int32_t descriptor, uint64_t offset, uint64_t count);

int32_t linux_rename(int32_t directory, const char *old_name, const char *new_name);
int32_t linux_unlink(int32_t directory, const char *name);

// flock(LOCK_EX | LOCK_NB): 1 taken, 0 held by somebody else.
int32_t linux_try_lock(int32_t descriptor);
int32_t linux_unlock(int32_t descriptor);

#define LINUX_KIND_REGULAR 0u
#define LINUX_KIND_DIRECTORY 1u
#define LINUX_KIND_LINK 2u
#define LINUX_KIND_OTHER 3u

typedef struct {
    uint64_t size;
    uint64_t allocated_bytes;
    uint64_t link_count;
    uint64_t device;
    uint64_t inode;
    uint32_t kind;  // LINUX_KIND_...
    uint64_t modified_ns;  // since 1970; 0 for anything before
} linux_status_t;

int32_t linux_status(int32_t descriptor, linux_status_t *status);
// Of what the name itself stands for, a link included.
int32_t linux_status_at(int32_t directory, const char *name, linux_status_t *status);

typedef struct {
    uint64_t free_bytes;
    uint64_t magic;
    uint32_t direct_alignment;  // 0 where the kernel does not say
} linux_volume_t;

int32_t linux_volume(int32_t directory, linux_volume_t *volume);

// A directory stream over a descriptor of its own. `linux_list_next` copies the next name, `.` and `..` left out, and
// returns its length; 0 at the end. A name on Linux has at most 255 bytes.
int32_t linux_list_open(int32_t directory, void **stream);
int32_t linux_list_next(void *stream, char name[256]);
void linux_list_close(void *stream);

// --- Time, randomness, threads ---------------------------------------------------------------------------------------

uint64_t linux_wall_clock(void);       // nanoseconds since 1970
uint64_t linux_monotonic_clock(void);  // nanoseconds

// Fills with getrandom(2), waiting for the kernel's pool once after boot.
int32_t linux_random(void *bytes, size_t count);

// Sleeps while *word == expected, until woken, interrupted, or the monotonic deadline (UINT64_MAX: none).
// 0, or -EAGAIN, -EINTR, -ETIMEDOUT.
int32_t linux_futex_wait(uint32_t *word, uint32_t expected, uint64_t deadline);
int32_t linux_futex_wake_all(uint32_t *word);

// Lets the C library keep freed memory instead of giving it back at once, and take blocks below `mapped_bytes` from it: up
// to `kept_bytes` at the end of each of its heaps. Of glibc; does nothing elsewhere.
void linux_keep_freed_memory(int32_t kept_bytes, int32_t mapped_bytes);

// A joinable thread with every signal blocked, so that handlers run on the program's own threads.
int32_t linux_thread_start(const char *name, void *(*body)(void *), void *context, uint64_t *thread);
int32_t linux_thread_join(uint64_t thread);
int32_t linux_thread_detach(uint64_t thread);
uint64_t linux_thread_current(void);

#endif

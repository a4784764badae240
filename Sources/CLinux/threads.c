#include "CLinux.h"

#include <errno.h>
#include <linux/futex.h>
#include <malloc.h>
#include <pthread.h>
#include <signal.h>
#include <sys/random.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

static uint64_t nanoseconds(clockid_t clock) {
    struct timespec now;
    clock_gettime(clock, &now);
    return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

uint64_t linux_wall_clock(void) { return nanoseconds(CLOCK_REALTIME); }
uint64_t linux_monotonic_clock(void) { return nanoseconds(CLOCK_MONOTONIC); }

int32_t linux_random(void *bytes, size_t count) {
    uint8_t *next = bytes;
    while (count > 0) {
        ssize_t got = getrandom(next, count, 0);
        if (got < 0 && errno != EINTR) return -errno;
        if (got < 0) continue;
        next += got;
        count -= (size_t)got;
    }
    return 0;
}

int32_t linux_futex_wait(uint32_t *word, uint32_t expected, uint64_t deadline) {
    struct timespec until = {
        .tv_sec = (time_t)(deadline / 1000000000u),
        .tv_nsec = (long)(deadline % 1000000000u),
    };
    // FUTEX_WAIT_BITSET takes an absolute time on the monotonic clock, so an interrupted wait needs no arithmetic.
    long done = syscall(SYS_futex, word, FUTEX_WAIT_BITSET | FUTEX_PRIVATE_FLAG, expected,
                        deadline == UINT64_MAX ? NULL : &until, NULL, FUTEX_BITSET_MATCH_ANY);
    return done < 0 ? -errno : 0;
}

int32_t linux_futex_wake_all(uint32_t *word) {
    long woken = syscall(SYS_futex, word, FUTEX_WAKE | FUTEX_PRIVATE_FLAG, INT32_MAX, NULL, NULL, 0);
    return woken < 0 ? -errno : (int32_t)woken;
}

void linux_keep_freed_memory(int32_t kept_bytes, int32_t mapped_bytes) {
#ifdef __GLIBC__
    mallopt(M_TRIM_THRESHOLD, kept_bytes);
    mallopt(M_MMAP_THRESHOLD, mapped_bytes);
#else
    (void)kept_bytes, (void)mapped_bytes;
#endif
}

int32_t linux_thread_start(const char *name, void *(*body)(void *), void *context, uint64_t *thread) {
    sigset_t all, before;
    sigfillset(&all);
    // Those that a thread raises itself: blocked, they end the process without whoever wants to say why.
    static const int faults[] = {SIGILL, SIGTRAP, SIGABRT, SIGBUS, SIGFPE, SIGSEGV};
    for (size_t index = 0; index < sizeof faults / sizeof *faults; index++)
        sigdelset(&all, faults[index]);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    pthread_t started;
    int failure = pthread_create(&started, NULL, body, context);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    if (failure != 0) return -failure;
    pthread_setname_np(started, name);
    *thread = (uint64_t)started;
    return 0;
}

int32_t linux_thread_join(uint64_t thread) { return -pthread_join((pthread_t)thread, NULL); }
int32_t linux_thread_detach(uint64_t thread) { return -pthread_detach((pthread_t)thread); }
uint64_t linux_thread_current(void) { return (uint64_t)pthread_self(); }

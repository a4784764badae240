#include "CLinux.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/vfs.h>
#include <unistd.h>

static int32_t result(int value) { return value < 0 ? -errno : value; }

static int open_flags(uint32_t flags) {
    int out = O_CLOEXEC | O_NONBLOCK | O_NOCTTY;
    out |= flags & LINUX_OPEN_WRITE ? O_RDWR : O_RDONLY;
    if (flags & LINUX_OPEN_CREATE) out |= O_CREAT | O_EXCL;
    if (flags & LINUX_OPEN_SYNCED) out |= O_DSYNC;
    if (flags & LINUX_OPEN_DIRECT) out |= O_DIRECT;
    return out;
}

int32_t linux_open(int32_t directory, const char *name, uint32_t flags) {
    return result(openat(directory, name, open_flags(flags) | O_NOFOLLOW, 0600));
}

int32_t linux_reopen(int32_t descriptor, uint32_t flags) {
    char path[32];
    snprintf(path, sizeof path, "/proc/self/fd/%d", descriptor);
    return result(open(path, open_flags(flags & ~(uint32_t)LINUX_OPEN_CREATE)));
}

int32_t linux_open_directory(const char *path, int32_t follow_link) {
    return result(open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC | (follow_link ? 0 : O_NOFOLLOW)));
}

int32_t linux_make_directory(const char *path) { return result(mkdir(path, 0700)); }

// Linux frees the descriptor in every case, EINTR included, so close is never repeated.
int32_t linux_close(int32_t descriptor) { return result(close(descriptor)); }

int64_t linux_read(int32_t descriptor, void *bytes, size_t count, uint64_t offset) {
    ssize_t got = pread(descriptor, bytes, count, (off_t)offset);
    return got < 0 ? -errno : got;
}

int64_t linux_write(int32_t descriptor, const void *bytes, size_t count, uint64_t offset) {
    ssize_t put = pwrite(descriptor, bytes, count, (off_t)offset);
    return put < 0 ? -errno : put;
}

int32_t linux_sync_data(int32_t descriptor) { return result(fdatasync(descriptor)); }
int32_t linux_sync(int32_t descriptor) { return result(fsync(descriptor)); }
int32_t linux_truncate(int32_t descriptor, uint64_t size) { return result(ftruncate(descriptor, (off_t)size)); }

int32_t linux_drop_cache(int32_t descriptor, uint64_t offset, uint64_t count) {
    // posix_fadvise returns its error instead of setting errno.
    return -posix_fadvise(descriptor, (off_t)offset, (off_t)count, POSIX_FADV_DONTNEED);
}

int32_t linux_prefetch(int32_t descriptor, uint64_t offset, uint64_t count) {
    return -posix_fadvise(descriptor, (off_t)offset, (off_t)count, POSIX_FADV_WILLNEED);
}

int32_t linux_rename(int32_t directory, const char *old_name, const char *new_name) {
    return result(renameat(directory, old_name, directory, new_name));
}

int32_t linux_unlink(int32_t directory, const char *name) { return result(unlinkat(directory, name, 0)); }

int32_t linux_try_lock(int32_t descriptor) {
    if (flock(descriptor, LOCK_EX | LOCK_NB) == 0) return 1;
    return errno == EWOULDBLOCK ? 0 : -errno;
}

int32_t linux_unlock(int32_t descriptor) { return result(flock(descriptor, LOCK_UN)); }

static void fill(linux_status_t *status, const struct stat *from) {
    status->size = (uint64_t)from->st_size;
    status->allocated_bytes = (uint64_t)from->st_blocks * 512;
    status->link_count = from->st_nlink;
    status->device = from->st_dev;
    status->inode = from->st_ino;
    status->modified_ns =
        from->st_mtim.tv_sec < 0 ? 0 : (uint64_t)from->st_mtim.tv_sec * 1000000000u + (uint64_t)from->st_mtim.tv_nsec;
    status->kind = S_ISREG(from->st_mode)   ? LINUX_KIND_REGULAR
                   : S_ISDIR(from->st_mode) ? LINUX_KIND_DIRECTORY
                   : S_ISLNK(from->st_mode) ? LINUX_KIND_LINK
                                            : LINUX_KIND_OTHER;
}

int32_t linux_status(int32_t descriptor, linux_status_t *status) {
    struct stat found;
    if (fstat(descriptor, &found) < 0) return -errno;
    fill(status, &found);
    return 0;
}

int32_t linux_status_at(int32_t directory, const char *name, linux_status_t *status) {
    struct stat found;
    if (fstatat(directory, name, &found, AT_SYMLINK_NOFOLLOW) < 0) return -errno;
    fill(status, &found);
    return 0;
}

// What O_DIRECT must align to. The kernel (6.1 and later) says so for a regular file only, and the directory may not
// have one yet, so an unnamed file is asked: it never gets a name and is gone with its descriptor.
static uint32_t direct_alignment(int32_t directory) {
#ifdef STATX_DIOALIGN
    int file = openat(directory, ".", O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
    if (file < 0) return 0;
    struct statx found;
    memset(&found, 0, sizeof found);
    int asked = statx(file, "", AT_EMPTY_PATH, STATX_DIOALIGN, &found);
    close(file);
    if (asked == 0 && (found.stx_mask & STATX_DIOALIGN)) return found.stx_dio_offset_align;
#else
    (void)directory;
#endif
    return 0;
}

int32_t linux_volume(int32_t directory, linux_volume_t *volume) {
    struct statfs found;
    if (fstatfs(directory, &found) < 0) return -errno;
    uint64_t unit = found.f_frsize > 0 ? (uint64_t)found.f_frsize : (uint64_t)found.f_bsize;
    volume->free_bytes = (uint64_t)found.f_bavail * unit;
    volume->magic = (uint64_t)(unsigned int)found.f_type;
    volume->direct_alignment = direct_alignment(directory);
    return 0;
}

int32_t linux_list_open(int32_t directory, void **stream) {
    // A new description, so that listings side by side do not share one position.
    int own = openat(directory, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (own < 0) return -errno;
    DIR *opened = fdopendir(own);
    if (opened == NULL) {
        int reason = errno;
        close(own);
        return -reason;
    }
    *stream = opened;
    return 0;
}

int32_t linux_list_next(void *stream, char name[256]) {
    for (;;) {
        errno = 0;
        struct dirent *entry = readdir(stream);
        if (entry == NULL) return -errno;
        if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0) continue;
        size_t count = strnlen(entry->d_name, 255);
        memcpy(name, entry->d_name, count);
        name[count] = 0;
        return (int32_t)count;
    }
}

void linux_list_close(void *stream) { closedir(stream); }

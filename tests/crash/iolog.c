/* A witness between a program and its disk: what is written, cut, synced and removed under one folder, and what is sent.
 *
 *   gcc -O2 -fPIC -shared -o iolog.so iolog.c -ldl -lpthread
 *   LD_PRELOAD=iolog.so IOLOG_DIR=folder IOLOG_OUT=trace program        records
 *   iolog_arm(folder, out, n, how)                                      the same from inside; dies at the nth point
 *
 * A record: op (1), 0 (1), length of the name (2), length of the data (4), offset (8), number (8), name, data.
 *   C created or emptied   W written   T cut to offset   S synced: holds what was numbered below offset
 *   U removed   R renamed (data: the new name)   A sent over TCP (the first bytes)   other programs may append their own
 * A write is recorded once it is done, a sync once it has returned, a send before it leaves: whoever hears of something
 * hears of it after what came before it in the record. The shared memory and the lock of SQLite are not looked at.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/types.h>
#include <sys/uio.h>
#include <unistd.h>

#define FDS 65536
#define NAME 200
#define SENT 16384
enum { BEFORE = 0, HALF = 1 };

static char *names[FDS];
static char folder[4096];
static size_t folder_len;
static int out = -1;
static long points, kill_at;
static int how;
static uint64_t number;
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;

#define REAL(type, name, ...)                                                     \
  static type (*real_##name)(__VA_ARGS__);                                        \
  static inline void need_##name(void) {                                          \
    if (!real_##name) real_##name = (type(*)(__VA_ARGS__))dlsym(RTLD_NEXT, #name); \
  }

REAL(int, open, const char *, int, ...)
REAL(int, open64, const char *, int, ...)
REAL(int, openat, int, const char *, int, ...)
REAL(int, openat64, int, const char *, int, ...)
REAL(int, close, int)
REAL(ssize_t, write, int, const void *, size_t)
REAL(ssize_t, writev, int, const struct iovec *, int)
REAL(ssize_t, pwrite, int, const void *, size_t, off_t)
REAL(ssize_t, pwrite64, int, const void *, size_t, off64_t)
REAL(int, fsync, int)
REAL(int, fdatasync, int)
REAL(int, ftruncate, int, off_t)
REAL(int, ftruncate64, int, off64_t)
REAL(int, unlink, const char *)
REAL(int, rename, const char *, const char *)
REAL(ssize_t, send, int, const void *, size_t, int)
REAL(ssize_t, sendto, int, const void *, size_t, int, const struct sockaddr *, socklen_t)
REAL(ssize_t, sendmsg, int, const struct msghdr *, int)

void iolog_arm(const char *where, const char *record, long at, int in_which_way) {
  need_open();
  snprintf(folder, sizeof folder, "%s/", where);
  folder_len = strlen(folder);
  kill_at = at, how = in_which_way, points = 0, number = 0;
  out = record && *record ? real_open(record, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0600) : -1;
}

long iolog_points(void) { return points; }

__attribute__((constructor)) static void start(void) {
  const char *where = getenv("IOLOG_DIR");
  if (where && *where) iolog_arm(where, getenv("IOLOG_OUT"), 0, BEFORE);
}

static const char *watched(const char *path) {
  if (!folder_len || strncmp(path, folder, folder_len)) return NULL;
  const char *name = path + folder_len, *dot = strrchr(name, '-');
  size_t length = strlen(name);
  if ((dot && !strcmp(dot, "-shm")) || (length > 5 && !strcmp(name + length - 5, ".lock")) || length >= NAME) return NULL;
  return name;
}

static const char *name_of(int fd) { return fd >= 0 && fd < FDS ? names[fd] : NULL; }

static void record(char op, const char *name, const void *data, size_t length, uint64_t offset) {
  if (out < 0) return;
  need_writev();
  unsigned char head[24] = {op};
  uint16_t name_len = strlen(name);
  uint32_t data_len = length;
  pthread_mutex_lock(&lock);
  number++;
  memcpy(head + 2, &name_len, 2), memcpy(head + 4, &data_len, 4), memcpy(head + 8, &offset, 8), memcpy(head + 16, &number, 8);
  struct iovec parts[3] = {{head, sizeof head}, {(void *)name, name_len}, {(void *)data, length}};
  if (real_writev(out, parts, 3) != (ssize_t)(sizeof head + name_len + length)) abort();
  pthread_mutex_unlock(&lock);
}

/* One more instant at which the program may die; whether it is to die in the middle of this one. */
static int point(void) {
  if (__atomic_add_fetch(&points, 1, __ATOMIC_SEQ_CST) != kill_at) return 0;
  if (how == HALF) return 1;
  kill(getpid(), SIGKILL);
  for (;;) pause();
}

static void die(void) {
  kill(getpid(), SIGKILL);
  for (;;) pause();
}

static int opened(int fd, const char *path, int flags, int existed) {
  if (fd < 0 || fd >= FDS) return fd;
  const char *name = watched(path);
  if (!name) return fd;
  free(names[fd]);
  names[fd] = strdup(name);
  if (flags & O_TRUNC || (flags & O_CREAT && !existed)) record('C', name, "", 0, 0);
  return fd;
}

static int exists(const char *path) {
  struct stat found;
  return stat(path, &found) == 0;
}

#define OPEN(name, params, call)                                              \
  int name params {                                                           \
    mode_t mode = 0;                                                          \
    if (flags & (O_CREAT | O_TMPFILE)) {                                      \
      va_list rest;                                                           \
      va_start(rest, flags);                                                  \
      mode = va_arg(rest, mode_t);                                            \
      va_end(rest);                                                           \
    }                                                                         \
    need_##name();                                                            \
    int existed = 1;                                                          \
    if (flags & (O_CREAT | O_TRUNC) && watched(path)) existed = exists(path), point(); \
    return opened(call, path, flags, existed);                                \
  }
OPEN(open, (const char *path, int flags, ...), real_open(path, flags, mode))
OPEN(open64, (const char *path, int flags, ...), real_open64(path, flags, mode))
OPEN(openat, (int at, const char *path, int flags, ...), real_openat(at, path, flags, mode))
OPEN(openat64, (int at, const char *path, int flags, ...), real_openat64(at, path, flags, mode))

int close(int fd) {
  need_close();
  if (fd == out && fd >= 0) return errno = EBADF, -1;  /* whoever closes all descriptors must not close the record */
  if (name_of(fd)) free(names[fd]), names[fd] = NULL;
  return real_close(fd);
}

static int is_tcp(int fd) {
  int domain = 0, kind = 0;
  socklen_t size = sizeof domain;
  if (getsockopt(fd, SOL_SOCKET, SO_DOMAIN, &domain, &size) || (domain != AF_INET && domain != AF_INET6)) return 0;
  size = sizeof kind;
  return !getsockopt(fd, SOL_SOCKET, SO_TYPE, &kind, &size) && kind == SOCK_STREAM;
}

/* Sent: recorded before it leaves. Returns whether to die with half of it gone. */
static int sending(const void *data, size_t length) {
  int half = point();
  record('A', "", data, length < SENT ? length : SENT, 0);
  return half;
}

#define PWRITE(name, type)                                                         \
  ssize_t name(int fd, const void *data, size_t length, type offset) {             \
    need_##name();                                                                 \
    const char *file = name_of(fd);                                                \
    if (file && point()) real_##name(fd, data, length / 2, offset), die();          \
    ssize_t done = real_##name(fd, data, length, offset);                          \
    if (file && done > 0) record('W', file, data, done, offset);                   \
    return done;                                                                   \
  }
PWRITE(pwrite, off_t)
PWRITE(pwrite64, off64_t)

ssize_t write(int fd, const void *data, size_t length) {
  need_write();
  const char *file = name_of(fd);
  if (file) {
    if (point()) real_write(fd, data, length / 2), die();
    ssize_t done = real_write(fd, data, length);
    if (done > 0) record('W', file, data, done, lseek(fd, 0, SEEK_CUR) - done);
    return done;
  }
  if (folder_len && is_tcp(fd) && sending(data, length)) real_write(fd, data, length / 2), die();
  return real_write(fd, data, length);
}

ssize_t writev(int fd, const struct iovec *parts, int count) {
  need_writev();
  if (name_of(fd)) abort(); /* nobody does; it would go unseen */
  if (folder_len && is_tcp(fd) && sending(parts[0].iov_base, parts[0].iov_len)) real_writev(fd, parts, 1), die();
  return real_writev(fd, parts, count);
}

ssize_t send(int fd, const void *data, size_t length, int flags) {
  need_send();
  if (folder_len && is_tcp(fd) && sending(data, length)) real_send(fd, data, length / 2, flags), die();
  return real_send(fd, data, length, flags);
}

ssize_t sendto(int fd, const void *data, size_t length, int flags, const struct sockaddr *to, socklen_t size) {
  need_sendto();
  if (folder_len && is_tcp(fd) && sending(data, length)) real_sendto(fd, data, length / 2, flags, to, size), die();
  return real_sendto(fd, data, length, flags, to, size);
}

ssize_t sendmsg(int fd, const struct msghdr *message, int flags) {
  need_sendmsg();
  if (folder_len && is_tcp(fd) && sending(message->msg_iov[0].iov_base, message->msg_iov[0].iov_len)) {
    struct msghdr first = *message;
    first.msg_iovlen = 1;
    real_sendmsg(fd, &first, flags);
    die();
  }
  return real_sendmsg(fd, message, flags);
}

#define SYNC(name)                                                  \
  int name(int fd) {                                                \
    need_##name();                                                  \
    const char *file = name_of(fd);                                 \
    if (!file) return real_##name(fd);                              \
    if (point()) die();                                             \
    pthread_mutex_lock(&lock);                                      \
    uint64_t before = number + 1;                                   \
    pthread_mutex_unlock(&lock);                                    \
    int done = real_##name(fd);                                     \
    if (!done) record('S', file, "", 0, before);                    \
    return done;                                                    \
  }
SYNC(fsync)
SYNC(fdatasync)

#define CUT(name, type)                                       \
  int name(int fd, type length) {                             \
    need_##name();                                            \
    const char *file = name_of(fd);                           \
    if (file && point()) die();                               \
    int done = real_##name(fd, length);                       \
    if (file && !done) record('T', file, "", 0, length);      \
    return done;                                              \
  }
CUT(ftruncate, off_t)
CUT(ftruncate64, off64_t)

int unlink(const char *path) {
  need_unlink();
  const char *file = watched(path);
  if (file && point()) die();
  int done = real_unlink(path);
  if (file && !done) record('U', file, "", 0, 0);
  return done;
}

int rename(const char *from, const char *to) {
  need_rename();
  const char *file = watched(from), *after = watched(to);
  if (file && point()) die();
  int done = real_rename(from, to);
  if (file && after && !done) record('R', file, after, strlen(after), 0);
  return done;
}

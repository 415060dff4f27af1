"""Linux socket, epoll, eventfd and clock calls that Cython has no declarations for. Header only."""

from libc.stdint cimport int64_t, uint32_t, uint64_t

cdef extern from "<sys/uio.h>" nogil:
    struct iovec:
        void* iov_base
        size_t iov_len

cdef extern from "<sys/socket.h>" nogil:
    struct msghdr:
        void* msg_name
        unsigned int msg_namelen
        iovec* msg_iov
        size_t msg_iovlen
        void* msg_control
        size_t msg_controllen
        int msg_flags
    ssize_t sendmsg(int fd, const msghdr* message, int flags) noexcept
    ssize_t send(int fd, const void* data, size_t size, int flags) noexcept
    ssize_t recv(int fd, void* data, size_t size, int flags) noexcept
    int setsockopt(int fd, int level, int name, const void* value, unsigned int size) noexcept
    int shutdown(int fd, int how) noexcept
    int MSG_DONTWAIT
    int MSG_NOSIGNAL
    int SOL_SOCKET
    int SO_MAX_PACING_RATE
    int SO_RCVLOWAT
    int SHUT_RDWR

cdef extern from "<fcntl.h>" nogil:
    int fcntl(int fd, int command, ...) noexcept
    int F_DUPFD_CLOEXEC

cdef extern from "<sys/ioctl.h>" nogil:
    int ioctl(int fd, unsigned long request, ...) noexcept

cdef extern from "<linux/sockios.h>" nogil:
    int SIOCOUTQ                # bytes that the peer has not acknowledged

cdef extern from "<netinet/in.h>" nogil:
    int IPPROTO_TCP

cdef extern from "<netinet/tcp.h>" nogil:
    int TCP_NODELAY
    int TCP_NOTSENT_LOWAT

cdef extern from "<sys/epoll.h>" nogil:
    ctypedef union epoll_data_t:
        void* ptr
        int fd
    struct epoll_event:
        uint32_t events
        epoll_data_t data
    int EPOLLIN
    int EPOLLOUT
    int EPOLLERR
    int EPOLLHUP
    int EPOLLRDHUP
    uint32_t EPOLLET
    int EPOLL_CTL_ADD
    int EPOLL_CTL_DEL
    int EPOLL_CLOEXEC
    int epoll_create1(int flags) noexcept
    int epoll_ctl(int epfd, int op, int fd, epoll_event* event) noexcept
    int epoll_wait(int epfd, epoll_event* events, int room, int timeout_ms) noexcept

cdef extern from "<sys/eventfd.h>" nogil:
    int EFD_CLOEXEC
    int EFD_NONBLOCK
    int eventfd(unsigned int value, int flags) noexcept

cdef extern from * nogil:
    """
    #include <time.h>
    #include <stdint.h>
    static inline int64_t ff_clock_us(void) {
        struct timespec t;
        clock_gettime(CLOCK_MONOTONIC, &t);
        return (int64_t)t.tv_sec * 1000000 + t.tv_nsec / 1000;
    }
    static inline int64_t ff_worked_us(void) {
        struct timespec t;
        clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
        return (int64_t)t.tv_sec * 1000000 + t.tv_nsec / 1000;
    }
    """
    int64_t clock_us "ff_clock_us"() noexcept
    # CPU time of the calling thread.
    int64_t worked_us "ff_worked_us"() noexcept

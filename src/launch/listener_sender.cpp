#include "listener_sender_private.h"

#include "coracle/base/error.h"
#include "coracle/sys/process.h"

#include <cerrno>
#include <ctime>
#include <sys/mman.h>
#include <unistd.h>

namespace coracle::launch {

namespace {

/// Runs in: the sender, until init has loaded its filter or is gone.
[[noreturn]] void send_when_loaded(ChildEnd& channel, int* slot, pid_t init) noexcept {
    try {
        sys::set_parent_death_signal();
        while (::getppid() == init) {
            int listener = __atomic_load_n(slot, __ATOMIC_ACQUIRE);
            if (listener >= 0) {
                channel.send_listener(listener);
                __atomic_store_n(slot, -1, __ATOMIC_RELEASE);
                ::_exit(0);
            }
            // Init cannot wake it: under the filter it may make no system call but execve(2).
            sys::pause_for(std::chrono::microseconds(50));
        }
    } catch (const std::exception&) { // catch: the edge of a process; who waits sees EOF
    }
    ::_exit(1);
}

} // namespace

ListenerSender::ListenerSender(ChildEnd& channel) : channel_(channel) {
    void* shared =
        ::mmap(nullptr, sizeof(int), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (shared == MAP_FAILED) { // NOLINT: the macro casts
        int saved = errno;
        throw_system(saved, "memory for the sender of the seccomp listener");
    }
    slot_ = static_cast<int*>(shared);
    *slot_ = -1;
}

ListenerSender::~ListenerSender() {
    (void)::munmap(slot_, sizeof(int));
}

void ListenerSender::start() {
    pid_t init = ::getpid();
    pid_ = sys::clone_sharing_fds();
    if (pid_ == 0) {
        send_when_loaded(channel_, slot_, init);
    }
}

} // namespace coracle::launch

#include "coracle/sys/seccomp_listener.h"

#include "coracle/base/error.h"

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <linux/seccomp.h>
#include <poll.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>
#include <unistd.h>
#include <vector>

namespace coracle::sys {

namespace {

/// The kernel's struct may be longer than the one that this was built with.
std::size_t size_of_notification() noexcept {
    struct seccomp_notif_sizes sizes {};
    std::size_t size = sizeof(struct seccomp_notif);
    if (::syscall(SYS_seccomp, SECCOMP_GET_NOTIF_SIZES, 0, &sizes) == 0) {
        size = std::max<std::size_t>(size, sizes.seccomp_notif);
    }
    return size;
}

bool answer(int listener, struct seccomp_notif_resp response) noexcept {
    // Room behind it, of zeros, for a kernel whose struct is longer.
    std::array<std::uint8_t, 4 * sizeof response> buffer{};
    std::memcpy(buffer.data(), &response, sizeof response);
    int result = 0;
    do {
        result = ::ioctl(listener, SECCOMP_IOCTL_NOTIF_SEND, buffer.data());
    } while (result != 0 && errno == EINTR);
    return result == 0;
}

} // namespace

SeccompListenerState poll_seccomp_listener(int listener) noexcept {
    struct pollfd entry {
        listener, POLLIN, 0
    };
    if (::poll(&entry, 1, 0) != 1) {
        return SeccompListenerState::quiet;
    }
    return (entry.revents & POLLIN) != 0 ? SeccompListenerState::waiting
                                         : SeccompListenerState::over;
}

std::optional<SeccompNotification> receive_seccomp_notification(int listener) {
    static const std::size_t size = size_of_notification();
    std::vector<std::uint8_t> buffer(size); // it has to be zero: seccomp_unotify(2)
    if (::ioctl(listener, SECCOMP_IOCTL_NOTIF_RECV, buffer.data()) != 0) {
        int saved = errno;
        if (saved == ENOENT || saved == EINTR) {
            return std::nullopt;
        }
        throw_system(saved, "receive a call that the seccomp filter notifies of");
    }
    struct seccomp_notif received {};
    std::memcpy(&received, buffer.data(), sizeof received);
    SeccompNotification notification;
    notification.id = received.id;
    notification.pid = static_cast<pid_t>(received.pid);
    notification.architecture = received.data.arch;
    notification.number = static_cast<std::uint32_t>(received.data.nr);
    std::copy(std::begin(received.data.args), std::end(received.data.args),
              notification.arguments.begin());
    return notification;
}

bool is_waiting_for_answer(int listener, std::uint64_t id) noexcept {
    return ::ioctl(listener, SECCOMP_IOCTL_NOTIF_ID_VALID, &id) == 0;
}

bool refuse_notified_call(int listener, std::uint64_t id, int errnum) noexcept {
    struct seccomp_notif_resp response {};
    response.id = id;
    response.error = -errnum;
    return answer(listener, response);
}

bool let_notified_call_go(int listener, std::uint64_t id) noexcept {
    struct seccomp_notif_resp response {};
    response.id = id;
    response.flags = SECCOMP_USER_NOTIF_FLAG_CONTINUE;
    return answer(listener, response);
}

} // namespace coracle::sys

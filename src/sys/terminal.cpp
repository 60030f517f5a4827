#include "coracle/sys/terminal.h"

#include "coracle/base/error.h"
#include "coracle/sys/file.h"
#include "coracle/sys/mount.h"

#include <cerrno>
#include <fcntl.h>
#include <linux/magic.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

namespace coracle::sys {

namespace {

void require_device(int fd, unsigned first_major, unsigned last_major, const char* name) {
    struct stat status = stat_of(fd, name);
    unsigned device_major = major(status.st_rdev);
    if (!S_ISCHR(status.st_mode) || device_major < first_major || device_major > last_major) {
        throw_error(ErrorKind::denied, std::string(name) + ": not a terminal device");
    }
}

/// Of what cfmakeraw changes.
bool is_same_mode(const struct termios& one, const struct termios& other) {
    return one.c_iflag == other.c_iflag && one.c_oflag == other.c_oflag &&
           one.c_cflag == other.c_cflag && one.c_lflag == other.c_lflag &&
           one.c_cc[VMIN] == other.c_cc[VMIN] && one.c_cc[VTIME] == other.c_cc[VTIME];
}

} // namespace

Pty open_pty(int pts_directory) {
    if (filesystem_magic_of(pts_directory, "/dev/pts") != DEVPTS_SUPER_MAGIC) {
        throw_error(ErrorKind::invalid_config,
                    "process.terminal needs a mount of type devpts at /dev/pts");
    }
    Fd manager = open_at(pts_directory, "ptmx", O_RDWR | O_NOCTTY | O_NOFOLLOW);
    require_device(manager.get(), 5, 5, "/dev/pts/ptmx");
    int unlock = 0;
    if (::ioctl(manager.get(), TIOCSPTLCK, &unlock) != 0) {
        int saved = errno;
        throw_system(saved, "unlock the pseudo-terminal");
    }
    Fd peer{::ioctl(manager.get(), TIOCGPTPEER, O_RDWR | O_NOCTTY | O_CLOEXEC)};
    if (!peer) {
        int saved = errno;
        throw_system(saved, "open the pseudo-terminal's peer");
    }
    require_device(peer.get(), 136, 143, "the pseudo-terminal's peer");
    return {std::move(manager), std::move(peer)};
}

void set_window_size(int terminal, std::uint32_t height, std::uint32_t width) {
    struct winsize size {};
    size.ws_row = static_cast<unsigned short>(height);
    size.ws_col = static_cast<unsigned short>(width);
    if (::ioctl(terminal, TIOCSWINSZ, &size) != 0) {
        int saved = errno;
        throw_system(saved, "set the terminal's window size");
    }
}

void copy_window_size(int from, int to) noexcept {
    struct winsize size {};
    if (::ioctl(from, TIOCGWINSZ, &size) == 0) {
        (void)::ioctl(to, TIOCSWINSZ, &size);
    }
}

void make_controlling_terminal(int terminal) {
    if (::ioctl(terminal, TIOCSCTTY, 0) != 0) {
        int saved = errno;
        throw_system(saved, "make the terminal the controlling one");
    }
    for (int stream = 0; stream <= 2; ++stream) {
        if (::dup3(terminal, stream, 0) < 0) { // NOLINT(android-cloexec-dup): a stream
            int saved = errno;
            throw_system(saved, "make the terminal a standard stream");
        }
    }
}

void start_session() {
    if (::setsid() < 0) {
        int saved = errno;
        throw_system(saved, "start a session: setsid");
    }
}

bool is_in_foreground(int terminal) noexcept {
    pid_t group = ::tcgetpgrp(terminal);
    return group < 0 || group == ::getpgrp(); // ENOTTY: job control does not reach us through it
}

void RawMode::enter() noexcept {
    struct termios current {};
    if (!is_in_foreground(terminal_) || ::tcgetattr(terminal_, &current) != 0) {
        return;
    }
    struct termios raw = current;
    ::cfmakeraw(&raw);
    if (!is_same_mode(raw, current)) { // else it is so by us, and what was before stays known
        saved_ = current;
    }
    (void)::tcsetattr(terminal_, TCSANOW, &raw);
}

void RawMode::leave() noexcept {
    if (saved_ && is_in_foreground(terminal_)) {
        (void)::tcsetattr(terminal_, TCSANOW, &*saved_);
    }
    saved_.reset();
}

} // namespace coracle::sys

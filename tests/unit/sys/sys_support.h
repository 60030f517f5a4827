#pragma once

#include "support/catch.h"

#include "coracle/base/error.h"
#include "coracle/sys/fd.h"

#include <array>
#include <cerrno>
#include <csignal>
#include <cstdlib>
#include <fcntl.h>
#include <filesystem>
#include <fstream>
#include <functional>
#include <iterator>
#include <optional>
#include <stdexcept>
#include <string>
#include <sys/wait.h>
#include <system_error>
#include <unistd.h>
#include <utility>

namespace coracle::test {

/// The Error that `work` throws.
template <class Work>
coracle::Error error_of(Work&& work) {
    try {
        work();
    } catch (const coracle::Error& error) {
        return error;
    }
    FAIL("nothing was thrown");
    return coracle::Error(coracle::ErrorKind::internal, "");
}

/// Whether `text` holds `part`; prints both if not.
inline bool holds(const std::string& text, const std::string& part) {
    INFO("text: " << text << "\npart: " << part);
    CHECK(text.find(part) != std::string::npos);
    return text.find(part) != std::string::npos;
}

/// A directory of its own, removed with all that is in it.
class TempDir {
  public:
    TempDir() {
        std::string name = "/tmp/coracle-unit-XXXXXX";
        if (::mkdtemp(name.data()) == nullptr) {
            throw std::runtime_error("mkdtemp");
        }
        path_ = name;
        fd_.reset(::open(path_.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    }
    TempDir(const TempDir&) = delete;
    TempDir& operator=(const TempDir&) = delete;
    TempDir(TempDir&&) = delete;
    TempDir& operator=(TempDir&&) = delete;
    ~TempDir() {
        std::error_code ignored;
        std::filesystem::remove_all(path_, ignored);
    }

    [[nodiscard]] const std::string& path() const noexcept { return path_; }
    [[nodiscard]] std::string path(const std::string& name) const { return path_ + "/" + name; }
    [[nodiscard]] int fd() const noexcept { return fd_.get(); }

    void directory(const std::string& name) const {
        std::filesystem::create_directories(path(name));
    }
    void file(const std::string& name, const std::string& content = "") const {
        std::ofstream(path(name), std::ios::binary) << content;
    }
    void link(const std::string& name, const std::string& target) const {
        std::filesystem::create_symlink(target, path(name));
    }
    [[nodiscard]] bool has(const std::string& name) const {
        return std::filesystem::exists(std::filesystem::symlink_status(path(name)));
    }
    [[nodiscard]] std::string read(const std::string& name) const {
        std::ifstream stream(path(name), std::ios::binary);
        return std::string(std::istreambuf_iterator<char>(stream), {});
    }

  private:
    std::string path_;
    sys::Fd fd_;
};

/// A forked process, killed and reaped when it goes out of scope.
class Forked {
  public:
    explicit Forked(const std::function<void()>& work) : pid_(::fork()) {
        if (pid_ == 0) {
            try {
                work();
            } catch (...) {
                ::_exit(99);
            }
            ::_exit(0);
        }
    }
    Forked(const Forked&) = delete;
    Forked& operator=(const Forked&) = delete;
    Forked(Forked&&) = delete;
    Forked& operator=(Forked&&) = delete;
    ~Forked() {
        if (pid_ > 0) {
            (void)::kill(pid_, SIGKILL);
            (void)wait();
        }
    }
    [[nodiscard]] pid_t pid() const noexcept { return pid_; }
    /// Its wait status.
    int wait() {
        int status = -1;
        while (::waitpid(pid_, &status, 0) < 0 && errno == EINTR) {
        }
        pid_ = 0;
        return status;
    }

  private:
    pid_t pid_;
};

struct PipeEnds {
    sys::Fd reader;
    sys::Fd writer;
};
inline PipeEnds make_pipe() {
    std::array<int, 2> ends{};
    if (::pipe2(ends.data(), O_CLOEXEC) != 0) {
        throw std::runtime_error("pipe2");
    }
    return {sys::Fd(ends[0]), sys::Fd(ends[1])};
}

inline bool is_open(int fd) {
    return ::fcntl(fd, F_GETFD) >= 0;
}
inline bool is_close_on_exec(int fd) {
    return (::fcntl(fd, F_GETFD) & FD_CLOEXEC) != 0;
}

/// Checks what `work` gave in a user namespace, or says that the host has none.
inline void check_unless_skipped(const std::optional<std::string>& result,
                                 const std::string& wanted) {
    if (!result) {
        WARN("skipped: no user namespaces here");
        return;
    }
    CHECK(*result == wanted);
}

} // namespace coracle::test

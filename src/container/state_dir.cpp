#include "coracle/container/state_dir.h"

#include "coracle/base/error.h"
#include "coracle/base/text.h"
#include "coracle/launch/launch.h"
#include "coracle/sys/access.h"
#include "coracle/sys/directory.h"
#include "coracle/sys/file.h"
#include "coracle/sys/socket.h"
#include "state_files_private.h"

#include <cerrno>
#include <chrono>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

namespace coracle::container {

namespace {

using sys::Fd;

constexpr const char* record_temporary = ".record.json.new";
constexpr const char* copy_name = "record.copy";
constexpr const char* config_name = "config.json";
constexpr const char* gate_name = "start.sock";
constexpr const char* retired_name = "deleted.json";
constexpr std::size_t max_file_bytes = std::size_t{16} << 20;
/// Above the deadline of one step of a creator that is at work.
constexpr std::chrono::seconds lock_patience{40};

/// The text of a regular file of the directory's owner; nothing if there is none.
std::optional<std::string> read_own_file(int dir_fd, const char* name) {
    constexpr int flags = O_RDONLY | O_NONBLOCK | O_NOFOLLOW | O_NOCTTY;
    Fd file;
    int errnum = sys::try_open_at(dir_fd, name, flags, 0, file);
    if (errnum == ENOENT) {
        return std::nullopt;
    }
    bool odd = errnum == ELOOP || errnum == ENXIO; // a symbolic link, a socket
    if (errnum != 0 && !odd) {
        throw_system(errnum, std::string("open ") + name);
    }
    struct stat status {};
    if (file) {
        status = sys::stat_of(file.get(), name);
    }
    if (!S_ISREG(status.st_mode)) {
        throw_error(ErrorKind::invalid_config, std::string(name) + ": not a regular file");
    }
    if (status.st_uid != sys::stat_of(dir_fd, name).st_uid) {
        throw_error(ErrorKind::denied,
                    std::string(name) + ": belongs to the user " + std::to_string(status.st_uid));
    }
    return sys::read_all(file.get(), max_file_bytes, name);
}

/// The path of an open directory, for messages.
std::string place_of(int fd) {
    return printable(sys::read_link(AT_FDCWD, "/proc/self/fd/" + std::to_string(fd)));
}

} // namespace

ContainerDir ContainerDir::create(const StateRoot& root, const std::string& id) {
    int errnum = sys::try_make_directory(root.fd(), id, 0700);
    if (errnum == EEXIST) {
        std::optional<struct stat> existing = sys::find_stat(root.fd(), id);
        bool stray = existing && !S_ISDIR(existing->st_mode);
        throw_error(ErrorKind::wrong_state,
                    "container with given ID already exists: " + id +
                        (stray ? " (as a file, which delete --force removes)" : ""));
    }
    if (errnum != 0) {
        throw_system(errnum, "make the state directory of " + id + " in " + place_of(root.fd()));
    }
    try {
        Fd fd;
        errnum = try_open_directory(root.fd(), id, fd);
        if (errnum != 0 && errnum != ENOENT) {
            throw_system(errnum, "open the state directory of " + id);
        }
        ContainerDir dir(sys::duplicate(root.fd()), std::move(fd), id);
        if (errnum != 0 || !dir.lock()) {
            throw_error(ErrorKind::wrong_state,
                        "container " + id + " was deleted while it was made");
        }
        // Deleted and made anew by another between mkdir and lock: then it is that one's.
        bool is_empty = in_context([&] { return "state directory of " + id; },
                                   [&] { return sys::list_directory(dir.fd_.get()).empty(); });
        if (!is_empty) {
            throw_error(ErrorKind::wrong_state, "container with given ID already exists: " + id);
        }
        return dir;
    } catch (const Error& error) { // catch: takes away what is ours, rethrows
        if (error.kind() == ErrorKind::system) {
            (void)sys::try_unlink(root.fd(), id, AT_REMOVEDIR);
        }
        throw;
    }
}

std::optional<ContainerDir> ContainerDir::find(const StateRoot& root, const std::string& id) {
    Fd fd;
    int errnum = try_open_directory(root.fd(), id, fd);
    if (errnum == ENOENT || errnum == ENOTDIR) { // a file there is not ours
        return std::nullopt;
    }
    if (errnum != 0) {
        throw_system(errnum, "state directory of " + id);
    }
    if (sys::stat_of(fd.get(), id).st_uid != root.owner()) {
        throw_error(ErrorKind::denied, "state directory of " + id + " belongs to another user");
    }
    return ContainerDir(sys::duplicate(root.fd()), std::move(fd), id);
}

bool ContainerDir::lock() {
    if (!sys::lock_exclusively(fd_.get(), lock_patience)) {
        throw_error(ErrorKind::wrong_state,
                    "container " + id_ + " is being created or deleted by another process");
    }
    // Deleted while we waited: the name is gone, or another directory has it.
    std::optional<struct stat> named = sys::find_stat(root_.get(), id_);
    struct stat held = sys::stat_of(fd_.get(), id_);
    return named && named->st_ino == held.st_ino && named->st_dev == held.st_dev;
}

void ContainerDir::unlock() const noexcept {
    sys::unlock(fd_.get());
}

bool ContainerDir::is_locked_by_another() const {
    Fd probe;
    int errnum = try_open_directory(root_.get(), id_, probe);
    if (errnum == ENOENT) {
        return false;
    }
    if (errnum != 0) {
        throw_system(errnum, "state directory of " + id_);
    }
    return !sys::lock_exclusively(probe.get(), std::chrono::seconds(0));
}

std::optional<spec::Record> ContainerDir::load(const char* name) const {
    return in_context([&] { return "state of container " + id_; },
                      [&]() -> std::optional<spec::Record> {
                          std::optional<std::string> text = read_own_file(fd_.get(), name);
                          if (!text) {
                              return std::nullopt;
                          }
                          spec::Record record = spec::parse_record(*text);
                          if (record.id != id_) {
                              throw_error(ErrorKind::invalid_config, std::string(name) +
                                                                         ": it is the record of " +
                                                                         printable(record.id));
                          }
                          return record;
                      });
}

std::optional<spec::Record> ContainerDir::load() const {
    return load(record_name);
}

std::optional<spec::Record> ContainerDir::load_retired() const {
    return load(retired_name);
}

void ContainerDir::retire() const {
    in_context([&] { return "state of container " + id_; },
               [&] { sys::rename_file(fd_.get(), record_name, retired_name); });
}

std::optional<spec::Record> ContainerDir::salvage() const {
    try {
        if (std::optional<spec::Record> copy = load(copy_name)) {
            return copy;
        }
    } catch (const Error&) { // catch: damaged too
    }
    try {
        std::optional<std::string> text = read_own_file(fd_.get(), record_name);
        return text ? spec::salvage_record(*text) : std::nullopt;
    } catch (const Error&) { // catch: not even a file of ours
        return std::nullopt;
    }
}

void ContainerDir::stage(const spec::Record& record) {
    std::string text = spec::write_record(record);
    staged_.reset();
    try {
        sys::stage_file(fd_.get(), record_name, record_temporary, text, 0600);
        staged_ = std::move(text);
    } catch (const Error&) { // catch: save tries again, and says so
    }
}

void ContainerDir::save(const spec::Record& record) {
    in_context([&] { return "state of container " + id_ + " in " + place_of(root_.get()); },
               [&] {
                   std::string text = spec::write_record(record);
                   if (record.pid == 0) { // the intent
                       sys::replace_file(fd_.get(), record_name, record_temporary, text, 0600);
                       return;
                   }
                   if (std::exchange(staged_, std::nullopt) != text) {
                       sys::stage_file(fd_.get(), record_name, record_temporary, text, 0600);
                   }
                   sys::exchange_file(fd_.get(), record_name, record_temporary);
                   saved_ = std::move(text);
               });
}

void ContainerDir::save_copy() const {
    in_context([&] { return "state of container " + id_ + " in " + place_of(root_.get()); },
               [&] {
                   (void)sys::try_unlink(fd_.get(), record_temporary, 0); // the intent
                   sys::replace_file(fd_.get(), copy_name, record_temporary, saved_, 0600);
               });
}

void ContainerDir::save_config(const std::string& text) const {
    in_context([&] { return "state of container " + id_ + " in " + place_of(root_.get()); },
               [&] {
                   // Whoever reads it has found a pid in the record, which is written later.
                   constexpr int flags = O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW;
                   Fd file = sys::open_at(fd_.get(), config_name, flags, 0600);
                   sys::write_all(file.get(), text, config_name);
                   sys::close_written(std::move(file), config_name);
               });
}

std::string ContainerDir::load_config() const {
    return in_context([&] { return "state of container " + id_; },
                      [&] {
                          std::optional<std::string> text = read_own_file(fd_.get(), config_name);
                          if (!text) {
                              throw_error(ErrorKind::invalid_config,
                                          std::string(config_name) + " is missing: delete --force "
                                                                     "the container");
                          }
                          return std::move(*text);
                      });
}

Fd ContainerDir::listen_at_gate() const {
    try {
        return sys::listen_at(fd_.get(), gate_name);
    } catch (Error& error) { // catch: adds what the kernel's word does not tell, rethrows
        error.explain(error.errnum() == EPERM
                          ? "the file system of the state root " + place_of(root_.get()) +
                                " takes no sockets: give another --root"
                          : "");
        throw;
    }
}

Fd ContainerDir::bind_notify_socket() const {
    return in_context([&] { return "state directory of " + id_; },
                      [&] { return sys::bind_datagram_at(fd_.get(), notify_name); });
}

bool ContainerDir::is_gate_waiting() const {
    return launch::is_gate_waiting(fd_.get(), gate_name);
}

void ContainerDir::open_gate(const launch::WaitingInit& init, launch::Stage& failed_stage) const {
    launch::open_gate(fd_.get(), gate_name, init, failed_stage);
}

void ContainerDir::remove() const {
    // First by name: that needs no further fd, and RLIMIT_NOFILE may be why it is deleted.
    for (const char* name : {record_temporary, gate_name, notify_name, config_name, copy_name,
                             record_name, retired_name}) {
        (void)sys::try_unlink(fd_.get(), name, 0);
    }
    if (sys::try_unlink(root_.get(), id_, AT_REMOVEDIR) == 0) {
        return;
    }
    in_context([&] { return "delete container " + id_; },
               [&] { sys::remove_tree(root_.get(), id_); });
}

} // namespace coracle::container

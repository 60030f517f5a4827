#include "coracle/container/state_dir.h"

#include "coracle/base/error.h"
#include "coracle/base/text.h"
#include "coracle/host/detect.h"
#include "coracle/sys/access.h"
#include "coracle/sys/directory.h"
#include "coracle/sys/file.h"
#include "state_files_private.h"

#include <algorithm>
#include <cerrno>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

namespace coracle::container {

namespace {

using sys::Fd;

bool is_id_character(char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' ||
           c == '+' || c == '-' || c == '.';
}

bool is_valid_id(const std::string& id) {
    return !id.empty() && id.size() <= 255 && id.front() != '.' &&
           std::all_of(id.begin(), id.end(), is_id_character);
}

std::string octal(mode_t mode) {
    std::string text = "0000";
    for (std::size_t i = 0; i < 4; ++i) {
        text[3 - i] = static_cast<char>('0' + (mode >> (3 * i) & 7U));
    }
    return text;
}

/// The owner, who is the caller or, with Access::read for root, any user.
std::uint32_t require_private(int fd, const std::string& path, StateRoot::Access access) {
    struct stat status = sys::stat_of(fd, path);
    constexpr mode_t writable_by_others = S_IWGRP | S_IWOTH;
    bool allowed = status.st_uid == host::effective_uid() ||
                   (access == StateRoot::Access::read && host::effective_uid() == 0);
    if (!allowed || (status.st_mode & writable_by_others) != 0) {
        throw_error(ErrorKind::denied,
                    "state root " + printable(path) + ": owner " + std::to_string(status.st_uid) +
                        " and mode " + octal(status.st_mode & 07777U) +
                        ": it must be yours and writable by nobody else: chmod go-w it, or give "
                        "another --root");
    }
    return status.st_uid;
}

/// Makes what is missing of an absolute path, 0700 each.
void make_directories(const std::string& path) {
    for (std::size_t slash = path.find('/', 1);; slash = path.find('/', slash + 1)) {
        std::string prefix = path.substr(0, slash);
        int errnum = sys::try_make_directory(AT_FDCWD, prefix, 0700);
        if (errnum != 0 && errnum != EEXIST) {
            sys::throw_path_error(errnum,
                                  "state root: make directory " + printable(prefix) +
                                      " (give --root, or set XDG_RUNTIME_DIR)",
                                  AT_FDCWD, prefix, W_OK);
        }
        if (slash == std::string::npos) {
            return;
        }
    }
}

} // namespace

void require_valid_id(const std::string& id) {
    if (!is_valid_id(id)) {
        throw_error(ErrorKind::invalid_config,
                    "invalid container ID format: \"" + printable(id) +
                        "\": letters, digits and _ + - . are allowed, at most 255, not . first");
    }
}

std::string default_state_root(const RootInputs& inputs) {
    bool real_root = inputs.euid == 0 && inputs.initial_user_namespace;
    // As root of a user namespace whose USER says root, the caller entered it like a machine.
    bool like_root = inputs.euid == 0 && inputs.user == "root";
    if (!real_root && !like_root && !inputs.xdg_runtime_dir.empty()) {
        return inputs.xdg_runtime_dir + "/coracle";
    }
    if (inputs.euid == 0) {
        return "/run/coracle";
    }
    std::string uid = std::to_string(inputs.euid);
    return inputs.run_user_exists ? "/run/user/" + uid + "/coracle" : "/tmp/coracle-" + uid;
}

std::string state_directory_in(const std::string& root, const std::string& id) {
    return root + "/" + id;
}

std::string notify_socket_in(const std::string& root, const std::string& id) {
    return state_directory_in(root, id) + "/" + notify_name;
}

std::optional<StateRoot> StateRoot::open(const std::string& path, MissingRoot missing,
                                         Access access) {
    if (!path.starts_with('/') || clean_absolute(path) == "/") {
        throw_error(ErrorKind::usage,
                    "--root " + printable(path) + ": must be a directory below /");
    }
    std::string clean = clean_absolute(path);
    Fd fd;
    int errnum = try_open_directory(AT_FDCWD, clean, fd);
    if (errnum == ENOENT && missing == MissingRoot::is_empty) {
        return std::nullopt;
    }
    if (errnum == ENOENT) {
        make_directories(clean);
        errnum = try_open_directory(AT_FDCWD, clean, fd);
    }
    if (errnum == ENOTDIR || errnum == ELOOP) {
        throw_system(errnum, "state root " + printable(clean),
                     "a symbolic link or a file is refused there");
    }
    if (errnum != 0) {
        sys::throw_path_error(errnum, "state root " + printable(clean), AT_FDCWD, clean, R_OK);
    }
    std::uint32_t owner = require_private(fd.get(), clean, access);
    return StateRoot(std::move(fd), owner);
}

std::vector<std::string> StateRoot::ids() const {
    std::vector<std::string> ids = sys::list_directory(fd_.get());
    std::erase_if(ids, [](const std::string& name) { return !is_valid_id(name); });
    std::sort(ids.begin(), ids.end());
    return ids;
}

bool StateRoot::has_record(const std::string& id) const {
    std::optional<struct stat> directory = sys::find_stat(fd_.get(), id);
    return directory && S_ISDIR(directory->st_mode) && directory->st_uid == owner_ &&
           sys::is_regular_file(fd_.get(), id + "/" + record_name);
}

bool StateRoot::remove_stray(const std::string& id) const {
    std::optional<struct stat> entry = sys::find_stat(fd_.get(), id);
    bool stray = entry && (!S_ISDIR(entry->st_mode) || entry->st_uid != host::effective_uid());
    if (stray) {
        in_context([&] { return "state root: " + id; }, [&] { sys::remove_tree(fd_.get(), id); });
    }
    return stray;
}

} // namespace coracle::container

#include "pid_file_private.h"

#include "coracle/base/error.h"
#include "coracle/base/text.h"
#include "coracle/sys/file.h"

#include <fcntl.h>

namespace coracle::container {

namespace {

struct Split {
    std::string directory;
    std::string name;
};

Split split_path(const std::string& path) {
    std::size_t slash = path.rfind('/');
    if (slash == std::string::npos) {
        return {".", path};
    }
    return {path.substr(0, slash + 1), path.substr(slash + 1)};
}

/// Known from the id alone, so that delete finds it; within the 255 bytes of a name.
std::string temporary_of(const std::string& name, const std::string& id) {
    constexpr std::size_t part_bytes = 120;
    return "." + name.substr(0, part_bytes) + "." + id.substr(0, part_bytes) + ".new";
}

} // namespace

void write_pid_file(const std::string& path, const std::string& id, pid_t pid) {
    in_context([&] { return "pid file " + printable(path); },
               [&] {
                   Split split = split_path(path);
                   sys::Fd directory =
                       sys::open_at(AT_FDCWD, split.directory, O_PATH | O_DIRECTORY);
                   std::string text = std::to_string(pid);
                   if (!sys::try_place_file(directory.get(), split.name, text, 0644)) {
                       sys::replace_file(directory.get(), split.name, temporary_of(split.name, id),
                                         text, 0644);
                   }
               });
}

std::string absolute_pid_file(const std::string& path) {
    return path.empty() || path.starts_with('/') ? path : sys::current_directory() + "/" + path;
}

void remove_pid_file(const std::string& path) noexcept {
    (void)sys::try_unlink(AT_FDCWD, path, 0);
}

void remove_pid_file_temporary(const std::string& path, const std::string& id) noexcept {
    if (!path.empty()) {
        Split split = split_path(path);
        (void)sys::try_unlink(AT_FDCWD, split.directory + temporary_of(split.name, id), 0);
    }
}

} // namespace coracle::container

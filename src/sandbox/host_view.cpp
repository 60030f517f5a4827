#include "host_view_private.h"

#include "coracle/base/error.h"
#include "coracle/base/text.h"
#include "coracle/sandbox/settings.h"
#include "coracle/sys/directory.h"
#include "coracle/sys/file.h"

#include <algorithm>
#include <cerrno>
#include <cstdlib>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

namespace coracle::sandbox {

std::vector<RootEntry> find_root_entries() {
    sys::Fd root = sys::open_at(AT_FDCWD, "/", O_RDONLY | O_DIRECTORY);
    std::vector<RootEntry> entries;
    for (const std::string& name : sys::list_directory(root.get())) {
        std::optional<struct stat> status = sys::find_stat(root.get(), name);
        if (status && S_ISLNK(status->st_mode)) {
            entries.push_back({name, sys::read_link(root.get(), name), false});
        } else if (status && S_ISDIR(status->st_mode)) {
            entries.push_back({name, "", true});
        }
    }
    std::ranges::sort(entries, {}, &RootEntry::name);
    return entries;
}

FileKind find_kind(const std::string& path) {
    struct stat status {};
    if (::stat(path.c_str(), &status) == 0) {
        return S_ISDIR(status.st_mode) ? FileKind::directory : FileKind::other;
    }
    int saved = errno;
    if (saved == ENOENT || saved == ENOTDIR || saved == EACCES || saved == ELOOP) {
        return FileKind::missing;
    }
    throw_system(saved, printable(path));
}

std::string working_directory() {
    return sys::current_directory();
}

std::optional<std::string> find_variable(const std::string& name) {
    const char* value = std::getenv(name.c_str());
    return value != nullptr ? std::optional<std::string>(value) : std::nullopt;
}

std::vector<std::string> variable_names() {
    std::vector<std::string> names;
    for (char** entry = environ; entry != nullptr && *entry != nullptr; ++entry) {
        std::string_view text = *entry;
        names.emplace_back(text.substr(0, text.find('=')));
    }
    return names;
}

std::string home_directory() {
    std::string home = find_variable("HOME").value_or("");
    return home.starts_with('/') ? clean_absolute(home) : std::string();
}

std::string find_resolver_file() {
    sys::Fd file;
    int errnum = sys::try_open_at(AT_FDCWD, "/etc/resolv.conf", O_PATH, 0, file);
    return errnum == 0 ? sys::read_link(AT_FDCWD, "/proc/self/fd/" + std::to_string(file.get()))
                       : std::string();
}

Origin caller_origin() {
    return {working_directory(), home_directory()};
}

} // namespace coracle::sandbox

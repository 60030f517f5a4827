#include "parent_hooks_private.h"

#include "coracle/base/error.h"
#include "coracle/base/text.h"
#include "coracle/launch/launch.h"
#include "coracle/sys/file.h"
#include "hooks_private.h"

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdint>
#include <fcntl.h>
#include <linux/magic.h>
#include <sys/stat.h>
#include <sys/vfs.h>

namespace coracle::launch {

namespace {

using sys::Fd;

/// Whether the file is no file but a setting of the kernel, which acts on what is written to it.
bool is_of_kernel(int file) {
    struct statfs status {};
    if (::fstatfs(file, &status) != 0) {
        int saved = errno;
        throw_system(saved, "output of the hooks: fstatfs");
    }
    constexpr std::array<std::uint32_t, 8> kinds{
        PROC_SUPER_MAGIC, SYSFS_MAGIC,   CGROUP_SUPER_MAGIC, CGROUP2_SUPER_MAGIC,
        DEBUGFS_MAGIC,    TRACEFS_MAGIC, SECURITYFS_MAGIC,   BINFMTFS_MAGIC};
    return std::find(kinds.begin(), kinds.end(), static_cast<std::uint32_t>(status.f_type)) !=
           kinds.end();
}

Fd open_output(const std::string& path) {
    Fd file;
    if (path.empty()) {
        return file;
    }
    // The annotation may come from elsewhere than the caller: no link is followed to a file that
    // was not meant, and no fifo or device waits or acts.
    constexpr int flags = O_WRONLY | O_CREAT | O_APPEND | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY;
    int errnum = sys::try_open_at(AT_FDCWD, path, flags, 0600, file);
    if (errnum != 0) {
        throw_system(errnum, "output of the hooks: open " + printable(path),
                     errnum == ELOOP ? "a symbolic link is refused there" : "");
    }
    if (!S_ISREG(sys::stat_of(file.get(), path).st_mode) || is_of_kernel(file.get())) {
        throw_error(ErrorKind::denied,
                    "output of the hooks: " + printable(path) + " is not a regular file");
    }
    return file;
}

/// The bundle, or "/" if it is gone by now.
Fd open_directory(const std::string& bundle) {
    Fd directory;
    if (sys::try_open_at(AT_FDCWD, bundle, O_PATH | O_DIRECTORY, 0, directory) != 0) {
        directory = sys::open_at(AT_FDCWD, "/", O_PATH | O_DIRECTORY);
    }
    return directory;
}

} // namespace

HookFiles open_hook_files(const plan::HookOutput& output) {
    return {open_output(output.output_path), open_output(output.errors_path)};
}

void run_hooks(const std::vector<plan::Hook>& hooks, const plan::HookOutput& output,
               const std::string& bundle, const std::string& state) {
    if (hooks.empty()) {
        return;
    }
    HookFiles files = open_hook_files(output);
    Fd directory = open_directory(bundle);
    run_hooks(hooks, HookSurroundings{files.output.get(), files.errors.get(), directory.get()},
              state);
}

} // namespace coracle::launch

#include "process_setup_private.h"

#include "coracle/base/error.h"
#include "coracle/base/text.h"
#include "coracle/sys/file.h"
#include "inspect_private.h"

#include <cerrno>
#include <fcntl.h>
#include <string_view>
#include <sys/stat.h>
#include <unistd.h>

namespace coracle::launch {

namespace {

constexpr std::string_view default_path =
    "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

std::string_view find_path(const std::vector<std::string>& env) {
    for (const std::string& entry : env) {
        if (entry.starts_with("PATH=")) {
            return std::string_view(entry).substr(5);
        }
    }
    return default_path;
}

/// 0, or why `path` cannot be executed.
int check_executable(const std::string& path) noexcept {
    struct stat status {};
    if (::stat(path.c_str(), &status) != 0) {
        return errno;
    }
    if (S_ISDIR(status.st_mode)) {
        return EISDIR;
    }
    if (!S_ISREG(status.st_mode)) {
        return EACCES;
    }
    return sys::try_execute_access(path);
}

[[noreturn]] void throw_of_program(int errnum, const std::string& what, const std::string& why) {
    Error error(ErrorKind::not_executable, what + ": " + describe_errno(errnum), errnum);
    error.explain(why);
    throw Error(std::move(error));
}

[[noreturn]] void throw_not_executable(const std::string& program, const std::string& path,
                                       int errnum) {
    std::string text = "exec \"" + printable(program) + "\"";
    std::string why = explain_not_executed(path, errnum == EISDIR ? EACCES : errnum);
    if (errnum == EISDIR) { // managers look for "permission denied"
        errnum = EACCES;
    }
    throw_of_program(errnum, errnum == ENOENT ? text + ": stat " + printable(program) : text, why);
}

[[noreturn]] void throw_not_found(const std::string& program, std::string_view path) {
    bool one_word = program.find(' ') == std::string::npos;
    throw_of_program(ENOENT,
                     "exec: \"" + printable(program) + "\": executable file not found in $PATH",
                     one_word ? "PATH=" + printable(path)
                              : "each argument is an element of process.args of its own");
}

} // namespace

std::string find_executable(const std::string& program, const std::vector<std::string>& env) {
    if (program.find('/') != std::string::npos) {
        int errnum = check_executable(program);
        if (errnum != 0) {
            throw_not_executable(program, program, errnum);
        }
        return program;
    }
    std::string refused;
    std::string_view search_path = find_path(env);
    for (std::string_view directory : split(search_path, ':')) {
        std::string path =
            directory.empty() ? "./" + program : std::string(directory) + "/" + program;
        int errnum = check_executable(path);
        if (errnum == 0) {
            return path;
        }
        if (errnum == EACCES && refused.empty()) {
            refused = path;
        }
    }
    if (!refused.empty()) {
        throw_not_executable(program, refused, EACCES);
    }
    throw_not_found(program, search_path);
}

} // namespace coracle::launch

#include "coracle/base/error.h"

#include <cerrno>
#include <cstring>

namespace coracle {

namespace {

/// For what the caller's limits refuse, whatever was asked for.
const char* cure_of(int errnum) noexcept {
    switch (errnum) {
    case EMFILE:
        return "raise RLIMIT_NOFILE with ulimit -n";
    case ENFILE:
        return "an administrator must raise fs.file-max";
    case EFBIG:
        return "raise RLIMIT_FSIZE with ulimit -f";
    default:
        return "";
    }
}

} // namespace

const char* describe_errno(int errnum) noexcept {
    const char* words = strerrordesc_np(errnum);
    return words != nullptr ? words : "Unknown error";
}

void throw_system(int errnum, const std::string& what, const std::string& why) {
    std::string text = what + ": " + describe_errno(errnum);
    if (strerrordesc_np(errnum) == nullptr) {
        text += " " + std::to_string(errnum);
    }
    Error error(ErrorKind::system, std::move(text), errnum);
    error.explain(why.empty() ? cure_of(errnum) : why);
    throw Error(std::move(error));
}

void throw_error(ErrorKind kind, const std::string& text) {
    throw Error(kind, text);
}

} // namespace coracle

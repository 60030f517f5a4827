#include "coracle/base/error.h"

#include "coracle/base/text.h"

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

std::string describe_errno(int errnum) {
    const char* known = strerrordesc_np(errnum);
    std::string words = known != nullptr ? known : "unknown error " + std::to_string(errnum);
    bool is_sentence = words.size() > 1 && words[1] >= 'a' && words[1] <= 'z';
    return is_sentence ? to_lower(words.substr(0, 1)) + words.substr(1) : words; // not "RFS ..."
}

void throw_system(int errnum, const std::string& what, const std::string& why) {
    Error error(ErrorKind::system, what + ": " + describe_errno(errnum), errnum);
    error.explain(why.empty() ? cure_of(errnum) : why);
    throw Error(std::move(error));
}

void throw_error(ErrorKind kind, const std::string& text) {
    throw Error(kind, text);
}

} // namespace coracle

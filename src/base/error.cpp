#include "coracle/base/error.h"

#include <cstring>

namespace coracle {

const char* describe_errno(int errnum) noexcept {
    const char* words = strerrordesc_np(errnum);
    return words != nullptr ? words : "Unknown error";
}

void throw_system(int errnum, const std::string& what) {
    std::string text = what + ": " + describe_errno(errnum);
    if (strerrordesc_np(errnum) == nullptr) {
        text += " " + std::to_string(errnum);
    }
    throw Error(ErrorKind::system, std::move(text), errnum);
}

void throw_error(ErrorKind kind, const std::string& text) {
    throw Error(kind, text);
}

} // namespace coracle

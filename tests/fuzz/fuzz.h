#pragma once

#include "coracle/base/error.h"

#include <cstddef>
#include <cstdint>
#include <string>

/// What every target defines. An exception that leaves it, or a sanitizer's report, is a find.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size);

namespace coracle::test {

inline std::string to_text(const std::uint8_t* data, std::size_t size) {
    return std::string(reinterpret_cast<const char*>(data), size);
}

/// Ends the process: what the target promises does not hold.
inline void require(bool holds) {
    if (!holds) {
        __builtin_trap();
    }
}

/// Runs `work`; an Error, which is an answer, ends it quietly. It has a text of one line.
template <class Work>
void run_expecting_errors(Work&& work) {
    try {
        work();
    } catch (const Error& error) { // catch: an answer like another
        require(!error.text().empty());
        require(error.text().find('\n') == std::string::npos);
    }
}

} // namespace coracle::test

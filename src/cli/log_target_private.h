#pragma once

#include <string>

namespace coracle::cli {

struct LogChoice {
    std::string target; ///< "": standard error; else PATH or file:PATH
    std::string format; ///< "text" or "json"
    std::string level;  ///< "": error
};

/// Opens the log for appending and sets where this process's lines go. Throws: system, unsupported.
void open_log(const LogChoice& choice);

} // namespace coracle::cli

#pragma once

#include <string>

namespace coracle::cli {

struct LogChoice {
    /// "": standard error; else PATH, file:PATH, journald:[IDENTIFIER] or syslog:[IDENTIFIER]
    std::string target;
    std::string format; ///< "text" or "json"
    std::string level;  ///< "": error
};

/// Opens the log for appending and sets where this process's lines go. Throws: system; usage.
void open_log(const LogChoice& choice);

} // namespace coracle::cli

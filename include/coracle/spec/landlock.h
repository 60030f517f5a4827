#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

/// What the annotation org.coracle.landlock asks for, by Landlock's own notions: landlock(7).
namespace coracle::spec {

enum class LandlockAccess : std::uint8_t {
    read,         ///< "read": read files, list directories
    read_execute, ///< "ro": execute files too
    all,          ///< "rw"
};

/// What may be done with a file, or with all that is beneath a directory.
struct LandlockRule {
    std::string path; ///< absolute, in the container
    LandlockAccess access{};
};

/// The TCP ports that may be used; no others.
struct LandlockPorts {
    std::vector<std::uint16_t> bind;
    std::vector<std::uint16_t> connect;
};

struct Landlock {
    std::optional<std::vector<LandlockRule>> fs; ///< nothing: files are not restricted
    std::optional<LandlockPorts> net;            ///< nothing: ports are not restricted
    bool scope_abstract_unix_socket = false;
    bool scope_signal = false;
};

/// What `text`, a JSON object, asks for. Unlike config.json it may have no member that is not
/// known. Runs in: parent. Throws: invalid_config, naming the annotation and the JSON pointer.
[[nodiscard]] Landlock parse_landlock(std::string_view text);
/// The text that parse_landlock reads as `landlock`: one line, no newline.
[[nodiscard]] std::string write_landlock(const Landlock& landlock);

} // namespace coracle::spec

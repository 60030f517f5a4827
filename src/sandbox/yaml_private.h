#pragma once

#include <cstddef>
#include <string>
#include <vector>

/// YAML as far as a profile needs it. The only part that sees the YAML library.
namespace coracle::sandbox {

enum class YamlKind { null, scalar, sequence, map };

struct YamlNode {
    YamlKind kind = YamlKind::null;
    std::size_t line = 1; ///< both from 1, in bytes
    std::size_t column = 1;
    std::string text;            ///< of a scalar; null: as written, "" or "~"
    bool quoted = false;         ///< a scalar in quotes, or a block
    std::vector<YamlNode> items; ///< of a map: key, value, key, value
};

inline constexpr std::size_t max_yaml_bytes = 65536;

/// "FILE:3:7". Runs in: parent.
[[nodiscard]] std::string describe_place(const std::string& name, const YamlNode& node);

/// The one document in `text`, which may be hostile; `name` is of its file, for messages. Keys are
/// scalars, each once; anchors, aliases and tags are refused, and what is nested deeply.
/// Throws: invalid_config, as "FILE:LINE:COLUMN: what".
[[nodiscard]] YamlNode parse_yaml(const std::string& text, const std::string& name);

} // namespace coracle::sandbox

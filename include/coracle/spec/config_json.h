#pragma once

#include "coracle/spec/config.h"

#include <cstddef>
#include <string_view>

namespace coracle::spec {

/// The longest document that is read: 16 MiB.
inline constexpr std::size_t max_document_bytes = std::size_t{16} << 20;

/// The configuration that `text` (a whole config.json) describes. Unknown keys are ignored, as the
/// runtime-spec asks; a known key of the wrong type, an integer out of range, a duplicate key, a
/// NUL in a string, nesting deeper than 64 and text after the document are errors.
/// Runs in: parent.
/// Throws: invalid_config, naming the JSON pointer ("/process/user/uid") or line and column.
/// Source: runtime-spec config.md, config-linux.md; RFC 8259; RFC 6901.
[[nodiscard]] Config parse_config(std::string_view text);

/// The same for a document that is a process object, such as `exec --process` reads.
[[nodiscard]] Process parse_process_document(std::string_view text);
/// The same for a document that is a linux.resources object, such as `update --resources` reads.
[[nodiscard]] Resources parse_resources_document(std::string_view text);
/// The same for a document that is a linux.seccomp object, or a configuration that has one.
[[nodiscard]] Seccomp parse_seccomp_document(std::string_view text);

} // namespace coracle::spec

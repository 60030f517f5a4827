#pragma once

#include "coracle/spec/config.h"

#include <string>

namespace coracle::spec {

enum class ConfigLayout {
    compact, ///< one line
    tabs,    ///< for people
};

/// The text of a config.json that parse_config reads back as the same configuration. Keys that are
/// empty or absent are left out. Newline at the end. A byte that is not UTF-8 becomes U+FFFD.
/// Source: runtime-spec config.md, config-linux.md.
[[nodiscard]] std::string write_config(const Config& config, ConfigLayout layout);

/// The text of a document that is a linux.seccomp object, for people.
[[nodiscard]] std::string write_seccomp_document(const Seccomp& seccomp);

} // namespace coracle::spec

#pragma once

#include "support/catch.h"

#include "coracle/base/error.h"
#include "spec/spec_test_data.h"

#include <fstream>
#include <iterator>
#include <string>

namespace spec_test {

/// The Error that `work` throws.
template <class Work>
coracle::Error error_of(Work&& work) {
    try {
        work();
    } catch (const coracle::Error& error) {
        return error;
    }
    FAIL("nothing was thrown");
    return coracle::Error(coracle::ErrorKind::internal, "");
}

/// The text of a file below tests/data.
inline std::string read_data(const std::string& name) {
    std::ifstream file(std::string(test_data_directory) + "/" + name, std::ios::binary);
    REQUIRE(file);
    return std::string(std::istreambuf_iterator<char>(file), {});
}

/// Whether `text` holds `part`; prints both if not.
inline bool holds(const std::string& text, const std::string& part) {
    INFO(text);
    CHECK(text.find(part) != std::string::npos);
    return text.find(part) != std::string::npos;
}

} // namespace spec_test

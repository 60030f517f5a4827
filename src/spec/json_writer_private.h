#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <vector>

namespace coracle::spec::json {

enum class Layout { compact, two_blanks, tabs };

/// Builds the text of a JSON document from top to bottom. The caller keeps the grammar: a key
/// before each value of an object, an end for each begin.
class Writer {
  public:
    explicit Writer(Layout layout) : layout_(layout) {}

    Writer& begin_object() { return begin('{'); }
    Writer& end_object() { return end('}'); }
    Writer& begin_array() { return begin('['); }
    Writer& end_array() { return end(']'); }
    Writer& key(std::string_view name);
    Writer& string(std::string_view value);
    Writer& unsigned_integer(std::uint64_t value);
    Writer& integer(std::int64_t value);
    Writer& boolean(bool value);
    /// `digits` as it is: the text of a number that JSON takes.
    Writer& number(std::string_view digits);

    Writer& strings(const std::vector<std::string>& values);
    Writer& strings(const std::vector<std::string_view>& values);
    Writer& string_map(const std::map<std::string, std::string>& values);

    /// The document with a newline at its end.
    [[nodiscard]] std::string finish();

  private:
    Writer& begin(char bracket);
    Writer& end(char bracket);
    void separate();
    void break_line();

    Layout layout_;
    std::string text_;
    std::size_t depth_ = 0;
    bool first_ = true;      ///< nothing stands in the innermost container yet
    bool after_key_ = false; ///< the value of a key comes next
};

} // namespace coracle::spec::json

#include "spec/json_writer_private.h"

#include "coracle/base/text.h"

namespace coracle::spec::json {

Writer& Writer::key(std::string_view name) {
    string(name);
    text_ += layout_ == Layout::compact ? ":" : ": ";
    after_key_ = true;
    return *this;
}

Writer& Writer::string(std::string_view value) {
    separate();
    text_ += '"';
    text_ += escape_json(value);
    text_ += '"';
    return *this;
}

Writer& Writer::number(std::string_view digits) {
    separate();
    text_ += digits;
    return *this;
}

Writer& Writer::unsigned_integer(std::uint64_t value) {
    separate();
    text_ += std::to_string(value);
    return *this;
}

Writer& Writer::integer(std::int64_t value) {
    separate();
    text_ += std::to_string(value);
    return *this;
}

Writer& Writer::boolean(bool value) {
    separate();
    text_ += value ? "true" : "false";
    return *this;
}

Writer& Writer::strings(const std::vector<std::string>& values) {
    return strings(std::vector<std::string_view>(values.begin(), values.end()));
}

Writer& Writer::strings(const std::vector<std::string_view>& values) {
    begin_array();
    for (const std::string_view value : values) {
        string(value);
    }
    return end_array();
}

Writer& Writer::string_map(const std::map<std::string, std::string>& values) {
    begin_object();
    for (const auto& [name, value] : values) {
        key(name).string(value);
    }
    return end_object();
}

std::string Writer::finish() {
    text_ += '\n';
    return std::move(text_);
}

Writer& Writer::begin(char bracket) {
    separate();
    text_ += bracket;
    ++depth_;
    first_ = true;
    return *this;
}

Writer& Writer::end(char bracket) {
    --depth_;
    if (!first_) {
        break_line();
    }
    text_ += bracket;
    first_ = false;
    return *this;
}

void Writer::separate() {
    if (after_key_) {
        after_key_ = false;
        return;
    }
    if (depth_ == 0) {
        return;
    }
    if (!first_) {
        text_ += ',';
    }
    break_line();
    first_ = false;
}

void Writer::break_line() {
    switch (layout_) {
    case Layout::compact:
        return;
    case Layout::two_blanks:
        text_ += '\n';
        text_.append(2 * depth_, ' ');
        return;
    case Layout::tabs:
        text_ += '\n';
        text_.append(depth_, '\t');
        return;
    }
}

} // namespace coracle::spec::json

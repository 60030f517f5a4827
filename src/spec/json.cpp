#include "spec/json_private.h"

#include "coracle/base/error.h"
#include "coracle/base/text.h"

#include <limits>

namespace coracle::spec::json {

namespace {

const char* describe_kind(Kind kind) noexcept {
    switch (kind) {
    case Kind::null:
        return "null";
    case Kind::boolean:
        return "true or false";
    case Kind::unsigned_integer:
    case Kind::negative_integer:
        return "an integer";
    case Kind::real:
        return "a number with a fraction or exponent, or beyond 64 bits";
    case Kind::string:
        return "a string";
    case Kind::array:
        return "an array";
    case Kind::object:
        return "an object";
    }
    return "a value";
}

/// One part of a JSON pointer.
std::string escape_pointer(std::string_view key) {
    std::string part;
    for (const char c : key) {
        if (c == '~') {
            part += "~0";
        } else if (c == '/') {
            part += "~1";
        } else {
            part += c;
        }
    }
    return printable(part);
}

} // namespace

View Document::root() const noexcept {
    return View(*this, 0);
}

std::string_view View::key() const noexcept {
    return std::string_view(document_->characters_).substr(node().key_start, node().key_length);
}

bool View::is_empty_container() const noexcept {
    const bool container = kind() == Kind::array || kind() == Kind::object;
    return container && node().next == index_ + 1;
}

bool View::as_bool() const {
    require_kind(Kind::boolean);
    return node().payload != 0;
}

std::string View::as_string() const {
    require_kind(Kind::string);
    return document_->characters_.substr(node().payload, node().length);
}

std::uint32_t View::as_uint32() const {
    return static_cast<std::uint32_t>(as_unsigned(std::numeric_limits<std::uint32_t>::max()));
}

std::uint64_t View::as_uint64() const {
    return as_unsigned(std::numeric_limits<std::uint64_t>::max());
}

std::int32_t View::as_int32() const {
    return static_cast<std::int32_t>(as_signed(std::numeric_limits<std::int32_t>::min(),
                                               std::numeric_limits<std::int32_t>::max()));
}

std::int64_t View::as_int64() const {
    return as_signed(std::numeric_limits<std::int64_t>::min(),
                     std::numeric_limits<std::int64_t>::max());
}

std::vector<std::string> View::as_strings() const {
    return as_vector([](const View& element) { return element.as_string(); });
}

std::uint64_t View::as_unsigned(std::uint64_t highest) const {
    if (kind() == Kind::unsigned_integer && node().payload <= highest) {
        return node().payload;
    }
    fail("must be an integer from 0 to " + std::to_string(highest));
}

std::int64_t View::as_signed(std::int64_t lowest, std::int64_t highest) const {
    const auto value = static_cast<std::int64_t>(node().payload);
    if (kind() == Kind::negative_integer && value >= lowest) {
        return value;
    }
    if (kind() == Kind::unsigned_integer && node().payload <= static_cast<std::uint64_t>(highest)) {
        return value;
    }
    fail("must be an integer from " + std::to_string(lowest) + " to " + std::to_string(highest));
}

void View::require_kind(Kind wanted) const {
    if (kind() != wanted) {
        fail(std::string("must be ") + describe_kind(wanted) + ", not " + describe_kind(kind()));
    }
}

void View::require_member(std::string_view wanted) const {
    bool found = false;
    for_each_member([&](std::string_view key, const View&) { found = found || key == wanted; });
    if (!found) {
        fail("the member \"" + std::string(wanted) + "\" is missing");
    }
}

void View::fail(const std::string& text) const {
    const std::string where = index_ == 0 ? "the document" : pointer() + ":";
    throw_error(ErrorKind::invalid_config,
                std::string(document_->name()) + ": " + where + " " + text);
}

std::string View::pointer() const {
    std::string path;
    std::uint32_t at = 0;
    while (at != index_) {
        const bool in_array = document_->nodes_[at].kind == Kind::array;
        std::size_t position = 0;
        std::uint32_t child = at + 1;
        while (document_->nodes_[child].next <= index_) {
            child = document_->nodes_[child].next;
            ++position;
        }
        path += '/';
        path += in_array ? std::to_string(position) : escape_pointer(View(*document_, child).key());
        at = child;
    }
    return path;
}

} // namespace coracle::spec::json

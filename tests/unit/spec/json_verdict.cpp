#include "coracle/base/error.h"
#include "spec/json_private.h"

#include <cstdio>
#include <iostream>
#include <string>

/// What the JSON reader makes of documents, for json_table.py. Standard input: of each its length
/// in decimal, a newline and its bytes. Standard output: a line each, "taken VALUE" or
/// "refused TEXT". In VALUE strings are hexadecimal, and a member that is null is left out.

namespace {

using coracle::spec::json::Kind;
using coracle::spec::json::View;

void write_hex(std::string_view text, std::string& out) {
    constexpr std::string_view digits = "0123456789abcdef";
    out += '"';
    for (const char c : text) {
        const auto byte = static_cast<unsigned char>(c);
        out += digits[byte >> 4U];
        out += digits[byte & 15U];
    }
    out += '"';
}

void write_value(const View& view, std::string& out) {
    switch (view.kind()) {
    case Kind::null:
        out += "null";
        return;
    case Kind::boolean:
        out += view.as_bool() ? "true" : "false";
        return;
    case Kind::unsigned_integer:
        out += std::to_string(view.as_uint64());
        return;
    case Kind::negative_integer:
        out += std::to_string(view.as_int64());
        return;
    case Kind::real:
        out += "real";
        return;
    case Kind::string:
        write_hex(view.as_string(), out);
        return;
    case Kind::array:
        out += '[';
        view.for_each_element([&](const View& element) {
            write_value(element, out);
            out += ' ';
        });
        out += ']';
        return;
    case Kind::object:
        out += '{';
        view.for_each_member([&](std::string_view key, const View& member) {
            write_hex(key, out);
            write_value(member, out);
            out += ' ';
        });
        out += '}';
        return;
    }
}

std::string verdict_of(const std::string& text) {
    try {
        const coracle::spec::json::Document document(text, "document");
        std::string value = "taken ";
        write_value(document.root(), value);
        return value;
    } catch (const coracle::Error& error) { // catch: the answer
        return "refused " + error.text();
    }
}

} // namespace

int main() {
    std::string line;
    while (std::getline(std::cin, line)) {
        std::string text(std::stoul(line), '\0');
        if (!std::cin.read(text.data(), static_cast<std::streamsize>(text.size()))) {
            return 1;
        }
        std::puts(verdict_of(text).c_str());
    }
    return 0;
}

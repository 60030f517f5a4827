#include "spec/spec_support.h"

#include "coracle/spec/config_json.h"
#include "spec/json_private.h"

#include <limits>

using namespace coracle;
using namespace spec_test;
using spec::json::Document;
using spec::json::Kind;
using spec::json::View;

namespace {

std::string refusal(std::string_view text) {
    const Error error = error_of([&] { const Document document(text, "doc"); });
    CHECK(error.kind() == ErrorKind::invalid_config);
    return error.text();
}

/// The text of the error when `visit` reads the member "v" of `text`.
template <class Visit>
std::string type_refusal(std::string_view text, Visit&& visit) {
    const Document document(text, "doc");
    return error_of([&] {
               document.root().for_each_member(
                   [&](std::string_view, const View& value) { visit(value); });
           })
        .text();
}

std::string nested(std::size_t depth) {
    return std::string(depth, '[') + std::string(depth, ']');
}

} // namespace

TEST_CASE("json: values and their kinds", "[json]") {
    const Document document(
        R"({"n":null,"b":true,"u":18446744073709551615,"i":-9223372036854775808,"d":1.5,)"
        R"("s":"x\ny","a":[1,2],"o":{"k":"v"},"e":[]})",
        "doc");
    std::vector<std::string> seen;
    document.root().for_each_member([&](std::string_view key, const View& value) {
        seen.emplace_back(key);
        if (key == "b") {
            CHECK(value.as_bool());
        } else if (key == "u") {
            CHECK(value.as_uint64() == std::numeric_limits<std::uint64_t>::max());
        } else if (key == "i") {
            CHECK(value.as_int64() == std::numeric_limits<std::int64_t>::min());
        } else if (key == "d") {
            CHECK(value.kind() == Kind::real);
        } else if (key == "s") {
            CHECK(value.as_string() == "x\ny");
        } else if (key == "a") {
            CHECK(value.as_vector([](const View& v) { return v.as_uint32(); }) ==
                  std::vector<std::uint32_t>{1, 2});
            CHECK_FALSE(value.is_empty_container());
        } else if (key == "e") {
            CHECK(value.is_empty_container());
        }
    });
    CHECK(seen == std::vector<std::string>{"b", "u", "i", "d", "s", "a", "o", "e"});
}

TEST_CASE("json: syntax errors name line and column", "[json]") {
    CHECK(holds(refusal("{\n  \"a\": 1,\n  x\n}"), "doc: line 3, column 3: not valid JSON"));
    CHECK(holds(refusal(""), "line 1, column 1"));
    CHECK(holds(refusal("{\"a\":"), "incomplete"));
    CHECK(holds(refusal("{} x"), "line 1, column 4: text after the end"));
    CHECK(holds(refusal("{}{}"), "text after the end"));
    for (const char* bad : {"{'a':1}", "[1,]", "{\"a\":1,}", "// c\n{}", "nul", "[01]", "[+1]",
                            "[1e]", "[.5]", "[NaN]", "\"\\x\"", "\"a\nb\"", "\xef\xbb\xbf{}",
                            "{\"a\" 1}", "{1:1}", "[\"\\ud800\"]", "[\"\\udc00\\ud800\"]"}) {
        CAPTURE(bad);
        CHECK(holds(refusal(bad), "doc: line "));
    }
}

TEST_CASE("json: white space around the document is fine", "[json]") {
    CHECK_NOTHROW(Document(" \t\r\n{} \t\r\n", "doc"));
}

TEST_CASE("json: a key may stand once in an object, at any depth and number", "[json]") {
    CHECK(holds(refusal(R"({"a":1,"a":2})"), "the key \"a\" twice"));
    CHECK(holds(refusal(R"({"o":[{"x":{"k":1,"j":2,"k":3}}]})"), "the key \"k\" twice"));
    CHECK(holds(refusal(R"({"a":1,"\u0061":2})"), "the key \"a\" twice"));
    CHECK(holds(refusal(R"({"":1,"":2})"), "the key \"\" twice"));
    std::string many = "{";
    for (int i = 0; i < 100; ++i) {
        many += "\"k" + std::to_string(i) + "\":{},";
    }
    CHECK_NOTHROW(Document(many + "\"last\":1}", "doc"));
    CHECK(holds(refusal(many + "\"k57\":1}"), "the key \"k57\" twice"));
    CHECK_NOTHROW(Document(R"([{"a":1},{"a":1,"b":{"a":1}}])", "doc"));
}

TEST_CASE("json: no NUL in strings and keys", "[json]") {
    CHECK(holds(refusal("{\"a\":\"x\\u0000y\"}"), "contains a NUL"));
    CHECK(holds(refusal("{\"a\\u0000\":1}"), "contains a NUL"));
    CHECK(holds(refusal(std::string_view("{\"a\":\"x\0y\"}", 11)), "doc: line 1"));
    CHECK(holds(refusal(std::string_view("{}\0", 3)), "doc: line 1"));
}

TEST_CASE("json: UTF-8 only, surrogate pairs decoded", "[json]") {
    const Document document(R"(["\ud83d\udef6"])", "doc");
    document.root().for_each_element(
        [](const View& value) { CHECK(value.as_string() == "\xf0\x9f\x9b\xb6"); });
    for (const char* bad :
         {"[\"\xff\"]", "[\"\xc0\x80\"]", "[\"\xed\xa0\x80\"]", "[\"\xe2\x82\"]", "{\"\xff\":1}"}) {
        CHECK(holds(refusal(bad), "doc: line 1"));
    }
}

TEST_CASE("json: nesting ends at 64", "[json]") {
    CHECK_NOTHROW(Document(nested(64), "doc"));
    CHECK(holds(refusal(nested(65)), "nested deeper than 64 levels"));
    CHECK(holds(refusal(std::string(100000, '[')), "nested deeper than 64 levels"));
}

TEST_CASE("json: length ends at 16 MiB", "[json]") {
    std::string text = "\"" + std::string(spec::max_document_bytes - 2, 'a') + "\"";
    CHECK_NOTHROW(Document(text, "doc"));
    text += ' ';
    CHECK(holds(refusal(text), "longer than 16777216 bytes"));
}

TEST_CASE("json: a string in many escaped parts keeps its bytes", "[json]") {
    std::string text = "[\"";
    std::string wanted;
    for (int i = 0; i < 5000; ++i) {
        text += "ab\\n\\u00e4";
        wanted += "ab\n\xc3\xa4";
    }
    text += "\"]";
    const Document document(text, "doc");
    document.root().for_each_element(
        [&](const View& value) { CHECK(value.as_string() == wanted); });
}

TEST_CASE("json: integers are integers and in range", "[json]") {
    const auto unsigned_32 = [](const View& value) { (void)value.as_uint32(); };
    for (const char* bad : {"4294967296", "-1", "1.0", "1e3", "1E0", "\"1\"", "true", "[]", "{}",
                            "18446744073709551616", "-0.0"}) {
        CAPTURE(bad);
        CHECK(type_refusal("{\"v\":" + std::string(bad) + "}", unsigned_32) ==
              "doc: /v: must be an integer from 0 to 4294967295");
    }
    const auto signed_32 = [](const View& value) { (void)value.as_int32(); };
    for (const char* bad : {"2147483648", "-2147483649", "0.5", "18446744073709551615"}) {
        CAPTURE(bad);
        CHECK(type_refusal("{\"v\":" + std::string(bad) + "}", signed_32) ==
              "doc: /v: must be an integer from -2147483648 to 2147483647");
    }
    const auto signed_64 = [](const View& value) { (void)value.as_int64(); };
    CHECK(holds(type_refusal("{\"v\":9223372036854775808}", signed_64), "doc: /v: must be"));
    const auto unsigned_64 = [](const View& value) { (void)value.as_uint64(); };
    CHECK(holds(type_refusal("{\"v\":18446744073709551616}", unsigned_64), "doc: /v: must be"));
}

TEST_CASE("json: errors carry the JSON pointer", "[json]") {
    const Document document(R"({"a":[{"x":1},{"b/c~d":{"e":[0,"bad"]}}],"z":0})", "doc");
    const auto dig = [&] {
        document.root().for_each_member([](std::string_view key, const View& a) {
            if (key != "a") {
                return;
            }
            a.for_each_element([](const View& element) {
                element.for_each_member([](std::string_view name, const View& member) {
                    if (name == "x") {
                        return;
                    }
                    member.for_each_member([](std::string_view, const View& e) {
                        e.for_each_element([](const View& number) { (void)number.as_uint32(); });
                    });
                });
            });
        });
    };
    CHECK(holds(error_of(dig).text(), "doc: /a/1/b~1c~0d/e/1: must be"));
    CHECK(error_of([&] { document.root().require_member("y"); }).text() ==
          "doc: the document the member \"y\" is missing");
    CHECK(error_of([&] { (void)document.root().as_string(); }).text() ==
          "doc: the document must be a string, not an object");
}

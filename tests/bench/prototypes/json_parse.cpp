// Prototype for ADR 0008: Boost.JSON's two doors on a config.json.
// Run: g++ -std=c++20 -O2 json_parse.cpp -o /tmp/json -lboost_json && /tmp/json CONFIG_JSON
#include <boost/json.hpp>
#include <boost/json/basic_parser_impl.hpp>

#include <chrono>
#include <cstdio>
#include <fstream>
#include <iterator>
#include <string>

namespace {

namespace json = boost::json;
using Clock = std::chrono::steady_clock;

// Sees every key and value in order: a duplicate key, a depth or a NUL is ours to judge.
struct Counting {
    static constexpr std::size_t max_object_size = ~std::size_t{0};
    static constexpr std::size_t max_array_size = ~std::size_t{0};
    static constexpr std::size_t max_key_size = ~std::size_t{0};
    static constexpr std::size_t max_string_size = ~std::size_t{0};
    std::size_t keys = 0;
    std::size_t values = 0;

    bool on_document_begin(json::error_code&) { return true; }
    bool on_document_end(json::error_code&) { return true; }
    bool on_object_begin(json::error_code&) { return true; }
    bool on_object_end(std::size_t, json::error_code&) { return true; }
    bool on_array_begin(json::error_code&) { return true; }
    bool on_array_end(std::size_t, json::error_code&) { return true; }
    bool on_key_part(json::string_view, std::size_t, json::error_code&) { return true; }
    bool on_key(json::string_view, std::size_t, json::error_code&) { return ++keys > 0; }
    bool on_string_part(json::string_view, std::size_t, json::error_code&) { return true; }
    bool on_string(json::string_view, std::size_t, json::error_code&) { return ++values > 0; }
    bool on_number_part(json::string_view, json::error_code&) { return true; }
    bool on_int64(std::int64_t, json::string_view, json::error_code&) { return ++values > 0; }
    bool on_uint64(std::uint64_t, json::string_view, json::error_code&) { return ++values > 0; }
    bool on_double(double, json::string_view, json::error_code&) { return ++values > 0; }
    bool on_bool(bool, json::error_code&) { return ++values > 0; }
    bool on_null(json::error_code&) { return ++values > 0; }
    bool on_comment_part(json::string_view, json::error_code&) { return true; }
    bool on_comment(json::string_view, json::error_code&) { return true; }
};

template <class Work>
double milliseconds(Work work) {
    const Clock::time_point start = Clock::now();
    work();
    return std::chrono::duration<double, std::milli>(Clock::now() - start).count();
}

} // namespace

int main(int argc, char** argv) {
    std::ifstream file(argc > 1 ? argv[1] : "/dev/null");
    const std::string text{std::istreambuf_iterator<char>(file), {}};
    for (const char* warmth : {"cold", "warm"}) {
        json::basic_parser<Counting> parser{json::parse_options{}};
        json::error_code error;
        const double ours =
            milliseconds([&] { parser.write_some(false, text.data(), text.size(), error); });
        const double theirs = milliseconds([&] { (void)json::parse(text, error); });
        std::printf("%s, %zu bytes: basic_parser %.3f ms (%zu keys), json::parse %.3f ms%s\n",
                    warmth, text.size(), ours, parser.handler().keys, theirs,
                    error ? ", ERROR" : "");
    }
    const json::value twice = json::parse(R"({"a": 1, "a": 2})");
    std::printf("json::parse keeps of a duplicate key: %s\n", serialize(twice).c_str());
}

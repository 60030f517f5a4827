#include "spec/json_private.h"

#include "coracle/base/error.h"
#include "coracle/base/text.h"
#include "coracle/spec/config_json.h"

#include <boost/json/basic_parser_impl.hpp>

#include <algorithm>

namespace coracle::spec::json {

namespace {

namespace bj = boost::json;

constexpr std::size_t max_depth = 64;

enum class Problem { none, nul, duplicate_key };

/// Receives the parser's events and appends nodes. Its member names and signatures are those that
/// boost::json::basic_parser asks of a handler.
class Builder {
  public:
    static constexpr std::size_t max_array_size = max_document_bytes;
    static constexpr std::size_t max_object_size = max_document_bytes;
    static constexpr std::size_t max_string_size = max_document_bytes;
    static constexpr std::size_t max_key_size = max_document_bytes;

    Builder(std::vector<Node>& nodes, std::string& characters)
        : nodes_(nodes), characters_(characters) {}

    [[nodiscard]] Problem problem() const noexcept { return problem_; }
    [[nodiscard]] std::string_view duplicate_key() const noexcept { return duplicate_key_; }

    bool on_document_begin(bj::error_code&) { return true; }
    bool on_document_end(bj::error_code&) { return true; }

    bool on_object_begin(bj::error_code&) { return open(Kind::object); }
    bool on_object_end(std::size_t count, bj::error_code& ec) {
        if (has_duplicate_key(open_.back(), count)) {
            return refuse(Problem::duplicate_key, ec);
        }
        return close();
    }
    bool on_array_begin(bj::error_code&) { return open(Kind::array); }
    bool on_array_end(std::size_t, bj::error_code&) { return close(); }

    bool on_key_part(bj::string_view part, std::size_t, bj::error_code&) { return append(part); }
    bool on_key(bj::string_view part, std::size_t size, bj::error_code& ec) {
        append(part);
        key_start_ = characters_.size() - size;
        key_length_ = size;
        return !has_nul(key_start_) || refuse(Problem::nul, ec);
    }
    bool on_string_part(bj::string_view part, std::size_t, bj::error_code&) { return append(part); }
    bool on_string(bj::string_view part, std::size_t size, bj::error_code& ec) {
        append(part);
        const std::size_t start = characters_.size() - size;
        add(Kind::string, start).length = static_cast<std::uint32_t>(size);
        return !has_nul(start) || refuse(Problem::nul, ec);
    }

    bool on_number_part(bj::string_view, bj::error_code&) { return true; }
    bool on_int64(std::int64_t value, bj::string_view, bj::error_code&) {
        add(value < 0 ? Kind::negative_integer : Kind::unsigned_integer,
            static_cast<std::uint64_t>(value));
        return true;
    }
    bool on_uint64(std::uint64_t value, bj::string_view, bj::error_code&) {
        add(Kind::unsigned_integer, value);
        return true;
    }
    bool on_double(double, bj::string_view, bj::error_code&) {
        add(Kind::real, 0);
        return true;
    }
    bool on_bool(bool value, bj::error_code&) {
        add(Kind::boolean, value ? 1 : 0);
        return true;
    }
    bool on_null(bj::error_code&) {
        add(Kind::null, 0);
        return true;
    }
    bool on_comment_part(bj::string_view, bj::error_code&) { return true; }
    bool on_comment(bj::string_view, bj::error_code&) { return true; }

  private:
    bool append(bj::string_view part) {
        characters_.append(part.data(), part.size());
        return true;
    }

    [[nodiscard]] bool has_nul(std::size_t start) const {
        return characters_.find('\0', start) != std::string::npos;
    }

    Node& add(Kind kind, std::uint64_t payload) {
        Node node;
        node.kind = kind;
        node.payload = payload;
        node.key_start = static_cast<std::uint32_t>(key_start_);
        node.key_length = static_cast<std::uint32_t>(key_length_);
        node.next = static_cast<std::uint32_t>(nodes_.size() + 1);
        key_length_ = 0;
        nodes_.push_back(node);
        return nodes_.back();
    }

    bool open(Kind kind) {
        open_.push_back(nodes_.size());
        add(kind, 0);
        return true;
    }

    bool close() {
        nodes_[open_.back()].next = static_cast<std::uint32_t>(nodes_.size());
        open_.pop_back();
        return true;
    }

    bool refuse(Problem problem, bj::error_code& ec) {
        problem_ = problem;
        ec = bj::error::syntax; // replaced by the problem in the message
        return false;
    }

    [[nodiscard]] std::string_view key_of(const Node& node) const {
        return std::string_view(characters_).substr(node.key_start, node.key_length);
    }

    bool has_duplicate_key(std::size_t object, std::size_t count) {
        keys_.clear();
        for (std::size_t i = object + 1; i < nodes_.size(); i = nodes_[i].next) {
            keys_.push_back(key_of(nodes_[i]));
        }
        constexpr std::size_t few = 12; // pairwise comparison is cheaper than sorting up to here
        std::vector<std::string_view>::const_iterator found = keys_.cend();
        if (count > few) {
            std::sort(keys_.begin(), keys_.end());
            found = std::adjacent_find(keys_.cbegin(), keys_.cend());
        } else {
            for (auto key = keys_.cbegin(); key != keys_.cend() && found == keys_.cend(); ++key) {
                found = std::find(std::next(key), keys_.cend(), *key);
            }
        }
        if (found == keys_.cend()) {
            return false;
        }
        duplicate_key_ = *found;
        return true;
    }

    std::vector<Node>& nodes_;
    std::string& characters_;
    std::vector<std::size_t> open_;
    std::vector<std::string_view> keys_;
    std::size_t key_start_ = 0;
    std::size_t key_length_ = 0;
    std::string_view duplicate_key_;
    Problem problem_ = Problem::none;
};

/// "line 3, column 7" of the byte at `offset`.
std::string describe_position(std::string_view text, std::size_t offset) {
    const std::string_view before = text.substr(0, offset);
    const auto line = std::count(before.begin(), before.end(), '\n') + 1;
    const std::size_t newline = before.rfind('\n');
    const std::size_t column = offset - (newline == std::string_view::npos ? 0 : newline + 1) + 1;
    return "line " + std::to_string(line) + ", column " + std::to_string(column);
}

std::string describe_problem(const Builder& builder, const bj::error_code& ec) {
    switch (builder.problem()) {
    case Problem::nul:
        return "a string or key contains a NUL";
    case Problem::duplicate_key:
        return "the object that ends here has the key \"" + printable(builder.duplicate_key()) +
               "\" twice";
    case Problem::none:
        break;
    }
    if (ec == bj::error::too_deep) {
        return "nested deeper than " + std::to_string(max_depth) + " levels";
    }
    return "not valid JSON: " + ec.message();
}

} // namespace

Document::Document(std::string_view text, const char* name) : name_(name) {
    if (text.size() > max_document_bytes) {
        throw_error(ErrorKind::invalid_config, std::string(name) + ": longer than " +
                                                   std::to_string(max_document_bytes) + " bytes");
    }
    // No string grows by being unescaped, so this never reallocates and keys stay where they are.
    characters_.reserve(text.size());
    nodes_.reserve(std::min<std::size_t>(text.size() / 12 + 16, 1 << 16));
    bj::parse_options options;
    options.max_depth = max_depth;
    bj::basic_parser<Builder> parser(options, nodes_, characters_);
    bj::error_code ec;
    const std::size_t end = parser.write_some(false, text.data(), text.size(), ec);
    if (ec) {
        throw_error(ErrorKind::invalid_config, std::string(name) + ": " +
                                                   describe_position(text, end) + ": " +
                                                   describe_problem(parser.handler(), ec));
    }
    if (end != text.size()) {
        throw_error(ErrorKind::invalid_config, std::string(name) + ": " +
                                                   describe_position(text, end) +
                                                   ": text after the end of the document");
    }
}

} // namespace coracle::spec::json

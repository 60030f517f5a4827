#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

/// A parsed JSON document and typed access to it; nothing here knows what the document means.
namespace coracle::spec::json {

enum class Kind : std::uint8_t {
    null,
    boolean,
    unsigned_integer,
    negative_integer,
    real, ///< written with a fraction or an exponent, or beyond 64 bits
    string,
    array,
    object,
};

/// One value. All values of a document stand in one vector in document order, so the children of an
/// array or object follow it and `next` is the index after the last of them.
struct Node {
    std::uint64_t payload = 0; ///< the number or boolean, or where the string starts
    std::uint32_t length = 0;  ///< of the string
    std::uint32_t key_start = 0;
    std::uint32_t key_length = 0;
    std::uint32_t next = 0;
    Kind kind = Kind::null;
};

class View;

/// The document in `text`. `name` stands in front of every error text and must outlive it.
class Document {
  public:
    /// Throws: invalid_config for a syntax error, bytes that are not UTF-8, a duplicate key, a NUL
    /// in a string or key, nesting deeper than 64, text after the document, more than 16 MiB.
    /// Source: RFC 8259.
    Document(std::string_view text, const char* name);
    Document(const Document&) = delete;
    Document& operator=(const Document&) = delete;
    Document(Document&&) = delete;
    Document& operator=(Document&&) = delete;
    ~Document() = default;

    [[nodiscard]] View root() const noexcept;
    [[nodiscard]] const char* name() const noexcept { return name_; }

  private:
    friend class View;

    const char* name_;
    std::vector<Node> nodes_;
    std::string characters_; ///< of all keys and strings, unescaped
};

/// One value of a document, which must outlive it. A member that is null counts as absent.
class View {
  public:
    View(const Document& document, std::uint32_t index) noexcept
        : document_(&document), index_(index) {}

    [[nodiscard]] Kind kind() const noexcept { return node().kind; }
    /// The name of this member of an object, else "".
    [[nodiscard]] std::string_view key() const noexcept;
    /// Whether it is an array or object with nothing in it.
    [[nodiscard]] bool is_empty_container() const noexcept;

    /// These throw invalid_config when the value is of another type or out of range.
    [[nodiscard]] bool as_bool() const;
    [[nodiscard]] std::string as_string() const;
    [[nodiscard]] std::uint32_t as_uint32() const;
    [[nodiscard]] std::uint64_t as_uint64() const;
    [[nodiscard]] std::int32_t as_int32() const;
    [[nodiscard]] std::int64_t as_int64() const;

    /// Throws unless it is of `kind`.
    void require_kind(Kind kind) const;
    /// Throws unless it is an object with a member `key` that is not null.
    void require_member(std::string_view key) const;
    /// Throws invalid_config "NAME: POINTER: text".
    [[noreturn]] void fail(const std::string& text) const;
    /// Where it stands in the document. Source: RFC 6901.
    [[nodiscard]] std::string pointer() const;

    /// Calls `visit(key, value)` for each member that is not null.
    template <class Visit>
    void for_each_member(Visit&& visit) const {
        require_kind(Kind::object);
        for (std::uint32_t i = index_ + 1; i < node().next; i = document_->nodes_[i].next) {
            const View member(*document_, i);
            if (member.kind() != Kind::null) {
                visit(member.key(), member);
            }
        }
    }

    /// Calls `visit(value)` for each element.
    template <class Visit>
    void for_each_element(Visit&& visit) const {
        require_kind(Kind::array);
        for (std::uint32_t i = index_ + 1; i < node().next; i = document_->nodes_[i].next) {
            visit(View(*document_, i));
        }
    }

    /// What `parse` makes of each element.
    template <class Parse>
    auto as_vector(Parse&& parse) const {
        std::vector<decltype(parse(*this))> values;
        for_each_element([&](const View& element) { values.push_back(parse(element)); });
        return values;
    }
    [[nodiscard]] std::vector<std::string> as_strings() const;

  private:
    [[nodiscard]] const Node& node() const noexcept { return document_->nodes_[index_]; }
    [[nodiscard]] std::uint64_t as_unsigned(std::uint64_t highest) const;
    [[nodiscard]] std::int64_t as_signed(std::int64_t lowest, std::int64_t highest) const;

    const Document* document_;
    std::uint32_t index_;
};

} // namespace coracle::spec::json

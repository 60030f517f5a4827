#include "yaml_private.h"

#include "coracle/base/error.h"
#include "coracle/base/text.h"

#include <algorithm>
#include <sstream>
#include <yaml-cpp/eventhandler.h>
#include <yaml-cpp/exceptions.h>
#include <yaml-cpp/parser.h>

namespace coracle::sandbox {

namespace {

constexpr std::size_t max_depth = 4;

[[noreturn]] void throw_at(const std::string& name, std::size_t line, std::size_t column,
                           const std::string& text) {
    throw_error(ErrorKind::invalid_config, printable(name) + ":" + std::to_string(line) + ":" +
                                               std::to_string(column) + ": " + text);
}

/// Before the library sees it: it guesses other encodings, and takes any byte.
void require_text(const std::string& text, const std::string& name) {
    if (text.size() > max_yaml_bytes) {
        throw_at(name, 1, 1, "more than " + std::to_string(max_yaml_bytes) + " bytes");
    }
    const std::size_t bad = std::min(text.find('\0'), find_not_utf8(text));
    if (bad == std::string::npos) {
        return;
    }
    const std::string before = text.substr(0, bad);
    const std::size_t line_start = before.rfind('\n') + 1; // npos + 1 is 0
    throw_at(name, static_cast<std::size_t>(std::count(before.begin(), before.end(), '\n')) + 1,
             bad - line_start + 1, text[bad] == '\0' ? "a NUL byte" : "a byte that is not UTF-8");
}

/// Makes nodes of what the parser finds, and refuses what a profile may not have as soon as it is
/// seen, so that nothing grows.
class Builder : public YAML::EventHandler {
  public:
    explicit Builder(const std::string& name) : name_(name) {}

    YamlNode take() { return std::move(root_); }

    void OnDocumentStart(const YAML::Mark& mark) override {
        if (documents_++ > 0) {
            refuse(mark, "more than one document: a file holds one profile");
        }
    }
    void OnDocumentEnd() override {}
    void OnNull(const YAML::Mark& mark, YAML::anchor_t anchor) override {
        YamlNode node = start(mark, "?", anchor, YamlKind::null);
        add(std::move(node));
    }
    void OnAlias(const YAML::Mark& mark, YAML::anchor_t /*anchor*/) override {
        refuse(mark, "an alias (*): write the value, or share it by extends");
    }
    void OnScalar(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor,
                  const std::string& value) override {
        YamlNode node = start(mark, tag, anchor, YamlKind::scalar);
        if (value.find('\0') != std::string::npos) {
            refuse(mark, "a NUL byte");
        }
        node.text = value;
        node.quoted = tag == "!";
        add(std::move(node));
    }
    void OnSequenceStart(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor,
                         YAML::EmitterStyle::value /*style*/) override {
        open(start(mark, tag, anchor, YamlKind::sequence), mark);
    }
    void OnSequenceEnd() override { close(); }
    void OnMapStart(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor,
                    YAML::EmitterStyle::value /*style*/) override {
        open(start(mark, tag, anchor, YamlKind::map), mark);
    }
    void OnMapEnd() override { close(); }

  private:
    [[noreturn]] void refuse(const YAML::Mark& mark, const std::string& text) const {
        // The library has no mark for what is at the end of an empty text.
        throw_at(name_, static_cast<std::size_t>(std::max(mark.line, 0)) + 1,
                 static_cast<std::size_t>(std::max(mark.column, 0)) + 1, text);
    }

    [[nodiscard]] YamlNode start(const YAML::Mark& mark, const std::string& tag,
                                 YAML::anchor_t anchor, YamlKind kind) const {
        if (anchor != YAML::NullAnchor) {
            refuse(mark, "an anchor (&): write the value, or share it by extends");
        }
        if (!tag.empty() && tag != "?" && tag != "!") {
            refuse(mark, "the tag " + printable(tag) + ": a profile has none");
        }
        YamlNode node;
        node.kind = kind;
        node.line = static_cast<std::size_t>(std::max(mark.line, 0)) + 1;
        node.column = static_cast<std::size_t>(std::max(mark.column, 0)) + 1;
        return node;
    }

    void open(YamlNode node, const YAML::Mark& mark) {
        if (open_.size() >= max_depth) {
            refuse(mark, "nested too deeply");
        }
        open_.push_back(std::move(node));
    }
    void close() {
        YamlNode node = std::move(open_.back());
        open_.pop_back();
        add(std::move(node));
    }
    void add(YamlNode node) {
        if (open_.empty()) {
            root_ = std::move(node);
            return;
        }
        open_.back().items.push_back(std::move(node));
    }

    const std::string& name_;
    int documents_ = 0;
    std::vector<YamlNode> open_;
    YamlNode root_;
};

void parse_documents(const std::string& text, Builder& builder, const std::string& name) {
    try {
        std::istringstream stream(text);
        YAML::Parser parser(stream);
        while (parser.HandleNextDocument(builder)) {
        }
    } catch (const YAML::Exception& error) { // catch: into our own vocabulary
        throw_at(name, static_cast<std::size_t>(std::max(error.mark.line, 0)) + 1,
                 static_cast<std::size_t>(std::max(error.mark.column, 0)) + 1,
                 "not YAML: " + printable(error.msg));
    }
}

} // namespace

std::string describe_place(const std::string& name, const YamlNode& node) {
    return printable(name) + ":" + std::to_string(node.line) + ":" + std::to_string(node.column);
}

YamlNode parse_yaml(const std::string& text, const std::string& name) {
    require_text(text, name);
    Builder builder(name);
    parse_documents(text, builder, name);
    return builder.take();
}

} // namespace coracle::sandbox

#include "coracle/base/text.h"
#include "coracle/sandbox/profile.h"

namespace coracle::sandbox {

namespace {

/// JSON's strings are YAML's.
std::string quote(std::string_view text) {
    return "\"" + escape_json(text) + "\"";
}

/// The words of "none|host"; empty if any value goes.
std::vector<std::string_view> choices_of(const Setting& setting) {
    std::string_view placeholder = setting.placeholder;
    bool chosen = placeholder.find('|') != std::string_view::npos &&
                  placeholder.find_first_of("[=:<") == std::string_view::npos &&
                  to_lower(placeholder) == placeholder;
    return chosen ? split(placeholder, '|') : std::vector<std::string_view>();
}

std::string scalar_schema(const Setting& setting) {
    std::string words;
    for (std::string_view word : choices_of(setting)) {
        words += (words.empty() ? "" : ", ") + quote(word);
    }
    return words.empty() ? R"("type": ["string", "number"])" : "\"enum\": [" + words + "]";
}

std::string schema_of(const Setting& setting) {
    std::string text = "    " + quote(setting.name) + ": {\"description\": ";
    std::string form =
        setting.kind == SettingKind::flag ? "" : std::string(setting.placeholder) + ": ";
    text += quote(form + setting.summary) + ", ";
    switch (setting.kind) {
    case SettingKind::flag:
        return text + "\"type\": \"boolean\"}";
    case SettingKind::value:
        return text + scalar_schema(setting) + "}";
    case SettingKind::list:
        break;
    }
    std::string item = "{" + scalar_schema(setting) + "}";
    return text + "\"anyOf\": [" + item + ", {\"type\": \"array\", \"items\": " + item + "}]}";
}

std::string list_schema(const char* name, const char* description, const std::string& item) {
    return "    " + quote(name) + ": {\"description\": " + quote(description) + ", \"anyOf\": [" +
           item + ", {\"type\": \"array\", \"items\": " + item + "}]}";
}

void write_setting(const Setting& setting, const std::vector<Said>& values, std::string& text) {
    if (values.empty()) {
        return;
    }
    text += setting.name;
    if (setting.kind == SettingKind::flag) {
        text += ": " + values.back().value + "\n";
    } else if (setting.kind == SettingKind::value) {
        text += ": " + quote(values.back().value) + "\n";
    } else {
        text += ":\n";
        for (const Said& said : values) {
            text += "  - " + quote(said.value) + "\n";
        }
    }
}

} // namespace

std::string write_profile(const Profile& profile) {
    std::string text;
    if (!profile.description.empty()) {
        text += "description: " + quote(profile.description) + "\n";
    }
    for (std::size_t i = 0; i < settings().size(); ++i) {
        write_setting(settings()[i], profile.statements.values[i], text);
    }
    return text;
}

std::string write_profile_schema() {
    std::string text = "{\n"
                       "  \"$schema\": \"http://json-schema.org/draft-07/schema#\",\n"
                       "  \"title\": \"a profile of coracle sandbox\",\n"
                       "  \"type\": [\"object\", \"null\"],\n"
                       "  \"additionalProperties\": false,\n"
                       "  \"properties\": {\n";
    text += R"(    "description": {"description": "what it is for, in a line", )"
            R"("type": ["string", "number", "boolean"]},)"
            "\n";
    std::string names;
    std::string entries;
    for (const Setting& setting : settings()) {
        names += (names.empty() ? "" : ", ") + quote(setting.name);
        entries += ",\n" + schema_of(setting);
    }
    text += list_schema("extends", "names or paths of profiles that this one is laid over",
                        "{\"type\": \"string\"}") +
            ",\n";
    text += list_schema("reset", "settings of which what the extended profiles say is forgotten",
                        "{\"enum\": [" + names + "]}");
    return text + entries + "\n  }\n}\n";
}

} // namespace coracle::sandbox

#include "profile_private.h"

#include "coracle/base/error.h"
#include "coracle/base/text.h"
#include "nearest_private.h"
#include "settings_private.h"
#include "yaml_private.h"

#include <functional>
#include <set>

namespace coracle::sandbox {

namespace {

const char* describe_kind(const YamlNode& node) {
    switch (node.kind) {
    case YamlKind::null:
        return "there is no value (~ and null are none: write \"~\" for the home directory)";
    case YamlKind::scalar:
        return "it is one value";
    case YamlKind::sequence:
        return "it is a list";
    case YamlKind::map:
        return "it is a map (text with \": \" or \"{\" needs quotes)";
    }
    return "";
}

class Reader {
  public:
    Reader(const std::string& name, const std::string& directory,
           std::vector<std::string>& problems)
        : name_(name), directory_(directory), problems_(problems) {}

    ProfileText take() { return std::move(result_); }

    void read_document(const YamlNode& root) {
        if (root.kind == YamlKind::null) {
            return; // a file of comments says nothing
        }
        if (root.kind != YamlKind::map) {
            report(root, std::string("a profile is a map of settings; ") + describe_kind(root));
            return;
        }
        std::set<std::string> seen;
        for (std::size_t i = 0; i + 1 < root.items.size(); i += 2) {
            const YamlNode& key = root.items[i];
            if (key.kind != YamlKind::scalar) {
                report(key, "the name of a setting is needed");
            } else if (!seen.insert(key.text).second) {
                report(key, printable(key.text) + ": it was said above already: a list holds all "
                                                  "its values");
            } else {
                read_key(key, root.items[i + 1]);
            }
        }
    }

  private:
    void report(const YamlNode& node, const std::string& text) {
        problems_.push_back(describe_place(name_, node) + ": " + text);
    }

    /// Calls `use` with each value: of a list, or the one.
    void read_list(const std::string& key, const YamlNode& value,
                   const std::function<void(const YamlNode&)>& use) {
        if (value.kind == YamlKind::scalar) {
            use(value);
            return;
        }
        if (value.kind != YamlKind::sequence) {
            report(value, key + ": a list or one value is needed; " + describe_kind(value));
            return;
        }
        for (const YamlNode& item : value.items) {
            if (item.kind == YamlKind::scalar) {
                use(item);
            } else {
                report(item, key + ": a value is needed; " + describe_kind(item));
            }
        }
    }

    void read_key(const YamlNode& key, const YamlNode& value) {
        if (key.text == "description") {
            if (value.kind != YamlKind::scalar) {
                report(value, "description: a text is needed");
            }
            result_.description = value.text;
        } else if (key.text == "extends") {
            read_list(key.text, value, [&](const YamlNode& item) {
                result_.bases.push_back({item.text, describe_place(name_, item)});
            });
        } else if (key.text == "reset") {
            read_list(key.text, value, [&](const YamlNode& item) { read_reset(item); });
        } else if (const Setting* setting = find_setting(key.text)) {
            read_setting(*setting, value);
        } else {
            report(key, printable(key.text) + ": unknown setting" + suggest(key.text));
        }
    }

    static std::string suggest(const std::string& word) {
        std::set<std::string> names{"description", "extends", "reset"};
        for (const Setting& setting : settings()) {
            names.insert(setting.name);
        }
        std::string nearest = find_nearest(word, names);
        return nearest.empty() ? "" : ": did you mean " + nearest + "?";
    }

    void read_reset(const YamlNode& item) {
        try {
            result_.statements.reset.push_back(setting_index(item.text));
        } catch (const Error& error) { // catch: one problem among others
            report(item, "reset: " + error.text());
        }
    }

    void read_setting(const Setting& setting, const YamlNode& value) {
        if (setting.kind == SettingKind::list) {
            read_list(setting.name, value, [&](const YamlNode& item) { add(setting, item); });
        } else if (value.kind != YamlKind::scalar) {
            report(value,
                   std::string(setting.name) + ": one value is needed; " + describe_kind(value));
        } else if (setting.kind == SettingKind::flag &&
                   (value.quoted || (value.text != "true" && value.text != "false"))) {
            report(value, std::string(setting.name) + ": must be true or false");
        } else {
            add(setting, value);
        }
    }

    void add(const Setting& setting, const YamlNode& value) {
        Said said;
        said.where = describe_place(name_, value) + ": " + setting.name;
        try {
            said.value = make_absolute(setting, value.text, directory_);
        } catch (const Error& error) { // catch: one problem among others
            problems_.push_back(said.where + ": " + error.text());
            return;
        }
        result_.statements.values[setting_index(setting.name)].push_back(std::move(said));
    }

    const std::string& name_;
    const std::string& directory_;
    std::vector<std::string>& problems_;
    ProfileText result_;
};

} // namespace

ProfileText parse_profile(const std::string& text, const std::string& name,
                          const std::string& directory, std::vector<std::string>& problems) {
    Reader reader(name, directory, problems);
    try {
        reader.read_document(parse_yaml(text, name));
    } catch (const Error& error) { // catch: one problem, of a text that cannot be read on
        problems.push_back(error.text());
    }
    return reader.take();
}

} // namespace coracle::sandbox

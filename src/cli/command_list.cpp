#include "commands_private.h"

#include <CLI/CLI.hpp>
#include <algorithm>
#include <array>

namespace coracle::cli {

namespace {

using Row = std::array<std::string, 6>;

/// Columns as wide as their widest cell, two blanks between.
std::string format_table(const std::vector<Row>& rows) {
    std::array<std::size_t, 6> widths{};
    for (const Row& row : rows) {
        for (std::size_t column = 0; column < row.size(); ++column) {
            widths.at(column) = std::max(widths.at(column), row.at(column).size());
        }
    }
    std::string text;
    for (const Row& row : rows) {
        std::string line;
        for (std::size_t column = 0; column < row.size(); ++column) {
            line += row.at(column);
            line.append(widths.at(column) - row.at(column).size() + 2, ' ');
        }
        line.erase(line.find_last_not_of(' ') + 1);
        text += line + "\n";
    }
    return text;
}

std::string make_table(const std::vector<spec::ContainerView>& views) {
    std::vector<Row> rows{{"ID", "PID", "STATUS", "BUNDLE", "CREATED", "OWNER"}};
    for (const spec::ContainerView& view : views) {
        rows.push_back({view.id, std::to_string(view.pid), view.status, view.bundle, view.created,
                        view.owner});
    }
    return format_table(rows);
}

} // namespace

int run_list(const container::Context& context, std::vector<std::string> arguments) {
    std::string format = "table";
    bool quiet = false;
    CLI::App app("List the containers of the state root", "list");
    app.add_option("-f,--format", format, "table or json")->check(CLI::IsMember({"table", "json"}));
    app.add_flag("-q,--quiet", quiet, "print the ids only");
    if (!parse_arguments(app, std::move(arguments))) {
        return 0;
    }
    if (quiet) {
        std::string text;
        for (const std::string& id : container::list_ids(context)) {
            text += id + "\n";
        }
        print(text);
        return 0;
    }
    std::vector<spec::ContainerView> views = container::list(context);
    print(format == "json" ? spec::write_list(views) : make_table(views));
    return 0;
}

} // namespace coracle::cli

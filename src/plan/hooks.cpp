#include "describe_private.h"
#include "plan_private.h"

#include "coracle/base/error.h"
#include "coracle/base/text.h"
#include "coracle/spec/annotations.h"

#include <fmt/format.h>

namespace coracle::plan {

namespace {

std::string find_path(const std::map<std::string, std::string>& annotations,
                      std::string_view annotation) {
    auto found = annotations.find(std::string(annotation));
    if (found == annotations.end()) {
        return {};
    }
    if (!found->second.starts_with('/')) {
        throw_error(ErrorKind::invalid_config, "/annotations/" + std::string(annotation) + ": " +
                                                   printable(found->second) +
                                                   " must be an absolute path");
    }
    return found->second;
}

/// Names only of the environment: a value may be a secret.
void describe_each(const std::vector<Hook>& hooks, const char* where, std::string& out) {
    for (const Hook& hook : hooks) {
        out += fmt::format("  {} {}: {}", hook.name, where, quote(hook.path));
        for (const std::string& arg : hook.args) {
            out += ' ' + quote(arg);
        }
        for (const std::string& entry : hook.env) {
            out += " env " + printable(entry.substr(0, entry.find('=')));
        }
        out += hook.timeout_seconds ? fmt::format(" timeout {} s\n", *hook.timeout_seconds)
                                    : std::string("\n");
    }
}

} // namespace

std::vector<Hook> make_hooks(const std::vector<spec::Hook>& hooks, const char* kind) {
    std::vector<Hook> plan;
    for (const spec::Hook& hook : hooks) {
        Hook step;
        step.name = std::string("/hooks/") + kind + "/" + std::to_string(plan.size());
        step.path = hook.path;
        step.args = hook.args.empty() ? std::vector<std::string>{hook.path} : hook.args;
        step.env = hook.env;
        if (hook.timeout) {
            step.timeout_seconds = static_cast<std::uint32_t>(*hook.timeout);
        }
        plan.push_back(std::move(step));
    }
    return plan;
}

HookOutput make_hook_output(const std::map<std::string, std::string>& annotations) {
    return {find_path(annotations, spec::hook_output_annotation),
            find_path(annotations, spec::hook_errors_annotation)};
}

void plan_hooks(const Inputs& inputs, LaunchPlan& plan, InitPlan& init) {
    const spec::Hooks& hooks = inputs.config.hooks;
    plan.hooks.prestart = make_hooks(hooks.prestart, "prestart");
    plan.hooks.create_runtime = make_hooks(hooks.create_runtime, "createRuntime");
    plan.hooks.poststart = make_hooks(hooks.poststart, "poststart");
    plan.hooks.poststop = make_hooks(hooks.poststop, "poststop");
    plan.hooks.output = make_hook_output(inputs.config.annotations);
    init.create_container_hooks = make_hooks(hooks.create_container, "createContainer");
    init.start_container_hooks = make_hooks(hooks.start_container, "startContainer");
    init.waits_for_hooks = !hooks.prestart.empty() || !hooks.create_runtime.empty();
}

std::string describe_hooks(const LaunchPlan& plan) {
    std::string text;
    describe_each(plan.hooks.prestart, "by the caller, before pivot", text);
    describe_each(plan.hooks.create_runtime, "by the caller, before pivot", text);
    describe_each(plan.init.create_container_hooks, "in the container's namespaces, before pivot",
                  text);
    describe_each(plan.init.start_container_hooks, "in the container, as its user", text);
    describe_each(plan.hooks.poststart, "by the caller, after the start", text);
    describe_each(plan.hooks.poststop, "by the caller, after the removal", text);
    if (text.empty()) {
        return text;
    }
    text.insert(0, "hooks:\n");
    if (!plan.hooks.output.output_path.empty()) {
        text += "  stdout to " + quote(plan.hooks.output.output_path) + "\n";
    }
    if (!plan.hooks.output.errors_path.empty()) {
        text += "  stderr to " + quote(plan.hooks.output.errors_path) + "\n";
    }
    return text;
}

} // namespace coracle::plan

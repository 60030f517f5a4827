#include "spec/config_json_private.h"

namespace coracle::spec {

namespace {

using json::View;

Box parse_box(const View& view) {
    Box box;
    view.for_each_member([&](std::string_view key, const View& value) {
        if (key == "height") {
            box.height = value.as_uint32();
        } else if (key == "width") {
            box.width = value.as_uint32();
        }
    });
    view.require_member("height");
    view.require_member("width");
    return box;
}

User parse_user(const View& view) {
    User user;
    view.for_each_member([&](std::string_view key, const View& value) {
        if (key == "uid") {
            user.uid = value.as_uint32();
        } else if (key == "gid") {
            user.gid = value.as_uint32();
        } else if (key == "umask") {
            user.umask = value.as_uint32();
        } else if (key == "additionalGids") {
            user.additional_gids =
                value.as_vector([](const View& element) { return element.as_uint32(); });
        }
    });
    return user;
}

Capabilities parse_capabilities(const View& view) {
    Capabilities capabilities;
    view.for_each_member([&](std::string_view key, const View& value) {
        if (key == "bounding") {
            capabilities.bounding = value.as_strings();
        } else if (key == "effective") {
            capabilities.effective = value.as_strings();
        } else if (key == "inheritable") {
            capabilities.inheritable = value.as_strings();
        } else if (key == "permitted") {
            capabilities.permitted = value.as_strings();
        } else if (key == "ambient") {
            capabilities.ambient = value.as_strings();
        }
    });
    return capabilities;
}

Rlimit parse_rlimit(const View& view) {
    Rlimit rlimit;
    view.for_each_member([&](std::string_view key, const View& value) {
        if (key == "type") {
            rlimit.type = value.as_string();
        } else if (key == "hard") {
            rlimit.hard = value.as_uint64();
        } else if (key == "soft") {
            rlimit.soft = value.as_uint64();
        }
    });
    view.require_member("type");
    view.require_member("hard");
    view.require_member("soft");
    return rlimit;
}

Scheduler parse_scheduler(const View& view) {
    Scheduler scheduler;
    view.for_each_member([&](std::string_view key, const View& value) {
        if (key == "policy") {
            scheduler.policy = value.as_string();
        } else if (key == "nice") {
            scheduler.nice = value.as_int32();
        } else if (key == "priority") {
            scheduler.priority = value.as_int32();
        } else if (key == "flags") {
            scheduler.flags = value.as_strings();
        } else if (key == "runtime") {
            scheduler.runtime = value.as_uint64();
        } else if (key == "deadline") {
            scheduler.deadline = value.as_uint64();
        } else if (key == "period") {
            scheduler.period = value.as_uint64();
        }
    });
    view.require_member("policy");
    return scheduler;
}

IoPriority parse_io_priority(const View& view) {
    IoPriority io_priority;
    view.for_each_member([&](std::string_view key, const View& value) {
        if (key == "class") {
            io_priority.priority_class = value.as_string();
        } else if (key == "priority") {
            io_priority.priority = value.as_int32();
        }
    });
    view.require_member("class");
    return io_priority;
}

ExecCpuAffinity parse_exec_cpu_affinity(const View& view) {
    ExecCpuAffinity affinity;
    view.for_each_member([&](std::string_view key, const View& value) {
        if (key == "initial") {
            affinity.initial = value.as_string();
        } else if (key == "final") {
            affinity.final_ = value.as_string();
        }
    });
    return affinity;
}

/// Members about privileges and scheduling; other keys are ignored.
void parse_process_attribute(Process& process, std::string_view key, const View& value) {
    if (key == "noNewPrivileges") {
        process.no_new_privileges = value.as_bool();
    } else if (key == "apparmorProfile") {
        process.apparmor_profile = value.as_string();
    } else if (key == "selinuxLabel") {
        process.selinux_label = value.as_string();
    } else if (key == "oomScoreAdj") {
        process.oom_score_adj = value.as_int32();
    } else if (key == "scheduler") {
        process.scheduler = parse_scheduler(value);
    } else if (key == "ioPriority") {
        process.io_priority = parse_io_priority(value);
    } else if (key == "execCPUAffinity") {
        process.exec_cpu_affinity = parse_exec_cpu_affinity(value);
    }
}

} // namespace

Process parse_process(const View& view) {
    Process process;
    view.for_each_member([&](std::string_view key, const View& value) {
        if (key == "terminal") {
            process.terminal = value.as_bool();
        } else if (key == "consoleSize") {
            process.console_size = parse_box(value);
        } else if (key == "cwd") {
            process.cwd = value.as_string();
        } else if (key == "env") {
            process.env = value.as_strings();
        } else if (key == "args") {
            process.args = value.as_strings();
        } else if (key == "user") {
            process.user = parse_user(value);
        } else if (key == "capabilities") {
            process.capabilities = parse_capabilities(value);
        } else if (key == "rlimits") {
            process.rlimits = value.as_vector(parse_rlimit);
        } else {
            parse_process_attribute(process, key, value);
        }
    });
    view.require_member("cwd");
    return process;
}

} // namespace coracle::spec

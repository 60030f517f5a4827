#include "spec/config_writer_private.h"

namespace coracle::spec {

namespace {

using json::Writer;

void write_user(Writer& writer, const User& user) {
    writer.key("user").begin_object();
    write_number(writer, "uid", user.uid);
    write_number(writer, "gid", user.gid);
    write_number(writer, "umask", user.umask);
    if (!user.additional_gids.empty()) {
        writer.key("additionalGids").begin_array();
        for (std::uint32_t gid : user.additional_gids) {
            writer.unsigned_integer(gid);
        }
        writer.end_array();
    }
    writer.end_object();
}

void write_scheduler(Writer& writer, const Scheduler& scheduler) {
    writer.key("policy").string(scheduler.policy);
    write_number_if_set(writer, "nice", scheduler.nice);
    write_number_if_set(writer, "priority", scheduler.priority);
    write_texts(writer, "flags", scheduler.flags);
    write_number_if_set(writer, "runtime", scheduler.runtime);
    write_number_if_set(writer, "deadline", scheduler.deadline);
    write_number_if_set(writer, "period", scheduler.period);
}

void write_attributes(Writer& writer, const Process& process) {
    write_flag(writer, "noNewPrivileges", process.no_new_privileges);
    write_text(writer, "apparmorProfile", process.apparmor_profile);
    write_text(writer, "selinuxLabel", process.selinux_label);
    write_number(writer, "oomScoreAdj", process.oom_score_adj);
    write_object(writer, "scheduler", process.scheduler,
                 [&](const Scheduler& scheduler) { write_scheduler(writer, scheduler); });
    write_object(writer, "ioPriority", process.io_priority, [&](const IoPriority& priority) {
        writer.key("class").string(priority.priority_class);
        write_number(writer, "priority", priority.priority);
    });
    write_object(writer, "execCPUAffinity", process.exec_cpu_affinity,
                 [&](const ExecCpuAffinity& affinity) {
                     write_text(writer, "initial", affinity.initial);
                     write_text(writer, "final", affinity.final_);
                 });
}

} // namespace

void write_process(Writer& writer, const Process& process) {
    writer.begin_object();
    write_flag(writer, "terminal", process.terminal);
    write_object(writer, "consoleSize", process.console_size, [&](const Box& box) {
        write_number(writer, "height", box.height);
        write_number(writer, "width", box.width);
    });
    write_user(writer, process.user);
    write_texts(writer, "args", process.args);
    write_texts(writer, "env", process.env);
    writer.key("cwd").string(process.cwd);
    write_object(writer, "capabilities", process.capabilities, [&](const Capabilities& sets) {
        write_texts(writer, "bounding", sets.bounding);
        write_texts(writer, "effective", sets.effective);
        write_texts(writer, "inheritable", sets.inheritable);
        write_texts(writer, "permitted", sets.permitted);
        write_texts(writer, "ambient", sets.ambient);
    });
    write_objects(writer, "rlimits", process.rlimits, [&](const Rlimit& limit) {
        writer.key("type").string(limit.type);
        write_number(writer, "hard", limit.hard);
        write_number(writer, "soft", limit.soft);
    });
    write_attributes(writer, process);
    writer.end_object();
}

} // namespace coracle::spec

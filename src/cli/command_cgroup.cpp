#include "commands_private.h"
#include "coracle/base/error.h"
#include "coracle/base/size.h"
#include "coracle/base/text.h"

#include <CLI/CLI.hpp>

namespace coracle::cli {

int run_pause(const container::Context& context, std::vector<std::string> arguments) {
    std::string id;
    CLI::App app("Stop all processes of a container, until resume", "pause");
    app.add_option("ID", id, "the container's id")->required();
    if (parse_arguments(app, std::move(arguments))) {
        container::pause(context, id);
    }
    return 0;
}

int run_resume(const container::Context& context, std::vector<std::string> arguments) {
    std::string id;
    CLI::App app("Let the processes of a paused container run again", "resume");
    app.add_option("ID", id, "the container's id")->required();
    if (parse_arguments(app, std::move(arguments))) {
        container::resume(context, id);
    }
    return 0;
}

int run_ps(const container::Context& context, std::vector<std::string> arguments) {
    std::string id;
    std::string format = "table";
    std::vector<std::string> ps_arguments;
    CLI::App app("List the processes of a container", "ps");
    app.add_option("-f,--format", format, "table or json")->check(CLI::IsMember({"table", "json"}));
    app.add_option("ID", id, "the container's id")->required();
    app.add_option("PS_ARGUMENT", ps_arguments, "for ps(1), which makes the table (default -ef)");
    app.positionals_at_end();
    if (!parse_arguments(app, std::move(arguments))) {
        return 0;
    }
    if (format == "json") {
        std::vector<std::string> numbers;
        for (int pid : container::processes(context, id)) {
            numbers.push_back(std::to_string(pid));
        }
        print("[" + join(numbers, ",") + "]\n");
        return 0;
    }
    print(container::process_table(context, id, ps_arguments));
    return 0;
}

namespace {

/// What the options of `update` say, as typed.
struct UpdateOptions {
    std::string id;
    std::string resources; ///< a file, "-" for standard input; wins over all others
    std::optional<std::uint32_t> blkio_weight;
    std::optional<std::uint64_t> cpu_period;
    std::optional<std::int64_t> cpu_quota;
    std::optional<std::uint64_t> cpu_burst;
    std::optional<std::uint64_t> cpu_share;
    std::optional<std::int64_t> cpu_idle;
    std::optional<std::uint64_t> cpu_rt_period;
    std::optional<std::int64_t> cpu_rt_runtime;
    std::string cpuset_cpus;
    std::string cpuset_mems;
    std::string memory;
    std::string memory_reservation;
    std::string memory_swap;
    std::string kernel_memory;
    std::string kernel_memory_tcp;
    std::optional<std::int64_t> pids_limit;
    std::string l3_cache_schema;
    std::string mem_bw_schema;
};

void add_update_options(CLI::App& app, UpdateOptions& options) {
    app.add_option("-r,--resources", options.resources,
                   "file with a linux.resources object, - for standard input; the other options "
                   "are ignored")
        ->type_name("FILE");
    app.add_option("--blkio-weight", options.blkio_weight, "share of block I/O, 10 to 1000");
    app.add_option("--cpu-period", options.cpu_period, "microseconds of a period");
    app.add_option("--cpu-quota", options.cpu_quota, "microseconds of CPU time in a period");
    app.add_option("--cpu-burst", options.cpu_burst, "microseconds that may be saved up");
    app.add_option("--cpu-share", options.cpu_share, "share of CPU time, 1024 is the normal one");
    app.add_option("--cpu-idle", options.cpu_idle, "1: only CPU time that nobody else wants");
    app.add_option("--cpu-rt-period", options.cpu_rt_period, "cgroup v1 only: an error");
    app.add_option("--cpu-rt-runtime", options.cpu_rt_runtime, "cgroup v1 only: an error");
    app.add_option("--cpuset-cpus", options.cpuset_cpus, "CPUs it may use: 0-3,7");
    app.add_option("--cpuset-mems", options.cpuset_mems, "memory nodes it may use");
    app.add_option("--memory", options.memory, "limit of memory, -1 for none")->type_name("BYTES");
    app.add_option("--memory-reservation", options.memory_reservation,
                   "memory that is not reclaimed while others have more")
        ->type_name("BYTES");
    app.add_option("--memory-swap", options.memory_swap,
                   "limit of memory and swap together, -1 for none")
        ->type_name("BYTES");
    app.add_option("--kernel-memory", options.kernel_memory, "accepted, without effect")
        ->type_name("BYTES");
    app.add_option("--kernel-memory-tcp", options.kernel_memory_tcp, "accepted, without effect")
        ->type_name("BYTES");
    app.add_option("--pids-limit", options.pids_limit, "limit of processes, -1 for none");
    app.add_option("--l3-cache-schema", options.l3_cache_schema,
                   "Intel RDT; not supported by update");
    app.add_option("--mem-bw-schema", options.mem_bw_schema, "Intel RDT; not supported by update");
    app.add_option("ID", options.id, "the container's id")->required();
}

spec::Resources make_resources(const UpdateOptions& options) {
    spec::Resources resources;
    spec::MemoryResources memory;
    memory.limit = parse_size(options.memory, "--memory");
    memory.reservation = parse_size(options.memory_reservation, "--memory-reservation");
    memory.swap = parse_size(options.memory_swap, "--memory-swap");
    if (memory.limit || memory.reservation || memory.swap) {
        resources.memory = memory;
    }
    spec::CpuResources cpu;
    cpu.period = options.cpu_period;
    cpu.quota = options.cpu_quota;
    cpu.burst = options.cpu_burst;
    cpu.shares = options.cpu_share;
    cpu.idle = options.cpu_idle;
    cpu.realtime_period = options.cpu_rt_period;
    cpu.realtime_runtime = options.cpu_rt_runtime;
    cpu.cpus = options.cpuset_cpus;
    cpu.mems = options.cpuset_mems;
    resources.cpu = cpu;
    resources.pids_limit = options.pids_limit;
    if (options.blkio_weight) {
        resources.block_io.emplace().weight = options.blkio_weight;
    }
    return resources;
}

} // namespace

int run_update(const container::Context& context, std::vector<std::string> arguments) {
    UpdateOptions options;
    CLI::App app("Change the limits of a container", "update");
    add_update_options(app, options);
    if (!parse_arguments(app, std::move(arguments))) {
        return 0;
    }
    if (!options.resources.empty()) {
        container::update(context, options.id, container::load_resources(options.resources));
        return 0;
    }
    if (!options.l3_cache_schema.empty() || !options.mem_bw_schema.empty()) {
        throw_error(ErrorKind::unsupported, "update: a schema of Intel RDT is not changed by "
                                            "update: write it to the group in resctrl");
    }
    container::update(context, options.id, make_resources(options));
    return 0;
}

} // namespace coracle::cli

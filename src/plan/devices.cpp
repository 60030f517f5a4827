#include "plan_private.h"

#include "coracle/base/error.h"
#include "coracle/base/text.h"

#include <algorithm>
#include <array>
#include <sys/stat.h>

namespace coracle::plan {

namespace {

struct DefaultDevice {
    const char* path;
    std::uint32_t major;
    std::uint32_t minor;
};
// runtime-spec config-linux.md#default-devices
constexpr std::array<DefaultDevice, 6> default_devices{{
    {"/dev/null", 1, 3},
    {"/dev/zero", 1, 5},
    {"/dev/full", 1, 7},
    {"/dev/random", 1, 8},
    {"/dev/urandom", 1, 9},
    {"/dev/tty", 5, 0},
}};

const MountStep* find_mount(const RootfsPlan& rootfs, std::string_view destination) {
    for (const MountStep& step : rootfs.mounts) {
        if (step.destination == destination) {
            return &step;
        }
    }
    return nullptr;
}

std::uint32_t type_bits(const std::string& type, const std::string& pointer) {
    if (type == "c" || type == "u") {
        return S_IFCHR;
    }
    if (type == "b") {
        return S_IFBLK;
    }
    if (type == "p") {
        return S_IFIFO;
    }
    throw_error(ErrorKind::invalid_config, pointer + "/type: unknown type " + printable(type));
}

std::uint32_t device_number(std::int64_t number, const std::string& pointer) {
    if (number < 0 || number > UINT32_MAX) {
        throw_error(ErrorKind::invalid_config, pointer + ": device number out of range");
    }
    return static_cast<std::uint32_t>(number);
}

DeviceStep make_device(const spec::Device& device, std::size_t index, DeviceMethod method) {
    std::string pointer = "/linux/devices/" + std::to_string(index);
    DeviceStep step;
    step.from_config = true;
    step.path = clean_absolute(device.path);
    std::uint32_t type = type_bits(device.type, pointer);
    step.mode = type | (device.file_mode.value_or(0666) & 07777U);
    step.method = type == S_IFIFO ? DeviceMethod::make_node : method;
    step.major = device_number(device.major, pointer + "/major");
    step.minor = device_number(device.minor, pointer + "/minor");
    step.uid = device.uid.value_or(0);
    step.gid = device.gid.value_or(0);
    return step;
}

void add_or_replace(std::vector<DeviceStep>& devices, DeviceStep step) {
    for (DeviceStep& existing : devices) {
        if (existing.path == step.path) {
            existing = std::move(step);
            return;
        }
    }
    devices.push_back(std::move(step));
}

void add_symlinks(RootfsPlan& rootfs) {
    // runtime-spec runtime-linux.md#dev-symbolic-links
    rootfs.symlinks = {
        {"/dev/fd", "/proc/self/fd"},
        {"/dev/stdin", "/proc/self/fd/0"},
        {"/dev/stdout", "/proc/self/fd/1"},
        {"/dev/stderr", "/proc/self/fd/2"},
    };
    // config-linux.md#default-devices: ptmx is a link to the container's own devpts.
    rootfs.symlinks.push_back({"/dev/ptmx", "pts/ptmx"});
}

} // namespace

void add_devices(const Inputs& inputs, LaunchPlan& plan, RootfsPlan& rootfs) {
    // mknod(2) needs CAP_MKNOD in the initial user namespace.
    bool may_make = inputs.facts.privileged && inputs.facts.initial_user_namespace &&
                    plan.user_namespace == UserNamespace::current;
    DeviceMethod method = may_make ? DeviceMethod::make_node : DeviceMethod::bind_from_host;
    // A /dev bound from elsewhere has what its owner put there; nothing is written into it.
    const MountStep* dev = find_mount(rootfs, "/dev");
    if (dev == nullptr || !std::holds_alternative<BindMount>(dev->what)) {
        for (const DefaultDevice& device : default_devices) {
            DeviceStep step;
            step.method = method;
            step.path = device.path;
            step.mode = S_IFCHR | 0666U;
            step.major = device.major;
            step.minor = device.minor;
            rootfs.devices.push_back(step);
        }
        add_symlinks(rootfs);
    }
    for (std::size_t i = 0; i < inputs.linux_.devices.size(); ++i) {
        DeviceStep step = make_device(inputs.linux_.devices[i], i, method);
        if (step.path == "/dev/ptmx") { // always the container's own devpts
            continue;
        }
        const spec::Device& device = inputs.linux_.devices[i];
        if (step.method == DeviceMethod::bind_from_host &&
            (device.file_mode || device.uid || device.gid)) {
            plan.degradations.push_back(
                {"/linux/devices/" + std::to_string(i),
                 step.path + " is bound from the host, so its mode and owner are the host's"});
        }
        add_or_replace(rootfs.devices, std::move(step));
    }
}

} // namespace coracle::plan

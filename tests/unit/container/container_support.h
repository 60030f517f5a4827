#pragma once

#include "unit/sys/sys_support.h"

#include "coracle/container/state_dir.h"
#include "coracle/spec/documents.h"

#include <string>

namespace coracle::test {

inline spec::Record sample_record(const std::string& id) {
    spec::Record record;
    record.oci_version = "1.3.0";
    record.id = id;
    record.bundle = "/b";
    record.rootfs = "/b/rootfs";
    record.created = "2026-01-02T03:04:05.123456789Z";
    record.boot_id = "boot";
    record.creator_pid = 1;
    return record;
}

/// The state root "root" in a temporary directory.
inline container::StateRoot open_root(const TempDir& temp) {
    return *container::StateRoot::open(temp.path("root"), container::MissingRoot::make);
}

} // namespace coracle::test

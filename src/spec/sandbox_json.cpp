#include "coracle/spec/documents.h"

#include "spec/json_writer_private.h"

namespace coracle::spec {

std::string write_sandbox_info(std::int32_t pid,
                               const std::map<std::string, std::uint64_t>& namespaces) {
    json::Writer writer(json::Layout::compact);
    writer.begin_object();
    writer.key("child-pid").integer(pid);
    for (const auto& [name, inode] : namespaces) {
        writer.key(name + "-namespace").unsigned_integer(inode);
    }
    writer.end_object();
    return writer.finish();
}

std::string write_sandbox_exit(int exit_code) {
    json::Writer writer(json::Layout::compact);
    writer.begin_object();
    writer.key("exit-code").integer(exit_code);
    writer.end_object();
    return writer.finish();
}

} // namespace coracle::spec

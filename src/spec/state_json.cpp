#include "coracle/spec/documents.h"

#include "spec/json_writer_private.h"

namespace coracle::spec {

namespace {

void write_view(json::Writer& writer, const ContainerView& view) {
    writer.begin_object();
    writer.key("ociVersion").string(view.oci_version);
    writer.key("id").string(view.id);
    writer.key("pid").integer(view.pid);
    writer.key("status").string(view.status);
    writer.key("bundle").string(view.bundle);
    writer.key("rootfs").string(view.rootfs);
    writer.key("created").string(view.created);
    if (!view.annotations.empty()) {
        writer.key("annotations").string_map(view.annotations);
    }
    writer.key("owner").string(view.owner);
    if (!view.cgroup.empty()) {
        writer.key("cgroup").string(view.cgroup);
    }
    if (view.oom_kills) {
        writer.key("oomKills").unsigned_integer(*view.oom_kills);
    }
    if (view.refused_forks) {
        writer.key("refusedForks").unsigned_integer(*view.refused_forks);
    }
    if (!view.degradations.empty()) {
        writer.key("degradations").strings(view.degradations);
    }
    writer.end_object();
}

} // namespace

std::string write_state(const ContainerView& view) {
    json::Writer writer(json::Layout::two_blanks);
    write_view(writer, view);
    return writer.finish();
}

std::string write_process_state(const ContainerView& view, std::int32_t pid,
                                const std::string& metadata) {
    json::Writer writer(json::Layout::compact);
    writer.begin_object();
    writer.key("ociVersion").string(view.oci_version);
    writer.key("fds").strings(std::vector<std::string>{"seccompFd"});
    writer.key("pid").integer(pid);
    if (!metadata.empty()) {
        writer.key("metadata").string(metadata);
    }
    writer.key("state");
    write_view(writer, view);
    writer.end_object();
    std::string text = writer.finish();
    text.pop_back();
    return text;
}

std::string write_list(const std::vector<ContainerView>& views) {
    json::Writer writer(json::Layout::compact);
    writer.begin_array();
    for (const ContainerView& view : views) {
        write_view(writer, view);
    }
    writer.end_array();
    return writer.finish();
}

} // namespace coracle::spec

#pragma once

#include "coracle/spec/config.h"
#include "spec/json_writer_private.h"

#include <concepts>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

/// The parts of write_config, one file per area of the runtime-spec.
namespace coracle::spec {

/// Each writes an object, without its key.
void write_process(json::Writer& writer, const Process& process);
void write_linux(json::Writer& writer, const Linux& value);
void write_resources(json::Writer& writer, const Resources& resources);
void write_seccomp(json::Writer& writer, const Seccomp& seccomp);

/// Write a member, or nothing if there is nothing to be said.
inline void write_text(json::Writer& writer, std::string_view key, const std::string& value) {
    if (!value.empty()) {
        writer.key(key).string(value);
    }
}

inline void write_texts(json::Writer& writer, std::string_view key,
                        const std::vector<std::string>& values) {
    if (!values.empty()) {
        writer.key(key).strings(values);
    }
}

inline void write_flag(json::Writer& writer, std::string_view key, bool value) {
    if (value) {
        writer.key(key).boolean(true);
    }
}

template <std::integral Number>
void write_number(json::Writer& writer, std::string_view key, Number value) {
    writer.key(key);
    if constexpr (std::unsigned_integral<Number>) {
        writer.unsigned_integer(value);
    } else {
        writer.integer(value);
    }
}

template <std::integral Number>
void write_number(json::Writer& writer, std::string_view key, const std::optional<Number>& value) {
    if (value) {
        write_number(writer, key, *value);
    }
}

template <std::integral Number>
void write_number_if_set(json::Writer& writer, std::string_view key, Number value) {
    if (value != 0) {
        write_number(writer, key, value);
    }
}

/// An object, written by `write_members(value)`.
template <class Value, class WriteMembers>
void write_object(json::Writer& writer, std::string_view key, const std::optional<Value>& value,
                  WriteMembers&& write_members) {
    if (value) {
        writer.key(key).begin_object();
        write_members(*value);
        writer.end_object();
    }
}

/// An array of objects.
template <class Value, class WriteMembers>
void write_objects(json::Writer& writer, std::string_view key, const std::vector<Value>& values,
                   WriteMembers&& write_members) {
    if (values.empty()) {
        return;
    }
    writer.key(key).begin_array();
    for (const Value& value : values) {
        writer.begin_object();
        write_members(value);
        writer.end_object();
    }
    writer.end_array();
}

/// An object of objects.
template <class Value, class WriteMembers>
void write_map(json::Writer& writer, std::string_view key,
               const std::map<std::string, Value>& values, WriteMembers&& write_members) {
    if (values.empty()) {
        return;
    }
    writer.key(key).begin_object();
    for (const auto& [name, value] : values) {
        writer.key(name).begin_object();
        write_members(value);
        writer.end_object();
    }
    writer.end_object();
}

inline void write_id_mappings(json::Writer& writer, std::string_view key,
                              const std::vector<IdMapping>& mappings) {
    write_objects(writer, key, mappings, [&](const IdMapping& mapping) {
        write_number(writer, "containerID", mapping.container_id);
        write_number(writer, "hostID", mapping.host_id);
        write_number(writer, "size", mapping.size);
    });
}

} // namespace coracle::spec

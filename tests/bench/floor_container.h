// The container's side of the same-work floor, linked into floor_same_work and floor_init.
#pragma once

// Mounts, devices, masks, pivot_root, limits, capabilities, then execve of argv[0].
// `ready` is a SEQPACKET socket: one byte goes out before execve, its close is the success.
__attribute__((noreturn)) void run_container_side(int ready, const char* rootfs, char** argv);

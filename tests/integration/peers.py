"""Where the control runtimes are known to differ: {runtime: {test name pattern: why}}."""

DIFFERENCES = {
    "runc": {
        "test_a_program_removed_between*": "looks the program up in create",
        "test_kill_refuses_what_is_not_a_signal*": "leaves some to the kernel",
        "test_kill_takes_the_option_all*": "wants a cgroup",
        "test_options_of_managers_are_accepted*": "has no --log-level and wants systemd",
        "test_a_wrong_command_line_*": "shows its help without a verb, exits with 1",
        "test_version_does_not_need_a_usable_root*": "makes the root first",
        "test_checkpoint_is_said_to_be*": "has checkpoint",
        "test_spec_gives_no_inheritable_or_ambient*": "had ambient ones then",
        "test_what_spec_writes_runs_as_it_is*": "its template wants a cgroup",
        "test_a_failed_create_logs_exactly_one*": "warns of the missing cgroup too",
        "test_a_user_can_be_another_id_than_root*": "wants uid 0 mapped",
        "test_the_domainname_is_set*": "new in 1.2",
        "test_a_named_namespace_is_joined*": "wants mappings with a joined user namespace",
        "test_a_pid_namespace_can_be_joined*": "wants mappings with a joined user namespace",
        "test_a_preserved_descriptor_that_is_not_open*": "takes what is not open as kept",
        "test_signals_that_the_caller_blocks*": "keeps the mask of the caller",
        "test_sysfs_without_a_network_namespace*user*": "has no such fallback",
        "test_the_default_error_number_is_that*": "needs more calls after loading",
        "test_the_filter_does_not_touch_the_loading*": "needs more calls after loading",
        "test_delete_force_cleans_up_after_a_creator*": "leaves cgroups behind",
    },
    "crun": {
        "test_a_program_removed_between*": "looks the program up in create",
        "test_kill_refuses_what_is_not_a_signal*": "leaves some to the kernel",
    },
}

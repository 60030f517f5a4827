#pragma once

/* The verbs of coracle-guest, one function each: (argument count, arguments after the verb). */
int verb_facts(int argc, char** argv);
int verb_stat(int argc, char** argv);
int verb_try_syscall(int argc, char** argv);
int verb_try_syscall32(int argc, char** argv);
int verb_try_open(int argc, char** argv);
int verb_try_mount(int argc, char** argv);
int verb_try_tty(int argc, char** argv);
int verb_swap(int argc, char** argv);
int verb_watch_links(int argc, char** argv);
int verb_find_writable(int argc, char** argv);
int verb_hold_user_namespace(int argc, char** argv);
int verb_enter(int argc, char** argv);
int verb_notify(int argc, char** argv);
int verb_try_file(int argc, char** argv);
int verb_try_port(int argc, char** argv);
int verb_try_abstract(int argc, char** argv);
int verb_try_kill(int argc, char** argv);

/* Prints `text` as a JSON string. */
void print_json_string(const char* text);
/* "EPERM" for EPERM; "0" for none. */
const char* errno_name(int number);
/* Writes all of `text`; for signal handlers too. */
void put(const char* text);

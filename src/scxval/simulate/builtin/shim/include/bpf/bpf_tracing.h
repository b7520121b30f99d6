/* SPDX-License-Identifier: MIT */
/*
 * BPF_PROG for native code: the kernel hands a program one array of arguments and libbpf's macro takes
 * them apart; here an op is a plain function of its arguments.
 */
#ifndef SCXVAL_BPF_TRACING_H
#define SCXVAL_BPF_TRACING_H

#define BPF_PROG(name, args...) name(args)

#endif

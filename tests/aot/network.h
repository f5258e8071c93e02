/* What the programs here share: running a network on raw files. */
#ifndef NETWORK_H
#define NETWORK_H

#include <enfold/enfold.h>

/* Runs on `threads` threads, over files of the inputs' and outputs' bytes, inputs first. Returns 0,
 * or 1 after a complaint to stderr. */
int runOnFiles(const enfold_program* program, int threads, char** files);

#endif
